from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3

from assetflow.errors import ProjectError, StorageError, StorageFull
from assetflow.keys import AssetKey, VersionId
from assetflow.publish import folders
from assetflow.publish.folders import Storage, file_digest, open_storage, storage_errors

ORDERS = AssetKey("raw/orders")


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "project" / "data")


def staged(storage: Storage, version: int = 17, component: str | None = "2013-01-05") -> str:
    location = storage.location(ORDERS, component, VersionId(version))
    (storage.create(location) / "data.parquet").write_bytes(b"data")
    return location


def sealed(storage: Storage, version: int = 17) -> str:
    location = staged(storage, version)
    storage.seal(location, asset=ORDERS, partition="2013-01-05", version=VersionId(version))
    return location


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("data", "/shop/data"),
        (".assetflow/../data", "/shop/data"),
        ("/srv/data", "/srv/data"),
        ("file:///srv/my%20data", "/srv/my data"),
        ("file://localhost/srv/data", "/srv/data"),
    ],
)
def test_local_paths_and_file_urls_are_opened(url: str, root: str) -> None:
    assert open_storage(url, relative_to=Path("/shop")).root == Path(root)


@pytest.mark.parametrize("url", ["s3://bucket/data", "memory://", "file://otherhost/data"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ProjectError, match="only local folders are supported") as caught:
        open_storage(url, relative_to=Path("/shop"))
    assert caught.value.hint == "give a path, or a URL such as file:///srv/data"


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(ProjectError) as caught:
        open_storage("s3://me:secret@bucket/data", relative_to=Path("/shop"))
    assert "'s3://bucket/data'" in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("url", ["", "file://"])
def test_an_empty_path_is_refused(url: str) -> None:
    with pytest.raises(ProjectError, match="storage is empty"):
        open_storage(url, relative_to=Path("/shop"))


def test_each_version_has_a_place_of_its_own(storage: Storage) -> None:
    assert storage.location(ORDERS, "2013-01-05", VersionId(17)) == "raw/orders/2013-01-05/v-17"
    assert storage.location(ORDERS, None, VersionId(17)) == "raw/orders/v-17"


@pytest.mark.parametrize("component", ["v-17", "V-17", "_current.json", "_current.lock"])
def test_a_partition_cannot_take_the_place_of_anything_else(storage: Storage, component: str) -> None:
    assert storage.location(ORDERS, component, VersionId(1)) == f"raw/orders/{component}~/v-1"


@pytest.mark.parametrize(
    "location", ["../x/v-1", "raw/../../x/v-1", "/etc/v-1", "raw//v-1", "", "raw/./v-1", "a\0/v-1"]
)
def test_no_location_leads_out_of_the_root(storage: Storage, location: str) -> None:
    for use in (storage.folder, storage.create, storage.discard, storage.sync):
        with pytest.raises(StorageError, match="is no place inside"):
            use(location)


def test_nothing_exists_before_something_is_written(storage: Storage) -> None:
    storage.location(ORDERS, None, VersionId(1))
    assert not storage.root.parent.exists()


def test_a_folder_is_new_and_empty(storage: Storage) -> None:
    assert list(storage.create("raw/orders/v-1").iterdir()) == []
    with pytest.raises(StorageError, match="is there already, but the metadata store knows of no such version"):
        storage.create("raw/orders/v-1")


def test_sealing_lists_files_and_writes_the_manifest(storage: Storage) -> None:
    location = staged(storage)
    folder = storage.folder(location)
    (folder / "parts").mkdir()
    (folder / "parts" / "b.bin").write_bytes(b"")
    files = storage.seal(location, asset=ORDERS, partition="../../etc/passwd\ud800", version=VersionId(17))
    assert [(file.name, file.size) for file in files] == [("data.parquet", 4), ("parts/b.bin", 0)]
    assert files[0].digest == f"blake3:{blake3(b'data').hexdigest()}"
    assert json.loads((folder / "_manifest.json").read_text()) == {
        "asset": "raw/orders",
        "partition": "../../etc/passwd\ud800",
        "version": 17,
        "files": [{"name": file.name, "size": file.size, "digest": file.digest} for file in files],
    }
    assert sorted(path.name for path in folder.iterdir()) == ["_manifest.json", "data.parquet", "parts"]


@pytest.mark.parametrize("kind", ["link", "manifest", "pipe"])
def test_only_ordinary_files_are_part_of_a_version(storage: Storage, kind: str) -> None:
    location = staged(storage)
    folder = storage.folder(location)
    if kind == "link":
        (folder / "link").symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(folder / "pipe")
    else:
        (folder / "_manifest.json").write_text("{}")
    with pytest.raises(StorageError, match=r"raw/orders@a: the IO manager wrote .*, which cannot be part of a version"):
        storage.seal(location, asset=ORDERS, partition="a", version=VersionId(17))


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1, (64 << 20) + 1])
def test_digests_are_the_same_however_they_are_computed(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(size)
    assert file_digest(path, size) == f"blake3:{blake3(bytes(size)).hexdigest()}"


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are made durable, in order."""
    paths: list[str] = []
    monkeypatch.setattr(folders, "sync", lambda path: paths.append(str(path)))
    monkeypatch.setattr(folders, "sync_all", paths.extend)
    return paths


def test_files_are_durable_before_their_folder_and_every_new_folder_above(storage: Storage, synced: list[str]) -> None:
    location = sealed(storage)
    synced.clear()
    storage.sync(location)
    relative = [os.path.relpath(path, storage.root) for path in synced]
    version = "raw/orders/2013-01-05/v-17"
    assert sorted(relative[:2]) == [f"{version}/_manifest.json", f"{version}/data.parquet"]
    assert relative[2:] == [version, "raw/orders/2013-01-05", "raw/orders", "raw", "."]


def test_folders_that_are_known_to_be_durable_are_left_alone(storage: Storage, synced: list[str]) -> None:
    storage.sync(sealed(storage, 17))
    second = sealed(storage, 18)
    synced.clear()
    storage.sync(second)
    assert [os.path.relpath(path, storage.root) for path in synced[2:]] == [second, "raw/orders/2013-01-05"]


def test_several_versions_share_the_folders_above(storage: Storage, synced: list[str]) -> None:
    locations = [sealed(storage, version) for version in (17, 18, 19)]
    synced.clear()
    storage.sync(*locations)
    assert len(synced) == 3 * 3 + 4
    assert len(set(synced)) == len(synced)


def test_a_folder_made_by_another_process_is_made_durable_too(storage: Storage, synced: list[str]) -> None:
    sealed(storage, 17)
    other = Storage(storage.root)
    location = sealed(other, 18)
    synced.clear()
    other.sync(location)
    assert str(storage.root) in synced


def test_a_new_root_is_durable_in_its_own_parents(storage: Storage, tmp_path: Path, synced: list[str]) -> None:
    storage.create("orders/v-1")
    assert synced == [str(tmp_path), str(tmp_path / "project")]


def test_a_discarded_version_is_gone_and_its_neighbours_stay(storage: Storage) -> None:
    first, second = sealed(storage, 17), sealed(storage, 18)
    storage.discard(first)
    storage.discard(first)
    assert not storage.folder(first).exists()
    assert (storage.folder(second) / "_manifest.json").exists()


def test_only_the_folder_of_a_version_is_discarded(storage: Storage) -> None:
    sealed(storage)
    with pytest.raises(StorageError, match="is not the folder of a version, so it is not deleted"):
        storage.discard("raw/orders")
    assert storage.folder("raw/orders").exists()


def test_a_full_disk_says_so_and_may_be_tried_again() -> None:
    with pytest.raises(StorageFull) as caught, storage_errors("orders"):
        raise OSError(errno.ENOSPC, "No space left on device", "/data/x")
    assert caught.value.message == "orders: no space is left to write to (/data/x)"
    assert caught.value.transient
    assert caught.value.hint is not None
    assert "what was published before is untouched" in caught.value.hint


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_quota_is_a_full_disk(number: int) -> None:
    with pytest.raises(StorageFull), storage_errors("orders"):
        raise OSError(number, os.strerror(number))


def test_any_other_failure_names_place_and_reason() -> None:
    with pytest.raises(StorageError) as caught, storage_errors("orders"):
        raise PermissionError(errno.EACCES, "Permission denied", "/x")
    assert caught.value.message == "orders: Permission denied (/x)"
    assert not isinstance(caught.value, StorageFull)
    assert caught.value.hint == "check that the folder exists and that you may write there"


@pytest.mark.parametrize("act", ["create", "seal", "sync"])
def test_every_step_reports_its_failures(storage: Storage, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    location = sealed(storage) if act == "sync" else staged(storage)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    steps: dict[str, Callable[[], object]] = {
        "create": lambda: storage.create("raw/orders/v-99"),
        "seal": lambda: storage.seal(location, asset=ORDERS, partition=None, version=VersionId(17)),
        "sync": lambda: storage.sync(location),
    }
    monkeypatch.setattr(os, "mkdir", full)
    monkeypatch.setattr(os, "rename", full)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull):
        steps[act]()
