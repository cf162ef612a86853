"""Several runs at once: each computes what the others are not at, and nothing is computed twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from assetflow import AssetContext, Input, Out, Project, StaticPartitions, asset, multi_asset
from assetflow.execution.result import RunEvent
from assetflow.results import Result

PATIENCE = 30.0
LETTERS = StaticPartitions(["a", "b", "c"])


class Shop:
    """A project that several runs share; what was computed is counted, and a step can be made to wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.computed: Counter[str] = Counter()
        self.began, self.go_on = Event(), Event()
        self.slow: str | None = None
        self.failing: set[str] = set()
        self.assets = self._assets()

    def step(self, name: str) -> str:
        self.computed[name] += 1
        if name == self.slow and self.computed[name] == 1:
            self.began.set()
            assert self.go_on.wait(PATIENCE)
        if name in self.failing:
            raise ValueError("no network")
        return name

    def _assets(self) -> list[Any]:
        @asset(code_version="1")
        def first() -> str:
            return self.step("first")

        @asset(code_version="1", partitions=LETTERS)
        def letters(context: AssetContext) -> str:
            return self.step(f"letters@{context.partition_key}")

        @asset(code_version="1")
        def second(first: str) -> str:
            return self.step("second")

        @asset(code_version="1", deps=[Input("letters")])
        def third() -> str:
            return self.step("third")

        @multi_asset(outs={"left": Out(), "right": Out()}, code_version="1")
        def pair() -> tuple[str, str]:
            return self.step("pair"), "right"

        @asset(code_version="1", publish_group="books", deps=["first"])
        def orders() -> str:
            return self.step("orders")

        @asset(code_version="1", publish_group="books")
        def items() -> str:
            return self.step("items")

        return [first, letters, second, third, pair, orders, items]

    @contextmanager
    def opened(self, **options: Any) -> Iterator[Project]:
        store = f"sqlite:///{self.folder}/store.db"
        with Project(self.assets, store=store, storage=self.folder / "data", **options) as project:
            yield project

    @contextmanager
    def running(self, select: str, slow: str, **options: Any) -> Iterator[list[Result]]:
        """A run in another thread that is in the middle of a step; on leaving, it goes on to its end."""
        self.slow = slow
        results: list[Result] = []

        def work() -> None:
            with self.opened() as project:
                results.append(project.materialize(select, **options))

        thread = Thread(target=work)
        thread.start()
        try:
            assert self.began.wait(PATIENCE)
            yield results
        finally:
            self.go_on.set()
            thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def outcomes(result: Result) -> dict[str, int]:
    return {outcome: number for outcome, number in result.counts.items() if number}


def hearing(shop: Shop, told: list[tuple[str, ...]]) -> Callable[[RunEvent], None]:
    """A listener that lets the other run go on once this one waits for it."""

    def listen(event: RunEvent) -> None:
        if event.kind == "waiting":
            told.append(event.waits_for)
            shop.go_on.set()

    return listen


def test_what_another_run_is_at_is_waited_for_and_not_computed_again(shop: Shop) -> None:
    told: list[tuple[str, ...]] = []
    with shop.running("first", "first") as others, shop.opened() as project:
        result = project.materialize("+second", on_event=hearing(shop, told))
        assert (result.status, outcomes(result)) == ("success", {"unchanged": 1, "materialized": 1})
        assert project.plan("+second").steps == ()
        assert project.store.reader.leases() == []
    assert outcomes(others[0]) == {"materialized": 1}
    assert shop.computed == {"first": 1, "second": 1}
    assert told[0] == (f"run {others[0].run_id}",)


def test_the_rest_is_done_first(shop: Shop) -> None:
    """Also other partitions of the same asset; what depends on what is held comes last."""
    done: list[str] = []

    def listen(event: RunEvent) -> None:
        if event.kind == "partition":
            done.append(f"{event.computation}@{event.partition} {event.outcome}")
        if event.kind == "waiting":
            shop.go_on.set()

    with shop.running("letters", "letters@b", partitions="b"), shop.opened() as project:
        result = project.materialize("letters+", on_event=listen)
        assert outcomes(result) == {"materialized": 3, "unchanged": 1}
    assert shop.computed == {"letters@a": 1, "letters@b": 1, "letters@c": 1, "third": 1}
    assert [each for each in done if "blocked" not in each] == [
        "letters@a materialized",
        "letters@c materialized",
        "letters@b unchanged",
        "third@None materialized",
    ]


def test_nothing_is_held_while_others_are_waited_for(shop: Shop) -> None:
    held: list[int] = []
    with shop.running("first", "first"), shop.opened() as project, shop.opened() as other:

        def listen(event: RunEvent) -> None:
            if event.kind == "waiting":
                held.append(len(other.store.reader.leases()))
                shop.go_on.set()

        project.materialize("+second or left", on_event=listen)
    assert held[0] == 1  # that of the run that is waited for


def test_two_runs_of_everything_share_it(shop: Shop) -> None:
    with shop.running("*", "first") as others, shop.opened() as project:
        result = project.materialize(on_event=hearing(shop, []))
    assert shop.computed == dict.fromkeys(
        ["first", "letters@a", "letters@b", "letters@c", "second", "third", "pair", "orders", "items"], 1
    )
    assert outcomes(others[0]) == {"materialized": 10}
    assert outcomes(result) == {"unchanged": 10}
    assert sum(result.counts.values()) == result.plan.totals["partitions"]


def test_what_is_published_together_is_claimed_together(shop: Shop) -> None:
    with shop.opened() as project:
        project.materialize("first")
    with shop.running("orders or items", "orders") as others, shop.opened() as project:
        result = project.materialize("orders or items", on_event=hearing(shop, []))
    assert (outcomes(others[0]), outcomes(result)) == ({"materialized": 2}, {"unchanged": 2})
    assert shop.computed == {"first": 1, "orders": 1, "items": 1}


def test_what_another_run_failed_at_is_tried_again(shop: Shop) -> None:
    shop.failing = {"first"}

    def listen(event: RunEvent) -> None:
        if event.kind == "waiting":
            shop.go_on.set()

    with shop.running("first", "first") as others, shop.opened() as project:
        result = project.materialize("+second", on_event=listen)
    assert outcomes(others[0]) == {"failed": 1}
    assert outcomes(result) == {"failed": 1, "blocked": 1}
    assert shop.computed == {"first": 2}


def test_what_another_run_failed_at_is_left_where_failures_are_not_tried_again(shop: Shop) -> None:
    shop.failing = {"first"}
    with shop.running("first", "first"), shop.opened() as project:
        result = project.materialize("+second", retry_failed=False, on_event=hearing(shop, []))
    assert shop.computed == {"first": 1}
    assert result.status == "failed"
    (failure,) = [each for each in result.failures if each.asset == "first"]
    assert failure.error["message"] == "first: another run was at it, and failed"
    assert failure.error["hint"] == "assetflow why first"
    assert sum(result.counts.values()) == result.plan.totals["partitions"]


def test_a_run_that_waits_can_be_canceled(shop: Shop) -> None:
    with shop.running("first", "first"), shop.opened() as project, shop.opened() as other:

        def listen(event: RunEvent) -> None:
            if event.kind == "waiting":
                (run,) = [run for run in other.runs() if run["trigger"] == "second"]
                if run["status"] == "running":
                    other.cancel(str(run["run_id"]))

        result = project.materialize("+second", on_event=listen, trigger="second")
    assert (result.status, outcomes(result)) == ("canceled", {"canceled": 2})
    assert shop.computed == {"first": 1}


def test_what_was_published_between_plan_and_claim_is_not_computed_again(shop: Shop) -> None:
    with shop.opened() as slow, shop.opened() as fast:

        def listen(event: RunEvent) -> None:
            if event.kind == "started" and not shop.computed:
                fast.materialize("first")

        result = slow.materialize("+second", on_event=listen)
    assert shop.computed == {"first": 1, "second": 1}
    assert outcomes(result) == {"unchanged": 1, "materialized": 1}


def end_leases(project: Project) -> None:
    for lease in project.store.reader.leases():
        project.store.writer.release(lease.fence).result()


def test_a_run_that_lost_its_lease_publishes_nothing_and_begins_again(shop: Shop) -> None:
    told: list[str] = []
    with shop.opened() as project, shop.opened() as other:

        def listen(event: RunEvent) -> None:
            told.append(event.kind)
            if event.kind == "step_started" and event.computation == "letters" and told.count("step_started") == 1:
                end_leases(other)

        result = project.materialize("letters", on_event=listen)
        assert (result.status, outcomes(result)) == ("success", {"materialized": 3})
        assert len(project.versions("letters")) == 3
        assert project.store.reader.intents() == []
        assert project.store.reader.integrity() == []
    assert shop.computed == {"letters@a": 2, "letters@b": 2, "letters@c": 2}


def test_a_run_that_keeps_losing_its_lease_fails(shop: Shop) -> None:
    with shop.opened() as project, shop.opened() as other:

        def listen(event: RunEvent) -> None:
            if event.kind == "step_started":
                end_leases(other)

        result = project.materialize("first", on_event=listen)
        assert (result.status, outcomes(result)) == ("failed", {"failed": 1})
        (failure,) = result.failures
        assert failure.error["type"] == "LeaseLost"
        assert failure.error["message"] == "first: not published, because the lease of its run had expired"
        assert project.plan("first").steps != ()
    assert shop.computed == {"first": 3}


class Missing:
    """A heart that stops at once, as that of a process that stands still."""

    def start(self, beat: Callable[[], bool], every: float) -> Callable[[], None]:
        self.beat = beat
        return lambda: None


def test_a_run_whose_heart_tells_that_the_lease_is_lost_stops_and_begins_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    heart = Missing()
    told: list[str] = []
    with shop.opened() as project, shop.opened() as other:
        setting = replace(project.setting, heart=heart)
        monkeypatch.setattr(type(project), "setting", property(lambda self: setting))

        def listen(event: RunEvent) -> None:
            told.append(f"{event.kind} {event.computation}")
            if told.count("step_finished first") == 1 and told[-1] == "step_finished first":
                end_leases(other)
                assert not heart.beat()

        result = project.materialize("+second", on_event=listen)
        assert (result.status, outcomes(result)) == ("success", {"materialized": 2})
    assert "lease_lost None" in told
    assert told.index("lease_lost None") < told.index("step_started second")


def test_a_rollback_takes_over_what_a_run_is_at(shop: Shop) -> None:
    with shop.opened() as project:
        project.materialize("first")
        (old,) = [row["version"] for row in project.versions("first")]
    shop.computed.clear()
    with shop.running("first", "first", force=True) as others, shop.opened() as project:
        project.rollback("first", to=int(str(old)))
        shop.go_on.set()
    assert outcomes(others[0]) in ({"unchanged": 1}, {"materialized": 1})


def test_a_step_cannot_wait_for_its_own_run(tmp_path: Path) -> None:
    @asset(code_version="1")
    def inner() -> int:
        return 1

    @asset(code_version="1")
    def outer() -> int:
        with Project(assets, store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data") as project:
            project.materialize("inner or outer")
        return 1

    assets: list[Any] = [inner, outer]
    with Project(assets, store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data") as project:
        result = project.materialize("outer")
    (failure,) = result.failures
    message = f"run {result.run_id} holds what is asked for here, in the middle of one of its own steps"
    assert message in str(failure.error["message"])
