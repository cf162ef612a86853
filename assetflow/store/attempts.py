"""How long past attempts took and what they wrote, asked for a sample of partitions at a time.

A version leads to the runs that computed it, and a run to its steps: each partition costs a few look-ups, whatever the
store holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from assetflow.planner.state import Attempt, Attempts
from assetflow.store.connection import Connection

_KEPT = 5
"""So many attempts of a partition are looked at: the last ones."""

_RUNS = 20
"""In so many runs, the last ones, partitions that were only checked are looked for."""

# What checks refused at first, and let pass later, was published by a step that did not compute it: its version is
# `materialized` by another run than the one that made it.
#
# The partitions of one call start together, and stand beside each other in the order of ordinals: the call took until
# the last of them ended, and each has its share.
COMPUTED = """
SELECT k.asset, k.ordinal,
    CASE WHEN k.batch = 1 THEN s.ended_at - s.started_at ELSE (
        SELECT (max(ended_at) - s.started_at) / count(*) FROM (
            SELECT * FROM (
                SELECT started_at, ended_at FROM steps
                WHERE run_id = s.run_id AND asset = s.asset AND ordinal < s.ordinal AND attempt = s.attempt
                ORDER BY ordinal DESC LIMIT :most
            )
            UNION ALL
            SELECT * FROM (
                SELECT started_at, ended_at FROM steps
                WHERE run_id = s.run_id AND asset = s.asset AND ordinal >= s.ordinal AND attempt = s.attempt
                ORDER BY ordinal LIMIT :most
            )
        ) WHERE started_at = s.started_at
    ) END,
    CASE v.empty WHEN 1 THEN 0 ELSE v.row_count END, CASE v.empty WHEN 1 THEN 0 ELSE v.byte_count END, c.version
FROM (
    SELECT json_extract(value, '$[0]') AS asset, json_extract(value, '$[1]') AS ordinal,
        json_extract(value, '$[2]') AS batch
    FROM json_each(:asked)
) AS k
CROSS JOIN versions AS v ON v.id IN (
    SELECT id FROM versions WHERE asset = k.asset AND ordinal = k.ordinal ORDER BY id DESC LIMIT :kept
)
CROSS JOIN derivations AS d ON d.id IN (
    SELECT id FROM derivations WHERE version = v.id ORDER BY id DESC LIMIT :kept
)
CROSS JOIN steps AS s ON s.run_id = d.run_id AND s.asset = k.asset AND s.ordinal = k.ordinal
CROSS JOIN code_versions AS c ON c.id = d.code
WHERE d.kind = 'computed' AND (s.status = 'unchanged' OR (s.status = 'materialized' AND v.run_id = s.run_id))
ORDER BY k.asset, k.ordinal, d.id
"""
CHECKED = """
SELECT k.asset, k.ordinal, s.ended_at - s.started_at
FROM (
    SELECT json_extract(value, '$[0]') AS asset, json_extract(value, '$[1]') AS ordinal FROM json_each(:asked)
) AS k
CROSS JOIN (SELECT id, run_id FROM runs ORDER BY id DESC LIMIT :runs) AS r ON true
CROSS JOIN steps AS s ON s.run_id = r.run_id AND s.asset = k.asset AND s.ordinal = k.ordinal
WHERE s.status IN ('unchanged', 'quarantined') AND s.version IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM derivations AS d WHERE d.version = s.version AND d.run_id = s.run_id)
ORDER BY k.asset, k.ordinal, r.id
"""


def attempts(
    connection: Connection, computed: Sequence[tuple[int, int, int]], checked: Sequence[tuple[int, int, int]]
) -> Attempts:
    """The last successful attempts at some partitions, and the last times that some were only checked.

    Both are asked for by uid, ordinal, and the most partitions that one call of the computation takes.
    """
    made: dict[int, dict[int, list[Attempt]]] = {}
    looked: dict[int, dict[int, list[float]]] = {}
    if computed:
        most = max(batch for _, _, batch in computed)
        values = {"asked": _json(computed), "kept": _KEPT, "most": most}
        for uid, ordinal, micros, rows, size, code in connection.execute(COMPUTED, values):
            attempt = Attempt(max(micros, 0) / 1_000_000, rows, size, code)
            made.setdefault(uid, {}).setdefault(ordinal, []).append(attempt)
    if checked:
        values = {"asked": _json(checked), "runs": _RUNS}
        for uid, ordinal, micros in connection.execute(CHECKED, values):
            looked.setdefault(uid, {}).setdefault(ordinal, []).append(max(micros, 0) / 1_000_000)
    return Attempts(
        {uid: {ordinal: tries[-_KEPT:] for ordinal, tries in each.items()} for uid, each in made.items()},
        {uid: {ordinal: times[-_KEPT:] for ordinal, times in each.items()} for uid, each in looked.items()},
    )


def _json(asked: Iterable[tuple[int, int, int]]) -> str:
    return json.dumps(list(asked))
