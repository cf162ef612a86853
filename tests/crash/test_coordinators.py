"""Several coordinators on one store, stopped past their leases and killed at random: the history says who did what."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import coordinator
from histories import judge, watch

PROGRAM = Path(__file__).parent / "coordinator.py"


@dataclass
class Troupe:
    """The coordinators that are at it."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])
    stopped: dict[int, float] = field(default_factory=dict[int, float])
    kills: int = 0
    pauses: int = 0

    def start(self, seed: int) -> None:
        with (self.folder / "errors").open("ab") as errors:
            command = [sys.executable, str(PROGRAM), str(self.folder), str(seed)]
            self.processes.append(subprocess.Popen(command, stderr=errors, stdout=errors))

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        self.processes.remove(process)
        self.stopped.pop(process.pid, None)
        self.kills += 1

    def stop(self, process: subprocess.Popen[bytes], until: float) -> None:
        process.send_signal(signal.SIGSTOP)
        self.stopped[process.pid] = until
        self.pauses += 1

    def wake(self, now: float) -> None:
        for pid, until in list(self.stopped.items()):
            if until <= now:
                os.kill(pid, signal.SIGCONT)
                del self.stopped[pid]

    def finish(self) -> None:
        (self.folder / "stop").touch()
        self.wake(float("inf"))
        for process in self.processes:
            assert process.wait(120) == 0, (self.folder / "errors").read_text()


@contextmanager
def troupe(folder: Path) -> Iterator[Troupe]:
    """Coordinators of a new project; none of them survives."""
    (folder / "source").write_text("0.500")
    with coordinator.opened(folder) as project:
        project.setting  # noqa: B018  # creates the store
    watch(folder / "store.db")
    at_it = Troupe(folder)
    try:
        yield at_it
    finally:
        for process in at_it.processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


def disturb(folder: Path, seconds: float, seed: int, coordinators: int) -> Troupe:
    """Let coordinators run for so long; now and then one stands still for longer than its lease, or dies."""
    chance = random.Random(seed)
    with troupe(folder) as at_it:
        for number in range(coordinators):
            at_it.start(seed * 1_000 + number)
        ends = time.monotonic() + seconds
        while (now := time.monotonic()) < ends:
            at_it.wake(now)
            for process in at_it.processes:
                assert process.poll() in (None, -signal.SIGKILL), (folder / "errors").read_text()
            awake = [process for process in at_it.processes if process.pid not in at_it.stopped]
            chosen = chance.choice(awake) if awake else None
            what = chance.random()
            if chosen is not None and what < 0.25:
                at_it.stop(chosen, now + chance.uniform(0.5, 2.5) * coordinator.LEASE)
            elif chosen is not None and what < 0.35:
                at_it.kill(chosen)
                at_it.start(seed * 1_000 + 100 + at_it.kills)
            # How long nothing happens is part of the chance, and nothing is waited for.
            time.sleep(chance.uniform(0.0, 0.4))
        at_it.finish()
    return at_it


@dataclass
class Log:
    """What the coordinators said."""

    lines: list[list[str]]

    @classmethod
    def of(cls, folder: Path) -> Log:
        return cls([line.split() for line in (folder / "log").read_text().splitlines()])

    def said(self, word: str) -> list[list[str]]:
        return [line for line in self.lines if line[2] == word]


def check(folder: Path) -> Counter[str]:
    """Judge what happened; gives how much did."""
    log = Log.of(folder)
    judgement = judge(folder / "store.db", coordinator.LIMITS)
    assert judgement.wrong == []
    assert (folder / "errors").read_text() == ""
    with coordinator.opened(folder) as project:
        # Every acknowledged publication is there, under the generation that was told.
        reader = project.setting.reader
        moves: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)
        for _, _, _, environment, uid, ordinal, generation, _ in log.said("published"):
            moves[int(environment), int(uid)].add((int(ordinal), int(generation)))
        for (environment, uid), told in moves.items():
            history = reader.history(environment, uid)
            found = set(zip(history.ordinals.tolist(), history.generation.tolist(), strict=True))
            assert told <= found
        # The next run finishes what is left, and then there is nothing to do.
        assert project.materialize().status == "success"
        assert project.plan().steps == ()
        assert [each for each in project.doctor() if each.level in ("warning", "error")] == []
        assert reader.leases() == []
        assert reader.slots() == []
        assert reader.integrity() == []
        on_disk = {str(path.relative_to(folder / "data")) for path in (folder / "data").rglob("v-*") if path.is_dir()}
        assert on_disk == {location for location in reader.table("versions")["location"] if location}
    told = Counter(words[2] for words in log.lines)
    told["leases"] = judgement.leases
    return told


def overlaps(log: Log, limits: dict[str, int]) -> list[str]:
    """Where steps of a pool really ran at once, by the machine's own clock, beyond its limit."""
    used: Counter[str] = Counter()
    wrong: list[str] = []
    for _, _, word, *_, pool, weight in sorted(log.said("begin") + log.said("end"), key=lambda line: int(line[0])):
        used[pool] += int(weight) if word == "begin" else -int(weight)
        if used[pool] > limits[pool]:
            wrong.append(f"pool {pool} was used {used[pool]} of {limits[pool]}")
    return wrong


def test_nothing_is_held_or_published_by_two(tmp_path: Path) -> None:
    at_it = disturb(tmp_path, 12.0, 1, 3)
    told = check(tmp_path)
    assert at_it.pauses >= 3
    assert at_it.kills >= 1
    assert told["published"] > 20, told


def test_coordinators_that_live_compute_each_thing_once_and_keep_to_their_pools(tmp_path: Path) -> None:
    with troupe(tmp_path) as at_it:
        for number in range(3):
            at_it.start(number)
        ends = time.monotonic() + 6.0
        while time.monotonic() < ends:
            assert all(process.poll() is None for process in at_it.processes), (tmp_path / "errors").read_text()
            time.sleep(0.1)
        at_it.finish()
    check(tmp_path)
    log = Log.of(tmp_path)
    assert log.said("failure") == []
    assert log.said("refused") == []
    assert overlaps(log, coordinator.LIMITS) == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_the_same_for_minutes(seed: int, tmp_path: Path) -> None:
    disturb(tmp_path, 60.0, seed + 2, 4)
    check(tmp_path)
