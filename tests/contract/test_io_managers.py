from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest
from assetflow_io.json_values import JsonIOManager
from assetflow_io.memory import MemoryIOManager
from assetflow_io.parquet import ParquetIOManager
from assetflow_io.pickles import PickleIOManager

from assetflow.io import IOManager
from tests.contract.io_manager_contract import IOManagerContract


class Tables(IOManagerContract):
    @pytest.fixture
    def values(self) -> Sequence[object]:
        return (
            pd.DataFrame({"n": [1, 2], "text": ["a", None]}),
            pd.DataFrame({"n": [3], "text": ["b"]}),
        )

    def combined(self, values: Sequence[object]) -> object:
        return pd.concat(values, ignore_index=True)

    def same(self, one: object, other: object) -> bool:
        return isinstance(one, pd.DataFrame) and isinstance(other, pd.DataFrame) and one.equals(other)

    def spoil(self, value: object) -> None:
        assert isinstance(value, pd.DataFrame)
        value.loc[0, "n"] = 99


class PlainValues(IOManagerContract):
    @pytest.fixture
    def values(self) -> Sequence[object]:
        return ({"a": [1, 2.5, None, True]}, {"b": "ä"})

    def spoil(self, value: object) -> None:
        assert isinstance(value, dict)
        value["spoilt"] = True


class TestParquet(Tables):
    @pytest.fixture
    def manager(self) -> IOManager:
        return ParquetIOManager()


class TestTablesInMemory(Tables):
    @pytest.fixture
    def manager(self) -> IOManager:
        return MemoryIOManager()


class TestJson(PlainValues):
    @pytest.fixture
    def manager(self) -> IOManager:
        return JsonIOManager()


class TestLargeJson(PlainValues):
    @pytest.fixture
    def manager(self) -> IOManager:
        return JsonIOManager()

    @pytest.fixture
    def values(self) -> Sequence[object]:
        return {"a": "x" * 20_000}, {"b": list(range(20_000))}


class TestPickle(PlainValues):
    @pytest.fixture
    def manager(self) -> IOManager:
        return PickleIOManager()


class TestValuesInMemory(PlainValues):
    @pytest.fixture
    def manager(self) -> IOManager:
        return MemoryIOManager()
