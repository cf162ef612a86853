"""Giving an asset another key: its uids stay, and with them all that is recorded."""

from __future__ import annotations

import json
from typing import cast

from assetflow.keys import AssetKey
from assetflow.store.connection import Connection
from assetflow.store.encoding import to_json

HAS_VERSIONS = """
SELECT EXISTS (SELECT 1 FROM versions AS v JOIN assets AS a ON a.uid = v.asset WHERE a.key = ?)
"""
# What a run under the new name recorded before the asset was renamed; one row cannot stand for two.
TAKEN_OVER = (
    """
    DELETE FROM steps WHERE asset = :gone AND EXISTS (
        SELECT 1 FROM steps AS s WHERE s.asset = :kept AND s.run_id = steps.run_id AND s.ordinal = steps.ordinal
            AND s.attempt = steps.attempt
    )
    """,
    "UPDATE steps SET asset = :kept WHERE asset = :gone",
    "UPDATE events SET asset = :kept WHERE asset = :gone",
    "DELETE FROM failures WHERE asset = :gone",
    "DELETE FROM observations WHERE asset = :gone",
    "DELETE FROM asset_heads WHERE asset = :gone",
    "DELETE FROM assets WHERE uid = :gone",
)


def rename(connection: Connection, old: AssetKey, new: AssetKey) -> bool:
    """Call ``old`` ``new``; False, and nothing done, where ``new`` has versions. Use inside a write transaction."""
    if connection.execute(HAS_VERSIONS, (new,)).fetchone()[0]:
        return False
    uids = "SELECT space, uid FROM assets WHERE key = ?"
    kept: dict[str | None, int] = dict(connection.execute(uids, (old,)).fetchall())
    for space, gone in connection.execute(uids, (new,)).fetchall():
        if space in kept:
            for statement in TAKEN_OVER:
                given = {"kept": kept[space], "gone": gone}
                connection.execute(statement, {name: each for name, each in given.items() if f":{name}" in statement})
    connection.execute("UPDATE assets SET key = ? WHERE key = ?", (new, old))
    for number, plan in connection.execute("SELECT id, plan FROM runs").fetchall():
        if f'"{old}"' in plan:
            told = to_json(_renamed(json.loads(plan), old, new))
            connection.execute("UPDATE runs SET plan = ? WHERE id = ?", (told, number))
    return True


def _renamed(document: object, old: str, new: str) -> object:
    """A plan's document with the asset's key replaced wherever it stands alone."""
    if isinstance(document, str):
        return new if document == old else document
    if isinstance(document, list):
        return [_renamed(item, old, new) for item in cast("list[object]", document)]
    if isinstance(document, dict):
        items = cast("dict[str, object]", document).items()
        return {(new if name == old else name): _renamed(item, old, new) for name, item in items}
    return document
