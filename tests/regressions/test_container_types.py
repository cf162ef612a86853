"""An input of several partitions that holds just one arrives in the same container as one that holds more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from assetflow import (
    AllPartitions,
    AssetContext,
    DailyPartitions,
    DimensionMapping,
    Input,
    LastN,
    MultiPartitions,
    StaticPartitions,
    asset,
    materialize,
)

SEEN: dict[str, Any] = {}  # a captured dict would count for the code version, by its value
DAYS = {count: DailyPartitions("2024-01-01", end=f"2024-01-0{count + 1}") for count in (1, 2)}


class Point:
    """Neither a table nor a plain value: it is pickled."""

    def __init__(self, name: str) -> None:
        self.name = name


def read(annotation: Any, made: Any, count: int, mapping: Any = None) -> Any:
    """What arrives in a parameter so annotated, of ``count`` partitions made by ``made``."""

    def parts(context: AssetContext) -> Any:
        return made(context.partition_key)

    def whole(parts: Any) -> int:
        SEEN["parts"] = parts
        SEEN["shown"] = list(parts.fetchall()) if isinstance(parts, duckdb.DuckDBPyRelation) else None
        return 1

    parts.__annotations__ = {"context": AssetContext}
    whole.__annotations__ = {"return": int} if annotation is None else {"parts": annotation, "return": int}
    upstream = asset(partitions=DAYS[count], code_version="1")(parts)
    inputs = {} if mapping is None else {"parts": Input("parts", mapping=mapping)}
    downstream = asset(inputs=inputs, code_version="1")(whole)
    result = materialize([upstream, downstream])
    assert result.status == "success", [str(failure) for failure in result.failures]
    return SEEN.pop("parts")


def table(key: str) -> pd.DataFrame:
    return pd.DataFrame({"key": [key]})


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("mapping", [None, AllPartitions()], ids=["default", "AllPartitions"])
@pytest.mark.parametrize(
    ("annotation", "made", "arrives_as"),
    [
        (dict[str, int], len, dict),
        (dict[str, pd.DataFrame], table, dict),
        (dict[str, Point], Point, dict),
        (pd.DataFrame, table, pd.DataFrame),
        (pa.Table, table, pa.Table),
        (ds.Dataset, table, ds.Dataset),
        (duckdb.DuckDBPyRelation, table, duckdb.DuckDBPyRelation),
        (list[Path], table, list),
    ],
    ids=lambda value: str(getattr(value, "__name__", value)),
)
def test_an_annotated_input(annotation: Any, made: Any, arrives_as: type, count: int, mapping: Any) -> None:
    arrived = read(annotation, made, count, mapping)
    assert isinstance(arrived, arrives_as)
    if arrives_as in (dict, list):
        assert len(arrived) == count
    if arrives_as is dict:
        assert list(arrived) == ["2024-01-01", "2024-01-02"][:count]


@pytest.mark.parametrize("made", [len, table, Point, lambda key: [key], lambda key: {"key": key}])
def test_an_input_without_annotation_is_of_one_type_whatever_the_count(made: Any) -> None:
    one, two = (read(None, made, count) for count in (1, 2))
    assert type(one) is type(two)
    if not isinstance(one, pd.DataFrame):
        assert (len(one), len(two)) == (1, 2)


@pytest.mark.parametrize("annotation", [dict[str, int], None], ids=str)
def test_the_last_one_of_many_partitions(annotation: Any) -> None:
    last = read(annotation, len, 2, LastN(1))
    two = read(annotation, len, 2, LastN(2))
    assert type(last) is type(two)
    assert (len(last), len(two)) == (1, 2)


@pytest.mark.parametrize("annotation", [int, None], ids=str)
def test_one_partition_of_each_dimension_arrives_as_it_is(annotation: Any) -> None:
    cells = MultiPartitions({"day": DAYS[2], "region": StaticPartitions(["north"])})

    @asset(partitions=DAYS[2])
    def rates() -> int:
        return 3

    def prices(rates: Any) -> int:
        return rates * 2

    prices.__annotations__ = {"rates": annotation, "return": int} if annotation else {"return": int}
    priced = asset(partitions=cells, inputs={"rates": Input("rates", DimensionMapping({"day": None}))})(prices)
    result = materialize([rates, priced])
    assert result.status == "success", [str(failure) for failure in result.failures]
    assert result.value("prices", "2024-01-02|north") == 6


def test_a_dimension_that_is_read_whole_gives_several_even_if_it_has_one_key() -> None:
    cells = MultiPartitions({"day": DAYS[2], "region": StaticPartitions(["north"])})

    @asset(partitions=cells)
    def sold() -> int:
        return 3

    def listed(sold: Any) -> list[str]:
        return sorted(sold)

    listed.__annotations__ = {"return": list[str]}
    listing = asset(partitions=DAYS[2], inputs={"sold": Input("sold", DimensionMapping({None: "day"}))})(listed)
    result = materialize([sold, listing])
    assert result.status == "success", [str(failure) for failure in result.failures]
    assert result.value("listed", "2024-01-02") == ["2024-01-02|north"]
