from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from assetflow.errors import StorageError
from assetflow.publish.durable import Debts, sync_all


def test_all_files_and_folders_are_made_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}" for number in range(50)]
    for path in paths:
        path.write_text("x")
    inodes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: inodes.append(os.fstat(handle).st_ino))
    sync_all([str(tmp_path), *map(str, paths)])
    assert sorted(inodes) == sorted(path.stat().st_ino for path in [tmp_path, *paths])


@pytest.mark.parametrize("others", [1, 40])
def test_one_failure_among_many_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int) -> None:
    paths = [tmp_path / f"{number}" for number in range(1 + others)]
    for path in paths:
        path.write_text("x")
    bad = paths[others // 2].stat().st_ino

    def fail(handle: int) -> None:
        if os.fstat(handle).st_ino == bad:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        sync_all([str(path) for path in paths])


def test_whoever_settles_first_settles_all_that_wait() -> None:
    calls: list[tuple[str, ...]] = []
    debts = Debts(lambda *locations: calls.append(locations))
    first, second = debts.owe(["a/v-1", "a/v-2"]), debts.owe(["b/v-3"])
    second()
    third = debts.owe(["c/v-4"])
    first()
    third()
    assert calls == [("a/v-1", "a/v-2", "b/v-3"), ("c/v-4",)]


def test_only_the_one_to_blame_fails() -> None:
    durable: list[str] = []

    def settle(*locations: str) -> None:
        if "b/v-2" in locations:
            raise StorageError("b/v-2 is gone")
        durable.extend(locations)

    debts = Debts(settle)
    first, broken, last = (debts.owe([location]) for location in ("a/v-1", "b/v-2", "c/v-3"))
    first()
    with pytest.raises(StorageError, match="b/v-2 is gone"):
        broken()
    last()
    assert durable == ["a/v-1", "c/v-3"]
