"""Claims as publishing uses them: kept alive by heartbeats, waited for, and given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

import pytest

from assetflow import Project, asset
from assetflow.errors import LeaseLost, StoreLocked
from assetflow.partitions.sets import PartitionSet
from assetflow.publish.hearts import ThreadedHeart
from assetflow.publish.leasing import Leasing
from assetflow.publish.limits import Limits
from assetflow.publish.setting import Setting
from assetflow.store.leases import LeaseRecord, Unit
from assetflow.store.opening import open_store
from tests.contract.lease_contract import World


@asset(code_version="1")
def orders() -> int:
    return 1


@dataclass
class Beats:
    """A heart that beats when it is told to."""

    beats: list[Callable[[], bool]] = field(default_factory=list[Callable[[], bool]])
    every: list[float] = field(default_factory=list[float])
    stopped: int = 0

    def start(self, beat: Callable[[], bool], every: float) -> Callable[[], None]:
        self.beats.append(beat)
        self.every.append(every)
        return self._stop

    def _stop(self) -> None:
        self.stopped += 1


@dataclass
class Scene:
    setting: Setting
    heart: Beats
    world: World
    pauses: list[float]

    def leases(self) -> list[LeaseRecord]:
        return self.setting.reader.leases()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    world, heart, pauses = World(), Beats(), list[float]()

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        world.advance(seconds)

    store = open_store(f"sqlite:///{tmp_path}/other.db", lease_clock=world.clock, gone=world.gone)
    with Project([orders], store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data") as project:
        environment = store.writer.open_environment("prod")
        setting = replace(
            project.setting,
            environment=environment,
            reader=store.reader,
            writer=store.writer,
            heart=heart,
            pause=pause,
            limits=Limits(lease_seconds=9.0),
        )
        yield Scene(setting, heart, world, pauses)
    store.close()


def unit(*ordinals: int) -> list[Unit]:
    return [Unit((1,), PartitionSet.from_ordinals(ordinals))]


def test_a_hold_lasts_as_long_as_it_beats(scene: Scene) -> None:
    hold, _ = Leasing(scene.setting, "r1").claim(unit(1))
    assert hold is not None
    assert scene.heart.every == [3.0]
    for _ in range(5):
        scene.world.advance(8.0)
        assert scene.heart.beats[0]()
    assert [lease.live for lease in scene.leases()] == [True]
    assert not hold.lost
    hold.release()
    scene.setting.writer.flush()
    assert scene.heart.stopped == 1
    assert scene.leases() == []


def test_a_hold_that_missed_its_beats_is_lost(scene: Scene) -> None:
    hold, _ = Leasing(scene.setting, "r1").claim(unit(1))
    assert hold is not None
    scene.world.advance(9.0)
    assert not scene.heart.beats[0]()
    assert hold.lost


def test_a_store_that_is_busy_costs_a_beat_only(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    hold, _ = Leasing(scene.setting, "r1").claim(unit(1))
    assert hold is not None

    def locked(fence: int, seconds: float) -> None:
        raise StoreLocked("busy")

    with monkeypatch.context() as patched:
        patched.setattr(type(scene.setting.writer), "renew", lambda self, fence, seconds: locked(fence, seconds))
        assert scene.heart.beats[0]()
    assert scene.heart.beats[0]()
    assert not hold.lost


def test_what_is_held_elsewhere_is_waited_for(scene: Scene) -> None:
    run, _ = Leasing(scene.setting, "r1").claim(unit(1))
    assert run is not None
    told: list[str] = []

    def hear(held: tuple[LeaseRecord, ...]) -> None:
        told.append(held[0].holder)
        if len(told) == 3:
            run.release()

    with Leasing(scene.setting).holding(unit(1, 2), told=hear) as hold:
        assert hold is not None
        assert [lease.claims for lease in scene.leases()] == [{1: PartitionSet.from_ordinals([1, 2])}]
    assert told == ["run r1"] * 3
    assert [round(pause, 3) for pause in scene.pauses] == [0.02, 0.03, 0.045]
    scene.setting.writer.flush()
    assert scene.leases() == []


def test_the_pauses_end_at_a_second_and_the_waiting_when_the_holder_stands_still(scene: Scene) -> None:
    Leasing(scene.setting, "r1").claim(unit(1))
    with Leasing(scene.setting).holding(unit(1)):
        pass
    assert max(scene.pauses) == 1.0
    assert 9.0 <= sum(scene.pauses) < 10.0


def test_taking_over_does_not_wait(scene: Scene) -> None:
    Leasing(scene.setting, "r1").claim(unit(1, 2))
    with Leasing(scene.setting).holding(unit(1), taking_over=True) as hold:
        assert hold is not None
        assert [lease.claims[1] for lease in scene.leases()] == [
            PartitionSet.from_ordinals([2]),
            PartitionSet.from_ordinals([1]),
        ]
    assert scene.pauses == []


def test_nothing_is_held_where_there_is_nothing_to_hold(scene: Scene) -> None:
    with Leasing(scene.setting).holding([]) as hold:
        assert hold is None


def test_what_is_held_is_given_back_after_an_error(scene: Scene) -> None:
    with suppress(KeyError), Leasing(scene.setting).holding(unit(1)):
        raise KeyError
    scene.setting.writer.flush()
    assert scene.leases() == []


def test_a_heart_beats_in_a_thread_of_its_own_until_it_is_stopped() -> None:
    beaten, enough = list[int](), Event()

    def beat() -> bool:
        beaten.append(1)
        if len(beaten) == 3:
            enough.set()
        return len(beaten) < 3

    stop = ThreadedHeart().start(beat, 0.001)
    assert enough.wait(10)
    stop()
    assert len(beaten) == 3


def test_a_lease_is_lost_for_publishing_too(scene: Scene) -> None:
    hold, _ = Leasing(scene.setting, "r1").claim(unit(1))
    assert hold is not None
    scene.world.advance(9.0)
    with pytest.raises(LeaseLost):
        scene.setting.writer.renew(hold.fence, 9.0)
