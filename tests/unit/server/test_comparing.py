from __future__ import annotations

from typing import Any

from assetflow.server.comparing import changed_anything, changes_between


def loaded(assets: dict[str, dict[str, Any]], edges: list[tuple[str, str]] = []) -> dict[str, Any]:  # noqa: B006
    return {
        "graph": {
            "nodes": [{"asset": name, "checks": [], **fields.get("row", {})} for name, fields in assets.items()],
            "edges": [{"from": upstream, "to": downstream} for upstream, downstream in edges],
        },
        "code": {name: fields.get("code", "c1:0") for name, fields in assets.items()},
        "checks": {
            f"{name}:{each}": version
            for name, fields in assets.items()
            for each, version in fields.get("checks", {}).items()
        },
        "schemas": {name: fields.get("schema", []) for name, fields in assets.items()},
    }


def test_a_first_load_adds_everything() -> None:
    changes = changes_between(None, loaded({"a": {}, "b": {}}, [("a", "b")]))
    assert (changes["assets"]["added"], changes["edges"]["added"]) == (["a", "b"], [{"from": "a", "to": "b"}])
    assert changed_anything(changes)


def test_equal_loads_have_no_changes() -> None:
    first, second = (loaded({"a": {"schema": [["n", "int", False]]}, "b": {}}, [("a", "b")]) for _ in range(2))
    assert not changed_anything(changes_between(first, second))


def test_each_kind_of_change_is_named() -> None:
    check = {"row": {"checks": ["positive"]}, "checks": {"positive": "c1:1"}}
    before = loaded({"a": {}, "b": {"schema": [["n", "int", False], ["m", "str", False]]}, "c": check, "gone": {}})
    after = loaded(
        {
            "a": {"code": "c1:1", "row": {"group": "raw"}},
            "b": {"schema": [["n", "int", True], ["k", "str", False]]},
            "c": {**check, "checks": {"positive": "c1:2"}},
            "new": {},
        }
    )
    changes = changes_between(before, after)
    assert changes["assets"] == {
        "added": ["new"],
        "removed": ["gone"],
        "changed": [
            {"asset": "a", "what": ["group", "code"]},
            {"asset": "b", "what": ["schema"]},
            {"asset": "c", "what": ["check code"]},
        ],
    }
    assert changes["schemas"] == [{"asset": "b", "added": ["k"], "removed": ["m"], "changed": ["n"]}]


def test_lines_that_move_are_no_change() -> None:
    before = loaded({"a": {"row": {"location": "shop.py:1"}}})
    assert not changed_anything(changes_between(before, loaded({"a": {"row": {"location": "shop.py:2"}}})))
