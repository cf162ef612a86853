"""A metadata store that cannot be used: newer, damaged, no store at all, locked, or lost; told by every command."""

from __future__ import annotations

import functools
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import assetflow.store.opening

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

PROJECT = """
@asset
def table() -> pd.DataFrame: return pd.DataFrame({"n": [1, 2, 3]})

@asset
def number(table: pd.DataFrame) -> int: return len(table)
"""

NEWER = (
    "the metadata store was written by a newer assetflow: its schema is 99, and this assetflow knows schemas up to 3"
)
COMMANDS = [
    *("plan", "materialize", "status", "why number", "show table", "query 'select 1'", "runs", "runs show x"),
    *("versions number", "lineage number", "rollback number --to 1", "accept number --reason x", "doctor"),
]


@pytest.fixture
def built(shop: Shop) -> Shop:
    shop.write(PROJECT)
    assert shop.run("materialize").code == 0
    return shop


def store_of(shop: Shop) -> Path:
    """The store's file, with everything in it and nothing beside it."""
    path = shop.folder / ".assetflow" / "store.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for beside in path.parent.glob("store.db-*"):
        beside.unlink()
    return path


def files_of(shop: Shop) -> dict[str, bytes]:
    data = shop.folder / ".assetflow" / "data"
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def become_newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0099'")
    connection.commit()
    connection.close()


def become_text(path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 500)


def become_another_database(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.commit()
    connection.close()


def lose_its_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8192])


def lose_all_but_its_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("change", "kind", "message", "hint"),
    [
        (
            become_newer,
            "StoreTooNew",
            NEWER,
            "upgrade assetflow: pip install --upgrade assetflow",
        ),
        (
            become_text,
            "StoreDamaged",
            "this file is no metadata store",
            "check `store` in pyproject.toml; nothing was written to the file",
        ),
        (
            become_another_database,
            "StoreDamaged",
            "this SQLite database is no metadata store of assetflow",
            "check `store` in pyproject.toml; nothing was written to the file",
        ),
        (
            lose_its_end,
            "StoreDamaged",
            "the metadata store is damaged (database disk image is malformed)",
            "restore the file from a backup; what was published lies untouched in the storage folder",
        ),
        (
            lose_all_but_its_header,
            "StoreDamaged",
            "the metadata store is damaged (database disk image is malformed)",
            "restore the file from a backup; what was published lies untouched in the storage folder",
        ),
    ],
)
def test_every_command_refuses_it_and_leaves_it_as_it_is(
    built: Shop, change: Callable[[Path], None], kind: str, message: str, hint: str
) -> None:
    path = store_of(built)
    change(path)
    before, files = path.read_bytes(), files_of(built)
    for command in COMMANDS:
        said = built.run(f"{command} --json")
        assert said.code == 1, command
        assert said.error == {"type": kind, "message": f"{path}: {message}", "hint": hint, "location": None}, command
    assert built.run("plan").err == f"error: {path}: {message}\n  hint: {hint}\n"
    assert path.read_bytes() == before
    assert files_of(built) == files
    assert built.run("validate").code == 0


def test_a_folder_in_the_place_of_the_store(shop: Shop) -> None:
    shop.write(PROJECT)
    path = shop.folder / ".assetflow" / "store.db"
    path.mkdir(parents=True)
    for command in COMMANDS:
        said = shop.run(f"{command} --json")
        assert (said.code, said.error["type"]) == (1, "StoreError"), command
        assert said.error["message"] == f"{path}: the metadata store cannot be opened"


def test_a_file_in_the_place_of_its_folder(shop: Shop) -> None:
    shop.write(PROJECT)
    (shop.folder / ".assetflow").touch()
    error = shop.run("plan --json").error
    assert error["message"] == (
        f"{shop.folder}/.assetflow: the folder of the metadata store cannot be created (File exists)"
    )
    assert error["hint"] == "check `store` in pyproject.toml, and that you may write there"


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
print("released", flush=True)
sys.stdin.readline()
"""


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has begun to write, until it is sent a line."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.communicate("\n\n")


def impatient(monkeypatch: pytest.MonkeyPatch, patience: float) -> None:
    waiting = functools.partial(assetflow.store.opening.open_store, patience=patience)
    monkeypatch.setattr(assetflow.store.opening, "open_store", waiting)


def test_a_store_that_another_process_keeps_locked(built: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    path = built.folder / ".assetflow" / "store.db"
    before = built.published()
    impatient(monkeypatch, 0.1)
    with held(path) as holder:
        holder_named = str(holder.pid) if sys.platform == "linux" else ""
        for command in ("materialize --force", "rollback number --to 2"):
            said = built.run(f"{command} --json")
            assert (said.code, said.error["type"]) == (1, "StoreLocked"), command
            assert said.error["message"].startswith(f"{path}: the metadata store is locked by ")
            assert holder_named in said.error["message"]
            assert said.error["hint"] == "wait for it to finish, or stop it, and run the command again"
        for command in ("plan", "status", "why number", "show table", "runs", "versions number", "doctor"):
            assert built.run(command).code == 0, command
        assert built.published() == before
    assert built.run("materialize --force").code == 0


def test_a_lock_that_is_let_go_in_time_is_waited_for(built: Shop) -> None:
    built.write(PROJECT.replace("len(table)", "1 + len(table)"))
    with held(built.folder / ".assetflow" / "store.db") as holder:
        started = built.start("materialize --json")
        assert started.poll() is None
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
        said = built.end(started)
    assert said.code == 0
    assert said.document is not None
    assert said.document["counts"]["materialized"] == 1


def test_a_lock_in_the_middle_of_a_run_ends_it_and_nothing_is_half_published(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write(
        """
        import sqlite3

        STEP = 1

        @asset
        def first() -> int: return STEP

        @asset
        def second(first: int) -> int:
            if STEP == 2:
                global kept
                kept = sqlite3.connect(".assetflow/store.db", isolation_level=None)
                kept.execute("BEGIN IMMEDIATE")
            return first

        @asset
        def third(second: int) -> pd.DataFrame: return pd.DataFrame({"n": [second]})

        @asset
        def fourth(third: pd.DataFrame) -> int: return len(third) + STEP
        """
    )
    assert shop.run("materialize").code == 0
    path = shop.folder / "shop.py"
    path.write_text(path.read_text().replace("STEP = 1", "STEP = 2"))
    impatient(monkeypatch, 0.1)
    said = shop.run("materialize --json")
    assert (said.code, said.error["type"]) == (1, "StoreLocked")
    sys.modules["shop"].kept.close()
    rows = shop.run("query 'select asset, count(*) from versions group by all order by all' --json").document
    assert rows is not None
    assert dict(rows["rows"])["fourth"] == 1
    path.write_text(path.read_text().replace("STEP == 2", "STEP == 3"))
    assert shop.run("materialize").code == 0
    assert shop.run("show third --json").document["rows"] == [[2]]  # type: ignore[index]
    assert shop.run("doctor").code == 0


def test_a_lost_store_does_not_overwrite_what_was_published(built: Shop) -> None:
    files = files_of(built)
    store_of(built).unlink()
    assert built.run("plan --fail-if-stale").code == 3
    said = built.run("materialize --select table --json")
    assert said.code == 1
    error = said.failures["table"]
    assert error["type"] == "StorageError"
    assert error["message"].endswith("v-1: is there already, but the metadata store knows of no such version")
    assert error["hint"] == "the data of another store lies there: set another `storage`, or bring that store back"
    assert files_of(built) == files
    (built.folder / ".assetflow" / "data").rename(built.folder / "aside")
    assert built.run("materialize").code == 0
