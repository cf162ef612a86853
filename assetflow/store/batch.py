"""One transaction's worth of changes: requests are decided one by one, and what they change is written together.

Deciding reads the database and refuses (PublishConflict) before anything of a request is noted, so that a refused group
leaves nothing. The rows of the accepted ones are collected by table and written at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from assetflow.errors import AssetflowError, PublishConflict, StoreError
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.store import dynamic
from assetflow.store import statements as sql
from assetflow.store.connection import Connection
from assetflow.store.encoding import EMPTY, HELD, TOLERATED, hash_bytes, to_json, to_micros
from assetflow.store.leases import Leases
from assetflow.store.names import Names
from assetflow.store.pools import Pools
from assetflow.store.records import (
    CheckRecord,
    CodeSource,
    EventRecord,
    FailureRecord,
    Group,
    InputRecord,
    KeyAddition,
    ObservationRecord,
    Publication,
    RunRecord,
    StageIntent,
    StepRecord,
    Ticket,
    VersionRecord,
    VersionState,
    Withdrawal,
)
from assetflow.store.rows import (
    Row,
    check_row,
    event_row,
    failure_row,
    input_row,
    intent_row,
    observation_row,
    run_row,
    step_row,
    version_row,
)
from assetflow.store.tickets import Promise

PointerKey = tuple[int, int, int]
"""Environment, asset uid, ordinal."""

_KEYS_TOLD = 100
"""How many keys an event lists."""


class Batch:
    """Changes that are committed together; use inside a write transaction, then :meth:`write`."""

    def __init__(self, connection: Connection, names: Names, leases: Leases, now: datetime) -> None:
        self._connection = connection
        self.leases = leases
        self.pools = Pools(connection, leases)
        leases.begin()
        self._names = names
        self._moment = now
        self._now = to_micros(now)
        self._counters: list[int] = list(connection.execute(sql.COUNTERS).fetchone())
        self.generation, self._version, self._derivation, self._event = self._counters
        self.decided: dict[Ticket, int | AssetflowError] = {}
        """What will become of the tickets of this batch: their generation, or why they are refused."""
        self._pointers: dict[PointerKey, tuple[int, int]] = {}
        self._failing: set[PointerKey] = set()
        self._new_versions: dict[VersionId, Row] = {}
        self._pointer_rows: dict[PointerKey, Row | None] = {}
        self._failure_rows: dict[PointerKey, Row | None] = {}
        self._head_rows: dict[tuple[int, int], Row] = {}
        self._versions: list[Row] = []
        self._released: list[Row] = []
        self._derivations: list[Row] = []
        self._retired: list[Row] = []
        self._inputs: list[Row] = []
        self._log: list[Row] = []
        self._checks: list[Row] = []
        self._settled: list[Row] = []
        self._changes: list[Row] = []
        self._steps: list[Row] = []
        self._events: list[Row] = []

    def prepare(self, groups: Iterable[Group]) -> None:
        """Look up where the pointers stand that the groups will move."""
        keys = [move for group in groups for move in _moves(group)]
        if not keys:
            return
        for environment, uid, ordinal, generation, derivation, failing in self._connection.execute(
            sql.STANDING, (to_json(keys),)
        ):
            key = (environment, uid, ordinal)
            if generation is not None:
                self._pointers[key] = (generation, derivation)
            if failing:
                self._failing.add(key)

    def publish(self, group: Group) -> int:
        """Move the pointers of a group, which :meth:`prepare` has seen. Raises PublishConflict and LeaseLost."""
        if group.fence is not None:
            self.leases.verify(group.fence, _moves(group), _place(group))
        for ticket in group.after:
            self._committed(ticket, _place(group))
        resolved = [self._verified(publication) for publication in group.publications]
        self.generation += 1
        for publication, (known, as_of) in zip(group.publications, resolved, strict=True):
            self._move(publication, known, as_of)
        for withdrawal in group.withdrawals:
            self._withdraw(withdrawal)
        for addition in group.added:
            self._add_keys(addition)
        if group.fence is not None:
            self.leases.give_back(group.fence, _moves(group))
        self._settled += [(version,) for version in group.finished_intents]
        return self.generation

    def add_partitions(self, addition: KeyAddition) -> list[str]:
        """Add keys to dynamic partitions; gives those that were not there."""
        added = self._add_keys(addition)
        self.generation += bool(added)
        return added

    def remove_partitions(self, name: str, keys: list[str]) -> list[str]:
        """Take keys out of dynamic partitions; gives those that were there."""
        removed = dynamic.remove(self._connection, name, keys, self._now)
        if removed:
            self.generation += 1
            self._tell_keys("partitions_removed", name, removed, None)
        return removed

    def fail(self, failure: FailureRecord) -> int:
        """Note a failed try, and its candidate. Raises LeaseLost."""
        if failure.fence is not None:
            moves = [(failure.environment, failure.uid, failure.ordinal)]
            self.leases.verify(failure.fence, moves, "a failed step")
        candidate = failure.candidate
        place = candidate.asset if candidate else "a failed step"
        as_of = [self._as_of(read, place, self.generation) for read in failure.inputs]
        key = (failure.environment, failure.uid, failure.ordinal)
        if candidate is not None:
            derivation = self._next_derivation()
            self._add_version(candidate, "quarantined", derivation, None)
            dynamic.keep_for(self._connection, candidate.version, failure.added)
            self._derivations.append(
                (
                    derivation,
                    candidate.version,
                    failure.uid,
                    failure.ordinal,
                    failure.environment,
                    "computed",
                    self._names.code(failure.code) if failure.code else 0,
                    failure.candidate_key or failure.key,
                    failure.run_id,
                    to_micros(candidate.created_at),
                    self._now,
                    None,
                    None,
                    1,
                )
            )
            self._add_inputs(derivation, failure.inputs, as_of)
        self._failure_rows[key] = failure_row(failure)
        self._failing.add(key)
        self._changes.append((failure.uid, failure.ordinal, self._now))
        self._add_checks(failure.checks)
        self._settled += [(version,) for version in failure.finished_intents]
        return self.generation

    def record_checks(self, checks: Iterable[CheckRecord]) -> int:
        """Note check results on versions that the store has."""
        noted = list(checks)
        self._add_checks(noted)
        places = sorted({(check.uid, check.ordinal) for check in noted})
        self._changes += [(uid, ordinal, self._now) for uid, ordinal in places]
        return self.generation

    def record_steps(self, steps: list[StepRecord], events: list[EventRecord]) -> int:
        """Note how steps fared and what happened."""
        self._steps += [step_row(step) for step in steps]
        uids = {step.asset: step.uid for step in steps}
        for event in events:
            self._add_event(event, uids)
        return self.generation

    def save_code(self, sources: list[CodeSource]) -> int:
        """Write down code versions."""
        for source in sources:
            self._names.save_code(source)
        return self.generation

    def announce(self, intents: list[StageIntent]) -> int:
        """Write down stage intents."""
        self._connection.executemany(sql.INSERT_INTENT, [intent_row(intent) for intent in intents])
        return self.generation

    def settle(self, versions: list[VersionId]) -> int:
        """Forget stage intents."""
        self._connection.executemany(sql.DROP_INTENT, [(version,) for version in versions])
        return self.generation

    def record_run(self, run: RunRecord) -> int:
        """Write down a run, or how it stands now."""
        self._connection.execute(sql.SET_RUN, run_row(run))
        return self.generation

    def ask_cancel(self, run_id: str) -> bool:
        """Note that a run is to stop; False where it does not go on."""
        running = self._connection.execute(sql.RUNNING, (run_id,)).fetchone() is not None
        if running:
            self._connection.execute(sql.ASK_CANCEL, (self._now, run_id))
        return running

    def record_observations(self, observations: list[ObservationRecord]) -> int:
        """Write down when sources were asked."""
        self._connection.executemany(sql.SET_OBSERVATION, [observation_row(seen) for seen in observations])
        return self.generation

    def reserve_versions(self, count: int) -> range:
        """Version ids that nobody else will use."""
        first = self._version + 1
        self._version += count
        return range(first, first + count)

    def open_environment(self, name: str) -> int:
        """The id of an environment."""
        return self._names.environment(name, self._moment)

    def intern_assets(self, keys: list[AssetKey], spaces: Mapping[AssetKey, str]) -> dict[AssetKey, int]:
        """The uids of assets."""
        return self._names.assets(keys, spaces)

    def intern_keys(self, keys: list[str]) -> dict[str, int]:
        """The ordinals of partition keys."""
        return self._names.partition_keys(keys)

    def write(self) -> None:
        """Write what was noted."""
        moved = [row for row in self._pointer_rows.values() if row is not None]
        gone = [key for key, row in self._pointer_rows.items() if row is None]
        failed = [row for row in self._failure_rows.values() if row is not None]
        mended = [key for key, row in self._failure_rows.items() if row is None]
        for statement, rows in (
            (sql.INSERT_VERSION, self._versions),
            (sql.RELEASE_VERSION, self._released),
            (sql.INSERT_DERIVATION, self._derivations),
            (sql.RETIRE_DERIVATION, self._retired),
            (sql.INSERT_INPUT, self._inputs),
            (sql.SET_POINTER, moved),
            (sql.DROP_POINTER, gone),
            (sql.LOG_POINTER, self._log),
            (sql.SET_HEAD, list(self._head_rows.values())),
            (sql.SET_FAILURE, failed),
            (sql.DROP_FAILURE, mended),
            (sql.SET_CHECK, self._checks),
            (sql.INSERT_CHANGE, self._changes),
            (sql.DROP_INTENT, self._settled),
            (sql.SET_STEP, self._steps),
            (sql.INSERT_EVENT, self._events),
        ):
            if rows:
                self._connection.executemany(statement, rows)
        self.leases.write()
        counters = [self.generation, self._version, self._derivation, self._event]
        if counters != self._counters:
            self._connection.execute(sql.SET_COUNTERS, counters)

    def _verified(self, publication: Publication) -> tuple[Row | None, list[int]]:
        """The version's row where the store has it already, and the generations that the inputs were read at."""
        place = format_address(publication.asset, publication.partition)
        key = (publication.environment, publication.uid, publication.ordinal)
        expected = publication.expected_generation
        standing = self._pointers.get(key)
        if expected is not None and expected != (standing[0] if standing else 0):
            planned = f"generation {expected}" if expected else "nothing published"
            found = f"generation {standing[0]}" if standing else "nothing published"
            raise PublishConflict(
                f"{place}: somebody else changed it since the plan was made (planned on {planned}, now {found})",
                hint="run it again: it is planned anew",
            )
        known = None
        if not isinstance(publication.version, VersionRecord):
            known = self._known_version(publication.version)
            if known is None or known[:2] != (publication.uid, publication.ordinal):
                raise StoreError(f"{place}: the store has no version {publication.version} of it")
        return known, [self._as_of(read, place, self.generation + 1) for read in publication.inputs]

    def _known_version(self, version: VersionId) -> Row | None:
        """Asset, ordinal, state and schema."""
        return self._new_versions.get(version) or self._connection.execute(sql.KNOWN_VERSION, (version,)).fetchone()

    def _move(self, publication: Publication, known: Row | None, as_of: list[int]) -> None:
        environment, uid, ordinal = key = (publication.environment, publication.uid, publication.ordinal)
        derivation = self._next_derivation()
        if isinstance(publication.version, VersionRecord):
            version = publication.version.version
            state = "observed" if publication.version.state == "observed" else "published"
            schema = self._add_version(publication.version, state, derivation, self._now)
        else:
            version = publication.version
            schema = known[3] if known else None
            if known and known[2] == "quarantined":
                self._released.append((self._now, version))
                for addition in dynamic.kept_for(self._connection, version, publication.run_id):
                    self._add_keys(addition)
                self._new_versions[version] = (uid, ordinal, "published", schema)
        code = self._names.code(publication.code) if publication.code else 0
        self._derivations.append(
            (
                derivation,
                version,
                uid,
                ordinal,
                environment,
                publication.kind,
                code,
                publication.key,
                publication.run_id,
                to_micros(publication.created_at),
                self._now,
                self.generation,
                publication.reason,
                0,
            )
        )
        self._add_inputs(derivation, publication.inputs, as_of)
        standing = self._pointers.get(key)
        if standing:
            self._retired.append((standing[1],))
        self._pointers[key] = (self.generation, derivation)
        self._pointer_rows[key] = (
            environment,
            uid,
            ordinal,
            version,
            derivation,
            self.generation,
            code,
            (EMPTY if publication.empty else 0)
            | (HELD if publication.held else 0)
            | (TOLERATED if publication.tolerated else 0),
            self._names.layout(tuple([read.parameter for read in publication.inputs])),
            hash_bytes(publication.data_hash),
            b"".join([read.sums for read in publication.inputs]),
        )
        self._log.append((environment, uid, ordinal, self.generation, version, derivation, self._now))
        self._touch_head(environment, uid, schema)
        if key in self._failing:
            self._failing.discard(key)
            self._failure_rows[key] = None
        self._add_checks(publication.checks)
        for event in publication.events:
            self._add_event(event, {publication.asset: uid})

    def _withdraw(self, withdrawal: Withdrawal) -> None:
        environment, uid, ordinal = key = (withdrawal.environment, withdrawal.uid, withdrawal.ordinal)
        standing = self._pointers.pop(key, None)
        if standing is None:
            return
        self._retired.append((standing[1],))
        self._pointer_rows[key] = None
        self._log.append((environment, uid, ordinal, self.generation, None, None, self._now))
        self._changes.append((uid, ordinal, self._now))
        self._touch_head(environment, uid, None)

    def _touch_head(self, environment: int, uid: int, schema: object) -> None:
        earlier = self._head_rows.get((environment, uid))
        kept = earlier[4] if schema is None and earlier else schema
        self._head_rows[environment, uid] = (environment, uid, self.generation, self._now, kept)

    def _add_checks(self, checks: Iterable[CheckRecord]) -> None:
        self._checks += [check_row(check, self._names.code(check.check_version)) for check in checks]

    def _add_keys(self, addition: KeyAddition) -> list[str]:
        added = dynamic.add(self._connection, self._names, addition, self._now)
        if added:
            self._tell_keys("partitions_added", addition.name, added, addition.run_id)
        return added

    def _tell_keys(self, kind: str, name: str, keys: list[str], run_id: str | None) -> None:
        payload: dict[str, object] = {"name": name, "count": len(keys), "keys": keys[:_KEYS_TOLD]}
        self._add_event(EventRecord(self._moment, kind, None, None, run_id, payload), {})

    def _next_derivation(self) -> int:
        self._derivation += 1
        return self._derivation

    def _add_version(
        self, record: VersionRecord, state: VersionState, derivation: int, published_at: int | None
    ) -> int | None:
        schema = None if record.schema is None else self._names.schema(record.schema)
        self._new_versions[record.version] = (record.uid, record.ordinal, state, schema)
        self._versions.append(version_row(record, state, derivation, published_at, schema))
        return schema

    def _add_inputs(self, derivation: int, inputs: tuple[InputRecord, ...], as_of: list[int]) -> None:
        self._inputs += [input_row(derivation, read, made) for read, made in zip(inputs, as_of, strict=True)]

    def _add_event(self, event: EventRecord, uids: Mapping[AssetKey, int]) -> None:
        uid = event.uid
        if event.asset is not None and uid is None:
            uid = uids[event.asset] if event.asset in uids else self._names.latest_asset(event.asset)
        self._event += 1
        self._events.append(event_row(self._event, event, uid))

    def _as_of(self, read: InputRecord, place: str, here: int) -> int:
        if read.as_of is None:
            return here
        return read.as_of if isinstance(read.as_of, int) else self._committed(read.as_of, place)

    def _committed(self, ticket: Ticket, place: str) -> int:
        """The generation of an earlier commit, be it one of this batch. Raises PublishConflict where it failed."""
        answer = self.decided.get(ticket)
        if answer is None and isinstance(ticket, Promise) and ticket.done():
            earlier = cast("Promise[int]", ticket)
            answer = earlier.error or earlier.result()
        if answer is None:
            raise StoreError(f"{place}: it depends on a commit that was not enqueued before it")
        if isinstance(answer, AssetflowError):
            reason = f"not published, because what it was made from was not ({answer.message})"
            raise PublishConflict(f"{place}: {reason}", hint="run it again: it is planned anew")
        return answer


def _moves(group: Group) -> list[PointerKey]:
    return [(move.environment, move.uid, move.ordinal) for move in (*group.publications, *group.withdrawals)]


def _place(group: Group) -> str:
    for publication in group.publications:
        return format_address(publication.asset, publication.partition)
    return group.withdrawals[0].asset if group.withdrawals else "an empty group"
