"""Runs, steps, events and observations, read back as records."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np

from assetflow.store.connection import ALL, Connection, Statement
from assetflow.store.encoding import SECOND, from_json, from_micros, optional_moment
from assetflow.store.records import (
    EventRecord,
    EventRow,
    Fared,
    Measures,
    ObservationRecord,
    ProcessRecord,
    RunRecord,
    RunStatus,
    StageIntent,
    StepRecord,
)

RUNS = """
SELECT run_id, environment, status, started_at, ended_at, started_by, host, boot_id, pid, process_started, plan, counts,
    error, priority, executor, workers, cancel_asked_at
FROM runs
"""
STEPS = """
SELECT s.run_id, a.key, s.asset, s.ordinal, s.attempt, s.status, s.queued_at, s.started_at, s.ended_at, s.version,
    s.error, s.load_time, s.compute_time, s.stage_time, s.check_time, s.publish_time, s.cpu_time, s.peak_memory,
    s.row_count, s.byte_count, s.call_size
FROM steps AS s JOIN assets AS a ON a.uid = s.asset WHERE s.run_id = ?
ORDER BY s.ended_at, s.asset, s.ordinal, s.attempt
"""
# Of the rows of a group, SQLite gives the one that has the maximum.
FARED = Statement(
    """
SELECT a.key, s.asset, s.status, s.ordinal, coalesce(s.version, 0), max(s.attempt)
FROM steps AS s JOIN assets AS a ON a.uid = s.asset WHERE s.run_id = ?
GROUP BY s.asset, s.ordinal ORDER BY s.asset, s.status, s.ordinal
""",
    postgres="""
SELECT a.key, s.asset, s.status, s.ordinal, coalesce(s.version, 0), s.attempt
FROM (SELECT DISTINCT ON (asset, ordinal) * FROM steps WHERE run_id = ? ORDER BY asset, ordinal, attempt DESC) AS s
JOIN assets AS a ON a.uid = s.asset ORDER BY s.asset, s.status, s.ordinal
""",
)
EVENTS = """
SELECT e.seq, e.occurred_at, e.kind, a.key, e.ordinal, e.run_id, e.payload
FROM events AS e LEFT JOIN assets AS a ON a.uid = e.asset
WHERE e.seq > :seq AND (CAST(:run_id AS TEXT) IS NULL OR e.run_id = :run_id) ORDER BY e.seq LIMIT :limit
"""
INTENTS = "SELECT version, asset, ordinal, run_id, location, created_at FROM stage_intents ORDER BY version"
OBSERVATIONS = """
SELECT o.asset, a.key, o.tried_at, o.error, o.observed_at FROM observations AS o JOIN assets AS a ON a.uid = o.asset
"""


def run(connection: Connection, run_id: str) -> RunRecord | None:
    """One run."""
    row = connection.execute(RUNS + "WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else _run(row)


def cancel_asked(connection: Connection, run_id: str) -> bool:
    """Whether a run is to stop."""
    asked = "SELECT 1 FROM runs WHERE run_id = ? AND cancel_asked_at IS NOT NULL"
    return connection.execute(asked, (run_id,)).fetchone() is not None


def runs(connection: Connection, status: RunStatus | None, limit: int | None) -> list[RunRecord]:
    """Runs, the newest first."""
    statement = RUNS + "WHERE CAST(:status AS TEXT) IS NULL OR status = :status ORDER BY id DESC LIMIT :limit"
    values = {"status": status, "limit": ALL if limit is None else limit}
    return [_run(row) for row in connection.execute(statement, values)]


def steps(connection: Connection, run_id: str) -> list[StepRecord]:
    """How the asset partitions of a run fared."""
    return [_step(row) for row in connection.execute(STEPS, (run_id,))]


def fared(connection: Connection, run_id: str) -> list[Fared]:
    """How the asset partitions of a run fared, by asset and status."""
    found: list[Fared] = []
    for (asset, uid, status), group in groupby(connection.execute(FARED, (run_id,)), key=lambda row: row[:3]):
        _, _, _, ordinals, versions, _ = zip(*group, strict=True)
        found.append(Fared(asset, uid, status, np.array(ordinals, np.int64), np.array(versions, np.int64)))
    return found


def events_since(connection: Connection, seq: int, run_id: str | None, limit: int | None) -> list[EventRow]:
    """Events after ``seq``."""
    values = {"seq": seq, "run_id": run_id, "limit": ALL if limit is None else limit}
    rows: Iterable[Any] = connection.execute(EVENTS, values)
    return [
        EventRow(number, EventRecord(from_micros(occurred_at), kind, asset, ordinal, run, from_json(payload)))
        for number, occurred_at, kind, asset, ordinal, run, payload in rows
    ]


def intents(connection: Connection) -> list[StageIntent]:
    """Stages that were announced and not settled."""
    return [
        StageIntent(version, uid, ordinal, run_id, location, from_micros(created_at))
        for version, uid, ordinal, run_id, location, created_at in connection.execute(INTENTS)
    ]


def last_observations(connection: Connection) -> dict[int, ObservationRecord]:
    """When each source was last asked."""
    return {
        uid: ObservationRecord(asset, uid, from_micros(tried_at), error, optional_moment(observed_at))
        for uid, asset, tried_at, error, observed_at in connection.execute(OBSERVATIONS)
    }


def _run(row: tuple[Any, ...]) -> RunRecord:
    run_id, environment, status, started_at, ended_at, trigger, host, boot_id, pid, process_started, *rest = row
    plan, counts, error, priority, executor, workers, cancel_asked_at = rest
    return RunRecord(
        run_id=run_id,
        environment=environment,
        status=status,
        started_at=from_micros(started_at),
        trigger=trigger,
        process=ProcessRecord(host, boot_id, pid, process_started),
        plan=from_json(plan),
        ended_at=optional_moment(ended_at),
        counts=from_json(counts),
        error=error,
        priority=priority,
        executor=executor,
        workers=workers,
        cancel_asked_at=optional_moment(cancel_asked_at),
    )


def _step(row: tuple[Any, ...]) -> StepRecord:
    run_id, asset, uid, ordinal, attempt, status, queued_at, started_at, ended_at, version, error, *more = row
    load, compute, stage, check, publish, cpu, peak_memory, row_count, byte_count, call_size = more
    return StepRecord(
        run_id=run_id,
        asset=asset,
        uid=uid,
        ordinal=ordinal,
        attempt=attempt,
        status=status,
        queued_at=from_micros(queued_at),
        started_at=from_micros(started_at),
        ended_at=from_micros(ended_at),
        version=version,
        error=from_json(error) or None,
        measures=None
        if load is None
        else Measures(load / SECOND, compute / SECOND, stage / SECOND, check / SECOND, cpu / SECOND, peak_memory),
        publish=None if publish is None else publish / SECOND,
        row_count=row_count,
        byte_count=byte_count,
        call_size=call_size,
    )
