"""Trivial assets in assetflow: SHAPE COUNT; a project in the working directory, its store and storage on disk."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from trivial_assets import source

from assetflow import Project

shape, count = sys.argv[1], int(sys.argv[2])
Path("trivial.py").write_text(source(shape, count, "assetflow"))
Path("pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "trivial:defs"\n')
with Project.open(".") as project:
    _ = project.setting
    began = time.perf_counter()
    result = project.materialize()
    ended = time.perf_counter()
    assert result.counts["materialized"] == count
    began_again = time.perf_counter()
    nothing = project.materialize()
    ended_again = time.perf_counter()
    assert nothing.run_id is None
print(json.dumps({"each": (ended - began) / count, "again": ended_again - began_again}))
