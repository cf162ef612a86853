from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from assetflow.graph import AssetGraph, check_options, semantic_options, written_objects

Load = Callable[[str], AssetGraph]


def test_every_option_has_a_name(graph: Load) -> None:
    source = """
        class Totals(Schema):
            price: float | None = Field(ge=0, description="In euro.")
        days = DailyPartitions("2024-01-01")
        @asset(partitions=days)
        def orders() -> pd.DataFrame: ...
        @asset
        def rates() -> int: ...
        @asset(
            partitions=days, deps=["rates"], schema=Totals, hashing="rows", batch=Batch(9, column="day"),
            inputs={"orders": Input("orders", mapping=TimeWindow(-6), columns=["price"])},
        )
        def totals(orders: pd.DataFrame) -> pa.Table: ...
        """
    assert semantic_options(graph(dedent(source)).nodes["totals"]) == {
        "option:returns": "one:arrow",
        "option:batch": "day",
        "option:type:orders": "one:pandas",
        "option:columns:orders": "'price'",
        "option:mapping:orders": "TimeWindow(start_offset=-6)",
        "option:missing:orders": "wait",
        "option:mapping:deps:rates": "WholeUpstream()",
        "option:missing:deps:rates": "wait",
        "option:hashing:totals": "rows",
        "schema:totals": "price: float | None ge=0",
    }


def options(graph: Load, given: str, parameter: str = "orders", days: str = 'DailyPartitions("2024-01-01")') -> object:
    source = f"""
        days = {days}
        class Low(Schema):
            price: float
        class High(Schema):
            price: float = Field(description="In euro.")
        @asset(partitions=DailyPartitions("2024-01-01"))
        def orders(): ...
        @asset(partitions=days, {given})
        def totals({parameter}): ...
        """
    return semantic_options(graph(dedent(source)).nodes["totals"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"given": ""}, {"given": "", "days": 'DailyPartitions("2023-12-31")'}),
        ({"given": ""}, {"given": "", "days": 'DailyPartitions("2024-01-01", end="2025-01-01", end_offset=1)'}),
        ({"given": "batch=Batch(2)"}, {"given": "batch=Batch(20)"}),
        ({"given": ""}, {"given": "inputs={'orders': Input('orders', mapping=Identity(), missing='wait')}"}),
        ({"given": "schema=Low"}, {"given": "schema=High"}),
        ({"given": ""}, {"given": "group='g', tags={'a': 'b'}, owners=['o'], metadata={'m': 1}, io_manager='pickle'"}),
        ({"given": "", "parameter": "orders: int"}, {"given": "", "parameter": "orders: 'int | None'"}),
    ],
)
def test_what_makes_nothing_stale(graph: Load, before: dict[str, str], after: dict[str, str]) -> None:
    assert options(graph, **before) == options(graph, **after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"given": ""}, {"given": "batch=Batch(2)"}),
        ({"given": "batch=Batch(2)"}, {"given": "batch=Batch(2, column='day')"}),
        ({"given": ""}, {"given": "inputs={'orders': Input('orders', mapping=TimeWindow(-1, -1))}"}),
        ({"given": ""}, {"given": "inputs={'orders': Input('orders', missing='allow')}"}),
        ({"given": ""}, {"given": "inputs={'orders': Input('orders', columns=['a'])}"}),
        ({"given": ""}, {"given": "deps=['orders']"}),
        ({"given": ""}, {"given": "schema=Low"}),
        ({"given": ""}, {"given": "hashing='rows'"}),
        ({"given": "", "parameter": "orders: int"}, {"given": "", "parameter": "orders: pa.Table"}),
        (
            {"given": "", "parameter": "orders: pd.DataFrame"},
            {"given": "", "parameter": "orders: dict[str, pd.DataFrame]"},
        ),
    ],
)
def test_what_counts(graph: Load, before: dict[str, str], after: dict[str, str]) -> None:
    assert options(graph, **before) != options(graph, **after)


def test_the_order_of_outputs_counts(graph: Load) -> None:
    source = "@multi_asset(outs={'a': Out(), 'b': Out()})\ndef both(): ..."
    swapped = "@multi_asset(outs={'b': Out(), 'a': Out()})\ndef both(): ..."
    assert semantic_options(graph(source).nodes["both"]) != semantic_options(graph(swapped).nodes["both"])


def test_the_type_of_a_check_counts(graph: Load) -> None:
    source = "@asset\ndef orders(): ...\n@asset_check(asset=orders)\ndef sound(orders: pa.Table): ..."
    [check] = graph(source).checks["orders"]
    assert check_options(check) == {"option:type:orders": "one:arrow"}


def windows(partitions: str, graph: Load) -> str | None:
    names = "DailyPartitions, HourlyPartitions, CronPartitions, MultiPartitions, WeeklyPartitions, StaticPartitions"
    source = f"from assetflow import {names}\n@asset(partitions={partitions})\ndef orders(): ..."
    return semantic_options(graph(source).nodes["orders"]).get("option:windows:partitions")


@pytest.mark.parametrize(
    ("partitions", "text"),
    [
        ("None", None),
        ("StaticPartitions(['a'])", None),
        ("DailyPartitions('2024-01-01', timezone='Etc/UTC')", None),
        ("DailyPartitions('2024-01-01', timezone='Europe/Berlin')", "Europe/Berlin"),
        ("DailyPartitions('2024-01-02', end_offset=1, timezone='Europe/Berlin')", "Europe/Berlin"),
        ("HourlyPartitions('2024-01-01', minute_offset=15)", "+900"),
        ("WeeklyPartitions('2024-01-01', timezone='Europe/Berlin', hour_offset=6)", "Europe/Berlin +21600"),
        ("CronPartitions('0 6 * * *', '2024-01-01', timezone='Europe/Berlin')", None),
        (
            "MultiPartitions({'key': StaticPartitions(['a']), 'day': DailyPartitions('2024-01-01', hour_offset=1)})",
            "day: +3600",
        ),
    ],
)
def test_where_windows_lie_under_the_same_keys_counts(graph: Load, partitions: str, text: str | None) -> None:
    assert windows(partitions, graph) == text


def test_dimensions_count_with_their_mappings_and_the_classes_of_those(graph: Load) -> None:
    source = """
        from assetflow import DimensionMapping, MultiPartitions
        class Near(PartitionMapping):
            def upstream_keys(self, partition_keys, upstream): return [[key] for key in partition_keys]
        cells = MultiPartitions({"day": DailyPartitions("2024-01-01"), "region": StaticPartitions(["a", "b"])})
        @asset(partitions=cells)
        def orders(): ...
        near = Near()
        joined = DimensionMapping({"region": ("region", near), "day": "day"})
        @asset(partitions=cells, deps=[Input("orders", joined)])
        def totals(): ...
        """
    found = graph(dedent(source))
    text = semantic_options(found.nodes["totals"])["option:mapping:deps:orders"]
    assert text == "DimensionMapping('day': 'day' Identity(), 'region': 'region' Near)"
    objects = written_objects(found.nodes["totals"])
    assert [(name, type(each).__name__) for name, each in objects.items()] == [("mapping:deps:orders:region", "Near")]
