"""What every metadata store has to do, whatever database it stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from string import ascii_letters
from typing import Any

import numpy as np
import pytest

from assetflow.errors import PublishConflict, StorageError, StorageFull, StoreError, UnknownVersion
from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.planner.changes import applied
from assetflow.planner.moments import micros
from assetflow.planner.signatures import hash_lanes
from assetflow.planner.state import AssetState, Attempt, Attempts, CodeRecord, Codes, Former, State
from assetflow.store.interface import Store
from assetflow.store.records import (
    CodeSource,
    EventRecord,
    Group,
    Measures,
    ObservationRecord,
    Publication,
    ReadColumns,
    Repointing,
    StageIntent,
    StepRecord,
    VersionRecord,
    Withdrawal,
)
from assetflow.store.retention import Doomed, PinRecord, ReadLease
from tests.contract.store_records import CODE, NEWER_CODE, NOON, PROCESS, Filler, data, octets

Open = Callable[[], Store]
ORDERS, DAILY = AssetKey("orders"), AssetKey("daily")
PRESENT = Codes({"daily": CodeRecord(CODE, {"shop.daily": "aa"})})


class StoreContract:
    """Subclass it and give it a fixture ``open_it`` that opens one and the same new store at each call."""

    @pytest.fixture
    def store(self, open_it: Open) -> Iterator[Store]:
        store = open_it()
        yield store
        store.close()

    @pytest.fixture
    def fill(self, store: Store) -> Filler:
        return Filler(store)

    # --- names and numbers

    def test_names_keep_their_numbers(self, open_it: Open, store: Store) -> None:
        keys = ["orders", "raw/orders"]
        first = store.writer.intern_assets([AssetKey(key) for key in keys])
        other = open_it()
        assert other.writer.intern_assets([AssetKey(key) for key in reversed(keys)]) == first
        assert other.writer.open_environment("prod") == store.writer.open_environment("prod") == 1
        assert other.writer.open_environment("dev") == 2
        assert store.reader.environments() == {"prod": 1, "dev": 2}
        assert store.reader.uids() == first
        assert store.reader.uids([AssetKey("orders"), AssetKey("never")]) == {
            AssetKey("orders"): first[AssetKey("orders")]
        }
        other.close()

    def test_an_asset_has_a_uid_for_each_space_of_its_ordinals(self, open_it: Open, store: Store) -> None:
        def uid(of: Store, space: str | None) -> int:
            return of.writer.intern_assets([DAILY], None if space is None else {DAILY: space})[DAILY]

        days = uid(store, "day")
        months = uid(store, "month")
        other = open_it()
        assert (uid(other, "day"), uid(other, "month")) == (days, months) == (1, 2)
        assert store.reader.uids([DAILY, ORDERS], {DAILY: "day", ORDERS: "day"}) == {DAILY: days}
        assert store.reader.uids([DAILY], {DAILY: "hour"}) == {}
        assert store.reader.uids() == store.reader.uids([DAILY]) == {DAILY: months}
        assert other.reader.spaces_of([DAILY]) == {months: (DAILY, "month"), days: (DAILY, "day")}
        other.close()

    def test_a_uid_without_a_space_takes_on_the_first_that_it_is_asked_for_with(self, store: Store) -> None:
        given = store.writer.intern_assets([DAILY, ORDERS])
        assert store.reader.spaces_of() == {1: (DAILY, None), 2: (ORDERS, None)}
        spaces = {DAILY: "day", ORDERS: "whole"}
        assert store.reader.uids([DAILY], spaces) == {}
        assert store.writer.intern_assets([DAILY, ORDERS], spaces) == given
        assert store.writer.intern_assets([DAILY], {DAILY: "month"}) == {DAILY: 3}
        assert store.writer.intern_assets([DAILY], spaces) == {DAILY: 1}
        assert store.reader.spaces_of() == {3: (DAILY, "month"), 1: (DAILY, "day"), 2: (ORDERS, "whole")}

    def test_partition_keys_of_any_shape_keep_their_ordinals(self, store: Store) -> None:
        keys = [
            "../../etc/passwd",
            "x" * 500,
            "🍓",
            "a|b",
            "'quoted\"",
            "'; drop table pointers; --",
            "A",
            "a",
            " ",
            "\x00",
        ]
        given = store.writer.intern_keys(keys)
        assert list(given.values()) == list(range(1, len(keys) + 1))
        assert store.writer.intern_keys([*keys, "new"]) == {**given, "new": len(keys) + 1}
        dictionary = store.reader.keys()
        assert [dictionary.key(given[key]) for key in keys] == keys

    def test_keys_and_parameters_may_be_long(self, store: Store, fill: Filler) -> None:
        chance = Random(7)
        keys, names = (["".join(chance.choices(ascii_letters, k=size)) for _ in range(90)] for size in (5_000, 90))
        given = store.writer.intern_keys(keys)
        assert store.writer.intern_keys([*keys, keys[0][:-1]]) == {**given, keys[0][:-1]: 91}
        reads = [replace(fill.read("orders"), parameter=name) for name in names]
        fill.publish("daily", 1, inputs=reads)
        state = store.reader.read_state(fill.environment, [DAILY], PRESENT)
        assert set(state.assets[DAILY].inputs) == set(names)

    def test_version_ids_are_given_out_once(self, open_it: Open, store: Store) -> None:
        other = open_it()
        blocks = [store.writer.reserve_versions(3), other.writer.reserve_versions(2), store.writer.reserve_versions(1)]
        assert [list(block) for block in blocks] == [[1, 2, 3], [4, 5], [6]]
        assert not store.writer.reserve_versions(0)
        other.close()

    # --- publishing

    def test_a_publication_is_read_back_whole(self, store: Store, fill: Filler) -> None:
        record = replace(
            fill.version("daily", 735000, metadata={"rows": np.int64(3), "note": "käse"}),
            schema=b"arrow",
            inline='{"a":1}',
        )
        generation = fill.publish("daily", 735000, version=record, inputs=[fill.read("orders")])
        found = store.reader.version(record.version)
        assert found.published_at is not None
        assert found == replace(record, published_at=found.published_at, metadata={"rows": 3, "note": "käse"})
        assert store.reader.versions_of(record.uid) == [found]
        assert store.reader.versions_of(record.uid, 1) == []
        assert store.reader.generation() == generation
        head = store.reader.head(fill.environment, record.uid)
        assert head is not None
        assert (head.generation, head.schema) == (generation, b"arrow")

    def test_unknown_versions_are_an_error_of_the_user(self, store: Store) -> None:
        with pytest.raises(UnknownVersion, match="there is no version 77") as caught:
            store.reader.version(VersionId(77))
        assert caught.value.hint == "`assetflow versions ASSET` lists the versions of an asset"

    def test_generations_rise_by_group(self, fill: Filler) -> None:
        first = fill.commit(fill.publication("daily", 1), fill.publication("daily", 2))
        second = fill.commit(fill.publication("daily", 3))
        assert second.result() == first.result() + 1
        pointers = fill.store.reader.pointers(fill.environment, fill.uid("daily"))
        assert pointers.ordinals.tolist() == [1, 2, 3]
        assert pointers.generation.tolist() == [first.result(), first.result(), second.result()]

    def test_a_conflict_leaves_nothing_of_its_group(self, store: Store, fill: Filler) -> None:
        now = fill.publish("daily", 1)
        event = EventRecord(NOON, "published", DAILY)
        refused = fill.commit(
            fill.publication("daily", 2, events=[event]), fill.publication("daily", 1, partition="2024-05-17")
        )
        accepted = fill.commit(fill.publication("daily", 3))
        with pytest.raises(PublishConflict) as caught:
            refused.result()
        assert str(caught.value) == (
            "daily@2024-05-17: somebody else changed it since the plan was made "
            f"(planned on nothing published, now generation {now})\n  hint: run it again: it is planned anew"
        )
        assert accepted.result() == now + 1
        assert store.reader.pointers(fill.environment, fill.uid("daily")).ordinals.tolist() == [1, 3]
        assert store.reader.events_since(0) == []
        assert len(store.reader.versions_of(fill.uid("daily"))) == 2
        assert store.reader.integrity() == []

    def test_a_pointer_moves_only_from_where_it_was_planned(self, fill: Filler) -> None:
        first = fill.publish("daily", 1)
        second = fill.publish("daily", 1, content=2, expected=first)
        for expected in (0, first, second + 1):
            with pytest.raises(PublishConflict):
                fill.publish("daily", 1, content=3, expected=expected)
        assert fill.publish("daily", 1, content=3, expected=None) == second + 1

    def test_two_writers_conflict(self, open_it: Open, fill: Filler) -> None:
        other = Filler(open_it())
        before = fill.publish("daily", 1)
        other.publish("daily", 1, content=2, expected=before)
        with pytest.raises(PublishConflict):
            fill.publish("daily", 1, content=3, expected=before)
        other.store.close()

    def test_what_depends_on_a_refused_commit_is_refused(self, fill: Filler) -> None:
        fill.publish("orders")
        refused = fill.commit(fill.publication("orders", content=2))
        reading = fill.commit(fill.publication("daily", inputs=[fill.read("orders", as_of=refused)]))
        after = fill.commit(fill.publication("summary"), after=[reading])
        for ticket in (refused, reading, after):
            with pytest.raises(PublishConflict):
                ticket.result()
        with pytest.raises(PublishConflict, match="daily: not published, because what it was made from was not"):
            reading.result()
        assert fill.commit(fill.publication("daily")).result() == 2

    def test_the_generation_of_what_was_read_is_recorded(self, store: Store, fill: Filler) -> None:
        upstream = fill.commit(fill.publication("orders"))
        reading = fill.publication("daily", inputs=[fill.read("orders", as_of=upstream)])
        fill.commit(reading).result()
        assert isinstance(reading.version, object)
        rows = store.reader.lineage_of([reading.version.version])
        assert [row.as_of for row in rows] == [upstream.result()]

    def test_staged_files_are_made_durable_before_the_commit(self, store: Store, fill: Filler) -> None:
        seen: list[int] = []
        fill.sync = lambda: seen.append(store.reader.generation())
        generation = fill.publish("daily")
        assert seen == [generation - 1]

    @pytest.mark.parametrize(
        ("raised", "kind"),
        [
            (OSError(28, "No space left on device"), StorageFull),
            (OSError(5, "Input/output error"), StorageError),
            (StorageError("staged files could not be made durable (Input/output error)"), StorageError),
            (KeyError("No space"), StorageError),
        ],
    )
    def test_files_that_cannot_be_made_durable_are_not_published(
        self, store: Store, fill: Filler, raised: Exception, kind: type[StorageError]
    ) -> None:
        def fail() -> None:
            raise raised

        fill.sync = fail
        broken = fill.commit(fill.publication("orders"))
        fill.sync = None
        after = fill.commit(fill.publication("daily"), after=[broken])
        with pytest.raises(kind, match=r"staged files could not be made durable \(.*(No space|Input/output error)"):
            broken.result()
        with pytest.raises(PublishConflict):
            after.result()
        assert store.reader.versions_of(fill.uid("orders")) == []

    def test_a_version_is_published_again(self, store: Store, fill: Filler) -> None:
        old = fill.version("daily")
        first = fill.publish("daily", version=old)
        second = fill.publish("daily", content=2, expected=first)
        fill.publish("daily", version=old.version, expected=second, kind="rollback", held=True, reason="better")
        state = self.state(store, fill)
        assert state.assets[DAILY].version.tolist() == [old.version]
        assert state.assets[DAILY].held.tolist() == [True]
        derivation = store.reader.derivations(state.assets[DAILY].derivation.tolist())
        assert [(one.kind, one.reason) for one in derivation.values()] == [("rollback", "better")]

    def test_only_a_version_of_this_partition_can_be_published(self, fill: Filler) -> None:
        other = fill.version("daily", 1)
        fill.publish("daily", 1, version=other)
        for version in (other.version, VersionId(99)):
            with pytest.raises(StoreError, match=f"daily: the store has no version {version} of it"):
                fill.publish("daily", 2, version=version)

    def test_a_group_moves_a_pointer_once(self, fill: Filler) -> None:
        with pytest.raises(ValueError, match="moves each pointer once"):
            fill.commit(fill.publication("daily", 1), fill.publication("daily", 1))

    def test_a_record_that_cannot_be_written_fails_alone(self, store: Store, fill: Filler) -> None:
        one, two = fill.version("daily", 1), fill.version("daily", 2)
        tickets = [
            fill.commit(fill.publication("daily", 1, version=one)),
            fill.commit(fill.publication("daily", 3, version=replace(two, version=one.version, ordinal=3))),
            fill.commit(fill.publication("daily", 4, version=replace(two, location="\ud800"))),
            fill.commit(fill.publication("daily", 2, version=two)),
        ]
        assert [tickets[0].result(), tickets[3].result()] == [1, 2]
        for ticket in tickets[1:3]:
            with pytest.raises(StoreError, match="a record could not be written to the metadata store"):
                ticket.result()
        assert store.reader.pointers(fill.environment, fill.uid("daily")).ordinals.tolist() == [1, 2]

    # --- the state for plans

    def state(
        self, store: Store, fill: Filler, codes: Codes = PRESENT, sources: tuple[AssetKey, ...] = (ORDERS,)
    ) -> State:
        return store.reader.read_state(fill.environment, [ORDERS, DAILY], codes, sources=sources)

    def test_an_empty_store_has_an_empty_state(self, store: Store, fill: Filler) -> None:
        state = self.state(store, fill)
        assert (state.generation, dict(state.uids)) == (0, {})
        assert len(state.assets[DAILY].ordinals) == len(state.assets[ORDERS].ordinals) == 0
        assert state.assets[DAILY].hashes.shape == (0, 2)

    def test_the_state_is_that_of_one_space_and_tells_of_the_one_before(self, store: Store, fill: Filler) -> None:
        days = store.writer.intern_assets([DAILY], {DAILY: "day"})
        fill.uid("daily")
        fill.publish("daily", 11)
        fill.publish("daily", 12)
        months = store.writer.intern_assets([DAILY], {DAILY: "month"})
        weeks = store.writer.intern_assets([DAILY], {DAILY: "week:monday"})

        def read(uids: dict[AssetKey, int] | None) -> State:
            return store.reader.read_state(fill.environment, [DAILY, ORDERS], PRESENT, uids=uids)

        assert read(days).assets[DAILY].ordinals.tolist() == [11, 12]
        assert read(days).former == {}
        state = read(months)
        assert (dict(state.uids), state.assets[DAILY].ordinals.tolist()) == (months, [])
        head = store.reader.head(fill.environment, days[DAILY])
        assert head is not None
        assert state.former == {DAILY: Former("day", 2, int(head.published_at.timestamp() * 1_000_000))}
        assert dict(read(None).uids) == weeks

    def test_an_event_is_of_the_uid_that_it_names(self, store: Store) -> None:
        days = store.writer.intern_assets([DAILY], {DAILY: "day"})[DAILY]
        months = store.writer.intern_assets([DAILY], {DAILY: "month"})[DAILY]
        told = [EventRecord(NOON, "told", DAILY, 5, uid=uid) for uid in (days, months, None)]
        store.writer.record_steps([], told).result()
        assert store.reader.table("events")["uid"] == [days, months, months]

    def test_pointers_become_columns(self, store: Store, fill: Filler) -> None:
        version = fill.version("daily", 12, 3)
        fill.publish("daily", 12, 3, version=version, inputs=[fill.read("orders", 2**64 + 5), fill.read("rates", 9)])
        fill.publish("daily", 11, 4, inputs=[fill.read("orders", 6), fill.read("rates", 2**127)], empty=True)
        daily = self.state(store, fill).assets[DAILY]
        assert daily.ordinals.tolist() == [11, 12]
        assert daily.version[1] == version.version
        assert daily.generation.tolist() == [2, 1]
        assert [tuple(lanes) for lanes in daily.hashes.tolist()] == [hash_lanes(data(4)), hash_lanes(data(3))]
        assert (daily.empty.tolist(), daily.held.tolist()) == ([True, False], [False, False])
        assert list(daily.inputs) == ["orders", "rates"]
        assert daily.inputs["orders"].sums.tolist() == [[0, 6], [1, 5]]
        assert daily.inputs["rates"].sums.tolist() == [[2**63, 0], [0, 9]]
        assert daily.inputs["orders"].present.all()
        assert all(column.dtype == np.int64 for column in (daily.ordinals, daily.version, daily.code, daily.generation))

    def test_edges_may_differ_between_partitions(self, store: Store, fill: Filler) -> None:
        fill.publish("daily", 1, inputs=[fill.read("orders", 3)])
        fill.publish("daily", 2, inputs=[fill.read("rates", 4), fill.read("orders", 5)])
        fill.publish("daily", 3)
        fill.publish("summary", 0, inputs=[fill.read("rates", 8)])
        state = store.reader.read_state(fill.environment, [AssetKey("summary"), DAILY], PRESENT)
        daily = state.assets[DAILY]
        assert daily.inputs["orders"].sums.tolist() == [[0, 3], [0, 5], [0, 0]]
        assert daily.inputs["orders"].present.tolist() == [True, True, False]
        assert daily.inputs["rates"].sums.tolist() == [[0, 0], [0, 4], [0, 0]]
        assert daily.inputs["rates"].present.tolist() == [False, True, False]
        summary = state.assets[AssetKey("summary")]
        assert summary.inputs["rates"].sums.tolist() == [[0, 8]]
        assert list(summary.inputs) == ["rates"]

    def test_what_tells_late_data_is_read_where_it_is_asked_for(self, store: Store, fill: Filler) -> None:
        fill.observe("orders", {1: 10, 2: 20})
        fill.observe("orders", {1: 11})
        fill.publish("daily", 1, inputs=[fill.read("orders", 3)])
        fill.publish("daily", 2)
        asked = (fill.environment, [ORDERS, DAILY], PRESENT)
        state = store.reader.read_state(*asked, sources=[ORDERS])
        assert (state.moves, state.assets[DAILY].inputs["orders"].as_of) == ({}, None)

        state = store.reader.read_state(*asked, sources=[ORDERS], tolerant={DAILY: {"orders"}})
        (recorded,) = store.reader.inputs_of(int(state.assets[DAILY].derivation[0]))
        as_of = state.assets[DAILY].inputs["orders"].as_of
        assert as_of is not None
        assert as_of.tolist() == [recorded.as_of, -1]
        moves = state.moves[ORDERS]
        assert moves.ordinals.tolist() == [1, 1, 2]
        assert moves.generation.tolist() == [1, 2, 1]
        assert [tuple(lanes) for lanes in moves.hashes.tolist()] == [hash_lanes(data(each)) for each in (10, 11, 20)]
        assert moves.present.all()
        assert moves.at.tolist() == [micros(NOON)] * 3

    def test_what_left_late_data_out_says_so_whatever_is_asked_for(self, store: Store, fill: Filler) -> None:
        fill.observe("orders", {1: 10})
        version = fill.version("daily", 1)
        first = fill.publish("daily", 1, version=version, inputs=[fill.read("orders", 3)])
        kept = fill.publication("daily", 1, version=version.version, expected=first, kind="tolerated")
        kept = replace(kept, inputs=(fill.read("orders", 4),), tolerated=True)
        fill.commit(kept).result()
        state = store.reader.read_state(fill.environment, [ORDERS, DAILY], PRESENT, sources=[ORDERS])
        assert (state.assets[DAILY].tolerated.tolist(), state.assets[DAILY].held.tolist()) == ([True], [False])
        assert state.assets[DAILY].inputs["orders"].as_of is not None
        assert list(state.moves) == [ORDERS]
        # It was not computed so: it is no version to publish again.
        fill.publish("daily", 1, 2, expected=2 + 1)
        again = store.reader.read_state(fill.environment, [DAILY], PRESENT)
        assert [len(each.ordinals) for each in again.retained.values()] == [1]

    def test_data_was_verified_when_it_was_last_computed_or_asked_for(self, store: Store, fill: Filler) -> None:
        later, last = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
        version = fill.version("daily", 1)
        generation = fill.publish("daily", 1, version=version)
        fill.publish("daily", 2)
        again = replace(fill.publication("daily", 1, version=version.version, expected=generation), created_at=later)
        generation = fill.commit(again).result()
        other = fill.publish("daily", 1, 2, expected=generation)
        back = fill.publication("daily", 1, version=version.version, expected=other, kind="rollback")
        fill.commit(replace(back, created_at=last)).result()
        fill.observe("orders", {5: 50, 6: 60})
        store.writer.record_observations([ObservationRecord(ORDERS, fill.uid("orders"), last)]).result()
        asked = [ORDERS, DAILY, AssetKey("nothing")]
        state = store.reader.read_state(fill.environment, asked, PRESENT, sources=[ORDERS], verified=asked)
        found = {
            key: [datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at) for at in times.tolist()]
            for key, times in state.verified.items()
        }
        assert found == {ORDERS: [last, last], DAILY: [later, NOON]}
        assert self.state(store, fill).verified == {}

    def test_sources_are_known_by_their_observations(self, store: Store, fill: Filler) -> None:
        fill.observe("orders", {5: 50, 6: 60})
        fill.publish("orders", 7)
        seen = self.state(store, fill).assets[ORDERS]
        assert (seen.ordinals.tolist(), seen.code.tolist()) == ([5, 6], [0, 0])
        built = self.state(store, fill, sources=()).assets[ORDERS]
        assert built.ordinals.tolist() == [7]
        before = store.reader.generation()
        fill.withdraw("orders", 5)
        assert fill.withdraw("orders", 99) == before + 2
        assert self.state(store, fill).assets[ORDERS].ordinals.tolist() == [6]
        assert store.reader.pointers_as_of(0, fill.uid("orders"), before).ordinals.tolist() == [5, 6]
        history = store.reader.history(0, fill.uid("orders"))
        assert history.ordinals.tolist() == [5, 5, 6]
        assert (history.version > 0).tolist() == [True, False, True]
        assert store.reader.history(0, fill.uid("orders"), first=6).ordinals.tolist() == [6]
        assert store.reader.history(0, fill.uid("orders"), first=1, last=5).ordinals.tolist() == [5, 5]

    def test_code_versions_come_with_their_components(self, store: Store, fill: Filler) -> None:
        old = CodeSource(NEWER_CODE, {"shop.daily": "bb", "shop.clean": "cc"}, {"shop.clean": "def clean(): ..."})
        store.writer.save_code([old])
        store.writer.save_code([CodeSource(NEWER_CODE, {"other": "dd"})]).result()
        fill.publish("daily", 1, code=NEWER_CODE)
        fill.publish("daily", 2)
        state = self.state(store, fill)
        codes = [state.codes[code] for code in state.assets[DAILY].code.tolist()]
        assert codes == [CodeRecord(NEWER_CODE, old.components), CodeRecord(CODE, {"shop.daily": "aa"})]
        assert store.reader.code(NEWER_CODE) == old
        assert store.reader.code(CodeVersion("c1:" + "9" * 32)) is None

    def test_a_failure_stays_until_the_partition_is_published(self, store: Store, fill: Filler) -> None:
        store.writer.fail(fill.failure("daily", 1, key=8))
        store.writer.fail(replace(fill.failure("daily", 2), error="it\ud800 broke"))
        store.writer.fail(fill.failure("daily", 1, key=9))
        store.writer.flush()
        failures = self.state(store, fill).failures[DAILY]
        assert failures.ordinals.tolist() == [1, 2]
        assert failures.keys.tolist() == [[0, 9], [0, 9]]
        assert (failures.runs, failures.errors) == (("r1", "r1"), ("it broke", "it? broke"))
        fill.publish("daily", 1)
        assert self.state(store, fill).failures[DAILY].ordinals.tolist() == [2]
        fill.commit(fill.publication("daily", 2))
        store.writer.fail(fill.failure("daily", 2))
        store.writer.flush()
        assert self.state(store, fill).failures[DAILY].ordinals.tolist() == [2]

    def test_what_was_replaced_is_retained(self, store: Store, fill: Filler) -> None:
        first = fill.publish("daily", 1, 1, key=101)
        second = fill.publish("daily", 1, 2, key=102, expected=first)
        assert self.state(store, fill).retained[DAILY].keys.tolist() == [[0, 101]]
        rollback = fill.publish("daily", 1, 3, key=103, expected=second, kind="rollback")
        fill.publish("daily", 1, 4, key=104, expected=rollback, code=NEWER_CODE)
        state = self.state(store, fill)
        assert state.retained[DAILY].keys.tolist() == [[0, 101], [0, 102]]
        assert state.retained[DAILY].ordinals.tolist() == [1, 1]
        kept = store.reader.derivations(state.retained[DAILY].derivation.tolist())
        assert [one.key for one in kept.values()] == [octets(101), octets(102)]
        assert self.state(store, fill, Codes({"daily": CodeRecord(NEWER_CODE, {})})).retained == {}

    def test_environments_share_what_was_computed(self, store: Store, fill: Filler) -> None:
        fill.publish("daily", 1, 1, key=101)
        dev = store.writer.open_environment("dev")
        state = store.reader.read_state(dev, [DAILY], PRESENT)
        assert len(state.assets[DAILY].ordinals) == 0
        assert state.retained[DAILY].keys.tolist() == [[0, 101]]
        assert self.state(store, fill).retained == {}
        version = VersionId(int(state.retained[DAILY].version[0]))
        fill.publish("daily", 1, 1, key=101, version=version, environment=dev, kind="reused")
        assert store.reader.read_state(dev, [DAILY], PRESENT).assets[DAILY].version.tolist() == [version]

    def test_a_quarantined_candidate_is_kept_and_can_be_published(self, store: Store, fill: Filler) -> None:
        candidate = replace(fill.version("daily", 1, 5), state="quarantined")
        result = replace(fill.check(candidate, passed=False), metadata={"rows": 0}, error="Traceback")
        store.writer.fail(replace(fill.failure("daily", 1, key=9, candidate=candidate), checks=(result,))).result()
        state = self.state(store, fill)
        assert state.candidates[DAILY].keys.tolist() == [[0, 10]]
        assert state.candidates[DAILY].version.tolist() == [candidate.version]
        assert state.retained == {}
        assert len(state.assets[DAILY].ordinals) == 0
        assert store.reader.version(candidate.version).state == "quarantined"
        assert store.reader.version(candidate.version).published_at is None
        assert store.reader.check_results([candidate.version]) == [result]
        assert store.reader.integrity() == []
        fill.publish("daily", 1, 5, version=candidate.version, key=10)
        state = self.state(store, fill)
        assert store.reader.version(candidate.version).state == "published"
        assert store.reader.version(candidate.version).published_at is not None
        assert (dict(state.candidates), dict(state.failures)) == ({}, {})

    def test_check_results_are_those_of_versions_that_matter(self, store: Store, fill: Filler) -> None:
        versions = [fill.version("daily", ordinal) for ordinal in (1, 2, 3, 1)]
        for version in versions[:3]:
            fill.publish("daily", version.ordinal, version=version, checks=[fill.check(version, code=NEWER_CODE)])
        fill.publish("daily", 1, version=versions[3], expected=1, code=NEWER_CODE)
        store.writer.record_checks(
            [fill.check(versions[0]), fill.check(versions[1]), fill.check(versions[3], passed=False)]
        ).result()
        codes = Codes(PRESENT.computations, {(DAILY, "positive"): CODE, (DAILY, "other"): CODE})
        checks = self.state(store, fill, codes).checks
        assert list(checks) == [(DAILY, "positive")]
        found = checks[DAILY, "positive"]
        assert found.passed.tolist() == [versions[0].version, versions[1].version]
        assert found.failed.tolist() == [versions[3].version]
        assert found.earlier.tolist() == [versions[2].version]
        store.writer.record_checks([fill.check(versions[1], passed=False)]).result()
        assert self.state(store, fill, codes).checks[DAILY, "positive"].passed.tolist() == [versions[0].version]

    def test_what_changed_since_a_state_was_read_is_told(self, store: Store, fill: Filler) -> None:
        fill.publish("daily", 1)
        fill.publish("daily", 2)
        before = self.state(store, fill)
        asked = (before, fill.environment, [ORDERS, DAILY], PRESENT)
        assert not store.reader.changes_since(*asked, sources=[ORDERS])
        fill.publish("daily", 2, 7, expected=None, key=6)
        store.writer.fail(fill.failure("daily", 3)).result()
        fill.observe("orders", {5: 50})
        fill.withdraw("orders", 5)
        changes = store.reader.changes_since(*asked, sources=[ORDERS])
        assert {key: ordinals.tolist() for key, ordinals in changes.touched.items()} == {DAILY: [2, 3], ORDERS: [5]}
        after, anew = applied(before, changes), self.state(store, fill)
        assert after.assets[DAILY].version.tolist() == anew.assets[DAILY].version.tolist()
        assert after.failures[DAILY].ordinals.tolist() == [3]
        assert after.retained[DAILY].ordinals.tolist() == [2]
        assert (after.mark, after.generation) == (anew.mark, anew.generation)
        other = store.reader.changes_since(before, fill.environment, [DAILY, AssetKey("summary")], PRESENT)
        assert other.anew == {AssetKey("summary")}

    def test_many_assets_are_told_apart(self, store: Store, fill: Filler) -> None:
        keys = [f"a{number}" for number in range(40)]
        for number, key in enumerate(keys):
            fill.commit(fill.publication(key, number, number, inputs=[fill.read("orders", number)] * (number % 2)))
        store.writer.flush()
        asked = [AssetKey(key) for key in reversed(keys)]
        state = store.reader.read_state(fill.environment, asked, PRESENT)
        for number, key in enumerate(keys):
            one: AssetState = state.assets[AssetKey(key)]
            assert one.ordinals.tolist() == [number]
            assert tuple(one.hashes[0].tolist()) == hash_lanes(data(number))
            assert len(one.inputs) == number % 2

    # --- time travel and lineage

    def test_pointers_as_of_a_generation(self, store: Store, fill: Filler) -> None:
        first = fill.publish("daily", 1, 1)
        fill.publish("daily", 2, 1)
        third = fill.publish("daily", 1, 2, expected=first)
        uid = fill.uid("daily")
        versions = {g: store.reader.pointers_as_of(fill.environment, uid, g) for g in range(third + 1)}
        assert [found.ordinals.tolist() for found in versions.values()] == [[], [1], [1, 2], [1, 2]]
        assert versions[2].version[0] == versions[1].version[0] != versions[3].version[0]
        assert versions[3].generation.tolist() == [third, 2]

    def test_lineage_is_read_by_version_and_by_upstream(self, store: Store, fill: Filler) -> None:
        fill.publish("orders", 1)
        version = fill.version("daily", 7)
        fill.publish("daily", 7, version=version, inputs=[fill.read("orders", 3, [(1, 4), (8, 8)], as_of=1)])
        rows = store.reader.lineage_of([version.version])
        assert [(row.asset, row.ordinal, row.upstream, row.first, row.last, row.as_of) for row in rows] == [
            (DAILY, 7, ORDERS, 1, 4, 1),
            (DAILY, 7, ORDERS, 8, 8, 1),
        ]
        assert store.reader.readers_of(fill.uid("orders")) == rows
        assert store.reader.readers_of(fill.uid("daily")) == []
        assert store.reader.table("lineage") == {
            "version": [version.version] * 2,
            "asset": ["daily"] * 2,
            "uid": [fill.uid("daily")] * 2,
            "ordinal": [7, 7],
            "parameter": ["orders"] * 2,
            "upstream_asset": ["orders"] * 2,
            "upstream_uid": [fill.uid("orders")] * 2,
            "first": [1, 8],
            "last": [4, 8],
            "as_of": [1, 1],
        }

    def test_lineage_follows_the_newest_computing_of_an_environment(self, store: Store, fill: Filler) -> None:
        version = fill.version("daily", 7)
        first = fill.publish("daily", 7, version=version, inputs=[fill.read("orders", as_of=1)])
        dev = store.writer.open_environment("dev")
        again = fill.publish(
            "daily", 7, version=version.version, inputs=[fill.read("orders", as_of=5)], expected=first, kind="computed"
        )
        fill.publish("daily", 7, version=version.version, expected=again, kind="accept")
        as_of = {
            environment: [row.as_of for row in store.reader.lineage_of([version.version], environment=environment)]
            for environment in (None, fill.environment, dev)
        }
        assert as_of == {None: [1], fill.environment: [5], dev: [1]}
        assert [row.as_of for row in store.reader.readers_of(fill.uid("orders"), environment=1)] == [5]

    def test_inputs_of_a_derivation(self, store: Store, fill: Filler) -> None:
        reads = (fill.read("orders", 3, [(1, 4)], 0), fill.read("rates", 4, [], 0))
        fill.publish("daily", 7, inputs=reads)
        derivation = store.reader.pointers(fill.environment, fill.uid("daily")).derivation[0]
        assert store.reader.inputs_of(int(derivation)) == reads

    # --- runs and what happened in them

    def test_runs_and_steps_are_remembered(self, store: Store, fill: Filler) -> None:
        started = fill.run(plan={"steps": 2})
        store.writer.start_run(started)
        store.writer.start_run(fill.run("r2"))
        ended = replace(started, status="failed", ended_at=NOON, counts={"failed": 1}, error="one asset failed")
        store.writer.finish_run(replace(ended, plan={}))
        step = fill.step(
            "daily", 3, ended_at=NOON + timedelta(seconds=2), status="failed", error={"type": "UserCodeError"}
        )
        store.writer.record_steps([step, fill.step("orders", version=VersionId(4))], []).result()
        assert store.reader.run("r1") == ended
        assert store.reader.run("r3") is None
        assert [run.run_id for run in store.reader.runs()] == ["r2", "r1"]
        assert [run.run_id for run in store.reader.runs(limit=1)] == ["r2"]
        assert store.reader.runs(status="running") == [fill.run("r2")]
        assert store.reader.steps("r1") == [fill.step("orders", version=VersionId(4)), step]

    def test_steps_keep_what_their_attempts_took(self, store: Store, fill: Filler) -> None:
        measures = Measures(0.25, 1.5, 0.125, 0.0, 1.0, 1 << 40)
        failed = fill.step("daily", 3, status="failed", measures=replace(measures, peak_memory=None), call_size=8)
        took = {"measures": measures, "publish": 0.000001, "row_count": 7, "byte_count": 1 << 40, "call_size": 1}
        done = fill.step("daily", 3, attempt=2, version=VersionId(4), **took)
        store.writer.record_steps([failed, done], []).result()
        assert store.reader.steps("r1") == [failed, done]
        table = store.reader.table("steps")
        assert {name: table[name][1] for name in ("load_seconds", "publish_seconds", "peak_memory", "row_count")} == {
            "load_seconds": 0.25,
            "publish_seconds": 0.000001,
            "peak_memory": 1 << 40,
            "row_count": 7,
        }

    def test_a_run_is_asked_to_stop_while_it_goes_on(self, store: Store, fill: Filler) -> None:
        started = fill.run()
        store.writer.start_run(started)
        store.writer.start_run(fill.run("r2"))
        assert not store.reader.cancel_asked("r1")
        assert store.writer.ask_cancel("r1")
        assert (store.reader.cancel_asked("r1"), store.reader.cancel_asked("r2")) == (True, False)
        run = store.reader.run("r1")
        assert run is not None
        asked_at = run.cancel_asked_at
        assert asked_at is not None
        assert store.writer.ask_cancel("r1"), "it may be asked again"
        store.writer.finish_run(replace(started, status="canceled", ended_at=NOON)).result()
        assert not store.writer.ask_cancel("r1"), "it has ended"
        assert not store.writer.ask_cancel("nobody")
        run = store.reader.run("r1")
        assert run is not None
        assert (run.status, run.cancel_asked_at) == ("canceled", asked_at)

    def test_a_ticket_tells_when_it_was_answered(self, store: Store, fill: Filler) -> None:
        ticket = store.writer.record_steps([fill.step("daily")], [])
        ticket.result()
        assert ticket.answered_at is not None

    def attempt(self, fill: Filler, run: str, seconds: float, **changes: Any) -> None:
        """A step of ``daily`` that took so long."""
        fields: dict[str, Any] = {"started_at": NOON, "ended_at": NOON + timedelta(seconds=seconds)}
        step = replace(fill.step("daily", changes.pop("ordinal", 1)), run_id=run, **fields | changes)
        fill.store.writer.record_steps([step], []).result()

    def test_attempts_are_those_that_computed_and_succeeded(self, store: Store, fill: Filler) -> None:
        daily = fill.uid("daily")
        first = fill.version("daily", 1, row_count=5, byte_count=50)
        generation = fill.publish("daily", 1, version=first)
        self.attempt(fill, "r1", 2, version=first.version)
        # Failed, then left alone, then computed with equal data by other code, then gone back to.
        self.attempt(fill, "r2", 700, status="failed")
        self.attempt(fill, "r3", 0, status="unchanged")
        again = fill.publication("daily", 1, version=first.version, expected=generation, code=NEWER_CODE)
        generation = fill.commit(replace(again, run_id="r4")).result()
        self.attempt(fill, "r4", 3, status="unchanged", version=first.version)
        back = fill.publication("daily", 1, version=first.version, expected=generation, kind="reused")
        fill.commit(replace(back, run_id="r5")).result()
        self.attempt(fill, "r5", 900, status="unchanged", version=first.version)
        found = store.reader.attempts([(daily, 1, 1), (daily, 2, 1), (daily + 1, 1, 1)])
        assert found.computed == {daily: {1: [Attempt(2.0, 5, 50, CODE), Attempt(3.0, 5, 50, NEWER_CODE)]}}
        assert found.checked == {}
        assert store.reader.attempts([]) == Attempts()

    def test_only_the_last_attempts_count(self, store: Store, fill: Filler) -> None:
        daily, generation = fill.uid("daily"), 0
        for number in range(8):
            version = fill.version("daily", 1, number, run_id=f"r{number}", empty=number == 7)
            made = fill.publication("daily", 1, number, version=version, expected=generation)
            generation = fill.commit(replace(made, run_id=f"r{number}")).result()
            self.attempt(fill, f"r{number}", number, version=version.version)
        (tries,) = store.reader.attempts([(daily, 1, 1)]).computed[daily].values()
        assert [(each.seconds, each.rows) for each in tries] == [(3, 3), (4, 3), (5, 3), (6, 3), (7, 0)]

    def test_what_a_check_refused_at_first_took_no_time_when_it_was_let_pass(self, store: Store, fill: Filler) -> None:
        candidate = fill.version("daily", 1, state="quarantined", published_at=None)
        store.writer.fail(fill.failure("daily", 1, candidate=candidate)).result()
        self.attempt(fill, "r1", 60, status="quarantined", version=candidate.version)
        released = fill.publication("daily", 1, version=candidate.version)
        fill.commit(replace(released, run_id="r2")).result()
        self.attempt(fill, "r2", 1, version=candidate.version)
        assert store.reader.attempts([(fill.uid("daily"), 1, 1)]).computed == {}

    def test_partitions_of_one_call_share_its_time(self, store: Store, fill: Filler) -> None:
        daily = fill.uid("daily")
        for ordinal in range(1, 8):
            version = fill.version("daily", ordinal)
            fill.publish("daily", ordinal, version=version)
            # Calls of three, in which the partitions are published one after the other: 9 to 11 seconds.
            call, place = divmod(ordinal - 1, 3)
            began = NOON + timedelta(minutes=call)
            ended = began + timedelta(seconds=9 + place)
            self.attempt(fill, "r1", 0, ordinal=ordinal, started_at=began, ended_at=ended, version=version.version)
        found = store.reader.attempts([(daily, ordinal, 3) for ordinal in (2, 4, 7)]).computed[daily]
        assert {ordinal: round(each.seconds, 3) for ordinal, (each,) in found.items()} == {2: 3.667, 4: 3.667, 7: 9.0}

    def test_times_of_checks_alone(self, store: Store, fill: Filler) -> None:
        daily = fill.uid("daily")
        for run in ("r1", "r2", "r3"):
            store.writer.start_run(fill.run(run))
        version = fill.version("daily", 1)
        fill.publish("daily", 1, version=version)
        self.attempt(fill, "r1", 50, version=version.version)
        self.attempt(fill, "r2", 2, status="quarantined", version=version.version)
        self.attempt(fill, "r3", 1.5, status="unchanged", version=version.version)
        assert store.reader.attempts([], [(daily, 1, 1)]).checked == {daily: {1: [2.0, 1.5]}}

    def test_how_a_run_fared_comes_in_columns_of_the_last_attempts(self, store: Store, fill: Filler) -> None:
        steps = [
            fill.step("daily", 4, status="materialized", version=VersionId(9)),
            fill.step("daily", 3, status="materialized", version=VersionId(8)),
            fill.step("daily", 5, status="failed"),
            replace(fill.step("daily", 5, status="unchanged"), attempt=2),
            fill.step("orders", status="blocked"),
        ]
        store.writer.record_steps(steps, []).result()
        found = {(each.asset, each.status): each for each in store.reader.fared("r1")}
        assert {key: each.ordinals.tolist() for key, each in found.items()} == {
            ("daily", "materialized"): [3, 4],
            ("daily", "unchanged"): [5],
            ("orders", "blocked"): [0],
        }
        assert found[AssetKey("daily"), "materialized"].version.tolist() == [8, 9]
        assert found[AssetKey("daily"), "unchanged"].version.tolist() == [0]
        assert store.reader.fared("r2") == []

    def test_events_stand_in_the_order_of_commits(self, store: Store, fill: Filler) -> None:
        events = [EventRecord(NOON, f"kind{number}", run_id="r1") for number in range(3)]
        store.writer.record_steps([], events[:1])
        published = EventRecord(NOON, "published", DAILY, 5, "r2", {"version": 1})
        fill.publish("daily", 5, events=[published])
        store.writer.record_steps([], [*events[1:], EventRecord(NOON, "new", AssetKey("unheard"))])
        store.writer.flush()
        rows = store.reader.events_since(0)
        assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
        assert [row.event for row in rows[:4]] == [events[0], published, *events[1:]]
        assert rows[4].event.asset == "unheard"
        assert store.reader.events_since(2, limit=1) == rows[2:3]
        assert [row.seq for row in store.reader.events_since(0, run_id="r1")] == [1, 3, 4]

    def test_stage_intents_last_until_they_are_settled(self, store: Store, fill: Filler) -> None:
        intents = [
            StageIntent(VersionId(number), fill.uid("daily"), number, "r1", f"daily/v-{number}", NOON)
            for number in (1, 2, 3)
        ]
        store.writer.announce(intents).result()
        assert store.reader.intents() == intents
        moved = fill.publication("daily", 1)
        store.writer.publish(Group((moved,), finished_intents=(VersionId(1),)))
        store.writer.fail(replace(fill.failure("daily", 2), finished_intents=(VersionId(2),))).result()
        assert store.reader.intents() == intents[2:]
        store.writer.settle([VersionId(3)]).result()
        assert store.reader.intents() == []

    def test_sources_remember_when_they_answered(self, store: Store, fill: Filler) -> None:
        later = NOON + timedelta(hours=1)
        uid = fill.uid("orders")
        store.writer.record_observations([ObservationRecord(ORDERS, uid, NOON)])
        store.writer.record_observations([ObservationRecord(ORDERS, uid, later, "no network")]).result()
        assert store.reader.last_observations() == {uid: ObservationRecord(ORDERS, uid, later, "no network", NOON)}

    def test_the_last_schema_outlives_versions_without_one(self, store: Store, fill: Filler) -> None:
        uid = fill.uid("daily")
        assert store.reader.last_schema(fill.environment, uid) is None
        first = fill.publish("daily", 1, version=replace(fill.version("daily", 1), schema=b"one"))
        fill.publish("daily", 1, expected=first, empty=True)
        assert store.reader.last_schema(fill.environment, uid) == b"one"
        group = [replace(fill.version("daily", n), schema=schema) for n, schema in ((2, b"two"), (3, None))]
        fill.commit(*(fill.publication("daily", version.ordinal, version=version) for version in group)).result()
        assert store.reader.last_schema(fill.environment, uid) == b"two"
        assert store.reader.heads(fill.environment)[uid].generation == 3
        assert store.reader.table("schemas") == {
            "environment": [1],
            "asset": ["daily"],
            "uid": [uid],
            "schema": [b"two"],
        }

    def test_tables_are_columns(self, store: Store, fill: Filler) -> None:
        empty = store.reader.table("versions")
        assert set(map(tuple, empty.values())) == {()}
        version = fill.version("daily", 3)
        fill.publish("daily", 3, version=version, checks=[fill.check(version)], inputs=[fill.read("orders")])
        fill.observe("orders", {1: 1})
        store.writer.start_run(fill.run())
        store.writer.record_steps([fill.step("daily", 3)], [EventRecord(NOON, "told")]).result()
        versions = store.reader.table("versions")
        assert list(versions) == list(empty)
        assert versions["data_hash"][0] == version.data_hash
        assert versions["created_at"][0] == 1715947200123456
        assert versions["code_version"] == [CODE, None]
        assert store.reader.table("pointers", environment=fill.environment)["asset"] == ["daily"]
        assert store.reader.table("pointers")["kind"] == ["observed", "computed"]
        assert store.reader.table("assets")["asset"] == ["daily", "orders"]
        names = ("derivations", "checks", "runs", "steps", "events")
        assert [len(next(iter(store.reader.table(name).values()))) for name in names] == [2, 1, 1, 1, 1]

    # --- the queue

    def test_nothing_is_lost_when_it_closes(self, open_it: Open) -> None:
        first = Filler(open_it())
        tickets = [first.commit(first.publication("daily", number)) for number in range(300)]
        first.store.close()
        assert [ticket.result() for ticket in tickets] == list(range(1, 301))
        second = open_it()
        assert len(second.reader.pointers(1, first.uid("daily")).ordinals) == 300
        second.close()

    def test_a_closed_store_says_so(self, open_it: Open) -> None:
        store = open_it()
        fill = Filler(store)
        move = fill.publication("daily")
        store.close()
        store.close()
        for call in (lambda: fill.commit(move), store.writer.flush, store.reader.generation):
            with pytest.raises(StoreError, match="the metadata store was closed"):
                call()

    def test_flush_tells_of_what_nobody_asked(self, store: Store, fill: Filler) -> None:
        version = fill.version("daily", 1)
        fill.publish("daily", 1, version=version)
        asked = fill.commit(fill.publication("daily", 2, version=VersionId(99)))
        with pytest.raises(StoreError, match="no version 99"):
            asked.result()
        store.writer.flush()
        fill.commit(fill.publication("daily", 2, version=VersionId(98)))
        with pytest.raises(StoreError, match="no version 98"):
            store.writer.flush()
        store.writer.flush()

    def test_a_ticket_can_be_asked_for_a_while(self, fill: Filler) -> None:
        ticket = fill.commit(fill.publication("daily"))
        assert ticket.result(timeout=20.0) == 1
        assert ticket.done()

    # --- going back and letting go

    def test_the_times_of_commits_name_generations(self, open_it: Open, store: Store, fill: Filler) -> None:
        assert store.reader.generation_at(datetime.now(UTC)) == 0
        assert store.reader.committed_at(1) is None
        before = datetime.now(UTC) - timedelta(seconds=1)
        first = fill.publish("daily")
        assert store.reader.generation_at(before) == 0
        assert store.reader.generation_at(datetime.now(UTC) + timedelta(seconds=1)) == first
        at = store.reader.committed_at(first)
        assert at is not None
        assert store.reader.generation_at(at) == first

    def test_many_pointers_are_moved_by_column(self, store: Store, fill: Filler) -> None:
        old = [fill.publication("daily", place, 1, inputs=[fill.read("orders")]) for place in range(3)]
        fill.commit(*old).result()
        new = [fill.publication("daily", place, 2, expected=1, inputs=[fill.read("orders")]) for place in range(3)]
        then = fill.commit(*new).result()
        versions = [number(move) for move in old]
        group = Group((), repointings=(repointing(fill, versions, [then] * 3),))
        moved = store.writer.publish(group).result()
        pointers = store.reader.pointers(fill.environment, fill.uid("daily"))
        assert (pointers.version.tolist(), pointers.generation.tolist()) == (versions, [moved] * 3)
        state = store.reader.read_state(fill.environment, [DAILY], PRESENT).assets[DAILY]
        assert state.held.tolist() == [True] * 3
        assert state.hashes.tolist() == [list(hash_lanes(data(1)))] * 3
        assert state.inputs["orders"].sums.tolist() == [[0, 40], [0, 41], [0, 42]]
        (made, *_) = store.reader.derivations(pointers.derivation.tolist()).values()
        assert (made.kind, made.reason, made.key) == ("rollback", "it was right", octets(70))
        (read,) = store.reader.inputs_of(made.derivation)
        assert (read.ranges, read.as_of) == (((0, 0),), moved)
        assert store.reader.integrity() == []

    def test_moves_by_column_are_refused_together(self, store: Store, fill: Filler) -> None:
        fill.commit(*(fill.publication("daily", place) for place in range(2))).result()
        versions = store.reader.pointers(fill.environment, fill.uid("daily")).version.tolist()
        before = store.reader.generation()
        for given, expected, message in (
            (versions, [before, before - 1], "daily@k1: somebody else changed it since the plan was made"),
            ([versions[0], 999], [before, before], "daily@k1: the store has no published version 999 of it"),
            (versions[::-1], [before, before], "daily@k0: the store has no published version"),
        ):
            with pytest.raises((PublishConflict, StoreError), match=message):
                store.writer.publish(Group((), repointings=(repointing(fill, given, expected),))).result()
        assert store.reader.generation() == before
        with pytest.raises(ValueError, match="a group moves each pointer once"):
            store.writer.publish(
                Group((fill.publication("daily", 0),), repointings=(repointing(fill, versions, [before] * 2),))
            )

    def test_pins_have_names_of_their_own(self, open_it: Open, store: Store, fill: Filler) -> None:
        event = EventRecord(NOON, "pinned", payload={"name": "release"})
        pin = PinRecord("release", fill.environment, NOON, VersionId(7), None, "for the audit")
        other = PinRecord("all", fill.environment, NOON, generation=3)
        assert store.writer.pin(pin, event)
        assert not store.writer.pin(replace(pin, version=VersionId(8)), event)
        assert store.writer.pin(other, event)
        reopened = open_it()
        assert reopened.reader.pins() == [other, pin]
        assert store.writer.unpin("all", event)
        assert not store.writer.unpin("all", event)
        assert reopened.reader.pins() == [pin]
        assert [row.event.kind for row in store.reader.events_since(0)] == ["pinned"] * 3
        reopened.close()

    def test_read_leases_are_given_back(self, store: Store) -> None:
        lease = ReadLease(PROCESS, (3, 1, 2**40), NOON, NOON + timedelta(hours=1))
        number = store.writer.lease_reads(lease)
        (found,) = store.reader.read_leases()
        assert (found.number, found.process, found.versions) == (number, PROCESS, (3, 1, 2**40))
        assert (found.taken_at, found.expires_at) == (NOON, NOON + timedelta(hours=1))
        store.writer.release_reads([number]).result()
        assert store.reader.read_leases() == []

    def test_versions_are_deleted_in_two_phases(self, store: Store, fill: Filler) -> None:
        first = fill.publication("daily", inputs=[fill.read("orders")])
        fill.commit(first).result()
        fill.publish("daily", content=2, expected=1, key=6)
        old, now = number(first), store.reader.generation()
        kept = store.reader.kept_versions()
        assert (kept.version.tolist(), kept.marked_at.tolist(), kept.quarantined.tolist()) == ([1, 2], [0, 0], [0, 0])
        store.writer.mark_deletions([old], []).result()
        assert store.reader.deletions([old])[old].deleted_at is None
        store.writer.mark_deletions([], [old]).result()
        assert store.reader.deletions([old]) == {}
        state = store.reader.read_state(fill.environment, [DAILY], PRESENT)
        assert state.retained[DAILY].version.tolist() == [old]
        assert store.writer.delete_versions(Doomed((old, VersionId(2)), now, ())) == [old]
        assert store.reader.version(old).state == "deleted"
        assert store.reader.unfinished_deletions() == [(old, "daily/v-1", "parquet")]
        assert "daily/v-1" in store.reader.locations()
        store.writer.finish_deletions([old]).result()
        assert store.reader.unfinished_deletions() == []
        assert store.reader.locations() == {"daily/v-2"}
        assert store.reader.deletions([old])[old].deleted_at is not None
        after = store.reader.read_state(fill.environment, [DAILY], PRESENT)
        assert DAILY not in after.retained
        changes = store.reader.changes_since(state, fill.environment, [DAILY], PRESENT)
        assert DAILY not in applied(state, changes).retained
        with pytest.raises(PublishConflict, match="version 1 was deleted by gc in the meantime"):
            fill.publish("daily", version=old, expected=now)

    def test_what_somebody_keeps_is_not_deleted(self, store: Store, fill: Filler) -> None:
        fill.publish("daily")
        fill.publish("daily", content=2, expected=1)
        now, old = store.reader.generation(), VersionId(1)
        event = EventRecord(NOON, "pinned")
        store.writer.pin(PinRecord("it", fill.environment, NOON, old), event)
        assert store.writer.delete_versions(Doomed((old,), now, ())) == []
        store.writer.unpin("it", event)
        hour = timedelta(hours=1)
        number = store.writer.lease_reads(ReadLease(PROCESS, (1,), NOON, datetime.now(UTC) + hour))
        assert store.writer.delete_versions(Doomed((old,), now, ())) == []
        store.writer.release_reads([number]).result()
        assert store.writer.delete_versions(Doomed((old,), now - 1, ())) == []
        fill.publish("daily", version=old, expected=now)
        assert store.writer.delete_versions(Doomed((old,), store.reader.generation(), ())) == []

    def test_a_move_that_waits_in_the_queue_keeps_its_version(self, store: Store, fill: Filler) -> None:
        """Both are decided in one transaction, in which the move is not written yet."""
        fill.publish("daily")
        fill.publish("daily", content=2, expected=1)
        now = store.reader.generation()
        again = fill.publication("daily", version=VersionId(1), expected=now)
        ticket = fill.commit(again)
        assert store.writer.delete_versions(Doomed((VersionId(1),), now, ())) == []
        ticket.result()
        assert store.reader.integrity() == []

    def test_a_partition_that_is_wiped_is_not_found_again(self, store: Store, fill: Filler) -> None:
        fill.publish("daily")
        fill.publish("daily", content=2, expected=1, key=6)
        uid, now = fill.uid("daily"), store.reader.generation()
        gone = Withdrawal(fill.environment, DAILY, uid, 0, None, NOON, "partition", now)
        with pytest.raises(PublishConflict, match="daily: somebody else changed it"):
            store.writer.publish(Group((), (replace(gone, expected_generation=now - 1),))).result()
        told = EventRecord(NOON, "wiped", DAILY, 0, payload={"reason": "x"})
        wiped = store.writer.publish(Group((), (gone,), events=(told,))).result()
        state = store.reader.read_state(fill.environment, [DAILY], PRESENT)
        assert (len(state.assets[DAILY].ordinals), DAILY in state.retained) == (0, False)
        assert store.reader.pointers_as_of(fill.environment, uid, wiped - 1).version.tolist() == [2]
        assert [row.event.kind for row in store.reader.events_since(0)] == ["wiped"]

    def test_the_moves_of_a_run(self, store: Store, fill: Filler) -> None:
        fill.publish("daily", 3)
        fill.commit(replace(fill.publication("daily", 4), run_id="r2")).result()
        moves = store.reader.run_moves(fill.environment, "r2")
        assert (moves.ordinals.tolist(), moves.generation.tolist(), moves.version.tolist()) == ([4], [2], [2])
        assert len(store.reader.run_moves(fill.environment, "r9").uid) == 0

    def test_an_asset_takes_another_key_with_all_that_it_has(self, open_it: Open, store: Store, fill: Filler) -> None:
        spaces = {DAILY: "day"}
        uid = store.writer.intern_assets([DAILY], spaces)[DAILY]
        fill._uids[DAILY] = uid
        fill.publish("daily")
        sales = AssetKey("sales")
        store.writer.intern_assets([sales], {sales: "day"})
        event = EventRecord(NOON, "renamed", sales, uid=uid)
        assert store.writer.rename_asset(DAILY, sales, event)
        assert store.reader.uids() == {sales: uid}
        assert store.reader.version(VersionId(1)).asset == "sales"
        assert not store.writer.rename_asset(AssetKey("other"), sales, event)
        assert store.reader.integrity() == []

    def test_old_events_and_steps_go_but_for_what_tells_states(self, store: Store, fill: Filler) -> None:
        happened = [EventRecord(NOON, kind, DAILY, 0) for kind in ("materialized", "materialized", "wiped", "failed")]
        fill.publish("daily")
        step = StepRecord("r1", DAILY, fill.uid("daily"), 0, 1, "materialized", NOON, NOON, NOON, VersionId(1))
        lost = replace(step, run_id="r0", status="failed", version=None)
        store.writer.record_steps([step, lost], happened).result()
        later = NOON + timedelta(seconds=1)
        assert store.reader.old_history(NOON) == (0, 0)
        assert store.reader.old_history(later) == (1, 1)
        assert store.writer.forget_history(later) == (1, 1)
        assert [row.event.kind for row in store.reader.events_since(0)] == ["materialized", "wiped", "failed"]
        assert [each.run_id for run in ("r0", "r1") for each in store.reader.steps(run)] == ["r1"]

    def test_a_store_can_be_told_from_others(self, open_it: Open, store: Store) -> None:
        assert store.reader.identity() is None
        store.writer.open_environment("prod")
        name = store.reader.identity()
        assert name
        store.writer.open_environment("dev")
        other = open_it()
        assert other.reader.identity() == store.reader.identity() == name
        other.close()

    def test_facts_and_files_without_the_records(self, store: Store, fill: Filler) -> None:
        fill.publish("daily", 3, 5)
        plain = replace(fill.version("daily", 4, 6), location=None, files=(), io_manager="json")
        fill.publish("daily", 4, 6, version=plain)
        facts = store.reader.facts_of([2, 1, 9])
        assert (facts.version.tolist(), facts.ordinals.tolist(), facts.empty.tolist()) == ([1, 2], [3, 4], [0, 0])
        assert facts.hashes.tolist() == [list(hash_lanes(data(5))), list(hash_lanes(data(6)))]
        assert (facts.states, facts.io_managers) == ({"published"}, {"parquet", "json"})
        assert store.reader.files_of([1, 2]) == {1: ("daily/v-1", (("data.parquet", 10),))}


def number(move: Publication) -> VersionId:
    assert isinstance(move.version, VersionRecord)
    return move.version.version


def repointing(fill: Filler, versions: list[int], expected: list[int]) -> Repointing:
    count = len(versions)
    read = ReadColumns(
        "orders",
        fill.uid("orders"),
        b"".join(octets(40 + place) for place in range(count)),
        [((place, place),) for place in range(count)],
        [1] * count,
        [None] * count,
    )
    return Repointing(
        fill.environment,
        DAILY,
        fill.uid("daily"),
        "rollback",
        CODE,
        list(range(count)),
        versions,
        b"".join(octets(70 + place) for place in range(count)),
        expected,
        (read,),
        NOON,
        True,
        "it was right",
        lambda ordinal: f"k{ordinal}",
    )
