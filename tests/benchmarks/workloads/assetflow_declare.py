"""COUNT assets in assetflow: from the import of their module, its bytecode cached, until the graph is validated."""

from __future__ import annotations

import importlib
import json
import py_compile
import sys
import time
from pathlib import Path

from trivial_assets import source

from assetflow.definitions.collect import collect
from assetflow.graph import build_graph

count = int(sys.argv[1])
Path("declared.py").write_text(source("layers", count, "assetflow"))
py_compile.compile("declared.py")
sys.path.insert(0, ".")
began = time.perf_counter()
graph = build_graph(collect(importlib.import_module("declared").defs))
ended = time.perf_counter()
assert len(graph.owner) == count
print(json.dumps({"seconds": ended - began}))
