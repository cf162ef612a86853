"""What keeps versions readable and what lets go of them: the pointer log, pins, read leases and deletions.

Functions take a connection in a transaction; those that change something belong into a write transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import numpy as np

from assetflow.keys import VersionId
from assetflow.planner.state import Integers
from assetflow.store.columns import gathered
from assetflow.store.connection import Connection
from assetflow.store.encoding import from_micros, optional_moment, to_json, to_micros
from assetflow.store.records import ProcessRecord

AUDITED = (
    "accepted",
    "deleted",
    "overridden",
    "pinned",
    "renamed",
    "rolled_back",
    "unpinned",
    "wiped",
)
"""Kinds of events that are kept for good: they say who decided what, and why."""


@dataclass(frozen=True, slots=True)
class PinRecord:
    """Under a name, a version or everything as of a generation of an environment stays readable."""

    name: str
    environment: int
    created_at: datetime
    version: VersionId | None = None
    generation: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReadLease:
    """Versions that a process reads lazily; ``number`` is given by the store."""

    process: ProcessRecord
    versions: tuple[int, ...]
    taken_at: datetime
    expires_at: datetime
    number: int = 0


@dataclass(frozen=True, slots=True)
class Deletion:
    """That retention lets go of a version; ``deleted_at`` is when its files were gone."""

    version: VersionId
    marked_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, eq=False)
class PointerLog:
    """Every move of every pointer, by environment, uid, ordinal and then generation; version 0 is a withdrawal.

    Times are microseconds since 1970 UTC.
    """

    environment: Integers
    uid: Integers
    ordinals: Integers
    generation: Integers
    version: Integers
    moved_at: Integers


@dataclass(frozen=True, slots=True, eq=False)
class KeptVersions:
    """The versions with data, ascending: those that were observed or deleted are not among them.

    ``quarantined`` is 0 or 1, ``marked_at`` 0 where a version is not marked; times as in :class:`PointerLog`.
    """

    version: Integers
    uid: Integers
    ordinals: Integers
    quarantined: Integers
    created_at: Integers
    byte_count: Integers
    marked_at: Integers


@dataclass(frozen=True, slots=True, eq=False)
class RunMoves:
    """The pointers that a run moved, by uid, ordinal and generation."""

    uid: Integers
    ordinals: Integers
    generation: Integers
    version: Integers


@dataclass(frozen=True, slots=True)
class Doomed:
    """Versions to delete, and what was seen when that was decided: it is refused where the store has moved on."""

    versions: tuple[int, ...]
    generation: int
    pins: tuple[str, ...]


LOG = """
SELECT environment, asset, ordinal, generation, coalesce(version, 0) AS version, moved_at
FROM pointer_log ORDER BY environment, asset, ordinal, generation
"""
KEPT = """
SELECT v.id AS version, v.asset AS asset, v.ordinal AS ordinal,
    CASE WHEN v.state = 'quarantined' THEN 1 ELSE 0 END AS quarantined, v.created_at AS created_at,
    coalesce(v.byte_count, 0) AS size, coalesce(d.marked_at, 0) AS marked
FROM versions AS v LEFT JOIN deletions AS d ON d.version = v.id
WHERE v.state IN ('published', 'quarantined') ORDER BY v.id
"""
RUN_MOVES = """
SELECT l.asset AS asset, l.ordinal AS ordinal, l.generation AS generation, l.version AS version
FROM derivations AS d
JOIN pointer_log AS l ON l.environment = d.environment AND l.asset = d.asset AND l.ordinal = d.ordinal
    AND l.generation = d.generation
WHERE d.run_id = ? AND d.environment = ? AND l.version IS NOT NULL ORDER BY l.asset, l.ordinal, l.generation
"""
PINS = "SELECT name, environment, created_at, version, generation, reason FROM pins ORDER BY name"
LEASES = """
SELECT id, host, boot_id, pid, process_started, versions, taken_at, expires_at FROM read_leases ORDER BY id
"""
DELETIONS = """
SELECT version, marked_at, deleted_at FROM deletions WHERE version IN (SELECT value FROM json_each(?))
"""
# The store says that they are gone, but their files may still be there.
UNFINISHED = """
SELECT v.id, v.location, v.io_manager FROM deletions AS d JOIN versions AS v ON v.id = d.version
WHERE d.deleted_at IS NULL AND v.state = 'deleted' ORDER BY v.id
"""
LOCATIONS = """
SELECT v.location FROM versions AS v LEFT JOIN deletions AS d ON d.version = v.id
WHERE v.location IS NOT NULL AND (v.state != 'deleted' OR d.deleted_at IS NULL)
UNION ALL SELECT location FROM stage_intents
"""
# Those that became current again, or whose partition moved in any environment after it was looked at.
REVIVED = """
SELECT DISTINCT c.value FROM json_each(:versions) AS c
JOIN versions AS v ON v.id = c.value
CROSS JOIN (SELECT id FROM environments UNION ALL SELECT 0) AS e
WHERE EXISTS (
    SELECT 1 FROM pointers AS p
    WHERE p.environment = e.id AND p.asset = v.asset AND p.ordinal = v.ordinal AND p.version = v.id
) OR EXISTS (
    SELECT 1 FROM pointer_log AS l
    WHERE l.environment = e.id AND l.asset = v.asset AND l.ordinal = v.ordinal AND l.generation > :generation
)
"""
GONE = "SELECT id, asset, ordinal FROM versions WHERE id IN (SELECT value FROM json_each(?)) AND state != 'deleted'"
DELETE_VERSION = "UPDATE versions SET state = 'deleted', inline = NULL WHERE id = ?"
NEVER_REUSED = "UPDATE derivations SET retired = 0 WHERE version = ? AND retired = 1"
MARK = "INSERT INTO deletions (version, marked_at, deleted_at) VALUES (?, ?, NULL) ON CONFLICT DO NOTHING"
UNMARK = """
DELETE FROM deletions WHERE version = ? AND deleted_at IS NULL
    AND EXISTS (SELECT 1 FROM versions AS v WHERE v.id = deletions.version AND v.state != 'deleted')
"""
FINISH = "UPDATE deletions SET deleted_at = ? WHERE version = ? AND deleted_at IS NULL"
ADD_PIN = """
INSERT INTO pins (name, environment, version, generation, reason, created_at) VALUES (?, ?, ?, ?, ?, ?)
"""
ADD_LEASE = """
INSERT INTO read_leases (host, boot_id, pid, process_started, versions, taken_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
# Of each asset and kind the last event stays: "when was this last materialized" is asked of assets for ever.
OLD_EVENTS = """
SELECT e.seq FROM events AS e
WHERE e.occurred_at < :before AND e.kind NOT IN (SELECT CAST(value AS TEXT) FROM json_each(:kept))
    AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = e.run_id AND r.status = 'running')
    AND e.seq NOT IN (SELECT max(seq) FROM events WHERE asset IS NOT NULL GROUP BY asset, kind)
"""
# The attempt that made a version which is still there tells what the partition costs; failures name their run.
OLD_STEPS = """
SELECT s.run_id, s.asset, s.ordinal, s.attempt FROM steps AS s
WHERE s.ended_at < :before
    AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = s.run_id AND r.status = 'running')
    AND NOT EXISTS (SELECT 1 FROM failures AS f
        WHERE f.asset = s.asset AND f.ordinal = s.ordinal AND f.run_id = s.run_id)
    AND NOT EXISTS (
        SELECT 1 FROM environments AS e
        CROSS JOIN pointers AS p ON p.environment = e.id AND p.asset = s.asset AND p.ordinal = s.ordinal
        CROSS JOIN derivations AS d ON d.version = p.version
        WHERE d.run_id = s.run_id
    )
"""


def generation_at(connection: Connection, moment: datetime) -> int:
    """The last generation that was committed by then; 0 before the first."""
    query = "SELECT coalesce(max(generation), 0) FROM commits WHERE committed_at <= ?"
    return connection.execute(query, (to_micros(moment),)).fetchone()[0]


def committed_at(connection: Connection, generation: int) -> datetime | None:
    """When a generation was committed; None where there is none of that number."""
    query = "SELECT committed_at FROM commits WHERE generation >= ? ORDER BY generation LIMIT 1"
    row = connection.execute(query, (generation,)).fetchone()
    return None if row is None else from_micros(row[0])


def pointer_log(connection: Connection) -> PointerLog:
    """All moves."""
    names = ("environment", "asset", "ordinal", "generation", "version", "moved_at")
    return PointerLog(*gathered(connection, LOG, (), numbers=names).numbers)


def kept_versions(connection: Connection) -> KeptVersions:
    """All versions that have data."""
    names = ("version", "asset", "ordinal", "quarantined", "created_at", "size", "marked")
    return KeptVersions(*gathered(connection, KEPT, (), numbers=names).numbers)


def run_moves(connection: Connection, environment: int, run_id: str) -> RunMoves:
    """What a run published."""
    names = ("asset", "ordinal", "generation", "version")
    return RunMoves(*gathered(connection, RUN_MOVES, (run_id, environment), numbers=names).numbers)


def pins(connection: Connection) -> list[PinRecord]:
    """All pins by name."""
    return [
        PinRecord(name, environment, from_micros(created_at), version, generation, reason)
        for name, environment, created_at, version, generation, reason in connection.execute(PINS)
    ]


def read_leases(connection: Connection) -> list[ReadLease]:
    """All read leases, those that have expired too."""
    return [
        ReadLease(
            ProcessRecord(host, boot_id, pid, started),
            tuple(np.frombuffer(versions, "<i8").tolist()),
            from_micros(taken_at),
            from_micros(expires_at),
            number,
        )
        for number, host, boot_id, pid, started, versions, taken_at, expires_at in connection.execute(LEASES)
    ]


def deletions(connection: Connection, versions: Collection[VersionId]) -> dict[VersionId, Deletion]:
    """Which of the versions are marked or deleted."""
    rows = connection.execute(DELETIONS, (to_json(list(versions)),))
    return {
        version: Deletion(version, from_micros(marked), optional_moment(deleted)) for version, marked, deleted in rows
    }


def unfinished_deletions(connection: Connection) -> list[tuple[VersionId, str | None, str | None]]:
    """Versions that are deleted, with location and IO manager, of which files may be left."""
    return connection.execute(UNFINISHED).fetchall()


def locations(connection: Connection) -> set[str]:
    """Every place where a version lies or may be written."""
    return {location for (location,) in connection.execute(LOCATIONS)}


def last_version(connection: Connection) -> int:
    """The greatest version id that was given out."""
    return connection.execute("SELECT version FROM counters WHERE id = 1").fetchone()[0]


def identity(connection: Connection) -> str | None:
    """What tells this store from others; None before its first environment is opened."""
    row = connection.execute("SELECT name, created_at FROM environments ORDER BY id LIMIT 1").fetchone()
    return None if row is None else blake2b(to_json(list(row)).encode(), digest_size=8).hexdigest()


def add_pin(connection: Connection, pin: PinRecord) -> bool:
    """Write a pin down; False where there is one of that name."""
    if _has_pin(connection, pin.name):
        return False
    row = (pin.name, pin.environment, pin.version, pin.generation, pin.reason, to_micros(pin.created_at))
    connection.execute(ADD_PIN, row)
    return True


def drop_pin(connection: Connection, name: str) -> bool:
    """Forget a pin; False where there is none of that name."""
    found = _has_pin(connection, name)
    connection.execute("DELETE FROM pins WHERE name = ?", (name,))
    return found


def _has_pin(connection: Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM pins WHERE name = ?", (name,)).fetchone() is not None


def add_read_lease(connection: Connection, lease: ReadLease) -> int:
    """Write a read lease down; gives its number."""
    process = lease.process
    versions = np.array(lease.versions, "<i8").tobytes()
    times = (to_micros(lease.taken_at), to_micros(lease.expires_at))
    row = (process.host, process.boot_id, process.pid, process.started, versions, *times)
    number = connection.execute(ADD_LEASE, row).lastrowid
    assert number is not None
    return number


def drop_read_leases(connection: Connection, numbers: Iterable[int]) -> None:
    """Forget read leases."""
    connection.executemany("DELETE FROM read_leases WHERE id = ?", [(number,) for number in numbers])


def mark(connection: Connection, marked: Sequence[int], unmarked: Sequence[int], now: int) -> None:
    """Note versions that nothing keeps any more, and take back the mark of others."""
    connection.executemany(MARK, [(version, now) for version in marked])
    connection.executemany(UNMARK, [(version,) for version in unmarked])


def delete(
    connection: Connection, doomed: Doomed, now: int, moved: Collection[tuple[int, int]]
) -> list[tuple[int, int, int]]:
    """Say that versions are gone; gives them with asset and ordinal: less those that something keeps by now.

    ``moved`` are the asset partitions whose pointers this transaction moves, which may not be written yet.
    """
    if tuple(pin.name for pin in pins(connection)) != doomed.pins:
        return []
    read = {
        version for lease in read_leases(connection) for version in lease.versions if to_micros(lease.expires_at) > now
    }
    values: Mapping[str, object] = {"versions": to_json(list(doomed.versions)), "generation": doomed.generation}
    revived = {version for (version,) in connection.execute(REVIVED, values)}
    staged = {version for (version,) in connection.execute("SELECT version FROM stage_intents")}
    chosen = [version for version in doomed.versions if version not in read | revived | staged]
    rows = [row for row in connection.execute(GONE, (to_json(chosen),)).fetchall() if row[1:] not in moved]
    gone = [(version,) for version, _, _ in rows]
    connection.executemany(MARK, [(version, now) for (version,) in gone])
    connection.executemany(DELETE_VERSION, gone)
    connection.executemany(NEVER_REUSED, gone)
    return rows


def finish(connection: Connection, versions: Iterable[int], now: int) -> None:
    """Note that the files of deleted versions are gone."""
    connection.executemany(FINISH, [(now, version) for version in versions])


def forget_history(connection: Connection, before: datetime) -> tuple[int, int]:
    """Delete events and steps from before a time that nothing needs; gives how many of each."""
    found = old_history(connection, before)
    values: Mapping[str, object] = {"before": to_micros(before), "kept": to_json(AUDITED)}
    connection.execute(f"DELETE FROM events WHERE seq IN ({OLD_EVENTS})", values)
    connection.execute(
        f"DELETE FROM steps WHERE (run_id, asset, ordinal, attempt) IN ({OLD_STEPS})",
        {"before": values["before"]},
    )
    return found


def old_history(connection: Connection, before: datetime) -> tuple[int, int]:
    """How many events and steps :func:`forget_history` would delete."""
    values: Mapping[str, object] = {"before": to_micros(before), "kept": to_json(AUDITED)}
    events: int = connection.execute(f"SELECT count(*) FROM ({OLD_EVENTS}) AS old", values).fetchone()[0]
    steps: int = connection.execute(
        f"SELECT count(*) FROM ({OLD_STEPS}) AS old", {"before": values["before"]}
    ).fetchone()[0]
    return events, steps
