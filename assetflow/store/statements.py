"""The statements of the hot paths; ``json_each`` makes one parameter of a list.

They are in SQLite's dialect, in the part of it that is translated for Postgres: see ``postgres/translation.py``.
"""

from __future__ import annotations

from assetflow.store.connection import Statement

COUNTERS = "SELECT generation, version, derivation, event FROM counters WHERE id = 1"
SET_COUNTERS = "UPDATE counters SET generation = ?, version = ?, derivation = ?, event = ? WHERE id = 1"
ADD_COMMIT = "INSERT INTO commits (generation, committed_at) VALUES (?, ?)"

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
POINTERS_OF = """
SELECT p.ordinal, p.generation, p.derivation FROM json_each(:ordinals) AS k
CROSS JOIN pointers AS p ON p.environment = :environment AND p.asset = :asset AND p.ordinal = k.value
"""
FAILING_OF = "SELECT ordinal FROM failures WHERE environment = ? AND asset = ?"
KNOWN_VERSIONS = """
SELECT v.id, v.asset, v.ordinal, v.state, v.schema_id, v.data_hash, v.empty
FROM json_each(?) AS k CROSS JOIN versions AS v ON v.id = k.value
"""
# The same for ordinals of one asset: what takes a batch of thousands half as long.
STANDING_OF = """
SELECT :environment, :asset, k.value, p.generation, p.derivation, f.run_id IS NOT NULL
FROM json_each(:ordinals) AS k
LEFT JOIN pointers AS p ON p.environment = :environment AND p.asset = :asset AND p.ordinal = k.value
LEFT JOIN failures AS f ON f.environment = :environment AND f.asset = :asset AND f.ordinal = k.value
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
# What was withdrawn for good is not published again because code and inputs are the same.
FORGET_VERSION = """
UPDATE derivations SET retired = 0 WHERE retired = 1 AND version = (SELECT version FROM derivations WHERE id = ?)
"""
FORGET_PARTITION = """
UPDATE derivations SET retired = 0 WHERE retired = 1 AND version IN (
    SELECT id FROM versions WHERE asset = ? AND ordinal = ?
)
"""
INSERT_INPUT = """
INSERT INTO derivation_inputs (derivation, parameter, upstream, sums, ranges, partitions, as_of)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
SET_POINTER = """
INSERT INTO pointers (environment, asset, ordinal, version, derivation, generation, code, flags, layout, data_hash,
    signatures)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (environment, asset, ordinal) DO UPDATE SET version = excluded.version, derivation = excluded.derivation,
    generation = excluded.generation, code = excluded.code, flags = excluded.flags, layout = excluded.layout,
    data_hash = excluded.data_hash, signatures = excluded.signatures
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
INSERT INTO failures (environment, asset, ordinal, key, run_id, error) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (environment, asset, ordinal) DO UPDATE SET key = excluded.key, run_id = excluded.run_id,
    error = excluded.error
"""
DROP_FAILURE = "DELETE FROM failures WHERE environment = ? AND asset = ? AND ordinal = ?"
SET_CHECK = """
INSERT INTO check_results (version, name, code, passed, severity, blocking, checked_at, metadata, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (version, name, code) DO UPDATE SET passed = excluded.passed, severity = excluded.severity,
    blocking = excluded.blocking, checked_at = excluded.checked_at, metadata = excluded.metadata, error = excluded.error
"""
INSERT_CHANGE = "INSERT INTO changes (asset, ordinal, changed_at) VALUES (?, ?, ?)"
INSERT_INTENT = """
INSERT INTO stage_intents (version, asset, ordinal, run_id, location, created_at) VALUES (?, ?, ?, ?, ?, ?)
"""
DROP_INTENT = "DELETE FROM stage_intents WHERE version = ?"
SET_STEP = """
INSERT INTO steps (run_id, asset, ordinal, attempt, status, queued_at, started_at, ended_at, version, error, load_time,
    compute_time, stage_time, check_time, publish_time, cpu_time, peak_memory, row_count, byte_count, call_size)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id, asset, ordinal, attempt) DO UPDATE SET status = excluded.status, queued_at = excluded.queued_at,
    started_at = excluded.started_at, ended_at = excluded.ended_at, version = excluded.version, error = excluded.error,
    load_time = excluded.load_time, compute_time = excluded.compute_time, stage_time = excluded.stage_time,
    check_time = excluded.check_time, publish_time = excluded.publish_time, cpu_time = excluded.cpu_time,
    peak_memory = excluded.peak_memory, row_count = excluded.row_count, byte_count = excluded.byte_count,
    call_size = excluded.call_size
"""
INSERT_EVENT = """
INSERT INTO events (seq, occurred_at, kind, asset, ordinal, run_id, payload) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
SET_RUN = """
INSERT INTO runs (run_id, environment, status, started_at, ended_at, started_by, host, boot_id, pid, process_started,
    plan, counts, error, priority, executor, workers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at, counts = excluded.counts,
    error = excluded.error
"""
RUNNING = "SELECT 1 FROM runs WHERE run_id = ? AND status = 'running'"
ASK_CANCEL = "UPDATE runs SET cancel_asked_at = coalesce(cancel_asked_at, ?) WHERE run_id = ?"
SET_OBSERVATION = """
INSERT INTO observations (asset, tried_at, observed_at, error) VALUES (?, ?, ?, ?)
ON CONFLICT (asset) DO UPDATE SET tried_at = excluded.tried_at, error = excluded.error,
    observed_at = coalesce(excluded.observed_at, observations.observed_at)
"""

# Of an asset, the newest first.
UIDS = """
SELECT key, uid, space FROM assets WHERE key IN (SELECT CAST(value AS TEXT) FROM json_each(?))
ORDER BY key, uid DESC
"""
FORMER_USE = """
SELECT (SELECT count(*) FROM pointers AS p WHERE p.environment = :environment AND p.asset = :uid),
    (SELECT h.published_at FROM asset_heads AS h WHERE h.environment = :environment AND h.asset = :uid)
"""
KEYS = Statement(
    """
SELECT ordinal, CAST(key AS BLOB) AS octets, length(CAST(key AS BLOB)) AS size
FROM partition_keys WHERE ordinal > ? ORDER BY ordinal
""",
    postgres="SELECT ordinal, key AS octets, length(key) AS size FROM partition_keys WHERE ordinal > ? ORDER BY 1",
)
MARK = "SELECT generation, derivation, (SELECT coalesce(max(seq), 0) FROM changes) FROM counters WHERE id = 1"
# What was recorded last at a mark, in full: no other history has the same rows there.
LAST_DERIVATION = """
SELECT id, version, asset, ordinal, environment, kind, code, hex(key), run_id, created_at, committed_at, generation
FROM derivations WHERE id <= ? ORDER BY id DESC LIMIT 1
"""
LAST_CHANGE = "SELECT seq, asset, ordinal, changed_at FROM changes WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
CHANGED = """
SELECT asset, ordinal FROM derivations WHERE id > :derivation
UNION ALL SELECT asset, ordinal FROM changes WHERE seq > :change
"""

# The statements below are about some partitions: what stands for ``{scope}`` says which.
WHOLE = "(SELECT value AS asset FROM json_each(:scope)) AS t CROSS JOIN {table} AS {name} ON {name}.asset = t.asset"
SINGLE = """
(SELECT json_extract(value, '$[0]') AS asset, json_extract(value, '$[1]') AS ordinal FROM json_each(:scope)) AS t
CROSS JOIN {table} AS {name} ON {name}.asset = t.asset AND {name}.ordinal = t.ordinal
"""
POINTER_COLUMNS = "asset, ordinal, version, derivation, generation, code, flags, layout, data_hash, signatures"
POINTER_PAGE = f"""
SELECT {POINTER_COLUMNS} FROM pointers
WHERE environment = :environment AND (asset, ordinal) > (:asset, :ordinal) AND asset <= :last
ORDER BY asset, ordinal LIMIT :limit
"""
POINTERS = """
SELECT p.* FROM {scope} AND p.environment = :environment ORDER BY p.asset, p.ordinal
"""
FAILURES = """
SELECT f.asset, f.ordinal, f.key, f.run_id, f.error
FROM {scope} AND f.environment = :environment ORDER BY f.asset, f.ordinal
"""
# Of single partitions the versions are looked up first: only they have an index by partition.
RETIRED = """
SELECT d.asset AS asset, d.ordinal AS ordinal, CASE v.state WHEN 'quarantined' THEN 1 ELSE 0 END AS refused,
    d.key AS key, d.version AS version, d.id AS derivation
FROM {scope} JOIN {other}
WHERE d.retired = 1 AND {code} IN (SELECT value FROM json_each(:codes)) ORDER BY d.asset, d.ordinal, d.id
"""
# What is current in other environments can be published here without computing.
CURRENT_ELSEWHERE = """
SELECT p.asset AS asset, p.ordinal AS ordinal, 0 AS refused, d.key AS key, p.version AS version,
    p.derivation AS derivation
FROM {scope} AND p.environment = :environment JOIN derivations AS d ON d.id = p.derivation
WHERE p.code IN (SELECT value FROM json_each(:codes)) AND d.kind = 'computed' ORDER BY p.asset, p.ordinal
"""
# Going back to a version, or taking it over from elsewhere, does not make its data any newer.
VERIFIED = """
SELECT p.asset AS asset, coalesce((
    SELECT max(d.created_at) FROM derivations AS d WHERE d.version = p.version AND d.kind IN ('computed', 'unchanged')
), 0) AS verified
FROM {scope} AND p.environment = :environment ORDER BY p.asset, p.ordinal
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
# A result that only warns stands in nobody's way, whatever the check is declared as.
CHECKS = """
SELECT c.version AS version, CASE WHEN c.code != :code THEN 0 WHEN c.passed = 1 OR c.severity = 'warn' THEN 1 ELSE 2 END
    AS result
FROM {scope} AND p.environment = :environment
CROSS JOIN check_results AS c ON c.version = p.version AND c.name = :name ORDER BY c.version
"""
VERSION_CHECKS = """
SELECT c.version AS version, CASE WHEN c.code != :code THEN 0 WHEN c.passed = 1 OR c.severity = 'warn' THEN 1 ELSE 2 END
    AS result
FROM check_results AS c WHERE c.version IN (SELECT value FROM json_each(:versions)) AND c.name = :name
ORDER BY c.version
"""
