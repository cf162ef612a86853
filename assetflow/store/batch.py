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
from assetflow.store import dynamic, renaming, retention
from assetflow.store import statements as sql
from assetflow.store.connection import Connection, Rows, together
from assetflow.store.encoding import EMPTY, HELD, TOLERATED, hash_bytes, to_json, to_micros
from assetflow.store.leases import Leases
from assetflow.store.names import Names
from assetflow.store.pending import Pending, PointerKey
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
    Repointing,
    RunRecord,
    StageIntent,
    StepRecord,
    Ticket,
    VersionRecord,
    VersionState,
    Withdrawal,
)
from assetflow.store.retention import Doomed, PinRecord, ReadLease
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

_MANY = 20
"""From so many partitions of an asset on, they are looked up by themselves."""

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
        self._pending = Pending()

    def prepare(self, groups: Iterable[Group]) -> None:
        """Look up where the pointers stand that the groups will move."""
        wanted: dict[tuple[int, int], list[int]] = {}
        for group in groups:
            for move in (*group.publications, *group.withdrawals):
                wanted.setdefault((move.environment, move.uid), []).append(move.ordinal)
        few: list[PointerKey] = []
        for (environment, uid), ordinals in wanted.items():
            if len(ordinals) < _MANY:
                few += [(environment, uid, ordinal) for ordinal in ordinals]
            else:
                values = {"environment": environment, "asset": uid, "ordinals": to_json(ordinals)}
                self._note_standing(self._connection.execute(sql.STANDING_OF, values))
        if few:
            self._note_standing(self._connection.execute(sql.STANDING, (to_json(few),)))

    def _note_standing(self, rows: Rows) -> None:
        for environment, uid, ordinal, generation, derivation, failing in rows:
            if generation is not None:
                self._pointers[environment, uid, ordinal] = (generation, derivation)
            if failing:
                self._failing.add((environment, uid, ordinal))

    def publish(self, group: Group) -> int:
        """Move the pointers of a group, which :meth:`prepare` has seen. Raises PublishConflict and LeaseLost."""
        if group.fence is not None:
            self.leases.verify(group.fence, _moves(group), _place(group))
        for ticket in group.after:
            self._committed(ticket, _place(group))
        resolved = [self._verified(publication) for publication in group.publications]
        for withdrawal in group.withdrawals:
            self._refuse_moved(withdrawal)
        repointings = [(each, self._standing(each), self._known(each)) for each in group.repointings]
        self.generation += 1
        for publication, (known, as_of) in zip(group.publications, resolved, strict=True):
            self._move(publication, known, as_of)
        for repointing, standing, known in repointings:
            self._repoint(repointing, standing, known)
        for withdrawal in group.withdrawals:
            self._withdraw(withdrawal)
        for addition in group.added:
            self._add_keys(addition)
        if group.fence is not None:
            self.leases.give_back(group.fence, _moves(group))
        for event in group.events:
            self._add_event(event, {})
        self._pending.settled += [(version,) for version in group.finished_intents]
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
            self._pending.derivations.append(
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
        self._pending.failures[key] = failure_row(failure)
        self._failing.add(key)
        self._pending.changes.append((failure.uid, failure.ordinal, self._now))
        self._add_checks(failure.checks)
        self._pending.settled += [(version,) for version in failure.finished_intents]
        return self.generation

    def record_checks(self, checks: Iterable[CheckRecord]) -> int:
        """Note check results on versions that the store has."""
        noted = list(checks)
        self._add_checks(noted)
        places = sorted({(check.uid, check.ordinal) for check in noted})
        self._pending.changes += [(uid, ordinal, self._now) for uid, ordinal in places]
        return self.generation

    def record_steps(self, steps: list[StepRecord], events: list[EventRecord]) -> int:
        """Note how steps fared and what happened."""
        self._pending.steps += [step_row(step) for step in steps]
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

    def pin(self, pin: PinRecord, event: EventRecord) -> bool:
        """Write a pin down; False where there is one of that name."""
        return self._told(retention.add_pin(self._connection, pin), event)

    def unpin(self, name: str, event: EventRecord) -> bool:
        """Forget a pin; False where there is none of that name."""
        return self._told(retention.drop_pin(self._connection, name), event)

    def _told(self, done: bool, event: EventRecord) -> bool:
        if done:
            self._add_event(event, {})
        return done

    def lease_reads(self, lease: ReadLease) -> int:
        """Write a read lease down; gives its number."""
        return retention.add_read_lease(self._connection, lease)

    def release_reads(self, numbers: list[int]) -> int:
        """Forget read leases."""
        retention.drop_read_leases(self._connection, numbers)
        return self.generation

    def mark_deletions(self, marked: list[int], unmarked: list[int]) -> int:
        """Note which versions nothing keeps any more."""
        retention.mark(self._connection, marked, unmarked, self._now)
        return self.generation

    def delete_versions(self, doomed: Doomed) -> list[VersionId]:
        """Say that versions are gone; gives those that are."""
        moved = {(uid, ordinal) for _, uid, ordinal in self._pending.pointers}
        gone = retention.delete(self._connection, doomed, self._now, moved)
        self._pending.changes += [(uid, ordinal, self._now) for uid, ordinal in sorted({row[1:] for row in gone})]
        return [VersionId(version) for version, _, _ in gone]

    def finish_deletions(self, versions: list[VersionId]) -> int:
        """Note that the files of deleted versions are gone."""
        retention.finish(self._connection, versions, self._now)
        return self.generation

    def forget_history(self, before: datetime) -> tuple[int, int]:
        """Delete events and steps from before a time that nothing needs; gives how many of each."""
        return retention.forget_history(self._connection, before)

    def open_environment(self, name: str) -> int:
        """The id of an environment."""
        return self._names.environment(name, self._moment)

    def intern_assets(self, keys: list[AssetKey], spaces: Mapping[AssetKey, str]) -> dict[AssetKey, int]:
        """The uids of assets."""
        return self._names.assets(keys, spaces)

    def rename_asset(self, old: AssetKey, new: AssetKey, event: EventRecord) -> bool:
        """Give an asset another key; False where the new one has versions."""
        return self._told(renaming.rename(self._connection, old, new), event)

    def intern_keys(self, keys: list[str]) -> dict[str, int]:
        """The ordinals of partition keys."""
        return self._names.partition_keys(keys)

    def write(self) -> None:
        """Write what was noted."""
        with together(self._connection):
            self._write()

    def _write(self) -> None:
        self._pending.write(self._connection)
        self.leases.write()
        counters = [self.generation, self._version, self._derivation, self._event]
        if counters != self._counters:
            self._connection.execute(sql.SET_COUNTERS, counters)
        if self.generation != self._counters[0]:
            self._connection.execute(sql.ADD_COMMIT, (self.generation, self._now))

    def _verified(self, publication: Publication) -> tuple[Row | None, list[int]]:
        """The version's row where the store has it already, and the generations that the inputs were read at."""
        self._refuse_moved(publication)
        known = None
        if not isinstance(publication.version, VersionRecord):
            known = self._known_version(publication.version)
            if known is None or known[:2] != (publication.uid, publication.ordinal):
                raise StoreError(f"{_address(publication)}: the store has no version {publication.version} of it")
            if known[2] == "deleted":
                raise _gone(_address(publication), publication.version)
        here = self.generation + 1
        return known, [
            here if read.as_of is None else self._as_of(read, _address(publication), here)
            for read in publication.inputs
        ]

    def _refuse_moved(self, move: Publication | Withdrawal) -> None:
        expected = move.expected_generation
        standing = self._pointers.get((move.environment, move.uid, move.ordinal))
        if expected is not None and expected != (standing[0] if standing else 0):
            raise _moved(_address(move), expected, standing[0] if standing else 0)

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
                self._pending.released.append((self._now, version))
                for addition in dynamic.kept_for(self._connection, version, publication.run_id):
                    self._add_keys(addition)
                self._new_versions[version] = (uid, ordinal, "published", schema)
        code = self._names.code(publication.code) if publication.code else 0
        self._pending.derivations.append(
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
            self._pending.retired.append((standing[1],))
        self._pointers[key] = (self.generation, derivation)
        self._pending.pointers[key] = (
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
        self._pending.log.append((environment, uid, ordinal, self.generation, version, derivation, self._now))
        self._touch_head(environment, uid, schema)
        if key in self._failing:
            self._failing.discard(key)
            self._pending.failures[key] = None
        if publication.checks:
            self._add_checks(publication.checks)
        for event in publication.events:
            self._add_event(event, {publication.asset: uid})

    def _standing(self, repointing: Repointing) -> dict[int, tuple[int, int]]:
        """Where the partitions point: generation and derivation. Raises PublishConflict where one has moved."""
        environment, uid = repointing.environment, repointing.uid
        values = {"environment": environment, "asset": uid, "ordinals": to_json(repointing.ordinals)}
        rows = self._connection.execute(sql.POINTERS_OF, values)
        standing = {ordinal: (generation, derivation) for ordinal, generation, derivation in rows}
        for key, row in self._pending.pointers.items():  # moved in this transaction, and not written yet
            if key[:2] == (environment, uid):
                standing.pop(key[2], None)
                if row is not None:
                    standing[key[2]] = self._pointers[key]
        for ordinal, expected in zip(repointing.ordinals, repointing.expected, strict=True):
            found = standing.get(ordinal)
            if expected != (found[0] if found else 0):
                place = format_address(repointing.asset, repointing.key_of(ordinal))
                raise _moved(place, expected, found[0] if found else 0)
        return standing

    def _known(self, repointing: Repointing) -> dict[int, Row]:
        """Of the versions: id, asset, ordinal, state, schema, data hash, flags. Raises StoreError, PublishConflict."""
        rows = self._connection.execute(sql.KNOWN_VERSIONS, (to_json(repointing.versions),)).fetchall()
        known: dict[int, Row] = {row[0]: row for row in rows}
        for ordinal, version in zip(repointing.ordinals, repointing.versions, strict=True):
            row = known.get(version)
            if row is None or row[1] != repointing.uid or row[2] != ordinal or row[3] == "quarantined":
                place = format_address(repointing.asset, repointing.key_of(ordinal))
                raise StoreError(f"{place}: the store has no published version {version} of it")
            if row[3] == "deleted":
                raise _gone(format_address(repointing.asset, repointing.key_of(ordinal)), version)
        return known

    def _repoint(self, move: Repointing, standing: Mapping[int, tuple[int, int]], known: Mapping[int, Row]) -> None:
        """The same as :meth:`_move` for each partition, by column."""
        environment, uid, generation, now = move.environment, move.uid, self.generation, self._now
        first = self._derivation + 1
        self._derivation += len(move.ordinals)
        numbers = range(first, self._derivation + 1)
        code = self._names.code(move.code)
        created = to_micros(move.created_at)
        keys = [move.keys[at : at + 16] for at in range(0, len(move.keys), 16)]
        rows = list(zip(numbers, move.versions, move.ordinals, keys, strict=True))
        self._pending.derivations += [
            (n, v, uid, o, environment, move.kind, code, key, None, created, now, generation, move.reason, 0)
            for n, v, o, key in rows
        ]
        sums = [[each.sums[at : at + 16] for at in range(0, len(each.sums), 16)] for each in move.inputs]
        for read, of_rows in zip(move.inputs, sums, strict=True):
            columns = zip(numbers, of_rows, read.ranges, read.counts, read.as_of, strict=True)
            self._pending.inputs += [
                (n, read.parameter, read.upstream_uid, octets, to_json(ranges), size, made or generation)
                for n, octets, ranges, size, made in columns
            ]
        flags = HELD if move.held else 0
        layout = self._names.layout(tuple(each.parameter for each in move.inputs))
        signatures = [b"".join(parts) for parts in zip(*sums, strict=True)] if sums else [b""] * len(rows)
        for (n, v, o, _), signature in zip(rows, signatures, strict=True):
            data_hash, empty = known[v][5:]
            held = flags | (EMPTY if empty else 0)
            self._pending.pointers[environment, uid, o] = (
                *(environment, uid, o, v, n, generation, code, held, layout, data_hash, signature),
            )
            self._pointers[environment, uid, o] = (generation, n)
        self._pending.log += [(environment, uid, o, generation, v, n, now) for n, v, o, _ in rows]
        self._pending.retired += [(standing[o][1],) for o in move.ordinals if o in standing]
        schema = max(((row[0], row[4]) for row in known.values() if row[4] is not None), default=(0, None))[1]
        self._touch_head(environment, uid, schema)
        failing = {o for (o,) in self._connection.execute(sql.FAILING_OF, (environment, uid))}
        for o in failing.intersection(move.ordinals):
            self._failing.discard((environment, uid, o))
            self._pending.failures[environment, uid, o] = None

    def _withdraw(self, withdrawal: Withdrawal) -> None:
        environment, uid, ordinal = key = (withdrawal.environment, withdrawal.uid, withdrawal.ordinal)
        standing = self._pointers.pop(key, None)
        if withdrawal.forget == "partition":
            self._pending.forgotten_partitions.append((uid, ordinal))
            if key in self._failing:
                self._failing.discard(key)
                self._pending.failures[key] = None
                self._pending.changes.append((uid, ordinal, self._now))
        if standing is None:
            return
        self._pending.retired.append((standing[1],))
        if withdrawal.forget == "version":
            self._pending.forgotten_versions.append((standing[1],))
        self._pending.pointers[key] = None
        self._pending.log.append((environment, uid, ordinal, self.generation, None, None, self._now))
        self._pending.changes.append((uid, ordinal, self._now))
        self._touch_head(environment, uid, None)

    def _touch_head(self, environment: int, uid: int, schema: object) -> None:
        earlier = self._pending.heads.get((environment, uid))
        if earlier and earlier[2] == self.generation and schema in (None, earlier[4]):
            return
        kept = earlier[4] if schema is None and earlier else schema
        self._pending.heads[environment, uid] = (environment, uid, self.generation, self._now, kept)

    def _add_checks(self, checks: Iterable[CheckRecord]) -> None:
        self._pending.checks += [check_row(check, self._names.code(check.check_version)) for check in checks]

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
        self._pending.versions.append(version_row(record, state, derivation, published_at, schema))
        return schema

    def _add_inputs(self, derivation: int, inputs: tuple[InputRecord, ...], as_of: list[int]) -> None:
        self._pending.inputs += [input_row(derivation, read, made) for read, made in zip(inputs, as_of, strict=True)]

    def _add_event(self, event: EventRecord, uids: Mapping[AssetKey, int]) -> None:
        uid = event.uid
        if event.asset is not None and uid is None:
            uid = uids[event.asset] if event.asset in uids else self._names.latest_asset(event.asset)
        self._event += 1
        self._pending.events.append(event_row(self._event, event, uid))

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
    """Which pointers a group moves or takes away."""
    single = [(move.environment, move.uid, move.ordinal) for move in (*group.publications, *group.withdrawals)]
    return single + [(each.environment, each.uid, ordinal) for each in group.repointings for ordinal in each.ordinals]


def _moved(place: str, expected: int, standing: int) -> PublishConflict:
    planned, found = (f"generation {each}" if each else "nothing published" for each in (expected, standing))
    return PublishConflict(
        f"{place}: somebody else changed it since the plan was made (planned on {planned}, now {found})",
        hint="run it again: it is planned anew",
    )


def _gone(place: str, version: int) -> PublishConflict:
    return PublishConflict(
        f"{place}: version {version} was deleted by gc in the meantime", hint="run it again: it is planned anew"
    )


def _address(move: Publication | Withdrawal) -> str:
    return format_address(move.asset, move.partition)


def _place(group: Group) -> str:
    for publication in group.publications:
        return _address(publication)
    moves = (*group.withdrawals, *group.repointings)
    return moves[0].asset if moves else "an empty group"
