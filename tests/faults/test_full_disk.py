"""Disks that are full or read-only: told as such, partition by partition, and what was published stays as it was."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import assetflow.publish.durable

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

PROJECT = """
import random

SIZE = {size}

@asset
def table() -> pd.DataFrame:
    return pd.DataFrame({{"n": [random.Random(n).random() for n in range(SIZE)]}})

@asset
def stream() -> pa.RecordBatchReader:
    one = pa.record_batch({{"n": [random.Random(n).random() for n in range(SIZE)]}})
    return pa.RecordBatchReader.from_batches(one.schema, [one])

@asset
def values() -> list[int]: return list(range(SIZE))

@asset
def model(): return set(range(SIZE))

@asset
def small() -> int: return SIZE

@asset
def below(table: pd.DataFrame) -> int: return len(table)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk can be mounted by root only, and not in every container")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    path = disk / "filling"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            return path


def read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def configure(shop: Shop, **settings: str) -> None:
    lines = "".join(f'{name} = "{value}"\n' for name, value in settings.items())
    shop.write(f'[tool.assetflow]\ndefinitions = "shop"\n{lines}', "pyproject.toml")


def test_a_disk_that_fills_up_while_versions_are_written(shop: Shop, disk: Path) -> None:
    configure(shop, storage=f"{disk}/data")
    shop.write(PROJECT.format(size=100))
    assert shop.run("materialize").code == 0
    contents = {path: path.read_bytes() for path in disk.rglob("v-*/*") if path.is_file()}

    shop.write(PROJECT.format(size=100_000))
    said = shop.run("materialize --json")
    assert said.code == 1
    assert said.document is not None
    assert sorted(said.failures) == ["model", "stream", "table", "values"]
    for asset, error in said.failures.items():
        assert error["type"] == "StorageFull"
        assert error["message"].startswith(f"{asset}: {disk}/data/{asset}/v-")
        assert "no space is left to write to" in error["message"]
        assert error["hint"] == "free some space and materialize again; what was published before is untouched"
    assert (said.document["counts"]["materialized"], said.document["counts"]["blocked"]) == (1, 1)

    assert {path: path.read_bytes() for path in disk.rglob("v-*/*") if path.is_file()} == contents
    shown = shop.run("show values --json").document
    assert shown is not None
    assert shown["value"] == list(range(100))
    assert shop.run("doctor").code == 0
    shop.write(PROJECT.format(size=200))
    assert shop.run("materialize").code == 0
    assert shop.run("plan --fail-if-stale").code == 0


def test_a_full_disk_under_the_store(shop: Shop, disk: Path) -> None:
    (disk / "state").mkdir()
    configure(shop, store=f"sqlite:///{disk}/state/store.db")
    shop.write("@asset\ndef one() -> int: return 1\n")
    filling = fill(disk)
    for command in ("plan", "materialize", "status", "show one", "query 'select 1'", "runs", "doctor"):
        said = shop.run(f"{command} --json")
        assert said.code == 1, command
        assert said.error["type"] == "StoreError"
        assert "no space is left" in said.error["message"], said.error
        assert said.error["hint"] == "free some space on the disk and run the command again"
    filling.unlink()


def test_a_store_that_fills_the_disk_in_the_middle_of_a_run(shop: Shop, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
    configure(shop, store=f"sqlite:///{disk}/store.db")
    text = """
        from pathlib import Path

        STEP = {step}

        @asset
        def first() -> int: return STEP

        @asset
        def filling(first: int) -> int:
            if STEP == 2:
                with open("{disk}/filling", "wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(bytes(512))
                    except OSError:
                        pass
            return first

        @asset
        def after(filling: int) -> pd.DataFrame: return pd.DataFrame({{"n": [filling]}})

        @asset
        def last(after: pd.DataFrame) -> int: return int(after["n"].sum())
        """
    shop.write(text.format(step=1, disk=disk))
    assert shop.run("materialize").code == 0
    shop.write(text.format(step=2, disk=disk))
    said = shop.run("materialize --json")
    assert (said.code, said.error["type"]) == (1, "StoreError")
    assert said.error["message"].startswith(f"{disk}/store.db: no space is left for the metadata store")
    (disk / "filling").unlink()
    for asset in ("after", "last"):
        shown = shop.run(f"show {asset}")
        assert (shown.code, shown.out.splitlines()[-1]) in ((0, "1 row"), (0, "1")), shown
    shop.write(text.format(step=3, disk=disk))
    assert shop.run("materialize").code == 0
    assert shop.run("show last").out.splitlines()[-1] == "3"
    assert shop.run("doctor").code == 0


def test_a_read_only_storage(shop: Shop, disk: Path) -> None:
    configure(shop, storage=f"{disk}/data")
    shop.write(PROJECT.format(size=100))
    assert shop.run("materialize").code == 0
    read_only(disk)
    shop.write(PROJECT.format(size=5_000))
    said = shop.run("materialize --json")
    assert said.code == 1
    for asset in ("table", "stream", "values", "model"):
        error = said.failures[asset]
        assert error["type"] == "StorageError"
        assert error["message"].startswith(f"{disk}/data/{asset}/v-") or error["message"].startswith(f"{asset}: ")
        assert "Read-only file system" in error["message"]
        assert error["hint"] == "check that the folder exists and that you may write there"
    assert shop.run("show table").code == 0


def test_a_read_only_store(shop: Shop, disk: Path) -> None:
    configure(shop, store=f"sqlite:///{disk}/state/store.db")
    shop.write("@asset\ndef one() -> int: return 1\n")
    read_only(disk)
    error = shop.run("materialize --json").error
    assert error["message"] == (
        f"{disk}/state: the folder of the metadata store cannot be created (Read-only file system)"
    )
    assert error["hint"]


def test_a_disk_that_is_full_when_files_are_made_durable(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write(PROJECT.format(size=100))
    assert shop.run("materialize").code == 0
    before = shop.published()
    shop.write(PROJECT.format(size=5_000))

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(assetflow.publish.durable, "sync_handle", full)
    said = shop.run("materialize --select '* and not small' --json")
    assert said.code == 1
    assert {asset: error["type"] for asset, error in said.failures.items()} == dict.fromkeys(
        ["table", "stream", "values", "model"], "StorageFull"
    )
    counts = said.document["counts"] if said.document else {}
    assert (counts["failed"], counts["blocked"]) == (4, 1)
    monkeypatch.undo()
    monkeypatch.chdir(shop.folder)
    assert shop.published() == before
    assert shop.run("doctor").code == 0
    assert shop.run("materialize").code == 0
