"""Features that are absent, and several mistakes at once."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from assetflow.definitions.collect import Definitions
from assetflow.errors import DefinitionErrors
from assetflow.graph import build_graph

REFUSED = {
    "automation_condition": "@asset(automation_condition=1)",
    "on_drift": "@asset(on_drift='evolve')",
    "can_subset": "@multi_asset(outs={'a': Out()}, can_subset=True)",
    "loader": "@observable_source(loader=len)",
    "io_manager": "@observable_source(io_manager='parquet')",
}
Load = Callable[[str], Definitions]


@pytest.mark.parametrize(("keyword", "decorator"), REFUSED.items())
def test_a_keyword_whose_feature_is_absent_is_refused(definitions: Load, keyword: str, decorator: str) -> None:
    with pytest.raises(DefinitionErrors) as raised:
        build_graph(definitions(f"{decorator}\ndef orders(): ..."))
    [error] = raised.value.errors
    assert error.message == f"orders: {keyword}= is not supported yet by this version"
    assert (error.hint, str(error.location)) == (f"remove {keyword}=", "shop.py:2")


@pytest.mark.parametrize("keyword", ["resources", "schedules", "sensors", "alerts"])
def test_an_argument_of_definitions_whose_feature_is_absent_is_refused(definitions: Load, keyword: str) -> None:
    with pytest.raises(DefinitionErrors) as raised:
        build_graph(definitions(f"defs = Definitions({keyword}=[1])"))
    [error] = raised.value.errors
    assert error.message == f"Definitions({keyword}=) is not supported yet by this version"
    assert str(error.location) == "shop.py:2"


@pytest.mark.parametrize("argument", ["schema=int"])
def test_an_argument_of_input_whose_feature_is_absent_is_refused(definitions: Load, argument: str) -> None:
    with pytest.raises(DefinitionErrors) as raised:
        build_graph(
            definitions(f"@asset(deps=[Input('files', {argument})])\ndef orders(): ...\n@asset\ndef files(): ...")
        )
    [error] = raised.value.errors
    keyword = argument.partition("=")[0]
    assert error.message == f"orders: deps[0]: Input({keyword}=) is not supported yet by this version"
    assert str(error.location) == "shop.py:2"


def test_the_neutral_value_of_an_absent_feature_is_accepted(definitions: Load) -> None:
    build_graph(definitions("@asset(on_drift='fail', retry_policy=None, timeout=None)\ndef orders(): ..."))
    build_graph(definitions("@multi_asset(outs={'a': Out()}, can_subset=False)\ndef orders(): ..."))


def test_all_mistakes_are_reported_together_in_order_of_place(definitions: Load) -> None:
    source = """
        @asset(owners=3)
        def orders(lost): ...

        @asset(name="orders")
        def again(gone): ...

        @asset(partitions=DailyPartitions("soon"))
        def a(b): ...

        @asset
        def b(a): ...

        @asset_check(asset="zebra")
        def sound(zebra): ...
        """
    with pytest.raises(DefinitionErrors) as raised:
        build_graph(definitions(dedent(source)))
    assert [(error.location.line, error.message.split(": ")[0]) for error in raised.value.errors if error.location] == [
        (3, "orders"),
        (3, "orders"),
        (6, "orders"),
        (6, "orders"),
        (9, "a"),
        (9, "a"),
        (15, "check sound"),
    ]


def test_two_cycles_are_two_errors(definitions: Load) -> None:
    source = "\n".join(f"@asset\ndef {name}({reads}): ..." for name, reads in zip("abcdz", "badcb", strict=True))
    with pytest.raises(DefinitionErrors) as raised:
        build_graph(definitions(source))
    first, second = raised.value.errors
    assert first.message.startswith("a: these assets need each other: a -> b -> a\n")
    assert second.message.startswith("c: these assets need each other: c -> d -> c\n")
