from __future__ import annotations

import pytest

from assetflow.errors import InvalidSelection, UnknownAsset
from assetflow.planner.selection import parse_selection
from assetflow.planner.targets import choose, targets
from tests.unit.planner.building import World, computed, several, source


def shop() -> World:
    return World(
        [
            source("raw/orders", group="raw"),
            source("raw/items", group="raw"),
            computed("orders", "raw/orders", group="core", owners=["team:sales"], tags={"tier": "1", "note": "a b"}),
            several("split", ["items", "stock"], "raw/items", kinds=["table"]),
            computed("sales", "orders", "items", owners=["ann"]),
            computed("report", "sales", tags={"tier": "2"}),
        ]
    )


def chosen(text: str) -> tuple[list[str], list[str]]:
    world = shop()
    found = choose(parse_selection(text), world.graph, {})
    return sorted(found.selected), sorted(found.targets)


EVERYTHING = sorted(shop().graph.nodes)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("*", EVERYTHING),
        ("orders", ["orders"]),
        ("items", ["split"]),
        ("raw/*", ["raw/items", "raw/orders"]),
        ("*s", ["orders", "raw/items", "raw/orders", "sales", "split"]),
        ("orders or sales", ["orders", "sales"]),
        ("group:raw", ["raw/items", "raw/orders"]),
        ("tag:tier=1", ["orders"]),
        ('tag:"note=a b"', ["orders"]),
        ("owner:team:sales", ["orders"]),
        ("kind:table", ["split"]),
        ("group:raw and not raw/items", ["raw/orders"]),
        ("not (group:raw or orders)", ["report", "sales", "split"]),
        ("not not orders", ["orders"]),
        ("orders or sales and not sales", ["orders"]),
        ("(orders or sales) and not sales", ["orders"]),
    ],
)
def test_without_plus_what_is_named_is_selected(text: str, selected: list[str]) -> None:
    assert chosen(text) == (selected, selected)


@pytest.mark.parametrize(
    ("text", "selected", "named"),
    [
        ("+sales", ["orders", "raw/items", "raw/orders", "sales", "split"], ["sales"]),
        ("1+sales", ["orders", "sales", "split"], ["sales"]),
        ("sales+", ["report", "sales"], ["sales"]),
        ("2+orders+1", ["orders", "raw/orders", "sales"], ["orders"]),
        ("orders+0", ["orders"], ["orders"]),
        ("+stock", ["raw/items", "split"], ["split"]),
        ("+group:core", ["orders", "raw/orders"], ["orders"]),
        ("+sales and not group:raw", ["orders", "sales", "split"], ["sales"]),
        ("* and not +orders", ["raw/items", "report", "sales", "split"], ["raw/items", "report", "sales", "split"]),
        ("+report and group:core", ["orders"], []),
    ],
)
def test_plus_adds_what_is_no_target(text: str, selected: list[str], named: list[str]) -> None:
    assert chosen(text) == (selected, named)


def test_targets_are_asset_keys() -> None:
    assert targets(parse_selection("+stock"), shop().graph, {}) == {"items", "stock"}


def test_states_select() -> None:
    world = shop()
    world.observe("raw/orders", {None: "1"})
    world.build("orders")
    world.edit("orders", "h", "2")
    states_of = world.assess().states_of
    for text, selected in {
        "status:stale": {"orders"},
        "status:missing": {"raw/items"},
        "status:waiting": {"split", "sales", "report"},
        "+status:stale": {"raw/orders", "orders"},
        "status:failed": set(),
    }.items():
        parsed = parse_selection(text)
        assert parsed.needs_states
        assert choose(parsed, world.graph, states_of).selected == selected
    assert [step.computation for step in world.plan("status:stale").steps] == ["orders"]
    assert world.plan("status:failed").steps == ()
    assert not parse_selection("+a or b").needs_states


@pytest.mark.parametrize(
    ("text", "problem", "column", "hint"),
    [
        ("orders and", "a selection is missing at the end", 10, "a selection is made of NAME"),
        ("and orders", "a selection is missing before 'and'", 0, "a selection is made of NAME"),
        ("orders sales", "'sales' is not expected here", 7, "join two selections with and or or"),
        ("(orders", "the parenthesis is never closed", 0, "close it with )"),
        ("orders)", "')' is not expected here", 6, "remove it, or open it with ("),
        ("()", "a selection is missing before ')'", 1, "a selection is made of NAME"),
        ("a or +", "'+' names no asset", 5, "write +NAME for what NAME needs"),
        ("a or b-c", "'b-c' is neither an asset key nor a pattern", 5, "a selection is made of NAME"),
        ("colour:red", "'colour' is nothing to select by", 0, "use group:, tag:, owner:, kind: or status:"),
        ("group:", "'group:' has no value", 0, "write group:VALUE"),
        ("tag:tier", "'tag:tier' has no value", 0, "write tag:KEY=VALUE"),
        ("status:broken", "'broken' is no status", 0, "use one of stale, missing, waiting, failed, up_to_date"),
        ('a or tag:"x', "the quotation mark is never closed", 9, 'close it with "'),
        ("(" * 101 + "a" + ")" * 101, "parentheses are nested more than 100 deep", 100, "write it flatter"),
    ],
)
def test_mistakes_are_pointed_at(text: str, problem: str, column: int, hint: str) -> None:
    with pytest.raises(InvalidSelection) as caught:
        parse_selection(text)
    assert caught.value.message == f"{problem}\n  {text}\n  {' ' * column}^"
    assert hint in (caught.value.hint or "")


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownAsset) as caught:
        chosen("ordres")
    assert (caught.value.message, caught.value.hint) == (
        "there is no asset 'ordres'",
        "did you mean orders or raw/orders?",
    )
    with pytest.raises(UnknownAsset, match=r"no asset matches 'row/\*'"):
        chosen("row/*")


@pytest.mark.parametrize(
    ("text", "hint"),
    [("group:cor", "did you mean core?"), ("owner:zoe", "there is ann, team:sales"), ("kind:x", "there is table")],
)
def test_attributes_that_nothing_has_are_refused(text: str, hint: str) -> None:
    with pytest.raises(InvalidSelection) as caught:
        chosen(text)
    assert caught.value.message == f"no asset has {text} (in the selection {text!r})"
    assert caught.value.hint == hint


def test_no_asset_has_any_group() -> None:
    with pytest.raises(InvalidSelection) as caught:
        World([computed("a")]).plan("group:x")
    assert caught.value.hint == "no asset has a group"


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_selection_is_refused(text: str) -> None:
    with pytest.raises(InvalidSelection, match="the selection is empty") as caught:
        parse_selection(text)
    assert caught.value.hint == "write * for all assets"
