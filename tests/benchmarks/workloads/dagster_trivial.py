"""Trivial assets in Dagster: SHAPE COUNT; its default storage, in one process, in the working directory."""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from pathlib import Path

import dagster
from trivial_assets import source

logging.disable(logging.CRITICAL)
shape, count = sys.argv[1], int(sys.argv[2])
Path("trivial_dagster.py").write_text(source(shape, count, "dagster"))
os.environ["DAGSTER_HOME"] = os.getcwd()
sys.path.insert(0, os.getcwd())
defs = importlib.import_module("trivial_dagster").defs
with dagster.DagsterInstance.get() as instance:
    began = time.perf_counter()
    assert dagster.materialize(list(defs.assets), instance=instance).success
    print(json.dumps({"each": (time.perf_counter() - began) / count}))
