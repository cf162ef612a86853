"""Dynamic partitions in the tables: sets of keys by name, each key at a place of its own for ever."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from assetflow.keys import VersionId
from assetflow.partitions.sets import Ints
from assetflow.store.connection import Connection, key_read
from assetflow.store.encoding import to_json
from assetflow.store.names import Names, known_ordinals, marks, pieces
from assetflow.store.records import KeyAddition


@dataclass(frozen=True, slots=True, eq=False)
class KeySet:
    """The ordinals of a set, by place, after so many keys were ``added`` and ``revised`` (removed, or back again)."""

    added: int
    revised: int
    ordinals: Ints


def read_dynamic(connection: Connection, remembered: dict[int, KeySet]) -> dict[str, Ints]:
    """The present ordinals of every set; only what was added to a set since it was ``remembered`` is read."""
    found: dict[str, Ints] = {}
    query = "SELECT id, name, added, revised FROM dynamic_partitions ORDER BY name"
    for number, name, added, revised in connection.execute(query).fetchall():
        known = remembered.get(number)
        if known is None or known.revised != revised:
            known = KeySet(0, revised, np.empty(0, np.int64))
        if known.added != added:
            more = connection.execute(
                "SELECT ordinal FROM dynamic_keys "
                "WHERE definition = ? AND place > ? AND removed_at IS NULL ORDER BY place",
                (number, known.added),
            )
            fresh = np.fromiter(chain.from_iterable(more), np.int64)
            known = KeySet(added, revised, np.concatenate((known.ordinals, fresh)) if known.added else fresh)
        remembered[number] = known
        found[name] = known.ordinals
    return found


def removed_keys(connection: Connection, name: str) -> list[str]:
    """The keys that were in a set once and are not now."""
    query = """
    SELECT k.key FROM dynamic_keys AS d
    JOIN dynamic_partitions AS p ON p.id = d.definition JOIN partition_keys AS k ON k.ordinal = d.ordinal
    WHERE p.name = ? AND d.removed_at IS NOT NULL ORDER BY d.place
    """
    return [key_read(key) for (key,) in connection.execute(query, (name,))]


def add(connection: Connection, names: Names, addition: KeyAddition, now: int) -> list[str]:
    """Add keys to a set, inside a write transaction; gives those that were not there."""
    query = "SELECT id, added FROM dynamic_partitions WHERE name = ?"
    row = connection.execute(query, (addition.name,)).fetchone()
    if row is None:
        statement = "INSERT INTO dynamic_partitions (name, added, revised) VALUES (?, 0, 0)"
        connection.execute(statement, (addition.name,))
        row = connection.execute(query, (addition.name,)).fetchone()
    number, added = row
    ordinals = names.partition_keys(list(dict.fromkeys(addition.keys)))
    known = _known(connection, number, list(ordinals.values())) if added else {}
    fresh = [ordinal for ordinal in ordinals.values() if ordinal not in known]
    back = [ordinal for ordinal, present in known.items() if not present]
    connection.executemany(
        "INSERT INTO dynamic_keys (definition, place, ordinal, added_at, run_id) VALUES (?, ?, ?, ?, ?)",
        ((number, place, ordinal, now, addition.run_id) for place, ordinal in enumerate(fresh, added + 1)),
    )
    connection.executemany(
        "UPDATE dynamic_keys SET removed_at = NULL, added_at = ?, run_id = ? WHERE definition = ? AND ordinal = ?",
        ((now, addition.run_id, number, ordinal) for ordinal in back),
    )
    _count(connection, number, len(fresh), len(back))
    return [key for key, ordinal in ordinals.items() if not known.get(ordinal)]


def remove(connection: Connection, name: str, keys: Sequence[str], now: int) -> list[str]:
    """Take keys out of a set, inside a write transaction; gives those that were there. Their ordinals stay theirs."""
    row = connection.execute("SELECT id FROM dynamic_partitions WHERE name = ?", (name,)).fetchone()
    if row is None:
        return []
    ordinals = known_ordinals(connection, list(dict.fromkeys(keys)))
    known = _known(connection, row[0], list(ordinals.values()))
    gone = {key: ordinals[key] for key in dict.fromkeys(keys) if key in ordinals and known.get(ordinals[key])}
    connection.executemany(
        "UPDATE dynamic_keys SET removed_at = ? WHERE definition = ? AND ordinal = ?",
        ((now, row[0], ordinal) for ordinal in gone.values()),
    )
    _count(connection, row[0], 0, len(gone))
    return list(gone)


def _count(connection: Connection, number: int, added: int, revised: int) -> None:
    statement = "UPDATE dynamic_partitions SET added = added + ?, revised = revised + ? WHERE id = ?"
    connection.execute(statement, (added, revised, number))


def keep_for(connection: Connection, version: VersionId, additions: Sequence[KeyAddition]) -> None:
    """Remember what a quarantined version adds once it is published."""
    rows = ((version, addition.name, to_json(list(addition.keys))) for addition in additions)
    connection.executemany("INSERT INTO candidate_keys (version, name, keys) VALUES (?, ?, ?)", rows)


def kept_for(connection: Connection, version: VersionId, run_id: str | None) -> list[KeyAddition]:
    """What was remembered of a quarantined version, which ``run_id`` publishes."""
    rows = connection.execute("SELECT name, keys FROM candidate_keys WHERE version = ? ORDER BY name", (version,))
    return [KeyAddition(name, tuple(json.loads(keys)), run_id) for name, keys in rows.fetchall()]


def _known(connection: Connection, number: int, ordinals: Sequence[int]) -> dict[int, bool]:
    """Those of the ordinals that a set has or had, and whether it has them now."""
    known: dict[int, bool] = {}
    for some in pieces(ordinals):
        # Left to itself, SQLite reads the whole set.
        query = "SELECT ordinal, removed_at IS NULL FROM dynamic_keys INDEXED BY dynamic_keys_by_ordinal"
        found = connection.execute(f"{query} WHERE definition = ? AND ordinal IN ({marks(some)})", (number, *some))
        known.update((ordinal, bool(present)) for ordinal, present in found)
    return known
