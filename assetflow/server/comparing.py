"""What differs between two loads of a project: assets, edges and schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Loaded = Mapping[str, Any]
"""What a loading process tells: the graph document, code versions and schemas."""

_UNMARKED = frozenset({"asset", "location", "level", "upstream"})
"""Fields of an asset that differ for other reasons than an edit of it, or that edges tell."""


def changes_between(before: Loaded | None, after: Loaded) -> dict[str, Any]:
    """The changes document: assets ``added``, ``removed`` and ``changed`` (with what of them), edges, schemas.

    >>> loaded = {"graph": {"nodes": [{"asset": "a"}], "edges": []}, "code": {"a": "c1:1"}, "checks": {}, "schemas": {}}
    >>> changes_between(loaded, {**loaded, "code": {"a": "c1:2"}})["assets"]
    {'added': [], 'removed': [], 'changed': [{'asset': 'a', 'what': ['code']}]}
    """
    old = before or {"graph": {"nodes": [], "edges": []}, "code": {}, "checks": {}, "schemas": {}}
    was = {node["asset"]: node for node in old["graph"]["nodes"]}
    now = {node["asset"]: node for node in after["graph"]["nodes"]}
    both = [name for name in now if name in was]
    what = {name: _what(was[name], now[name], old, after) for name in both}
    return {
        "assets": {
            "added": [name for name in now if name not in was],
            "removed": [name for name in was if name not in now],
            "changed": [{"asset": name, "what": parts} for name, parts in what.items() if parts],
        },
        "edges": _edges(old["graph"]["edges"], after["graph"]["edges"]),
        "schemas": [
            each
            for name in both
            if (each := _schema(name, old["schemas"].get(name, ()), after["schemas"].get(name, ())))
        ],
    }


def changed_anything(changes: Mapping[str, Any]) -> bool:
    """Whether there is any change in a changes document."""
    assets, edges = changes["assets"], changes["edges"]
    return any((*assets.values(), *edges.values(), changes["schemas"]))


def _what(was: Mapping[str, Any], now: Mapping[str, Any], old: Loaded, new: Loaded) -> list[str]:
    name = now["asset"]
    parts = [field for field in now if field not in _UNMARKED and was.get(field) != now[field]]
    if old["code"].get(name) != new["code"].get(name):
        parts.append("code")
    if any(
        old["checks"].get(f"{name}:{check}") != new["checks"].get(f"{name}:{check}") for check in now.get("checks", ())
    ):
        parts.append("check code")
    if old["schemas"].get(name) != new["schemas"].get(name):
        parts.append("schema")
    return parts


def _edges(was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    before = {tuple(edge.items()): edge for edge in was}
    after = {tuple(edge.items()): edge for edge in now}
    return {
        "added": [edge for key, edge in after.items() if key not in before],
        "removed": [edge for key, edge in before.items() if key not in after],
    }


def _schema(name: str, was: Sequence[Sequence[Any]], now: Sequence[Sequence[Any]]) -> dict[str, Any] | None:
    before = {column: rest for column, *rest in was}
    after = {column: rest for column, *rest in now}
    if before == after:
        return None
    return {
        "asset": name,
        "added": [column for column in after if column not in before],
        "removed": [column for column in before if column not in after],
        "changed": [column for column in after if column in before and before[column] != after[column]],
    }
