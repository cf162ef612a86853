"""Records as rows: the values of one row each, in the order of the statement that takes them."""

from __future__ import annotations

from assetflow.store.encoding import (
    files_json,
    hash_bytes,
    optional_json,
    optional_micros,
    optional_span,
    optional_text,
    printable,
    ranges_json,
    to_json,
    to_micros,
)
from assetflow.store.records import (
    CheckRecord,
    EventRecord,
    FailureRecord,
    InputRecord,
    Measures,
    ObservationRecord,
    RunRecord,
    StageIntent,
    StepRecord,
    VersionRecord,
    VersionState,
)

Row = tuple[object, ...]


def version_row(
    record: VersionRecord, state: VersionState, derivation: int, published_at: int | None, schema: int | None
) -> Row:
    """For INSERT_VERSION."""
    return (
        record.version,
        record.uid,
        record.ordinal,
        state,
        record.run_id,
        to_micros(record.created_at),
        published_at,
        derivation,
        hash_bytes(record.data_hash),
        int(record.empty),
        record.io_manager,
        record.storage,
        record.location,
        files_json(record.files),
        record.inline,
        record.row_count,
        record.byte_count,
        schema,
        optional_json(record.metadata),
    )


def input_row(derivation: int, read: InputRecord, as_of: int) -> Row:
    """For INSERT_INPUT. Raises ValueError for a signature of another length."""
    if len(read.sums) != 16:
        raise ValueError(f"the signature of {read.parameter} has {len(read.sums)} bytes instead of 16")
    return (derivation, read.parameter, read.upstream_uid, read.sums, ranges_json(read.ranges), read.count, as_of)


def failure_row(failure: FailureRecord) -> Row:
    """For SET_FAILURE."""
    return (
        failure.environment,
        failure.uid,
        failure.ordinal,
        failure.key,
        failure.run_id,
        printable(failure.error),
    )


def check_row(check: CheckRecord, code: int) -> Row:
    """For SET_CHECK."""
    return (
        check.version,
        check.name,
        code,
        int(check.passed),
        check.severity,
        int(check.blocking),
        to_micros(check.checked_at),
        to_json(dict(check.metadata)),
        optional_text(check.error),
    )


def intent_row(intent: StageIntent) -> Row:
    """For INSERT_INTENT."""
    return (
        intent.version,
        intent.uid,
        intent.ordinal,
        intent.run_id,
        intent.location,
        to_micros(intent.created_at),
    )


def step_row(step: StepRecord) -> Row:
    """For SET_STEP."""
    return (
        step.run_id,
        step.uid,
        step.ordinal,
        step.attempt,
        step.status,
        to_micros(step.queued_at),
        to_micros(step.started_at),
        to_micros(step.ended_at),
        step.version,
        optional_json(step.error),
        *_times(step.measures),
        optional_span(step.publish),
        *((None, None) if step.measures is None else (optional_span(step.measures.cpu), step.measures.peak_memory)),
        step.row_count,
        step.byte_count,
        step.call_size,
    )


def _times(took: Measures | None) -> Row:
    if took is None:
        return (None, None, None, None)
    return tuple(map(optional_span, (took.load, took.compute, took.stage, took.check)))


def event_row(seq: int, event: EventRecord, uid: int | None) -> Row:
    """For INSERT_EVENT."""
    return (
        seq,
        to_micros(event.occurred_at),
        event.kind,
        uid,
        event.ordinal,
        event.run_id,
        to_json(dict(event.payload)),
    )


def run_row(run: RunRecord) -> Row:
    """For SET_RUN."""
    process = run.process
    return (
        run.run_id,
        run.environment,
        run.status,
        to_micros(run.started_at),
        optional_micros(run.ended_at),
        run.trigger,
        process.host,
        process.boot_id,
        process.pid,
        process.started,
        to_json(dict(run.plan)),
        to_json(dict(run.counts)),
        optional_text(run.error),
        run.priority,
        run.executor,
        run.workers,
    )


def observation_row(seen: ObservationRecord) -> Row:
    """For SET_OBSERVATION."""
    tried = to_micros(seen.tried_at)
    return (seen.uid, tried, tried if seen.error is None else None, optional_text(seen.error))
