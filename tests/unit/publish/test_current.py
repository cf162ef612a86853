from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from assetflow.errors import StorageError
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.current import CurrentEntry, write_current
from assetflow.publish.folders import Storage

ORDERS = AssetKey("raw/orders")


def entry(
    generation: int = 5, partition: str | None = "a|b", files: tuple[str, ...] = ("data.parquet",)
) -> CurrentEntry:
    return CurrentEntry(partition, VersionId(17), generation, "raw/orders/a_b~0/v-17" if files else None, files)


def read(storage: Storage, name: str = "_current.json") -> dict[str, object]:
    return json.loads((storage.folder(ORDERS) / name).read_text())


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


def test_files_are_relative_to_the_projection(storage: Storage) -> None:
    assert write_current(storage, ORDERS, None, [entry(), entry(partition=None, files=())], 5)
    assert read(storage) == {
        "asset": "raw/orders",
        "generation": 5,
        "partitions": [
            {"partition": "a|b", "version": 17, "generation": 5, "files": ["a_b~0/v-17/data.parquet"]},
            {"partition": None, "version": 17, "generation": 5, "files": []},
        ],
    }


def test_a_file_of_another_asset_is_reached_from_there(storage: Storage) -> None:
    other = CurrentEntry("a", VersionId(1), 5, "clean/orders/v-1", ("x",))
    write_current(storage, ORDERS, None, [other], 5)
    partitions = read(storage)["partitions"]
    assert isinstance(partitions, list)
    assert partitions[0]["files"] == ["../../clean/orders/v-1/x"]


def test_it_never_goes_back(storage: Storage) -> None:
    assert write_current(storage, ORDERS, None, [entry()], 7)
    assert not write_current(storage, ORDERS, None, [], 6)
    assert read(storage)["generation"] == 7
    assert read(storage)["partitions"] != []
    assert write_current(storage, ORDERS, None, [], 7)
    assert read(storage)["partitions"] == []


def test_a_file_that_cannot_be_read_is_replaced(storage: Storage) -> None:
    storage.folder(ORDERS).mkdir(parents=True)
    (storage.folder(ORDERS) / "_current.json").write_text("{broken")
    assert write_current(storage, ORDERS, None, [entry()], 1)
    assert read(storage)["generation"] == 1


def test_each_environment_has_its_own(storage: Storage) -> None:
    write_current(storage, ORDERS, None, [entry()], 9)
    assert write_current(storage, ORDERS, "dev-anna", [], 3)
    assert read(storage)["generation"] == 9
    assert read(storage, "_current.dev-anna.json")["generation"] == 3


@pytest.mark.parametrize("environment", ["a/b", "../x", "", "a b"])
def test_an_environment_that_is_no_file_name_is_refused(storage: Storage, environment: str) -> None:
    with pytest.raises(StorageError, match="cannot be part of a file name"):
        write_current(storage, ORDERS, environment, [], 1)


def test_a_draft_that_was_left_behind_does_no_harm(storage: Storage) -> None:
    storage.folder(ORDERS).mkdir(parents=True)
    (storage.folder(ORDERS) / "_current.json.tmp").write_text("half")
    assert write_current(storage, ORDERS, None, [entry()], 1)
    assert sorted(path.name for path in storage.folder(ORDERS).iterdir()) == ["_current.json", "_current.lock"]


def test_a_place_that_cannot_be_written_is_reported(storage: Storage) -> None:
    (storage.root / "raw").write_text("a file in the way")
    with pytest.raises(StorageError, match=r"^raw/orders: .*Not a directory"):
        write_current(storage, ORDERS, None, [], 1)


def _write_all(root: Path, generations: list[int]) -> None:
    for generation in generations:
        write_current(Storage(root), ORDERS, None, [entry(generation)], generation)


def test_several_processes_end_with_the_highest_generation(storage: Storage) -> None:
    spawn = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else None)
    workers = [spawn.Process(target=_write_all, args=(storage.root, list(range(first, 60, 3)))) for first in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert read(storage)["generation"] == 59
