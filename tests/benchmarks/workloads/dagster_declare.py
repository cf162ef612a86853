"""COUNT assets in Dagster: from the import of their module, its bytecode cached, until everything is resolved."""

from __future__ import annotations

import importlib
import json
import py_compile
import sys
import time
from pathlib import Path

import dagster
from trivial_assets import source

count = int(sys.argv[1])
Path("declared.py").write_text(source("layers", count, "dagster"))
py_compile.compile("declared.py")
sys.path.insert(0, ".")
began = time.perf_counter()
dagster.Definitions.validate_loadable(importlib.import_module("declared").defs)
print(json.dumps({"seconds": time.perf_counter() - began}))
