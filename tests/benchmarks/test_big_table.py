"""A table of 10 million rows: conversion, schema check, hash, file, fsync and commit, beside pyarrow's file alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from measuring import Figure, ours, run

ROWS = 10_000_000
SURPLUS = 1.15


@pytest.mark.bench
def test_big_table(record: Callable[[Figure], None], tmp_path_factory: pytest.TempPathFactory) -> None:
    found = [run(ours(), "assetflow_big.py", ROWS, cwd=tmp_path_factory.mktemp("big")) for _ in range(3)]
    median = {name: statistics.median(each[name] for each in found) for name in found[0]}
    written, read = {"pyarrow": median["alone"]}, {"pyarrow": median["read_alone"]}
    record(Figure("10M rows read back as Arrow", "s", median["read_ours"], None, read))
    record(Figure("10M rows published", "s", median["ours"], SURPLUS * median["alone"], written))
