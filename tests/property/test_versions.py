"""Random histories of publishing, going back, wiping, pinning and gc, against the slow model of pointers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assetflow import AssetContext, Definitions, Project, StaticPartitions, asset
from assetflow.errors import DataMissing, UsageError, VersionDeleted
from assetflow.publish.retention import Retention
from tests.property.pointer_oracle import PointerOracle

KEYS = ["a", "b", "c"]
RULES = [
    Retention(keep_versions=1, keep_for=timedelta(0), grace=timedelta(0)),
    Retention(keep_versions=2, keep_for=timedelta(hours=5), grace=timedelta(0)),
    Retention(keep_versions=1, keep_for=timedelta(hours=8), grace=timedelta(hours=3)),
    Retention(keep_versions=3, keep_for=timedelta(0), grace=timedelta(hours=6)),
]


class History:
    """One project, its model, and what may happen to both."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.rules = self.random.choice(RULES)
        self.now = datetime(2024, 1, 1, tzinfo=UTC)
        self.oracle = PointerOracle()
        self.runs: list[tuple[str, dict[str, int], dict[str, int | None]]] = []
        self.every: set[int] = set()
        self.wrote: dict[int, int] = {}
        self.number = 0
        history = self

        @asset(partitions=StaticPartitions(KEYS), code_version="1", hashing="none")
        def table(context: AssetContext) -> pa.Table:
            return pa.table({"n": [history.number]})

        self.project = Project(
            Definitions(assets=[table]),
            store=f"sqlite:///{folder}/store.db",
            storage=folder / "data",
            clock=lambda: history.now,
            retention=self.rules,
        )
        self.reader = self.project.store.reader

    def some(self) -> list[str]:
        return self.random.sample(KEYS, self.random.randint(1, len(KEYS)))

    def step(self) -> None:
        # Every commit has a time of its own, so that times name generations.
        self.now += timedelta(minutes=self.random.randint(1, 90))
        chosen = self.random.choices(
            [
                self.publish,
                self.to_version,
                self.to_moment,
                self.to_before_a_run,
                self.wipe,
                self.pin,
                self.unpin,
                self.gc,
            ],
            [6, 2, 3, 2, 1, 2, 1, 4],
        )[0]
        chosen()
        self.check()

    def publish(self) -> None:
        self.number += 1
        keys = self.some()
        before = {key: self.oracle.now.get(key) for key in keys}
        result = self.project.materialize("table", keys, force=True)
        assert result.status == "success", result.failures
        pointers = self.current()
        made = {key: pointers[key] for key in keys}
        assert self.every.isdisjoint(made.values())
        self.every |= set(made.values())
        self.wrote |= dict.fromkeys(made.values(), self.number)
        # Each partition may be a commit of its own, in the order of keys.
        generations = {key: self.generations()[key] for key in keys}
        for key in sorted(keys, key=generations.__getitem__):
            if generations[key] == self.oracle.last:
                self.oracle.states[generations[key]][key] = made[key]
            else:
                self.oracle.commit(generations[key], {key: made[key]}, self.now)
        assert result.run_id
        self.runs.append((result.run_id, made, before))

    def to_version(self) -> None:
        if not self.every:
            return
        version = self.random.choice(sorted(self.every))
        key = next(k for s in self.oracle.states.values() for k, v in s.items() if v == version)
        if version in self.oracle.deleted:
            with pytest.raises(VersionDeleted):
                self.project.rollback("table", key, to=version)
            return
        self.moved(self.project.rollback("table", key, to=version), {key: version})

    def to_moment(self) -> None:
        if not self.oracle.last:
            return
        generation = self.random.randint(1, self.oracle.last)
        first, last = sorted([self.random.choice(KEYS), self.random.choice(KEYS)])
        target = self.oracle.states[generation]
        changed = {k: target.get(k) for k in KEYS if first <= k <= last and self.oracle.differs(k, generation)}
        as_of: Any = self.random.choice([generation, str(generation), self.oracle.times[generation]])
        if isinstance(as_of, datetime):
            assert self.oracle.generation_at(as_of) >= generation
            generation = self.oracle.generation_at(as_of)
            target = self.oracle.states[generation]
            changed = {k: target.get(k) for k in KEYS if first <= k <= last and self.oracle.differs(k, generation)}
        if self.oracle.deleted & {version for version in changed.values() if version}:
            with pytest.raises(VersionDeleted):
                self.project.rollback("table", (first, last), as_of=as_of)
            return
        self.moved(self.project.rollback("table", (first, last), as_of=as_of), changed)

    def to_before_a_run(self) -> None:
        if not self.runs:
            return
        run_id, made, before = self.random.choice(self.runs)
        changed = {key: before[key] for key, version in made.items() if self.oracle.now.get(key) == version}
        if self.oracle.deleted & {version for version in changed.values() if version}:
            with pytest.raises(VersionDeleted):
                self.project.rollback(run=run_id)
            return
        moved = self.project.rollback(run=run_id)
        assert len(moved["left"]) == len(made) - len(changed)
        self.moved(moved, changed)

    def wipe(self) -> None:
        key = self.random.choice(KEYS)
        there = key in self.oracle.now
        self.moved(self.project.wipe("table", key, reason="chance"), {key: None} if there else {})

    def moved(self, document: dict[str, Any], changed: dict[str, int | None]) -> None:
        assert {e["partition"]: e["version"] for e in document["published"]} == {k: v for k, v in changed.items() if v}
        assert {e["partition"] for e in document["withdrawn"]} == {k for k, v in changed.items() if not v}
        if document["generation"] is None:
            assert not changed
            return
        assert document["generation"] == self.reader.generation() == self.oracle.last + 1
        self.oracle.commit(document["generation"], changed, self.now)

    def pin(self) -> None:
        name = f"pin_{self.random.randrange(10**9)}"
        kept = sorted(self.every - self.oracle.deleted)
        if kept and self.random.random() < 0.5:
            version = self.random.choice(kept)
            self.project.pin(name, version=version)
            self.oracle.pinned_versions[name] = version
        elif self.oracle.last:
            generation = self.random.randint(1, self.oracle.last)
            if self.oracle.deleted & set(self.oracle.states[generation].values()):
                with pytest.raises(VersionDeleted):
                    self.project.pin(name, as_of=generation)
                return
            self.project.pin(name, as_of=generation)
            self.oracle.pinned_generations[name] = generation

    def unpin(self) -> None:
        names = [*self.oracle.pinned_versions, *self.oracle.pinned_generations]
        if names:
            name = self.random.choice(names)
            self.project.unpin(name)
            self.oracle.pinned_versions.pop(name, None)
            self.oracle.pinned_generations.pop(name, None)

    def gc(self) -> None:
        dry = self.project.gc()
        found = self.project.gc(apply=True)
        gone = {each["version"] for each in found["versions"] if each["deleted"]}
        assert gone == self.oracle.collect(self.every, self.now, self.rules)
        assert {each["version"] for each in dry["versions"]} == {each["version"] for each in found["versions"]}
        again = self.project.gc(apply=True)
        assert [each for each in again["versions"] if each["deleted"]] == []
        assert again["kept"] == len(self.every) - len(self.oracle.deleted) - len(self.oracle.marked)

    def current(self) -> dict[str, int]:
        pointers = self.reader.pointers(self.project.setting.environment, self.project.setting.uids["table"])
        return self.named(pointers)

    def named(self, pointers: Any) -> dict[str, int]:
        keys = self.project.setting.spaces["table"].keys(pointers.ordinals)
        return dict(zip(keys, pointers.version.tolist(), strict=True))

    def generations(self) -> dict[str, int]:
        pointers = self.reader.pointers(self.project.setting.environment, self.project.setting.uids["table"])
        keys = self.project.setting.spaces["table"].keys(pointers.ordinals)
        return dict(zip(keys, pointers.generation.tolist(), strict=True))

    def check(self) -> None:
        assert self.current() == self.oracle.now
        setting = self.project.setting
        for generation in {self.random.randint(0, self.oracle.last) for _ in range(3)}:
            found = self.reader.pointers_as_of(setting.environment, setting.uids["table"], generation)
            assert self.named(found) == self.oracle.states[generation]
        live = self.oracle.live(self.now, self.rules)
        records = self.reader.versions(list(self.every))  # type: ignore[arg-type]
        assert {v for v, record in records.items() if record.state == "deleted"} == self.oracle.deleted
        assert live.isdisjoint(self.oracle.deleted)
        for version, record in records.items():
            assert setting.storage.holds(record) == (version not in self.oracle.deleted)
        self.look_back()

    def look_back(self) -> None:
        if not self.oracle.last:
            return
        moment = self.oracle.times[self.random.randint(1, self.oracle.last)]
        state = self.oracle.states[self.oracle.generation_at(moment)]
        key = self.random.choice(KEYS)
        if key not in state or state[key] in self.oracle.deleted:
            with pytest.raises(VersionDeleted if key in state else DataMissing):
                self.project.load("table", key, as_of=moment)
            return
        found: Any = self.project.load("table", key, as_of=moment)
        assert found["n"].to_pylist() == [self.wrote[state[key]]]

    def end(self) -> None:
        assert self.reader.integrity() == []
        with pytest.raises(UsageError):
            self.project.load("table", as_of=self.oracle.last + 1)
        self.project.close()


@pytest.mark.parametrize("seed", range(16))
def test_histories(seed: int, tmp_path: Path) -> None:
    history = History(seed, tmp_path)
    for _ in range(25):
        history.step()
    history.end()
