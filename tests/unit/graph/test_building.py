from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from assetflow.definitions.collect import Definitions
from assetflow.definitions.decorators import asset
from assetflow.errors import UnknownAsset
from assetflow.graph import AssetGraph, Edge, build_graph
from assetflow.partitions.mappings import AllPartitions, Identity, LastN, TimeWindow, WholeUpstream

Load = Callable[[str], AssetGraph]
SHOP = """
    days = DailyPartitions("2024-01-01")

    @asset(deps=["shop_files"], partitions=days)
    def orders(context: AssetContext) -> pd.DataFrame: ...

    @observable_source(partitions=days, min_interval="15m")
    def shop_files(): ...

    @asset(partitions=MonthlyPartitions("2024-01"))
    def months(orders: pd.DataFrame, limit=3): ...

    @multi_asset(outs={"low": Out(), "raw/high": Out(description="Most.")}, inputs={"x": Input(months)})
    def bounds(x) -> tuple[int, pd.DataFrame]: ...

    @asset_check(asset=orders, blocking=True)
    def some(context, rows: pa.Table): ...
    """


def edge(graph: AssetGraph, name: str) -> Edge:
    [only] = graph.nodes[name].edges
    return only


def test_parameters_deps_and_inputs_become_edges(graph: Load) -> None:
    shop = graph(dedent(SHOP))
    read = edge(shop, "orders")
    assert (read.parameter, read.upstream, read.loaded, read.arrival) == ("deps:shop_files", "shop_files", False, None)
    read = edge(shop, "months")
    assert (read.parameter, read.upstream, read.loaded, str(read.arrival)) == ("orders", "orders", True, "one:pandas")
    read = edge(shop, "bounds")
    assert (read.parameter, read.upstream, read.loaded, str(read.arrival)) == ("x", "months", True, "any")


def test_order_owner_and_downstream(graph: Load) -> None:
    shop = graph(dedent(SHOP))
    assert list(shop.nodes) == ["shop_files", "orders", "months", "bounds"]
    assert shop.owner["low"] == shop.owner["raw/high"] == "bounds"
    assert {key: [each.computation for each in edges] for key, edges in shop.downstream.items()} == {
        "shop_files": ["orders"],
        "orders": ["months"],
        "months": ["bounds"],
        "low": [],
        "raw/high": [],
    }


def test_nodes_say_what_the_function_is(graph: Load) -> None:
    shop = graph(dedent(SHOP))
    orders, bounds, files = shop.nodes["orders"], shop.nodes["bounds"], shop.nodes["shop_files"]
    assert (orders.kind, orders.takes_context, str(orders.returns)) == ("asset", True, "one:pandas")
    assert (bounds.outputs, str(bounds.returns)) == (("low", "raw/high"), "any")
    assert [str(each) for each in bounds.output_returns] == ["one:value:int", "one:pandas"]
    assert (files.kind, files.edges, files.takes_context) == ("source", (), False)
    assert files.computation.min_interval is not None
    assert files.computation.min_interval.total_seconds() == 900


def test_an_external_effect_has_no_value(graph: Load) -> None:
    nodes = graph("@asset\ndef mail() -> None: ...\n@multi_asset(outs={'a': Out()})\ndef both() -> None: ...").nodes
    assert [str(node.returns) for node in nodes.values()] == ["none", "none"]
    assert [str(node.output_returns[0]) for node in nodes.values()] == ["none", "none"]


def test_checks_are_settled(graph: Load) -> None:
    [check] = graph(dedent(SHOP)).checks["orders"]
    assert (check.name, check.blocking, check.severity) == ("some", True, "error")
    assert (check.parameter, str(check.arrival), check.takes_context) == ("rows", "one:arrow", True)


@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        ("def c(orders): ...", "orders"),
        ("def c(x): ...", "x"),
        ("def c(n=3, orders=None): ...", "orders"),
        ("def c(): ...", None),
        ("def c(context): ...", None),
        ("def c(limit=3): ...", None),
    ],
)
def test_the_parameter_of_a_check(graph: Load, function: str, parameter: str | None) -> None:
    source = f"@asset(name='raw/orders')\ndef orders(): ...\n@asset_check(asset=orders)\n{function}"
    [check] = graph(source).checks["raw/orders"]
    assert check.parameter == parameter


@pytest.mark.parametrize(
    ("down", "up", "mapping"),
    [
        ("None", "None", WholeUpstream()),
        ("days", "None", WholeUpstream()),
        ("None", "days", AllPartitions()),
        ("days", "days", Identity()),
        ("days", "DailyPartitions('2024-01-01')", Identity()),
        ("days", "DailyPartitions('2023-01-01', end='2025-01-01')", Identity()),
        ("days", "DailyPartitions('2024-01-01', timezone='Europe/Berlin')", TimeWindow()),
        ("MonthlyPartitions('2024-01')", "days", TimeWindow()),
        ("StaticPartitions(['a', 'b'])", "StaticPartitions(['a', 'b'])", Identity()),
    ],
)
def test_the_default_mapping(graph: Load, down: str, up: str, mapping: object) -> None:
    source = f"""
        days = DailyPartitions("2024-01-01")
        @asset(partitions={up})
        def orders(): ...
        @asset(partitions={down})
        def totals(orders): ...
        """
    assert edge(graph(dedent(source)), "totals").mapping == mapping


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("mapping=AllPartitions()", "allow"),
        ("mapping=LastN(2)", "allow"),
        ("mapping=TimeWindow(-1, 0)", "wait"),
        ("mapping=AllPartitions(), missing='wait'", "wait"),
        ("missing='allow'", "allow"),
        ("", "wait"),
    ],
)
def test_the_default_of_missing(graph: Load, given: str, missing: str) -> None:
    source = f"""
        days = DailyPartitions("2024-01-01")
        @asset(partitions=days)
        def orders(): ...
        @asset(partitions=days, deps=[Input(orders, {given})])
        def totals(): ...
        """
    assert edge(graph(dedent(source)), "totals").missing == missing


def test_an_explicit_mapping_stays(graph: Load) -> None:
    source = """
        days = DailyPartitions("2024-01-01")
        @asset(partitions=days)
        def orders(): ...
        @asset(partitions=days, inputs={"recent": Input("orders", mapping=LastN(7)), "now": Input("orders")})
        def totals(recent, now): ...
        """
    edges = graph(dedent(source)).nodes["totals"].edges
    assert {each.parameter: each.mapping for each in edges} == {"recent": LastN(7), "now": Identity()}


@pytest.mark.parametrize(
    ("annotation", "returns", "partitions", "arrival"),
    [
        ("dict[str, float]", "float", "days", "dict:value:float"),
        ("dict[str, pd.DataFrame]", "pd.DataFrame", "days", "dict:pandas"),
        ("dict[str, dict[str, float]]", "dict[str, float]", "days", "dict:value:dict[str, float]"),
        ("dict[str, dict]", "dict[str, float]", "days", "dict:value:dict"),
        ("dict[str, float]", "dict[str, float]", "None", "one:value:dict"),
        ("dict", "dict[str, float]", "days", "one:value:dict"),
        ("list[Path]", "pd.DataFrame", "days", "paths"),
    ],
)
def test_a_dict_is_by_partition_key_where_there_are_partitions(
    graph: Load, annotation: str, returns: str, partitions: str, arrival: str
) -> None:
    source = f"""
        days = DailyPartitions("2024-01-01")
        @asset(partitions={partitions})
        def rates() -> {returns}: ...
        @asset
        def totals(rates: {annotation}): ...
        """
    assert str(edge(graph(dedent(source)), "totals").arrival) == arrival


def test_a_dict_from_the_same_partition_of_what_is_a_dict_is_that_dict(graph: Load) -> None:
    source = """
        days = DailyPartitions("2024-01-01")
        @asset(partitions=days)
        def rates() -> dict[str, float]: ...
        @asset(partitions=days)
        def totals(rates: dict[str, float]): ...
        """
    assert str(edge(graph(dedent(source)), "totals").arrival) == "one:value:dict"


def test_the_schema_of_the_return_annotation_is_the_assets(graph: Load) -> None:
    source = """
        class Orders(Schema):
            price: float
        @asset
        def orders() -> Annotated[pd.DataFrame, Orders]: ...
        @multi_asset(outs={"low": Out(), "high": Out(schema=Orders)})
        def bounds() -> tuple[Annotated[pa.Table, Orders], pa.Table]: ...
        """
    specs = graph(dedent(source)).specs
    assert [specs[key].schema.__name__ for key in ("orders", "low", "high") if specs[key].schema] == ["Orders"] * 3


def test_a_parameter_with_a_default_is_an_edge_only_if_an_asset_has_its_name(graph: Load) -> None:
    shop = graph("@asset\ndef orders(): ...\n@asset\ndef totals(orders=None, limit=3): ...")
    assert edge(shop, "totals").upstream == "orders"


def test_ancestors_and_descendants_by_depth(graph: Load) -> None:
    shop = graph(dedent(SHOP))
    assert shop.ancestors(["bounds"]) == {"months", "orders", "shop_files"}
    assert shop.ancestors(["bounds"], depth=1) == {"months"}
    assert shop.ancestors(["bounds"], depth=0) == set()
    assert shop.descendants(["orders"], depth=1) == {"months"}
    assert shop.descendants(["orders", "months"]) == {"months", "bounds"}


def test_an_unknown_asset_is_refused_with_the_nearest_names(graph: Load) -> None:
    shop = graph(dedent(SHOP))
    assert shop.require("low") == "low"
    assert shop.node_of("low").name == "bounds"
    with pytest.raises(UnknownAsset) as raised:
        shop.require("order")
    assert (raised.value.message, raised.value.hint) == ("there is no asset 'order'", "did you mean orders?")
    with pytest.raises(UnknownAsset) as raised:
        shop.node_of("zebra")
    assert raised.value.hint == "assetflow list shows all assets"


def test_a_chain_of_ten_thousand() -> None:
    functions: dict[str, object] = {"asset": asset}
    lines = ["@asset\ndef a0(): ..."] + [f"@asset\ndef a{n}(a{n - 1}): ..." for n in range(1, 10_000)]
    exec("\n".join(lines), functions)
    del functions["asset"]
    built = build_graph(Definitions(assets=[each for each in reversed(functions.values()) if callable(each)]))
    assert list(built.nodes) == [f"a{n}" for n in range(10_000)]
    assert len(built.ancestors(["a9999"])) == 9_999


def test_no_declarations_are_an_empty_graph() -> None:
    built = build_graph(Definitions())
    assert (built.nodes, built.owner, built.checks, built.downstream) == ({}, {}, {}, {})
