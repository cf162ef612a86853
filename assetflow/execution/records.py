"""From what an attempt gave back to the records that the store takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from assetflow.execution.decisions import Decision, Reading
from assetflow.execution.live import LiveState
from assetflow.execution.task import CheckOutcome, StagedVersion
from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.planner.spans import Integers, Lanes
from assetflow.store.records import (
    CheckRecord,
    InputRecord,
    Ticket,
    VersionRecord,
    VersionState,
)


@dataclass(frozen=True, slots=True)
class Derived:
    """What one row was made from: the same for every output of its computation."""

    code: CodeVersion
    key: bytes
    inputs: tuple[InputRecord, ...]
    after: tuple[Ticket, ...]


def derived(decision: Decision, row: int, code: CodeVersion, live: LiveState, uids: Mapping[AssetKey, int]) -> Derived:
    """The derivation of one row, from what its edges read at this moment."""
    inputs = tuple(_input(reading, row, live, uids) for reading in decision.readings)
    after = [ticket for reading in decision.readings for ticket in live.awaited(reading.live, reading.positions(row))]
    return Derived(code, lane_bytes(decision.keys, row), inputs, tuple(after))


def lane_bytes(lanes: Lanes, row: int) -> bytes:
    """One 128-bit value as 16 big-endian bytes."""
    return lanes[row].astype(">u8").tobytes()


def _input(reading: Reading, row: int, live: LiveState, uids: Mapping[AssetKey, int]) -> InputRecord:
    positions = reading.positions(row)
    ordinals = reading.live.ordinals[positions]
    return InputRecord(
        reading.edge.parameter,
        reading.edge.upstream,
        uids[reading.edge.upstream],
        lane_bytes(reading.signature.sums, row),
        ranges_of(ordinals),
        len(ordinals),
        live.as_of(reading.live, positions),
    )


def ranges_of(ordinals: Integers) -> tuple[tuple[int, int], ...]:
    """Ascending ordinals as ranges, first and last included."""
    if len(ordinals) == 1:
        return ((int(ordinals[0]), int(ordinals[0])),)
    if not len(ordinals):
        return ()
    breaks = np.flatnonzero(np.diff(ordinals) != 1)
    firsts = np.concatenate((ordinals[:1], ordinals[breaks + 1]))
    lasts = np.concatenate((ordinals[breaks], ordinals[-1:]))
    return tuple(zip(firsts.tolist(), lasts.tolist(), strict=True))


def version_record(
    staged: StagedVersion, uid: int, ordinal: int, run_id: str, created_at: datetime, state: VersionState
) -> VersionRecord:
    """The record of a staged version."""
    return VersionRecord(
        version=staged.version,
        asset=staged.asset,
        uid=uid,
        ordinal=ordinal,
        run_id=run_id,
        state=state,
        created_at=created_at,
        data_hash=staged.data_hash,
        empty=staged.empty,
        io_manager=staged.io_manager,
        storage=staged.storage,
        location=staged.location,
        files=staged.files,
        inline=staged.inline,
        row_count=staged.row_count,
        byte_count=staged.byte_count,
        schema=staged.schema,
        metadata=staged.metadata,
    )


def check_records(
    outcomes: Sequence[CheckOutcome], asset: AssetKey, uid: int, ordinal: int, version: VersionId
) -> tuple[CheckRecord, ...]:
    """Check outcomes as records on one version."""
    return tuple(
        CheckRecord(
            asset,
            uid,
            ordinal,
            version,
            outcome.name,
            outcome.check_version,
            outcome.passed,
            outcome.severity,
            outcome.blocking,
            outcome.checked_at,
            outcome.metadata,
            outcome.error,
        )
        for outcome in outcomes
    )
