"""What a run writes: publications, failures, step records and events, in commit order, and what became of them."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from assetflow.errors import AssetflowError, PublishConflict, StorageError
from assetflow.execution.result import Failure, Outcome, no_counts
from assetflow.keys import AssetKey, VersionId
from assetflow.store.interface import StoreWriter
from assetflow.store.records import (
    EventRecord,
    Group,
    Measures,
    StepRecord,
    StepStatus,
    Ticket,
    VersionRecord,
)

_STATUS: dict[Outcome, StepStatus] = {
    "materialized": "materialized",
    "unchanged": "unchanged",
    "reused": "reused",
    "failed": "failed",
    "quarantined": "quarantined",
    "blocked": "blocked",
    "canceled": "canceled",
}
_EVENTFUL: frozenset[Outcome] = frozenset({"failed", "quarantined", "blocked"})
_KEPT = 256


@dataclass(frozen=True, slots=True)
class Call:
    """The call of which a partition was part: the number of the attempt, its partitions, and what it took.

    ``queued_at`` is when it could have begun, where that is not when its computation was decided.
    """

    attempt: int
    size: int
    measures: Measures | None = None
    queued_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """How one asset partition fared; ``key`` is its partition key."""

    asset: AssetKey
    uid: int
    ordinal: int
    key: str | None
    outcome: Outcome
    queued_at: datetime
    started_at: datetime
    ended_at: datetime
    version: VersionId | None = None
    error: AssetflowError | None = None
    call: Call | None = None
    row_count: int | None = None
    byte_count: int | None = None


_NO_CALL = Call(1, 1)


class Journal:
    """Enqueues what a run has to say and tallies it; an outcome counts once its commit is acknowledged.

    ``lost`` is told of the entries whose commit was refused, and of the versions that were staged for it. What another
    run's publication got in the way of, and what that blocked, stays open until :meth:`reopen` or :meth:`conclude`.
    """

    def __init__(
        self, writer: StoreWriter, run_id: str, lost: Callable[[Sequence[Entry], Sequence[VersionRecord]], None]
    ) -> None:
        self._writer = writer
        self._run_id = run_id
        self._promised: deque[tuple[Ticket, Group, tuple[Entry, ...]]] = deque()
        self._steps: list[StepRecord] = []
        self._events: list[EventRecord] = []
        self.counts: dict[AssetKey, dict[Outcome, int]] = {}
        self.failures: list[Failure] = []
        self.added: dict[str, dict[str, None]] = {}
        """The keys that commits were to add to dynamic partitions, by name; some may have been there."""
        self._lost = lost
        self._conflicts: list[Entry] = []
        self._blocked: list[Entry] = []
        self._counted: dict[AssetKey, array[int]] = {}

    def publish(self, group: Group, entries: Sequence[Entry]) -> Ticket:
        """Enqueue a publication; its entries count when it is committed."""
        ticket = self._writer.publish(group)
        self._promised.append((ticket, group, tuple(entries)))
        if len(self._promised) >= _KEPT:
            self._collect(wait=False)
        return ticket

    def note(self, entry: Entry) -> None:
        """Count an outcome that publishes nothing."""
        if entry.outcome == "blocked":
            self._blocked.append(entry)
        else:
            self._count(entry)

    @property
    def conflicting(self) -> bool:
        """Whether others got in the way of something that is still open."""
        return bool(self._conflicts)

    def reopen(self) -> None:
        """Take back what is open, as if it had not been tried."""
        self._conflicts, self._blocked = [], []

    def take_counted(self) -> dict[AssetKey, array[int]]:
        """The ordinals that have been counted since the last time."""
        counted, self._counted = self._counted, {}
        return counted

    def unsettled(self) -> dict[AssetKey, list[int]]:
        """The ordinals that are open."""
        found: dict[AssetKey, list[int]] = {}
        for entry in (*self._conflicts, *self._blocked):
            found.setdefault(entry.asset, []).append(entry.ordinal)
        return found

    def conclude(self) -> None:
        """Settle, and count what is still open. Raises StoreError."""
        self._collect(wait=True)
        for entry in (*self._conflicts, *self._blocked):
            self._count(entry)
        self._conflicts, self._blocked = [], []
        self._hand_over()
        self._writer.flush()

    def attempted(self, entry: Entry) -> None:
        """Record an attempt that another one follows; only the last one counts."""
        self._steps.append(self._step(entry, None))
        self._hand_over()  # people look at it while the next one is waited for

    def _count(self, entry: Entry, committed_at: datetime | None = None) -> None:
        self.counts.setdefault(entry.asset, no_counts())[entry.outcome] += 1
        self._counted.setdefault(entry.asset, array("q")).append(entry.ordinal)
        error = entry.error.document() if entry.error else None
        if error is not None and entry.outcome in ("failed", "quarantined"):
            self.failures.append(Failure(entry.asset, entry.key, error))
        if entry.outcome == "waiting":
            return
        self._steps.append(self._step(entry, committed_at))
        if entry.outcome in _EVENTFUL:
            message = {"message": entry.error.message} if entry.error else dict[str, object]()
            self._events.append(
                EventRecord(entry.ended_at, entry.outcome, entry.asset, entry.ordinal, self._run_id, message, entry.uid)
            )
        if len(self._steps) >= _KEPT:
            self._hand_over()

    def _step(self, entry: Entry, committed_at: datetime | None) -> StepRecord:
        call = entry.call or _NO_CALL
        return StepRecord(
            self._run_id,
            entry.asset,
            entry.uid,
            entry.ordinal,
            call.attempt,
            _STATUS[entry.outcome],
            entry.queued_at,
            entry.started_at,
            entry.ended_at,
            entry.version,
            entry.error.document() if entry.error else None,
            call.measures,
            None if committed_at is None else max((committed_at - entry.ended_at).total_seconds(), 0.0),
            entry.row_count,
            entry.byte_count,
            None if entry.call is None else call.size,
        )

    def settle(self) -> None:
        """Wait until everything said so far is durable, and count it. Raises StoreError."""
        self._collect(wait=True)
        self._hand_over()
        self._writer.flush()

    def _collect(self, *, wait: bool) -> None:
        # Commits are answered in the order in which they were enqueued.
        while self._promised and (wait or self._promised[0][0].done()):
            ticket, group, entries = self._promised.popleft()
            try:
                ticket.result()
            except (PublishConflict, StorageError) as refusal:
                failed = [_failed(entry, refusal) for entry in entries]
                if isinstance(refusal, PublishConflict):
                    self._conflicts += failed
                else:
                    for entry in failed:
                        self._count(entry)
                versions = (publication.version for publication in group.publications)
                self._lost(entries, [version for version in versions if isinstance(version, VersionRecord)])
            else:
                for entry in entries:
                    self._count(entry, ticket.answered_at)
                for addition in group.added:
                    self.added.setdefault(addition.name, {}).update(dict.fromkeys(addition.keys))

    def _hand_over(self) -> None:
        if self._steps or self._events:
            self._writer.record_steps(self._steps, self._events)
            self._steps, self._events = [], []


def _failed(entry: Entry, error: AssetflowError) -> Entry:
    return replace(entry, outcome="failed", version=None, error=error)
