"""What dead processes left is cleared; what live ones are at is left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assetflow.errors import StorageError
from assetflow.keys import AssetKey, DataHash, VersionId
from assetflow.partitions.sets import PartitionSet
from assetflow.publish.folders import Storage
from assetflow.publish.liveness import this_process
from assetflow.publish.recovery import clear, find_leftovers
from assetflow.store.interface import Store
from assetflow.store.leases import ClaimRequest, Unit
from assetflow.store.opening import open_store
from assetflow.store.records import Group, Publication, RunRecord, StageIntent, VersionRecord

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ORDERS = AssetKey("orders")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.writer.open_environment("prod")
    store.writer.intern_assets([ORDERS])
    yield store
    store.close()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "data")


def start(store: Store, run_id: str, *, alive: bool) -> None:
    process = this_process() if alive else replace(this_process(), started=-1.0)
    store.writer.start_run(RunRecord(run_id, 1, "running", NOW, "test", process)).result()


def stage(store: Store, storage: Storage, run_id: str, version: int) -> Path:
    location = storage.location(ORDERS, None, VersionId(version))
    store.writer.announce([StageIntent(VersionId(version), 1, 0, run_id, location, NOW)]).result()
    folder = storage.create(location)
    (folder / "data").write_text("half")
    return folder


def cleared(store: Store, storage: Storage) -> tuple[StorageError, ...]:
    return clear(find_leftovers(store.reader), storage, store.reader, store.writer, lambda: NOW)


def test_the_stages_of_dead_runs_and_of_ended_ones_are_deleted(store: Store, storage: Storage) -> None:
    start(store, "live", alive=True)
    start(store, "dead", alive=False)
    kept = stage(store, storage, "live", 1)
    half = stage(store, storage, "dead", 2)
    forgotten = stage(store, storage, "ended", 3)

    assert cleared(store, storage) == ()

    assert (kept.exists(), half.exists(), forgotten.exists()) == (True, False, False)
    assert [intent.version for intent in store.reader.intents()] == [1]
    statuses = {run.run_id: (run.status, run.error) for run in store.reader.runs()}
    assert statuses == {"live": ("running", None), "dead": ("failed", "the process died before the run ended")}
    assert not find_leftovers(store.reader)


def test_what_was_published_is_kept_whatever_its_intent_says(store: Store, storage: Storage) -> None:
    start(store, "dead", alive=False)
    folder = stage(store, storage, "dead", 1)
    record = VersionRecord(VersionId(1), ORDERS, 1, 0, "dead", "published", NOW, DataHash("a1:" + "1" * 32))
    move = Publication(
        1, ORDERS, 1, 0, "computed", record, record.data_hash, False, None, bytes(16), (), 0, "dead", NOW
    )
    store.writer.publish(Group((move,))).result()

    assert cleared(store, storage) == ()
    assert folder.exists()
    assert store.reader.intents() == []


def test_a_run_that_starts_while_leftovers_are_looked_for_is_left_alone(store: Store, storage: Storage) -> None:
    started: list[Path] = []

    class Meanwhile:
        """A reader between whose answers another process starts a run and stages a version."""

        def __getattr__(self, name: str) -> Any:
            answer = getattr(store.reader, name)

            def asked(*given: Any, **options: Any) -> Any:
                found = answer(*given, **options)
                if not started:
                    start(store, "other", alive=True)
                    started.append(stage(store, storage, "other", 7))
                return found

            return asked

    found = find_leftovers(Meanwhile())  # type: ignore[arg-type]
    assert not found
    assert started[0].exists()


def test_a_stage_that_cannot_be_deleted_is_told_and_tried_again(
    store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = stage(store, storage, "ended", 1), stage(store, storage, "ended", 2)
    delete = shutil.rmtree

    def refusing(path: Any) -> None:
        if path == stuck:
            raise PermissionError(13, "Permission denied", str(path))
        delete(path)

    monkeypatch.setattr(shutil, "rmtree", refusing)
    (problem,) = cleared(store, storage)
    assert "v-1" in problem.message
    assert not other.exists()
    assert [intent.version for intent in store.reader.intents()] == [1]

    monkeypatch.undo()
    assert cleared(store, storage) == ()
    assert not stuck.exists()


def test_two_processes_may_clear_up_the_same_stage(
    store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stage(store, storage, "ended", 1)
    (folder / "more").write_text("half")
    delete, first = shutil.rmtree, [True]

    def interfered(path: Any) -> None:
        if first:
            first.clear()
            os.unlink(Path(path) / "data")
            raise FileNotFoundError(2, "No such file or directory", str(path / "data"))
        delete(path)

    monkeypatch.setattr(shutil, "rmtree", interfered)
    assert cleared(store, storage) == ()
    assert not folder.exists()


def test_leases_of_the_dead_are_removed(store: Store, storage: Storage) -> None:
    dead = replace(this_process(), started=-1.0)
    for process, ordinal in ((this_process(), 1), (dead, 2)):
        units = (Unit((1,), PartitionSet.from_ordinals([ordinal])),)
        store.writer.claim(ClaimRequest("r", 1, units, process, 15.0))
    assert [lease.fence for lease in find_leftovers(store.reader).leases] == [2]
    cleared(store, storage)
    assert [lease.fence for lease in store.reader.leases()] == [1]
    assert not find_leftovers(store.reader)
