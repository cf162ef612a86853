from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from assetflow.definitions.collect import Definitions, collect
from assetflow.errors import DefinitionErrors
from assetflow.graph import AssetGraph, build_graph

PREAMBLE = (
    "import datetime; from pathlib import Path; from typing import *; import pandas as pd; import pyarrow as pa; "
    "from assetflow import asset, multi_asset, asset_check, observable_source, Definitions, Input, Out, Schema, Field; "
    "from assetflow import DailyPartitions, MonthlyPartitions, StaticPartitions, Batch, AssetContext; "
    "from assetflow import Identity, TimeWindow, LastN, AllPartitions, StaticMapping, PartitionMapping\n"
)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Run a source as the module ``shop``, in the file ``shop.py`` of the working directory; it starts on line 2."""
    monkeypatch.chdir(tmp_path)

    def loaded(source: str) -> ModuleType:
        path = tmp_path / "shop.py"
        path.write_text(PREAMBLE + source)
        module = ModuleType("shop")
        monkeypatch.setitem(sys.modules, "shop", module)
        exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), vars(module))
        return module

    return loaded


@pytest.fixture
def definitions(load: Callable[[str], ModuleType]) -> Callable[[str], Definitions]:
    return lambda source: collect(load(source))


@pytest.fixture
def graph(definitions: Callable[[str], Definitions]) -> Callable[[str], AssetGraph]:
    return lambda source: build_graph(definitions(source))


@pytest.fixture
def one_error(definitions: Callable[[str], Definitions]) -> Callable[[str, str, str | None], None]:
    """Assert that a source holds one mistake: message (or its start, if that ends openly), hint and line."""

    def check(source: str, message: str, hint: str | None) -> None:
        source = dedent(source)
        with pytest.raises(DefinitionErrors) as raised:
            build_graph(definitions(source))
        [error] = raised.value.errors
        whole = not message.endswith((": ", ", "))
        assert error.message == message if whole else error.message.startswith(message)
        assert error.hint == hint
        for number, text in enumerate(source.splitlines(), start=2):
            if text.endswith("# here"):
                assert str(error.location) == f"shop.py:{number}"

    return check
