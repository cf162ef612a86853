"""Opening a store creates it or says why it cannot be used; a file that is refused stays as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from assetflow.errors import ProjectError, StoreDamaged, StoreError, StoreLocked, StoreTooNew
from assetflow.store.opening import SCHEMA, open_store
from assetflow.store.sqlite import database_path, lock_holder, patiently, store_error
from tests.contract.store_records import Filler


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_store_is_created_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.db"
    store = open_store(url(path))
    assert store.reader.integrity() == []
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_store_is_not_created_where_only_reading_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with pytest.raises(StoreError, match=r"store\.db: there is no metadata store yet") as caught:
        open_store(url(path), create=False)
    assert caught.value.hint == "`assetflow materialize` creates it"
    assert not path.exists()


def test_a_store_written_by_a_newer_assetflow_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_store(url(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0007'")
    connection.close()
    with pytest.raises(StoreTooNew) as caught:
        open_store(url(path))
    assert f"its schema is 7, and this assetflow knows schemas up to {SCHEMA}" in str(caught.value)
    assert caught.value.hint == "upgrade assetflow: pip install --upgrade assetflow"


@pytest.mark.parametrize("content", [b"not a database at all, just some text\n" * 40, b"\x00" * 5000])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match=r"store\.db: this file is no metadata store"):
        open_store(url(path))
    assert path.read_bytes() == content


def test_a_database_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="this SQLite database is no metadata store of assetflow"):
        open_store(url(path))
    assert path.read_bytes() == before


def test_a_store_with_broken_pages_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    fill = Filler(open_store(url(path)))
    for number in range(200):
        fill.commit(fill.publication("daily", number))
    fill.store.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\x05" * (len(content) - 4096 * 3)
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="the metadata store is damaged") as caught:
        open_store(url(path)).reader.pointers(1, 1)
    assert "restore the file from a backup" in str(caught.value.hint)


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    store = open_store(url(path))
    assert store.reader.generation() == 0
    store.close()


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(url(tmp_path))


def test_the_folder_has_to_be_creatable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="the folder of the metadata store cannot be created"):
        open_store(url(tmp_path / "file" / "store.db"))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_store_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_store(url(path)).close()
    path.chmod(0o444)
    with pytest.raises(StoreError, match="may not be written to"):
        open_store(url(path)).writer.open_environment("prod")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_READONLY, "may not be written to"),
        (sqlite3.SQLITE_IOERR_FSYNC, "reading or writing the metadata store failed"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "is damaged"),
        (sqlite3.SQLITE_ERROR, "refused a statement"),
    ],
)
def test_errors_of_the_database_are_told_for_people(tmp_path: Path, code: int, words: str) -> None:
    error = sqlite3.OperationalError("no more")
    error.sqlite_errorcode = code
    told = store_error(error, tmp_path / "store.db")
    assert words in told.message
    assert str(tmp_path) in told.message


def test_who_holds_the_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_store(url(path)).close()
    program = (
        "import sqlite3, sys\n"
        f"connection = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        store = open_store(url(path), patience=0.05)
        who = f"process {other.pid}" if Path("/proc/locks").exists() else "another process"
        with pytest.raises(StoreLocked, match=f"the metadata store is locked by {who}") as caught:
            store.writer.open_environment("prod")
        assert caught.value.hint == "wait for it to finish, or stop it, and run the command again"
        store.close()
        other.communicate("")


def test_the_lock_table_is_read_carefully(tmp_path: Path) -> None:
    path, locks = tmp_path / "store.db", tmp_path / "locks"
    assert lock_holder(path, locks) is None
    memory = tmp_path / "store.db-shm"
    memory.touch()
    inode = memory.stat().st_ino
    locks.write_text(
        f"1: POSIX  ADVISORY  READ 11 fd:00:{inode} 123 123\n"
        f"1: -> POSIX  ADVISORY  WRITE 12 fd:00:{inode} 120 120\n"
        f"2: POSIX  ADVISORY  WRITE 13 fd:00:{inode}9 120 120\n"
        f"3: FLOCK  ADVISORY  WRITE 14 fd:00:{inode} 0 EOF\n"
    )
    assert lock_holder(path, locks) is None
    with locks.open("a") as file:
        file.write(f"4: POSIX  ADVISORY  WRITE 15 fd:00:{inode} 120 120\n")
    assert lock_holder(path, locks) == 15


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mysql://me:secret@host/db", "cannot be a mysql database: it is an SQLite file or a Postgres database"),
        ("store.db", "cannot be a store that is no URL"),
        ("sqlite://", "has to be a file"),
        ("sqlite:///:memory:", "has to be a file"),
        ("sqlite:///store.db?mode=ro", "options after ? are not supported"),
    ],
)
def test_other_urls_are_refused(text: str, words: str) -> None:
    with pytest.raises(ProjectError) as caught:
        open_store(text)
    assert words in caught.value.message
    assert caught.value.hint
    assert "secret" not in str(caught.value)


def test_urls_of_files(tmp_path: Path) -> None:
    assert database_path("sqlite:///a/b.db") == Path("a/b.db")
    assert database_path(f"sqlite:///{tmp_path}/b.db") == tmp_path / "b.db"
    assert database_path("sqlite+pysqlite:////b.db") == Path("/b.db")


def test_a_store_is_created_although_another_process_is_creating_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr("assetflow.store.sqlite.time.sleep", sleep)
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    patiently(connection, "PRAGMA journal_mode = WAL", 30.0)
    assert len(waits) == 3
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    other.close()


def test_processes_create_and_fill_a_store_at_once(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from assetflow.store.opening import open_store\n"
        "from tests.contract.store_records import Filler\n"
        f"fill = Filler(open_store({url(tmp_path / 'store.db')!r}))\n"
        "tickets = []\n"
        "for number in range(30):\n"
        "    tickets.append(fill.commit(fill.publication(f'asset_{sys.argv[1]}', number)))\n"
        "print(*(ticket.result() for ticket in tickets))\n"
        "fill.store.close()\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    said = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(int(generation) for part in said for generation in part) == list(range(1, 121))
    assert all(part == sorted(part, key=int) for part in said)
    store = open_store(url(tmp_path / "store.db"))
    assert store.reader.generation() == 120
    assert store.reader.integrity() == []
    store.close()
