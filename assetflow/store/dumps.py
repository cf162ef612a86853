"""Whole tables as columns, for the catalog: one statement each, joined with the keys of assets."""

from __future__ import annotations

from assetflow.store.connection import Connection
from assetflow.store.interface import TableName
from assetflow.store.lineage import ALL_LINEAGE

DUMPS: dict[TableName, tuple[tuple[str, ...], str]] = {
    "assets": (("asset", "uid"), "SELECT key, uid FROM assets ORDER BY key"),
    "pointers": (
        (
            *("environment", "asset", "uid", "ordinal", "version", "derivation", "generation", "empty", "held", "kind"),
            *("materialized_at", "verified_at", "row_count", "byte_count", "data_hash", "code_version", "run_id"),
            *("io_manager", "location"),
        ),
        """
        SELECT p.environment, a.key, p.asset, p.ordinal, p.version, p.derivation, p.generation, p.flags & 1,
            p.flags >> 1 & 1, d.kind, v.published_at, d.committed_at, v.row_count, v.byte_count,
            'a1:' || lower(hex(p.data_hash)), c.version, v.run_id, v.io_manager, v.location
        FROM pointers AS p
        JOIN assets AS a ON a.uid = p.asset
        JOIN versions AS v ON v.id = p.version
        JOIN derivations AS d ON d.id = p.derivation
        LEFT JOIN code_versions AS c ON c.id = p.code
        WHERE CAST(:environment AS BIGINT) IS NULL OR p.environment = :environment
        ORDER BY p.environment, p.asset, p.ordinal
        """,
    ),
    "versions": (
        (
            *("version", "asset", "uid", "ordinal", "run_id", "state", "created_at", "published_at", "row_count"),
            *("byte_count", "data_hash", "code_version", "location", "empty", "io_manager", "storage", "metadata"),
        ),
        """
        SELECT v.id, a.key, v.asset, v.ordinal, v.run_id, v.state, v.created_at, v.published_at, v.row_count,
            v.byte_count, 'a1:' || lower(hex(v.data_hash)), c.version, v.location, v.empty, v.io_manager, v.storage,
            v.metadata
        FROM versions AS v
        JOIN assets AS a ON a.uid = v.asset
        JOIN derivations AS d ON d.id = v.derivation
        LEFT JOIN code_versions AS c ON c.id = d.code
        ORDER BY v.id
        """,
    ),
    "derivations": (
        (
            *("derivation", "version", "asset", "uid", "ordinal", "environment", "kind", "code_version", "run_id"),
            *("created_at", "committed_at", "generation", "reason"),
        ),
        """
        SELECT d.id, d.version, a.key, d.asset, d.ordinal, d.environment, d.kind, c.version, d.run_id, d.created_at,
            d.committed_at, d.generation, d.reason
        FROM derivations AS d
        JOIN assets AS a ON a.uid = d.asset
        LEFT JOIN code_versions AS c ON c.id = d.code
        ORDER BY d.id
        """,
    ),
    "lineage": (
        (
            *("version", "asset", "uid", "ordinal", "parameter", "upstream_asset", "upstream_uid"),
            *("first", "last", "as_of"),
        ),
        ALL_LINEAGE,
    ),
    "checks": (
        (
            *("asset", "uid", "ordinal", "version", "check_name", "check_version", "passed", "severity", "blocking"),
            *("metadata", "error", "checked_at"),
        ),
        """
        SELECT a.key, v.asset, v.ordinal, r.version, r.name, c.version, r.passed, r.severity, r.blocking, r.metadata,
            r.error, r.checked_at
        FROM check_results AS r
        JOIN versions AS v ON v.id = r.version
        JOIN assets AS a ON a.uid = v.asset
        JOIN code_versions AS c ON c.id = r.code
        ORDER BY r.version, r.name, r.checked_at
        """,
    ),
    "runs": (
        ("run_id", "environment", "status", "started_at", "ended_at", "trigger", "host", "pid", "counts", "error"),
        """
        SELECT r.run_id, e.name, r.status, r.started_at, r.ended_at, r.started_by, r.host, r.pid, r.counts, r.error
        FROM runs AS r LEFT JOIN environments AS e ON e.id = r.environment ORDER BY r.id
        """,
    ),
    "steps": (
        (
            *("run_id", "asset", "uid", "ordinal", "attempt", "status", "queued_at", "started_at", "ended_at"),
            *("version", "error", "load_seconds", "compute_seconds", "stage_seconds", "check_seconds"),
            *("publish_seconds", "cpu_seconds", "peak_memory", "row_count", "byte_count", "call_size"),
        ),
        """
        SELECT s.run_id, a.key, s.asset, s.ordinal, s.attempt, s.status, s.queued_at, s.started_at, s.ended_at,
            s.version, s.error,
            CAST(s.load_time AS DOUBLE PRECISION) / 1000000, CAST(s.compute_time AS DOUBLE PRECISION) / 1000000,
            CAST(s.stage_time AS DOUBLE PRECISION) / 1000000, CAST(s.check_time AS DOUBLE PRECISION) / 1000000,
            CAST(s.publish_time AS DOUBLE PRECISION) / 1000000, CAST(s.cpu_time AS DOUBLE PRECISION) / 1000000,
            s.peak_memory, s.row_count, s.byte_count, s.call_size
        FROM steps AS s JOIN assets AS a ON a.uid = s.asset
        ORDER BY s.ended_at, s.run_id, s.asset, s.ordinal, s.attempt
        """,
    ),
    "events": (
        ("seq", "occurred_at", "kind", "asset", "uid", "ordinal", "run_id", "payload"),
        """
        SELECT e.seq, e.occurred_at, e.kind, a.key, e.asset, e.ordinal, e.run_id, e.payload
        FROM events AS e LEFT JOIN assets AS a ON a.uid = e.asset ORDER BY e.seq
        """,
    ),
    "schemas": (
        ("environment", "asset", "uid", "schema"),
        """
        SELECT h.environment, a.key, h.asset, s.arrow
        FROM asset_heads AS h JOIN assets AS a ON a.uid = h.asset JOIN schemas AS s ON s.id = h.schema_id
        WHERE CAST(:environment AS BIGINT) IS NULL OR h.environment = :environment
        ORDER BY h.environment, a.key
        """,
    ),
}


def table(connection: Connection, name: TableName, environment: int | None) -> dict[str, list[object]]:
    """One table's columns, aligned."""
    columns, statement = DUMPS[name]
    rows = connection.execute(statement, {"environment": environment}).fetchall()
    return (
        dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)) if rows else {name: [] for name in columns}
    )
