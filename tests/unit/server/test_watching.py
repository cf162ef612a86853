from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from assetflow.server.processes.noting import Stamp, stamp
from assetflow.server.watching import look, saves


def put(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_only_what_definitions_are_made_of_is_looked_at(tmp_path: Path) -> None:
    wanted = {
        put(tmp_path / name) for name in ("a.py", "shop/b.py", "shop/c.sql", "pyproject.toml", ".env", ".env.local")
    }
    for name in (
        ".git/a.py",
        "env/pyvenv.cfg",
        "env/a.py",
        "data/a.py",
        "__pycache__/a.py",
        "node_modules/a.py",
        "a.csv",
    ):
        put(tmp_path / name)
    found = look(tmp_path, [tmp_path / "data"])
    assert set(found.files) == wanted
    assert {os.path.basename(folder) for folder in found.folders} == {tmp_path.name, "shop"}


def test_a_link_to_a_folder_above_is_not_followed_for_ever(tmp_path: Path) -> None:
    put(tmp_path / "shop" / "a.py")
    (tmp_path / "shop" / "up").symlink_to(tmp_path)
    assert len(look(tmp_path, []).files) == 1


def test_a_write_of_equal_size_within_a_second_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    put(path, "x = 1")
    before = look(tmp_path, [])
    put(path, "x = 2")
    assert look(tmp_path, []).changed_since(before) == [str(path)]
    assert look(tmp_path, []).changed_since(look(tmp_path, [])) == []


@pytest.mark.parametrize("poll", [False, True])
def test_saves_are_told_once(tmp_path: Path, poll: bool) -> None:
    put(tmp_path / "shop" / "a.py", "x = 1")
    read = put(tmp_path / "names.json", "[]")
    also: dict[str, Stamp] = {read: stamp(read)}
    told: list[list[str]] = []

    async def scene() -> None:
        stop = asyncio.Event()

        async def watch() -> None:
            async for files in saves(tmp_path, list, lambda: also, stop, poll=poll):
                names = [str(Path(path).relative_to(tmp_path)) for path in files]
                told.append(names)

        async def until(count: int) -> None:
            async with asyncio.timeout(20):
                while len(told) < count:
                    await asyncio.sleep(0.01)

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.1)
        put(tmp_path / "shop" / "a.py", "x = 2")
        await until(1)
        put(tmp_path / "names.json", "[1]")
        await until(2)
        put(tmp_path / "new" / "deep" / "b.py")
        await until(3)
        put(tmp_path / "new" / "deep" / "b.py", "y = 1")
        await until(4)
        (tmp_path / "new" / "deep" / "b.py").unlink()
        (tmp_path / "new" / "deep").rmdir()
        await until(5)
        stop.set()
        await asyncio.wait_for(watching, 10)

    asyncio.run(scene())
    assert told == [["shop/a.py"], ["names.json"], *[["new/deep/b.py"]] * 3]
