"""The statements of the hot paths, in SQLite's dialect; ``json_each`` makes one parameter of a list."""

from __future__ import annotations

COUNTERS = "SELECT generation, version, derivation, event FROM counters WHERE id = 1"
SET_COUNTERS = "UPDATE counters SET generation = ?, version = ?, derivation = ?, event = ? WHERE id = 1"

# For each [environment, asset, ordinal]: where it points, and whether its last try failed.
STANDING = """
SELECT k.environment, k.asset, k.ordinal, p.generation, p.derivation, f.run_id IS NOT NULL
FROM (
    SELECT json_extract(value, '$[0]') AS environment, json_extract(value, '$[1]') AS asset,
        json_extract(value, '$[2]') AS ordinal
    FROM json_each(?)
) AS k
LEFT JOIN pointers AS p ON p.environment = k.environment AND p.asset = k.asset AND p.ordinal = k.ordinal
LEFT JOIN failures AS f ON f.environment = k.environment AND f.asset = k.asset AND f.ordinal = k.ordinal
"""
KNOWN_VERSION = "SELECT asset, ordinal, state, schema_id FROM versions WHERE id = ?"

INSERT_VERSION = """
INSERT INTO versions (id, asset, ordinal, state, run_id, created_at, published_at, derivation, data_hash, empty,
    io_manager, storage, location, files, inline, row_count, byte_count, schema_id, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
RELEASE_VERSION = "UPDATE versions SET state = 'published', published_at = ? WHERE id = ?"
INSERT_DERIVATION = """
INSERT INTO derivations (id, version, asset, ordinal, environment, kind, code, key, run_id, created_at, committed_at,
    generation, reason, retired)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# A version was computed, or found again by computing, under the derivation's key: it may be reused by that key.
RETIRE_DERIVATION = "UPDATE derivations SET retired = 1 WHERE id = ? AND kind = 'computed'"
INSERT_INPUT = """
INSERT INTO derivation_inputs (derivation, parameter, upstream, sums, ranges, partitions, as_of)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
SET_POINTER = """
INSERT OR REPLACE INTO pointers (environment, asset, ordinal, version, derivation, generation, code, flags, layout,
    data_hash, signatures)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
DROP_POINTER = "DELETE FROM pointers WHERE environment = ? AND asset = ? AND ordinal = ?"
LOG_POINTER = """
INSERT INTO pointer_log (environment, asset, ordinal, generation, version, derivation, moved_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
SET_HEAD = """
INSERT INTO asset_heads (environment, asset, generation, published_at, schema_id) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (environment, asset) DO UPDATE SET generation = excluded.generation, published_at = excluded.published_at,
    schema_id = coalesce(excluded.schema_id, asset_heads.schema_id)
"""
SET_FAILURE = """
INSERT OR REPLACE INTO failures (environment, asset, ordinal, key, run_id, error) VALUES (?, ?, ?, ?, ?, ?)
"""
DROP_FAILURE = "DELETE FROM failures WHERE environment = ? AND asset = ? AND ordinal = ?"
SET_CHECK = """
INSERT OR REPLACE INTO check_results (version, name, code, passed, severity, blocking, checked_at, metadata, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_INTENT = """
INSERT INTO stage_intents (version, asset, ordinal, run_id, location, created_at) VALUES (?, ?, ?, ?, ?, ?)
"""
DROP_INTENT = "DELETE FROM stage_intents WHERE version = ?"
SET_STEP = """
INSERT OR REPLACE INTO steps (run_id, asset, ordinal, attempt, status, queued_at, started_at, ended_at, version, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_EVENT = """
INSERT INTO events (seq, occurred_at, kind, asset, ordinal, run_id, payload) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
SET_RUN = """
INSERT INTO runs (run_id, environment, status, started_at, ended_at, started_by, host, boot_id, pid, process_started,
    plan, counts, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at, counts = excluded.counts,
    error = excluded.error
"""
SET_OBSERVATION = """
INSERT INTO observations (asset, tried_at, observed_at, error) VALUES (?, ?, ?, ?)
ON CONFLICT (asset) DO UPDATE SET tried_at = excluded.tried_at, error = excluded.error,
    observed_at = coalesce(excluded.observed_at, observations.observed_at)
"""

UIDS = "SELECT key, uid FROM assets WHERE key IN (SELECT value FROM json_each(?))"
POINTERS = """
SELECT asset, ordinal, version, derivation, generation, code, flags, layout, data_hash, signatures
FROM pointers WHERE environment = ? AND asset IN (SELECT value FROM json_each(?)) ORDER BY asset, ordinal
"""
FAILURES = """
SELECT asset, ordinal, key, run_id, error
FROM failures WHERE environment = ? AND asset IN (SELECT value FROM json_each(?)) ORDER BY asset, ordinal
"""
RETIRED = """
SELECT d.asset, d.ordinal, v.state = 'quarantined', d.key, d.version, d.id
FROM derivations AS d JOIN versions AS v ON v.id = d.version
WHERE d.retired = 1 AND d.asset IN (SELECT value FROM json_each(?)) AND d.code IN (SELECT value FROM json_each(?))
ORDER BY d.asset, d.ordinal, d.id
"""
# Going back to a version, or taking it over from elsewhere, does not make its data any newer.
VERIFIED = """
SELECT p.asset, (
    SELECT max(d.created_at) FROM derivations AS d WHERE d.version = p.version AND d.kind IN ('computed', 'unchanged')
)
FROM pointers AS p WHERE p.environment = ? AND p.asset IN (SELECT value FROM json_each(?)) ORDER BY p.asset, p.ordinal
"""
# What the pointers' derivations read, by edge; all of an asset's, as its arrays are.
RESOLVED = """
SELECT p.asset, i.parameter, i.upstream, p.ordinal, i.as_of
FROM pointers AS p CROSS JOIN derivation_inputs AS i ON i.derivation = p.derivation
WHERE p.environment = ? AND p.asset IN (SELECT value FROM json_each(?)) ORDER BY p.asset, i.parameter, p.ordinal
"""
MOVES = """
SELECT l.asset, l.ordinal, l.generation, l.version IS NOT NULL, coalesce(d.created_at, l.moved_at), v.data_hash
FROM pointer_log AS l
LEFT JOIN versions AS v ON v.id = l.version
LEFT JOIN derivations AS d ON d.id = l.derivation
WHERE l.environment = ? AND l.asset IN (SELECT value FROM json_each(?)) ORDER BY l.asset, l.ordinal, l.generation
"""
OBSERVED_AT = "SELECT asset, observed_at FROM observations WHERE asset IN (SELECT value FROM json_each(?))"
# What is current in other environments can be published here without computing.
CURRENT_ELSEWHERE = """
SELECT p.asset, p.ordinal, 0, d.key, p.version, p.derivation
FROM pointers AS p JOIN derivations AS d ON d.id = p.derivation
WHERE p.environment = ? AND p.asset IN (SELECT value FROM json_each(?))
    AND p.code IN (SELECT value FROM json_each(?)) AND d.kind = 'computed'
ORDER BY p.asset, p.ordinal
"""
# A result that only warns stands in nobody's way, whatever the check is declared as.
CURRENT_CHECKS = """
SELECT c.version, c.code, c.passed OR c.severity = 'warn'
FROM pointers AS p CROSS JOIN check_results AS c ON c.version = p.version AND c.name = ?
WHERE p.environment = ? AND p.asset = ? ORDER BY c.version
"""
VERSION_CHECKS = """
SELECT c.version, c.code, c.passed OR c.severity = 'warn'
FROM check_results AS c WHERE c.version IN (SELECT value FROM json_each(?)) AND c.name = ? ORDER BY c.version
"""
