from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from assetflow_io.memory import MemoryIOManager

from assetflow.errors import DataMissing, InputError, OutputError
from assetflow.io import DiscardingIOManager
from tests.contract.io_manager_contract import Shelf, load


@pytest.fixture
def memory() -> MemoryIOManager:
    return MemoryIOManager()


def test_arrow_tables_do_not_share_memory_with_the_users_arrays(memory: MemoryIOManager, shelf: Shelf) -> None:
    numbers = np.array([1, 2, 3])
    stored = shelf.put(memory, pa.table({"n": pa.array(numbers)}))
    numbers[0] = 99
    assert load(memory, stored, expected=pa.Table)["n"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize("expected", [pd.DataFrame, pa.Table, ds.Dataset])
def test_tables_load_as_every_type(memory: MemoryIOManager, shelf: Shelf, expected: type) -> None:
    stored = [shelf.put(memory, pa.table({"n": [part]})) for part in range(2)]
    assert isinstance(load(memory, *stored, expected=expected), expected)


def test_a_discarded_version_is_gone(memory: MemoryIOManager, shelf: Shelf) -> None:
    assert isinstance(memory, DiscardingIOManager)
    for value in (pa.table({"n": [1]}), {"a": 1}):
        context = shelf.context()
        staged = memory.stage(context, value)
        memory.discard(context, staged)
        with pytest.raises(DataMissing, match="is not in this process's memory"):
            load(memory, shelf.stored(context, staged))


def test_tables_and_other_values_do_not_mix(memory: MemoryIOManager, shelf: Shelf) -> None:
    stored = [shelf.put(memory, value) for value in (pa.table({"n": [1]}), {"a": 1})]
    with pytest.raises(InputError, match="raw/orders: some of its partitions hold tables and some other values"):
        load(memory, *stored)


def test_a_value_cannot_arrive_as_a_table(memory: MemoryIOManager, shelf: Shelf) -> None:
    with pytest.raises(InputError, match="raw/orders@2024-01-01: holds a dict, which cannot arrive as Table"):
        load(memory, shelf.put(memory, {"a": 1}), expected=pa.Table)


def test_what_cannot_be_copied_is_refused(memory: MemoryIOManager, shelf: Shelf) -> None:
    with pytest.raises(OutputError, match="raw/orders@2024-01-01: a value of type lock cannot be copied"):
        shelf.put(memory, threading.Lock())


def test_another_process_cannot_load(memory: MemoryIOManager) -> None:
    assert not memory.cross_process
