"""Versions, derivations and check results, read back as records."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from assetflow.keys import VersionId
from assetflow.store.columns import gathered
from assetflow.store.connection import ALL, Connection
from assetflow.store.encoding import bytes_hash, from_json, from_micros, json_files, optional_moment, to_json, to_lanes
from assetflow.store.records import CheckRecord, DerivationRecord, InputRecord, VersionFacts, VersionRecord

VERSIONS = """
SELECT v.id, a.key, v.asset, v.ordinal, v.run_id, v.state, v.created_at, v.data_hash, v.empty, v.io_manager, v.storage,
    v.location, v.files, v.inline, v.row_count, v.byte_count, s.arrow, v.metadata, v.published_at
FROM versions AS v JOIN assets AS a ON a.uid = v.asset LEFT JOIN schemas AS s ON s.id = v.schema_id
"""
FACTS = """
SELECT v.id AS id, v.asset AS asset, v.ordinal AS ordinal, v.empty AS empty, v.data_hash AS data_hash
FROM json_each(?) AS k CROSS JOIN versions AS v ON v.id = k.value ORDER BY v.id
"""
KINDS = """
SELECT DISTINCT v.state, v.io_manager FROM json_each(?) AS k CROSS JOIN versions AS v ON v.id = k.value
"""
FILES = """
SELECT v.id, v.location, v.files FROM json_each(?) AS k CROSS JOIN versions AS v ON v.id = k.value
WHERE v.location IS NOT NULL
"""
DERIVATIONS = """
SELECT d.id, d.version, a.key, d.asset, d.ordinal, d.kind, c.version, d.key, d.run_id, d.created_at, d.generation,
    d.reason
FROM derivations AS d JOIN assets AS a ON a.uid = d.asset LEFT JOIN code_versions AS c ON c.id = d.code
"""
INPUTS = """
SELECT i.parameter, a.key, i.upstream, i.sums, i.ranges, i.partitions, i.as_of
FROM derivation_inputs AS i JOIN assets AS a ON a.uid = i.upstream WHERE i.derivation = ? ORDER BY i.parameter
"""
CHECKS = """
SELECT a.key, v.asset, v.ordinal, r.version, r.name, c.version, r.passed, r.severity, r.blocking, r.checked_at,
    r.metadata, r.error
FROM check_results AS r
JOIN versions AS v ON v.id = r.version
JOIN assets AS a ON a.uid = v.asset
JOIN code_versions AS c ON c.id = r.code
WHERE r.version IN (SELECT value FROM json_each(?)) ORDER BY r.version, r.name, r.checked_at
"""


def versions(connection: Connection, ids: Collection[VersionId]) -> dict[VersionId, VersionRecord]:
    """Those of the versions that the store has."""
    statement = VERSIONS + "WHERE v.id IN (SELECT value FROM json_each(?))"
    records = [_version(row) for row in connection.execute(statement, (to_json(list(ids)),))]
    return {record.version: record for record in records}


def facts_of(connection: Connection, ids: Collection[int]) -> VersionFacts:
    """What moving pointers needs of versions."""
    text = to_json(sorted(ids))
    found = gathered(connection, FACTS, (text,), numbers=("id", "asset", "ordinal", "empty"), octets=("data_hash",))
    kinds = connection.execute(KINDS, (text,)).fetchall()
    states, managers = frozenset(state for state, _ in kinds), frozenset(name for _, name in kinds if name is not None)
    version, uid, ordinals, empty = found.numbers
    return VersionFacts(version, uid, ordinals, empty, to_lanes(found.octets[0]), states, managers)


def files_of(connection: Connection, ids: Collection[int]) -> dict[VersionId, tuple[str, tuple[tuple[str, int], ...]]]:
    """Of those with files: the location, and the names and sizes of the files."""
    rows = connection.execute(FILES, (to_json(list(ids)),))
    return {
        version: (location, tuple((name, size) for name, size, _ in json.loads(files or "[]")))
        for version, location, files in rows
    }


def versions_of(connection: Connection, uid: int, ordinal: int | None, limit: int | None) -> list[VersionRecord]:
    """The versions of an asset or partition, newest first."""
    restriction = "" if ordinal is None else "AND v.ordinal = :ordinal"
    statement = f"{VERSIONS} WHERE v.asset = :uid {restriction} ORDER BY v.id DESC LIMIT :limit"
    values = {"uid": uid, "ordinal": ordinal, "limit": ALL if limit is None else limit}
    return [_version(row) for row in connection.execute(statement, values)]


def derivations(connection: Connection, ids: Collection[int]) -> dict[int, DerivationRecord]:
    """Those of the derivations that the store has."""
    statement = DERIVATIONS + "WHERE d.id IN (SELECT value FROM json_each(?))"
    return {row[0]: _derivation(row) for row in connection.execute(statement, (to_json(list(ids)),))}


def derivations_of(connection: Connection, version: VersionId) -> list[DerivationRecord]:
    """Every derivation of a version."""
    statement = DERIVATIONS + "WHERE d.version = ? ORDER BY d.id"
    return [_derivation(row) for row in connection.execute(statement, (version,))]


def inputs_of(connection: Connection, derivation: int) -> tuple[InputRecord, ...]:
    """What a derivation read."""
    return tuple(
        InputRecord(
            parameter, upstream, uid, sums, tuple((first, last) for first, last in json.loads(ranges)), count, made
        )
        for parameter, upstream, uid, sums, ranges, count, made in connection.execute(INPUTS, (derivation,))
    )


def check_results(connection: Connection, ids: Collection[VersionId]) -> list[CheckRecord]:
    """Check results on versions."""
    return [_check(row) for row in connection.execute(CHECKS, (to_json(list(ids)),))]


def _version(row: tuple[Any, ...]) -> VersionRecord:
    version, asset, uid, ordinal, run_id, state, created_at, data_hash, empty, io_manager, storage, *rest = row
    location, files, inline, row_count, byte_count, schema, metadata, published_at = rest
    return VersionRecord(
        version=version,
        asset=asset,
        uid=uid,
        ordinal=ordinal,
        run_id=run_id,
        state=state,
        created_at=from_micros(created_at),
        data_hash=bytes_hash(data_hash),
        empty=bool(empty),
        io_manager=io_manager,
        storage=storage,
        location=location,
        files=json_files(files),
        inline=inline,
        row_count=row_count,
        byte_count=byte_count,
        schema=schema,
        metadata=from_json(metadata),
        published_at=optional_moment(published_at),
    )


def _derivation(row: tuple[Any, ...]) -> DerivationRecord:
    derivation, version, asset, uid, ordinal, kind, code, key, run_id, created_at, generation, reason = row
    return DerivationRecord(
        derivation=derivation,
        version=version,
        asset=asset,
        uid=uid,
        ordinal=ordinal,
        kind=kind,
        code=code,
        key=key,
        run_id=run_id,
        created_at=from_micros(created_at),
        generation=generation,
        reason=reason,
    )


def _check(row: tuple[Any, ...]) -> CheckRecord:
    asset, uid, ordinal, version, name, code, passed, severity, blocking, checked_at, metadata, error = row
    return CheckRecord(
        asset=asset,
        uid=uid,
        ordinal=ordinal,
        version=version,
        name=name,
        check_version=code,
        passed=bool(passed),
        severity=severity,
        blocking=bool(blocking),
        checked_at=from_micros(checked_at),
        metadata=from_json(metadata),
        error=error,
    )
