"""What leases and pools have to do in every metadata store, whatever database it stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,  # pyright: ignore[reportUnknownVariableType]
)

from assetflow.errors import LeaseLost
from assetflow.partitions.sets import PartitionSet
from assetflow.store.interface import Store
from assetflow.store.leases import Claim, ClaimRequest, Unit
from assetflow.store.pools import SlotAsk
from assetflow.store.records import Group, ProcessRecord
from tests.contract.store_records import NOON, PROCESS, Filler

SECONDS = 15.0


@dataclass
class World:
    """The clock and the processes that a store is opened with."""

    now: datetime = NOON
    dead: set[int] = field(default_factory=set[int])

    def clock(self) -> datetime:
        return self.now

    def gone(self, process: ProcessRecord) -> bool:
        return process.pid in self.dead

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


OpenIn = Callable[[World | None], Store]
"""Opens one and the same store, in a world, or with the database's own clock."""


def ordinals(*values: int) -> PartitionSet:
    return PartitionSet.from_ordinals(values)


def asking(store: Store, fence: int, asks: list[SlotAsk], limits: dict[str, int]) -> list[int]:
    """Stand in line; the ids."""
    return [slot.id for slot in store.writer.ask_slots(fence, asks, limits)]


@dataclass
class Claimant:
    """Claims with few words: ``claim(1, 2, asset=7)`` is for the partitions 1 and 2 of the asset with uid 7."""

    store: Store
    run_id: str = "r1"
    pid: int = 4711
    environment: int = 1

    def claim(self, *partitions: int, asset: int = 7, **options: Any) -> Claim:
        return self.units(Unit((asset,), ordinals(*partitions)), **options)

    def units(self, *units: Unit, **options: Any) -> Claim:
        process = replace(PROCESS, pid=self.pid)
        environment = options.pop("environment", self.environment)
        return self.store.writer.claim(ClaimRequest(self.run_id, environment, units, process, SECONDS, **options))


class LeaseContract:
    """Subclass it and give it a fixture ``open_in`` that opens one and the same new store at each call."""

    @pytest.fixture
    def world(self) -> World:
        return World()

    @pytest.fixture
    def store(self, open_in: OpenIn, world: World) -> Iterator[Store]:
        store = open_in(world)
        yield store
        store.close()

    @pytest.fixture
    def one(self, store: Store) -> Claimant:
        return Claimant(store, "one", 1)

    @pytest.fixture
    def other(self, store: Store) -> Claimant:
        return Claimant(store, "other", 2)

    # --- claims

    def test_what_is_free_is_granted_and_the_rest_is_told(self, one: Claimant, other: Claimant, world: World) -> None:
        first = one.claim(1, 2, 3)
        assert (first.fence, first.granted, first.held) == (1, {7: ordinals(1, 2, 3)}, ())
        second = other.claim(3, 4)
        assert (second.fence, second.granted) == (2, {7: ordinals(4)})
        (held,) = second.held
        assert (held.fence, held.run_id, held.holder, held.claims) == (1, "one", "run one", {7: ordinals(3)})
        assert held.expires_at == world.now + timedelta(seconds=SECONDS)

    def test_what_is_held_as_a_whole_is_not_granted(self, one: Claimant, other: Claimant) -> None:
        one.claim(1)
        refused = other.claim(1)
        assert (refused.fence, refused.granted) == (None, {})
        assert [lease.run_id for lease in refused.held] == ["one"]
        assert other.claim(1, 2, whole=True).fence is None
        assert other.claim(2, whole=True).fence == 2

    def test_nothing_is_claimed_by_asking_for_nothing(self, one: Claimant, store: Store) -> None:
        assert one.units() == one.claim() == Claim(None, {})
        assert store.reader.leases() == []

    def test_a_unit_is_granted_where_all_of_it_is_free(self, one: Claimant, other: Claimant) -> None:
        one.claim(2, asset=8)
        made = other.units(Unit((7, 8), ordinals(1, 2, 3)), Unit((9,), ordinals(2)))
        assert made.granted == {7: ordinals(1, 3), 8: ordinals(1, 3), 9: ordinals(2)}
        assert [lease.claims for lease in made.held] == [{8: ordinals(2)}]

    def test_environments_do_not_disturb_each_other(self, one: Claimant, other: Claimant) -> None:
        one.claim(1)
        assert other.claim(1, environment=2).granted == {7: ordinals(1)}

    def test_leases_are_read_back_whole(self, one: Claimant, store: Store, world: World) -> None:
        fence = one.units(Unit((7, 8), PartitionSet.from_range(0, 100_000)), Unit((9,), ordinals(735_000))).fence
        (lease,) = store.reader.leases()
        assert (lease.fence, lease.run_id, lease.environment, lease.process.pid) == (fence, "one", 1, 1)
        assert (lease.claimed_at, lease.expires_at) == (world.now, world.now + timedelta(seconds=SECONDS))
        whole = PartitionSet.from_range(0, 100_000)
        assert lease.claims == {7: whole, 8: whole, 9: ordinals(735_000)}
        assert lease.live

    def test_what_was_released_is_free(self, one: Claimant, other: Claimant, store: Store) -> None:
        first = one.claim(1)
        assert first.fence is not None
        store.writer.release(first.fence).result()
        second = other.claim(1)
        assert second.granted == {7: ordinals(1)}
        assert second.fence == 2  # no fence is given out again
        store.writer.release(first.fence).result()
        assert [lease.fence for lease in store.reader.leases()] == [2]

    def test_what_expired_is_free(self, one: Claimant, other: Claimant, store: Store, world: World) -> None:
        one.claim(1)
        world.advance(SECONDS - 0.001)
        assert other.claim(1).fence is None
        world.advance(0.001)
        (lease,) = store.reader.leases()
        assert not lease.live
        assert other.claim(1).fence == 2
        assert [lease.fence for lease in store.reader.leases()] == [2]

    def test_what_a_dead_process_held_is_free_at_once(self, one: Claimant, other: Claimant, world: World) -> None:
        one.claim(1)
        world.dead.add(1)
        assert other.claim(1).granted == {7: ordinals(1)}

    def test_leases_that_nobody_can_use_are_swept(self, one: Claimant, store: Store, world: World) -> None:
        one.claim(1)
        assert store.writer.sweep_leases() == 0
        world.dead.add(1)
        assert store.writer.sweep_leases() == 1
        assert store.reader.leases() == []

    def test_a_renewed_lease_lasts(self, one: Claimant, other: Claimant, store: Store, world: World) -> None:
        fence = one.claim(1).fence
        assert fence is not None
        for _ in range(3):
            world.advance(SECONDS - 1)
            assert store.writer.renew(fence, SECONDS) == world.now + timedelta(seconds=SECONDS)
        assert other.claim(1).fence is None

    def test_an_expired_lease_is_not_renewed(self, one: Claimant, store: Store, world: World) -> None:
        fence = one.claim(1).fence
        assert fence is not None
        world.advance(SECONDS)
        with pytest.raises(LeaseLost) as caught:
            store.writer.renew(fence, SECONDS)
        assert str(caught.value) == (
            "the lease of this run expired before it could be renewed\n  hint: its process stood still for longer than "
            "`lease_seconds`, or the clock jumped; run it again: it is planned anew"
        )
        store.writer.release(fence).result()
        with pytest.raises(LeaseLost):
            store.writer.renew(fence, SECONDS)

    def test_time_is_what_the_database_says(self, open_in: OpenIn) -> None:
        store = open_in(None)
        before = datetime.now(UTC)
        Claimant(store).claim(1)
        after = datetime.now(UTC)
        (lease,) = store.reader.leases()
        second = timedelta(seconds=1)
        assert before - second < lease.claimed_at < after + second
        assert lease.expires_at - lease.claimed_at == timedelta(seconds=SECONDS)
        assert lease.live
        store.close()

    def test_two_that_claim_at_once_share_without_overlap(self, open_in: OpenIn, world: World, one: Claimant) -> None:
        others = open_in(world)
        other = Claimant(others, "other", 2)
        granted = [claimant.claim(*range(n, n + 5)).granted for n in range(6) for claimant in (one, other)]
        partitions = [ordinal for each in granted for held in each.values() for ordinal in held]
        assert sorted(partitions) == list(range(10))
        others.close()

    # --- publishing under a fence

    def test_a_fence_lets_its_own_partitions_be_published(self, store: Store) -> None:
        fill = Filler(store)
        fence = Claimant(store, environment=fill.environment).claim(1, 2, asset=fill.uid("daily")).fence
        group = Group((fill.publication("daily", 1), fill.publication("daily", 2)), fence=fence)
        assert store.writer.publish(group).result() == 1
        # What is published is done, and free for others.
        assert [lease.claims for lease in store.reader.leases()] == [{fill.uid("daily"): PartitionSet.empty()}]

    @pytest.mark.parametrize("ended", ["expired", "released", "never there"])
    def test_nothing_is_published_under_a_lease_that_is_over(self, store: Store, world: World, ended: str) -> None:
        fill = Filler(store)
        fence = Claimant(store, environment=fill.environment).claim(1, asset=fill.uid("daily")).fence
        assert fence is not None
        if ended == "expired":
            world.advance(SECONDS)
        elif ended == "released":
            store.writer.release(fence)
        else:
            fence = 77
        refused = store.writer.publish(Group((fill.publication("daily", 1, partition="2024-05-17"),), fence=fence))
        with pytest.raises(LeaseLost) as caught:
            refused.result()
        assert str(caught.value) == (
            "daily@2024-05-17: not published, because the lease of its run had expired\n  hint: its process stood "
            "still for longer than `lease_seconds`, or the clock jumped; run it again: it is planned anew"
        )
        assert store.reader.versions_of(fill.uid("daily")) == []
        failure = replace(fill.failure("daily", 1), fence=fence)
        with pytest.raises(LeaseLost, match=r"^a failed step: not published, because the lease"):
            store.writer.fail(failure).result()

    def test_nothing_else_is_published_under_a_fence(self, store: Store) -> None:
        fill = Filler(store)
        fence = Claimant(store, environment=fill.environment).claim(1, asset=fill.uid("daily")).fence
        for stray in (fill.publication("daily", 2), fill.publication("orders", 1)):
            with pytest.raises(LeaseLost, match="not published, because somebody else has claimed it meanwhile"):
                store.writer.publish(Group((fill.publication("daily", 1), stray), fence=fence)).result()
        assert store.reader.generation() == 0

    def test_what_was_taken_over_is_not_published_any_more(self, store: Store) -> None:
        fill = Filler(store)
        run = Claimant(store, "run", 1, fill.environment)
        fence = run.claim(1, 2, asset=fill.uid("daily")).fence
        hand = Claimant(store, "", 2, fill.environment)
        taken = hand.claim(1, 3, asset=fill.uid("daily"), taking_over=True)
        assert taken.granted == {fill.uid("daily"): ordinals(1, 3)}
        held = {lease.fence: lease.claims for lease in store.reader.leases()}
        assert held == {fence: {fill.uid("daily"): ordinals(2)}, taken.fence: taken.granted}
        with pytest.raises(LeaseLost, match=r"^daily: not published, because somebody else has claimed it meanwhile"):
            store.writer.publish(Group((fill.publication("daily", 1),), fence=fence)).result()
        store.writer.publish(Group((fill.publication("daily", 2),), fence=fence)).result()
        store.writer.publish(Group((fill.publication("daily", 1),), fence=taken.fence)).result()
        assert run.claim(3, asset=fill.uid("daily")).held[0].holder == "process 2 on host"

    def test_what_follows_what_was_refused_is_refused(self, store: Store) -> None:
        fill = Filler(store)
        refused = store.writer.publish(Group((fill.publication("orders"),), fence=3))
        after = fill.commit(fill.publication("daily"), after=[refused])
        with pytest.raises(LeaseLost):
            refused.result()
        with pytest.raises(
            Exception, match="daily: not published, because what it was made from was not \\(orders: not published"
        ):
            after.result()

    # --- pools

    def test_slots_are_granted_up_to_the_limit(self, store: Store, one: Claimant) -> None:
        fence = one.claim(1).fence
        assert fence is not None
        limits = {"warehouse": 3, "api": 1}
        asked = store.writer.ask_slots(fence, [SlotAsk("warehouse", f"s{n}") for n in range(4)], limits)
        assert [slot.granted_at is not None for slot in asked] == [True, True, True, False]
        ids = [slot.id for slot in asked] + asking(store, fence, [SlotAsk("api", "s4")], limits)
        assert store.writer.granted_slots(fence, ids, limits) == {*ids[:3], ids[4]}
        store.writer.release_slots(fence, ids[1:2], limits)
        assert store.writer.granted_slots(fence, ids, limits) == {ids[0], *ids[2:]}
        assert [(slot.step, slot.granted_at is not None) for slot in store.reader.slots()] == [
            ("s0", True),
            ("s2", True),
            ("s3", True),
            ("s4", True),
        ]

    def test_the_first_in_line_keeps_the_room_for_itself(self, store: Store, one: Claimant) -> None:
        fence = one.claim(1).fence
        assert fence is not None
        limits = {"p": 4}

        def ask(step: str, weight: int) -> int:
            return asking(store, fence, [SlotAsk("p", step, weight)], limits)[0]

        light, heavy, late = ask("light", 1), ask("heavy", 4), ask("late", 1)
        assert store.writer.granted_slots(fence, [light, heavy, late], limits) == {light}
        store.writer.release_slots(fence, [light], limits)
        assert store.writer.granted_slots(fence, [light, heavy, late], limits) == {heavy}
        store.writer.release_slots(fence, [heavy], limits)
        assert store.writer.granted_slots(fence, [late], limits) == {late}

    def test_the_more_urgent_go_first_but_not_for_ever(self, store: Store, one: Claimant, world: World) -> None:
        fence = one.claim(1).fence
        assert fence is not None
        limits = {"p": 1}

        def ask(step: str, priority: int) -> int:
            return asking(store, fence, [SlotAsk("p", step, 1, priority)], limits)[0]

        first = ask("first", 0)
        backfill, current = ask("backfill", -10), ask("current", 0)
        store.writer.release_slots(fence, [first], limits)
        assert store.writer.granted_slots(fence, [backfill, current], limits) == {current}
        for _ in range(45):
            world.advance(SECONDS - 1)
            store.writer.renew(fence, SECONDS)
        later = ask("later", 0)
        store.writer.release_slots(fence, [current], limits)
        assert store.writer.granted_slots(fence, [backfill, later], limits) == {backfill}

    @pytest.mark.parametrize("ended", ["expired", "died", "released"])
    def test_slots_of_a_lease_that_is_over_are_free(
        self, store: Store, one: Claimant, other: Claimant, world: World, ended: str
    ) -> None:
        limits = {"p": 1}
        first, second = one.claim(1).fence, other.claim(2).fence
        assert first is not None
        assert second is not None
        store.writer.ask_slots(first, [SlotAsk("p", "first")], limits)
        ids = asking(store, second, [SlotAsk("p", "second")], limits)
        assert store.writer.granted_slots(second, ids, limits) == set()
        if ended == "expired":
            world.advance(SECONDS - 1)
            store.writer.renew(second, SECONDS)
            world.advance(1)
        elif ended == "died":
            world.dead.add(1)
        else:
            store.writer.release(first)
        assert store.writer.granted_slots(second, ids, limits) == set(ids)

    def test_a_lease_that_is_over_gets_no_slots(self, store: Store, one: Claimant, world: World) -> None:
        fence = one.claim(1).fence
        assert fence is not None
        ids = asking(store, fence, [SlotAsk("p", "s")], {"p": 1})
        world.advance(SECONDS)
        with pytest.raises(LeaseLost):
            store.writer.granted_slots(fence, ids, {"p": 1})
        with pytest.raises(LeaseLost):
            store.writer.ask_slots(fence, [SlotAsk("p", "s")], {"p": 1})

    def test_nobody_gives_back_the_slots_of_others(self, store: Store, one: Claimant, other: Claimant) -> None:
        first, second = one.claim(1).fence, other.claim(2).fence
        assert first is not None
        assert second is not None
        ids = asking(store, first, [SlotAsk("p", "s")], {"p": 1})
        store.writer.release_slots(second, ids, {"p": 1}).result()
        assert [slot.fence for slot in store.reader.slots()] == [first]

    def test_what_is_heavier_than_the_limit_is_in_nobodys_way(self, store: Store, one: Claimant) -> None:
        fence = one.claim(1).fence
        assert fence is not None
        heavy = asking(store, fence, [SlotAsk("p", "heavy", 5)], {"p": 2})
        light = asking(store, fence, [SlotAsk("p", "light", 2)], {"p": 2})
        assert store.writer.granted_slots(fence, [*heavy, *light], {"p": 2}) == set(light)

    # --- any history

    def test_any_history_of_leases_is_as_the_slow_oracle_says(self, open_in: OpenIn) -> None:
        run_state_machine_as_test(
            lambda: Histories(open_in), settings=settings(max_examples=20, stateful_step_count=25, deadline=None)
        )


@dataclass
class Held:
    """A lease as the oracle knows it: partition by partition."""

    run: int
    until: datetime
    places: set[tuple[int, int]]


class Histories(RuleBasedStateMachine):
    """Claims, renewals, releases, deaths and publications in any order; the oracle knows every single partition."""

    def __init__(self, open_in: OpenIn) -> None:
        super().__init__()
        self.world = World()
        self.store = open_in(self.world)
        self.fill = Filler(self.store)
        self.uids = [self.fill.uid(asset) for asset in ("a", "b")]
        self.held: dict[int, Held] = {}
        self.over: list[int] = []
        self.last = max((lease.fence for lease in self.store.reader.leases()), default=0)
        self.runs = 0
        for lease in self.store.reader.leases():
            self.store.writer.release(lease.fence).result()

    def teardown(self) -> None:
        self.store.close()

    @rule(
        assets=st.lists(st.tuples(st.integers(0, 2), st.sets(st.integers(0, 5))), min_size=1, max_size=3),
        whole=st.booleans(),
        taking_over=st.integers(0, 3).map(lambda n: n == 0),
    )
    def claim(self, assets: list[tuple[int, set[int]]], *, whole: bool, taking_over: bool) -> None:
        self.runs += 1
        units = [(self.uids if which == 2 else [self.uids[which]], wanted) for which, wanted in assets]
        taken = (
            set[tuple[int, int]]() if taking_over else {place for each in self.held.values() for place in each.places}
        )
        wanted = {(uid, o) for uids, some in units for uid in uids for o in some}
        free = {
            (uid, o) for uids, some in units for o in some if not any((u, o) in taken for u in uids) for uid in uids
        }
        if whole and wanted & taken:
            free = set()
        claimant = Claimant(self.store, f"r{self.runs}", self.runs, self.fill.environment)
        made = claimant.units(
            *(Unit(tuple(uids), ordinals(*some)) for uids, some in units), whole=whole, taking_over=taking_over
        )
        assert {(uid, o) for uid, some in made.granted.items() for o in some} == free
        assert (made.fence is not None) == bool(free)
        if taking_over:
            for each in self.held.values():
                each.places -= wanted
        else:
            told = {(uid, o) for lease in made.held for uid, some in lease.claims.items() for o in some}
            assert told == wanted & taken
        if made.fence is not None:
            assert made.fence > self.last
            self.last = made.fence
            self.held[made.fence] = Held(self.runs, self.world.now + timedelta(seconds=SECONDS), free)

    @precondition(lambda self: self.held or self.over)
    @rule(chosen=st.integers(0, 100))
    def renew(self, chosen: int) -> None:
        fence = self._any(chosen)
        if fence in self.held:
            self.store.writer.renew(fence, SECONDS)
            self.held[fence].until = self.world.now + timedelta(seconds=SECONDS)
        else:
            with pytest.raises(LeaseLost):
                self.store.writer.renew(fence, SECONDS)

    @precondition(lambda self: self.held or self.over)
    @rule(chosen=st.integers(0, 100))
    def release(self, chosen: int) -> None:
        fence = self._any(chosen)
        self.store.writer.release(fence).result()
        if self.held.pop(fence, None):
            self.over.append(fence)

    @rule(seconds=st.sampled_from([1.0, 6.0, 14.9]))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)
        self._end([fence for fence, each in self.held.items() if each.until <= self.world.now])

    @precondition(lambda self: self.held)
    @rule(chosen=st.integers(0, 100))
    def die(self, chosen: int) -> None:
        fence = sorted(self.held)[chosen % len(self.held)]
        self.world.dead.add(self.held[fence].run)
        self.store.writer.sweep_leases()
        self._end([fence])

    @precondition(lambda self: self.held or self.over)
    @rule(chosen=st.integers(0, 100), uid=st.integers(0, 1), ordinal=st.integers(0, 5))
    def publish(self, chosen: int, uid: int, ordinal: int) -> None:
        fence = self._any(chosen)
        move = self.fill.publication("ab"[uid], ordinal, expected=None)
        ticket = self.store.writer.publish(Group((move,), fence=fence))
        if fence in self.held and (self.uids[uid], ordinal) in self.held[fence].places:
            ticket.result()
            self.held[fence].places.discard((self.uids[uid], ordinal))
        else:
            with pytest.raises(LeaseLost):
                ticket.result()

    @invariant()
    def leases_are_those_of_the_oracle(self) -> None:
        live = [lease for lease in self.store.reader.leases() if lease.live]
        found = {lease.fence: {(u, o) for u, some in lease.claims.items() for o in some} for lease in live}
        assert found == {fence: each.places for fence, each in self.held.items()}
        places = [place for some in found.values() for place in some]
        assert len(places) == len(set(places))

    def _any(self, chosen: int) -> int:
        fences = [*sorted(self.held), *self.over]
        return fences[chosen % len(fences)]

    def _end(self, fences: list[int]) -> None:
        for fence in fences:
            del self.held[fence]
            self.over.append(fence)
