"""A table of 10 million rows: conversion, schema check, hash, file, fsync and commit, beside pyarrow's file alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from measuring import Figure, ours, run

ROWS = 10_000_000
SURPLUS = 1.15


@pytest.mark.bench
def test_big_table(record: Callable[[Figure], None], tmp_path: Path) -> None:
    median = run(ours(), "assetflow_big.py", ROWS, cwd=tmp_path)
    written, read = {"pyarrow": median["alone"]}, {"pyarrow": median["read_alone"]}
    record(Figure("10M rows read back as Arrow", "s", median["read_ours"], None, read))
    record(Figure("10M rows published", "s", median["ours"], SURPLUS * median["alone"], written))
