"""The one thread of a process that changes the store: a queue, drained into one transaction after the other.

However many requests are waiting become one commit, so that its cost (a wait for the disk) is shared. Requests are
decided in the order in which they came, and answered only when their commit is durable.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Condition, Lock, Thread
from typing import Any, TypeVar

from assetflow.errors import AssetflowError, PublishConflict, StorageError, StorageFull, StoreError
from assetflow.keys import AssetKey, VersionId
from assetflow.store.batch import Batch
from assetflow.store.connection import Connection, Database
from assetflow.store.encoding import from_micros
from assetflow.store.leases import Claim, ClaimRequest, Gone, Leases
from assetflow.store.names import Names
from assetflow.store.pools import SlotAsk, SlotRecord
from assetflow.store.reader import Reader
from assetflow.store.records import (
    CheckRecord,
    CodeSource,
    EventRecord,
    FailureRecord,
    Group,
    KeyAddition,
    ObservationRecord,
    RunRecord,
    StageIntent,
    StepRecord,
    Ticket,
)
from assetflow.store.retention import Doomed, PinRecord, ReadLease
from assetflow.store.tickets import Promise

T = TypeVar("T")

BATCH_LIMIT = 1_000
"""Requests in one transaction: bounds how long the first of them waits, and other processes too."""

QUEUE_LIMIT = 20_000
"""Requests that may wait; whoever enqueues more has to wait for the disk."""

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}

CULPRIT = (TypeError, ValueError, OverflowError)
"""What a request that cannot be written down raises, besides what the database says is the request's fault."""


@dataclass(slots=True, eq=False)
class Request:
    """What is to be decided; ``sync`` comes before the transaction and is dropped once it was called."""

    decide: Callable[[Batch], object]
    promise: Promise[Any]
    sync: Callable[[], None] | None = None
    group: Group | None = None


class Writer:
    """The StoreWriter of a database; its thread starts with the first request."""

    def __init__(
        self,
        database: Database,
        reader: Reader,
        *,
        patience: float,
        clock: Callable[[], datetime],
        gone: Gone = lambda process: False,
    ) -> None:
        self._database = database
        self._reader = reader
        self._patience = patience
        self._clock = clock
        self._gone = gone
        self._pulse: Writer | None = None
        self._pid = os.getpid()
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._gate = Lock()
        self._answered = Condition()
        self._thread: Thread | None = None
        self._session: tuple[Connection, Names, Leases] | None = None
        self._ended: StoreError | None = None
        self._broken: list[tuple[Promise[Any], StoreError]] = []

    def open_environment(self, name: str) -> int:
        """The environment's id (waits); created on first use."""
        known = self._reader.environments().get(name)
        return known if known is not None else self._enqueue(lambda batch: batch.open_environment(name)).result()

    def intern_assets(self, keys: list[AssetKey], spaces: Mapping[AssetKey, str] | None = None) -> dict[AssetKey, int]:
        """The uids of assets (waits where one is new)."""
        known = self._reader.uids(keys, spaces)
        if len(known) == len(set(keys)):
            return known
        return self._enqueue(lambda batch: batch.intern_assets(keys, spaces or {})).result()

    def intern_keys(self, keys: list[str]) -> dict[str, int]:
        """The ordinals of partition keys (waits where one is new)."""
        known = self._reader.keys().find(keys)
        if known.all():
            return dict(zip(keys, known.tolist(), strict=True))
        return self._enqueue(lambda batch: batch.intern_keys(keys)).result()

    def add_partitions(self, name: str, keys: Sequence[str]) -> list[str]:
        """Add keys to dynamic partitions (waits)."""
        addition = KeyAddition(name, tuple(keys))
        return self._enqueue(lambda batch: batch.add_partitions(addition)).result()

    def remove_partitions(self, name: str, keys: Sequence[str]) -> list[str]:
        """Take keys out of dynamic partitions (waits)."""
        kept = list(keys)
        return self._enqueue(lambda batch: batch.remove_partitions(name, kept)).result()

    def reserve_versions(self, count: int) -> range:
        """Version ids that nobody else will use (waits)."""
        if count < 1:
            return range(0)
        return self._enqueue(lambda batch: batch.reserve_versions(count)).result()

    def pin(self, pin: PinRecord, event: EventRecord) -> bool:
        """Write a pin down (waits); False where there is one of that name."""
        return self._enqueue(lambda batch: batch.pin(pin, event)).result()

    def unpin(self, name: str, event: EventRecord) -> bool:
        """Forget a pin (waits); False where there is none of that name."""
        return self._enqueue(lambda batch: batch.unpin(name, event)).result()

    def lease_reads(self, lease: ReadLease) -> int:
        """Write a read lease down (waits); gives its number."""
        return self._enqueue(lambda batch: batch.lease_reads(lease)).result()

    def release_reads(self, numbers: Sequence[int]) -> Ticket:
        """Forget read leases."""
        kept = list(numbers)
        return self._enqueue(lambda batch: batch.release_reads(kept))

    def mark_deletions(self, marked: Sequence[int], unmarked: Sequence[int]) -> Ticket:
        """Note which versions nothing keeps any more."""
        kept, taken_back = list(marked), list(unmarked)
        return self._enqueue(lambda batch: batch.mark_deletions(kept, taken_back))

    def delete_versions(self, doomed: Doomed) -> list[VersionId]:
        """Say that versions are gone (waits); gives those that are."""
        return self._enqueue(lambda batch: batch.delete_versions(doomed)).result()

    def finish_deletions(self, versions: Sequence[VersionId]) -> Ticket:
        """Note that the files of deleted versions are gone."""
        kept = list(versions)
        return self._enqueue(lambda batch: batch.finish_deletions(kept))

    def forget_history(self, before: datetime) -> tuple[int, int]:
        """Delete events and steps from before a time that nothing needs (waits); gives how many of each."""
        return self._enqueue(lambda batch: batch.forget_history(before)).result()

    def rename_asset(self, old: AssetKey, new: AssetKey, event: EventRecord) -> bool:
        """Give an asset another key (waits); False where the new one has data."""
        return self._enqueue(lambda batch: batch.rename_asset(old, new, event)).result()

    def save_code(self, sources: list[CodeSource]) -> Ticket:
        """Remember code versions."""
        kept = list(sources)
        return self._enqueue(lambda batch: batch.save_code(kept))

    def publish(self, group: Group) -> Ticket:
        """Enqueue one atomic publication."""
        moves = [(move.environment, move.uid, move.ordinal) for move in (*group.publications, *group.withdrawals)]
        for each in group.repointings:
            moves += [(each.environment, each.uid, ordinal) for ordinal in each.ordinals]
        if len(moves) > 1 and len(set(moves)) != len(moves):
            raise ValueError("a group moves each pointer once")
        return self._enqueue(lambda batch: batch.publish(group), sync=group.sync, group=group)

    def fail(self, failure: FailureRecord) -> Ticket:
        """Remember a failed try."""
        return self._enqueue(lambda batch: batch.fail(failure), sync=failure.sync)

    def record_checks(self, checks: list[CheckRecord]) -> Ticket:
        """Remember check results."""
        kept = list(checks)
        return self._enqueue(lambda batch: batch.record_checks(kept))

    def record_observations(self, observations: list[ObservationRecord]) -> Ticket:
        """Remember when sources were asked."""
        kept = list(observations)
        return self._enqueue(lambda batch: batch.record_observations(kept))

    def announce(self, intents: list[StageIntent]) -> Ticket:
        """Record stage intents."""
        kept = list(intents)
        return self._enqueue(lambda batch: batch.announce(kept))

    def settle(self, versions: list[VersionId]) -> Ticket:
        """Forget stage intents."""
        kept = list(versions)
        return self._enqueue(lambda batch: batch.settle(kept))

    def start_run(self, run: RunRecord) -> Ticket:
        """Record a run that begins."""
        return self._enqueue(lambda batch: batch.record_run(run))

    def finish_run(self, run: RunRecord) -> Ticket:
        """Record how a run ended."""
        return self._enqueue(lambda batch: batch.record_run(run))

    def ask_cancel(self, run_id: str) -> bool:
        """Ask a run to stop (waits)."""
        return bool(self._enqueue(lambda batch: batch.ask_cancel(run_id)).result())

    def record_steps(self, steps: list[StepRecord], events: list[EventRecord]) -> Ticket:
        """Append step records and events."""
        kept, told = list(steps), list(events)
        return self._enqueue(lambda batch: batch.record_steps(kept, told))

    def claim(self, request: ClaimRequest) -> Claim:
        """Hold asset partitions that nobody else holds (waits)."""
        return self._enqueue(lambda batch: batch.leases.claim(request)).result()

    def renew(self, fence: int, seconds: float) -> datetime:
        """Hold them for longer (waits), on a connection of its own: however much is to be written, it is in time."""
        with self._gate:
            if self._ended is not None:
                raise self._ended
            if self._pulse is None:
                self._pulse = Writer(
                    self._database, self._reader, patience=self._patience, clock=self._clock, gone=self._gone
                )
            pulse = self._pulse
        return from_micros(pulse._enqueue(lambda batch: batch.leases.renew(fence, seconds)).result())

    def release(self, fence: int) -> Ticket:
        """Hold them no more."""
        return self._enqueue(lambda batch: batch.leases.release([fence]))

    def sweep_leases(self) -> int:
        """Remove leases that nobody can use any more (waits)."""
        return self._enqueue(lambda batch: batch.leases.sweep()).result()

    def ask_slots(self, fence: int, asks: Sequence[SlotAsk], limits: Mapping[str, int]) -> list[SlotRecord]:
        """Stand in line for slots of pools (waits)."""
        kept = list(asks)
        return self._enqueue(lambda batch: batch.pools.ask(fence, kept, limits)).result()

    def granted_slots(self, fence: int, ids: Collection[int], limits: Mapping[str, int]) -> set[int]:
        """Those of the slots that are granted by now (waits)."""
        return self._enqueue(lambda batch: batch.pools.granted(fence, ids, limits)).result()

    def release_slots(self, fence: int, ids: Collection[int], limits: Mapping[str, int]) -> Ticket:
        """Give slots back."""
        return self._enqueue(lambda batch: batch.pools.release(fence, ids, limits))

    def flush(self) -> None:
        """Wait until everything enqueued so far is durable.

        Raises StoreError, also for an earlier request that could not be written down if nobody has asked its ticket.
        """
        if self._thread is not None or self._ended is not None:
            self._enqueue(lambda batch: batch.generation).result()
        with self._answered:
            unheard = [error for promise, error in self._broken if not promise.heard]
            self._broken.clear()
        if unheard:
            raise unheard[0]

    def close(self) -> None:
        """Make everything enqueued durable and stop; does nothing in a process that was forked off."""
        if os.getpid() != self._pid:
            return
        with self._gate:
            if self._ended is None:
                self._ended = StoreError(f"{self._database.place}: the metadata store was closed", hint="open it again")
                self._queue.put(None)
            thread, pulse = self._thread, self._pulse
        if pulse is not None:
            pulse.close()
        if thread is not None:
            thread.join()

    def _enqueue(
        self, decide: Callable[[Batch], T], *, sync: Callable[[], None] | None = None, group: Group | None = None
    ) -> Promise[T]:
        if os.getpid() != self._pid:
            raise StoreError(
                f"{self._database.place}: the metadata store was opened by process {self._pid}, not by this one",
                hint="open the store after the fork, in the process that writes",
            )
        if self._queue.qsize() >= QUEUE_LIMIT:
            with self._answered:
                self._answered.wait_for(lambda: self._queue.qsize() < QUEUE_LIMIT or self._ended is not None)
        promise: Promise[T] = Promise(self._answered)
        with self._gate:
            if self._ended is not None:
                raise self._ended
            self._queue.put(Request(decide, promise, sync, group))
            if self._thread is None:
                self._thread = Thread(target=self._work, name="assetflow-store", daemon=True)
                self._thread.start()
        return promise

    def _work(self) -> None:
        requests: list[Request] = []
        try:
            open_ended = True
            while open_ended:
                requests, open_ended = self._take()
                self._commit(requests)
        except BaseException as error:
            self._give_up(self._told(error), requests)
        finally:
            self._disconnect()

    def _take(self) -> tuple[list[Request], bool]:
        """Whatever is waiting, at least one request, and whether more may come."""
        request = self._queue.get()
        requests: list[Request] = []
        while request is not None:
            requests.append(request)
            if len(requests) >= BATCH_LIMIT:
                return requests, True
            try:
                request = self._queue.get_nowait()
            except Empty:
                return requests, True
        return requests, False

    def _commit(self, requests: Sequence[Request]) -> None:
        """Answer all requests: together where possible, else one by one to find the one that cannot be written."""
        requests = [request for request in requests if self._synced(request)]
        if not requests:
            return None
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._transaction(requests)
            except Exception as error:
                match "request" if isinstance(error, CULPRIT) else self._database.fault(error):
                    case "request" if len(requests) > 1:
                        for request in requests:
                            self._commit([request])
                        return None
                    case "request":
                        return self._answer([], [(requests[0], _unwritable(self._database.place, error))])
                    case "lost" if time.monotonic() < deadline:
                        # Nothing of it was written: it is decided anew on another connection.
                        self._disconnect()
                    case "passing" | "lost":
                        # Space, locks and servers come back: these requests are lost, the next may do better.
                        problem = self._told(error)
                        return self._answer([], [(request, problem) for request in requests])
                    case _:
                        raise

    def _connected(self) -> tuple[Connection, Names, Leases]:
        if self._session is None:
            connection = self._database.connect(patience=self._patience, writing=True)
            leases = Leases(connection, self._reader.ticks, self._gone)
            self._session = connection, Names(connection), leases
        return self._session

    def _disconnect(self) -> None:
        if self._session is not None:
            self._session[0].close()
            self._session = None

    def _told(self, error: BaseException) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, Exception) and self._database.fault(error) is not None:
            return self._database.explained(error)
        return _unexpected(self._database.place, error)

    def _synced(self, request: Request) -> bool:
        sync, request.sync = request.sync, None
        if sync is None:
            return True
        try:
            sync()
        except Exception as error:
            self._answer([], [(request, _not_durable(error))])
        else:
            return True
        return False

    def _transaction(self, requests: Sequence[Request]) -> None:
        connection, names, leases = self._connected()
        accepted: list[tuple[Request, object]] = []
        refused: list[tuple[Request, AssetflowError]] = []
        try:
            self._database.begin(connection, self._patience)
            batch = Batch(connection, names, leases, self._clock())
            batch.prepare(request.group for request in requests if request.group is not None)
            for request in requests:
                try:
                    answer = request.decide(batch)
                except (PublishConflict, StoreError) as error:
                    refused.append((request, error))
                    batch.decided[request.promise] = error
                    continue
                accepted.append((request, answer))
                if isinstance(answer, int):
                    batch.decided[request.promise] = answer
            batch.write()
            self._database.commit(connection, self._patience)
        except BaseException:
            names.forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._answer(accepted, refused)

    def _answer(
        self, accepted: Sequence[tuple[Request, object]], refused: Sequence[tuple[Request, AssetflowError]]
    ) -> None:
        moment = self._clock() if accepted else None
        with self._answered:
            for request, answer in accepted:
                request.promise.answer(answer, moment)
            for request, error in refused:
                request.promise.refuse(error)
                if isinstance(error, StoreError):
                    self._broken.append((request.promise, error))
            self._answered.notify_all()

    def _give_up(self, error: StoreError, requests: Sequence[Request]) -> None:
        """Refuse what is under way, what waits and what comes."""
        with self._gate:
            self._ended = error
        refused = [(request, error) for request in requests if not request.promise.done()]
        while True:
            try:
                request = self._queue.get_nowait()
            except Empty:
                break
            if request is not None:
                refused.append((request, error))
        self._answer([], refused)


def _not_durable(error: Exception) -> AssetflowError:
    if isinstance(error, AssetflowError):
        return error
    if not isinstance(error, OSError):
        return StorageError(f"staged files could not be made durable ({type(error).__name__}: {error})")
    kind = StorageFull if error.errno in NO_SPACE else StorageError
    place = f"{error.filename}: " if error.filename else ""
    return kind(f"{place}staged files could not be made durable ({error.strerror})")


def _unwritable(place: str, error: Exception) -> StoreError:
    return StoreError(f"{place}: a record could not be written to the metadata store ({error})")


def _unexpected(place: str, error: BaseException) -> StoreError:
    return StoreError(
        f"{place}: writing to the metadata store stopped ({type(error).__name__}: {error})",
        hint="this is a mistake in assetflow: please report it, with the command that led to it",
    )
