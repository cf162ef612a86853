"""One thread writes; what waits for it is committed together, answered in order, and fails as it should."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assetflow.errors import PublishConflict, StoreDamaged, StoreError, StoreLocked
from assetflow.keys import VersionId
from assetflow.store import opening, writer
from assetflow.store.connection import Connection
from assetflow.store.interface import Store
from assetflow.store.opening import open_store
from assetflow.store.records import (
    Group,
    Publication,
    Ticket,
)
from assetflow.store.sqlite import SqliteDatabase
from tests.contract.store_records import Filler


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{path}", patience=0.2)
    yield store
    store.close()


@pytest.fixture
def fill(store: Store) -> Filler:
    return Filler(store)


def together(fill: Filler, enqueue: Callable[[], list[Ticket]]) -> list[Ticket]:
    """Tickets that were all enqueued while the writer was busy, and so share a transaction."""
    busy, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        assert go_on.wait(20)

    fill.store.writer.publish(Group((), sync=hold))
    assert busy.wait(20)
    tickets = enqueue()
    assert not any(ticket.done() for ticket in tickets)
    go_on.set()
    fill.store.writer.publish(Group(())).result()
    return tickets


def count_commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The transactions that begin from now on."""
    begun: list[str] = []
    begin = SqliteDatabase.begin

    def counted(database: SqliteDatabase, connection: Connection, patience: float) -> None:
        begun.append("BEGIN")
        begin(database, connection, patience)

    monkeypatch.setattr(SqliteDatabase, "begin", counted)
    return begun


def outcome(ticket: Ticket) -> int | str:
    try:
        return ticket.result()
    except (PublishConflict, StoreError) as error:
        return type(error).__name__


def test_what_waits_is_committed_together(monkeypatch: pytest.MonkeyPatch, fill: Filler) -> None:
    moves = [fill.publication("daily", number) for number in range(50)]
    begun = count_commits(monkeypatch)
    tickets = together(fill, lambda: [fill.commit(move) for move in moves])
    assert [ticket.result() for ticket in tickets] == list(range(2, 52))
    assert len(begun) <= 4


def test_groups_of_one_transaction_see_each_other(fill: Filler) -> None:
    """The same as over several transactions: conflicts, dependants, versions, failures and replaced pointers."""
    first = fill.version("daily", 1)
    failure = fill.failure("daily", 1)

    conflicting, summary = fill.publication("daily", 1, content=2), fill.publication("summary")

    def reading_daily(as_of: Ticket) -> Publication:
        return replace(summary, inputs=(fill.read("daily", as_of=as_of),))

    def enqueue() -> list[Ticket]:
        published = fill.commit(fill.publication("daily", 1, version=first))
        conflict = fill.commit(conflicting)
        dependant = fill.commit(reading_daily(conflict))
        reading = fill.commit(reading_daily(published))
        failed = fill.store.writer.fail(failure)
        again = fill.commit(fill.publication("daily", 1, version=first.version, expected=None, kind="unchanged"))
        return [published, conflict, dependant, reading, failed, again]

    names = [fill.uid(asset) for asset in ("daily", "summary")]
    tickets = together(fill, enqueue)
    assert [outcome(ticket) for ticket in tickets] == [2, "PublishConflict", "PublishConflict", 3, 3, 4]
    reader = fill.store.reader
    assert [len(reader.versions_of(uid)) for uid in names] == [1, 1]
    assert reader.history(fill.environment, names[0]).generation.tolist() == [2, 4]
    assert reader.table("lineage")["as_of"] == [2]
    assert reader.integrity() == []


def test_a_dependency_has_to_come_first(fill: Filler) -> None:
    class Never:
        def done(self) -> bool:
            return False

        def result(self, timeout: float | None = None) -> int:
            raise AssertionError

    with pytest.raises(StoreError, match="orders: it depends on a commit that was not enqueued before it"):
        fill.commit(fill.publication("orders"), after=[Never()]).result()


def test_one_bad_record_among_many_fails_alone(fill: Filler) -> None:
    moves = [fill.publication("daily", number) for number in range(5)]
    moves[2] = replace(moves[2], data_hash="sha:1")
    tickets = together(fill, lambda: [fill.commit(move) for move in moves])
    assert [outcome(ticket) for ticket in tickets] == [2, 3, "StoreError", 4, 5]
    with pytest.raises(StoreError, match="'sha:1' is no data hash"):
        tickets[2].result()
    assert fill.store.reader.integrity() == []


def test_what_was_remembered_of_a_lost_transaction_is_forgotten(fill: Filler) -> None:
    code = "c1:" + "7" * 32
    lost = replace(fill.publication("daily", 1, code=code), data_hash="sha:1")
    with pytest.raises(StoreError):
        fill.commit(lost).result()
    fill.publish("orders", code="c1:" + "8" * 32)
    fill.publish("daily", 1, code=code)
    derivations = fill.store.reader.table("derivations")
    assert derivations["code_version"] == ["c1:" + "8" * 32, code]


def test_a_lock_that_stays_fails_what_waits_and_nothing_later(path: Path, fill: Filler) -> None:
    moves = [fill.publication("daily", 1), fill.publication("daily", 2)]
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked = fill.commit(moves[0])
    with pytest.raises(StoreLocked, match=r"store\.db: the metadata store is locked by") as caught:
        locked.result()
    assert caught.value.transient
    other.execute("ROLLBACK")
    other.close()
    dependant = fill.commit(moves[1], after=[locked])
    with pytest.raises(PublishConflict, match="the metadata store is locked by"):
        dependant.result()
    assert fill.commit(fill.publication("daily", 2)).result() == 1


def test_a_full_disk_fails_what_waits_and_leaves_the_store_whole(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    connect = SqliteDatabase.connect

    def small(database: SqliteDatabase, *, patience: float, writing: bool = False) -> sqlite3.Connection:
        connection = connect(database, patience=patience, writing=writing)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 8}")
        return connection

    filled = Filler(open_store(f"sqlite:///{path}"))
    before = filled.publish("daily", 1)
    filled.store.close()
    monkeypatch.setattr(SqliteDatabase, "connect", small)
    store = open_store(f"sqlite:///{path}")
    fill = Filler(store)
    big = fill.version("daily", 2, metadata={"text": "x" * 200_000})
    ticket = fill.commit(fill.publication("daily", 2, version=big))
    with pytest.raises(StoreError, match="no space is left for the metadata store") as caught:
        ticket.result()
    assert caught.value.hint == "free some space on the disk and run the command again"
    assert store.reader.generation() == before
    assert fill.publish("daily", 3) == before + 1
    assert store.reader.integrity() == []
    store.close()


def test_a_writer_that_cannot_go_on_refuses_everything(monkeypatch: pytest.MonkeyPatch, fill: Filler) -> None:
    moves = [fill.publication("daily", 1), fill.publication("daily", 2)]

    def broken(database: SqliteDatabase, connection: Connection, patience: float) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(SqliteDatabase, "begin", broken)
    tickets = together_or_not(fill, moves)
    for ticket in tickets:
        with pytest.raises(StoreDamaged, match="the metadata store is damaged"):
            ticket.result()
    for call in (lambda: fill.store.writer.publish(Group(())), fill.store.writer.flush):
        with pytest.raises(StoreDamaged):
            call()
    assert fill.store.reader.generation() == 0


def together_or_not(fill: Filler, moves: list[object]) -> list[Ticket]:
    tickets: list[Ticket] = []
    for move in moves:
        try:
            tickets.append(fill.commit(move))  # type: ignore[arg-type]
        except StoreDamaged:
            break
    return tickets


def test_a_mistake_in_the_writer_is_told_and_not_waited_for(monkeypatch: pytest.MonkeyPatch, fill: Filler) -> None:
    fill.publish("daily", 1)

    def broken(database: SqliteDatabase, connection: Connection, patience: float) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(SqliteDatabase, "begin", broken)
    with pytest.raises(StoreError, match=r"writing to the metadata store stopped \(RuntimeError: unforeseen\)"):
        fill.store.writer.reserve_versions(1)


def test_a_forked_process_reads_but_does_not_write(fill: Filler) -> None:
    fill.publish("daily", 1)
    store = fill.store
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found = store.reader.generation()
            try:
                store.writer.publish(Group(()))
            except StoreError as error:
                os.write(writable, f"{found} {error.message}".encode())
            store.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writable)
    with os.fdopen(readable, "rb") as said:
        text = said.read().decode()
    assert text.startswith("1 ")
    assert f"opened by process {os.getpid()}, not by this one" in text
    assert fill.publish("daily", 2) == 2


def test_an_interrupted_caller_leaves_the_writer_at_work(fill: Filler) -> None:
    moves = [fill.publication("daily", number) for number in range(2)]
    waiting = threading.Event()

    def interrupt() -> None:
        assert waiting.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    def wait_for(ticket: Ticket) -> None:
        waiting.set()
        ticket.result()
        threading.Event().wait(20)

    fill.sync = interrupt
    ticket = fill.commit(moves[0])
    fill.sync = None
    with pytest.raises(KeyboardInterrupt):
        wait_for(ticket)
    fill.commit(moves[1])
    fill.store.writer.flush()
    assert fill.store.reader.pointers(fill.environment, fill.uid("daily")).ordinals.tolist() == [0, 1]
    assert fill.store.reader.integrity() == []


def test_the_thread_starts_with_the_first_request(store: Store) -> None:
    before = set(threading.enumerate())

    def names() -> list[str]:
        return [thread.name for thread in set(threading.enumerate()) - before]

    store.reader.generation()
    store.writer.flush()
    assert "assetflow-store" not in names()
    store.writer.open_environment("prod")
    assert "assetflow-store" in names()
    store.close()
    assert "assetflow-store" not in names()


def test_a_full_queue_makes_its_fillers_wait(monkeypatch: pytest.MonkeyPatch, fill: Filler) -> None:
    monkeypatch.setattr(writer, "QUEUE_LIMIT", 3)
    tickets = [fill.store.writer.settle([VersionId(number)]) for number in range(100)]
    fill.store.writer.flush()
    assert all(ticket.done() for ticket in tickets)


def test_a_batch_has_a_limit(monkeypatch: pytest.MonkeyPatch, fill: Filler) -> None:
    monkeypatch.setattr(writer, "BATCH_LIMIT", 10)
    begun = count_commits(monkeypatch)
    tickets = together(fill, lambda: [fill.store.writer.settle([VersionId(number)]) for number in range(35)])
    assert all(ticket.done() for ticket in tickets)
    assert len(begun) >= 4


def test_lists_may_be_reused_by_the_caller(fill: Filler) -> None:
    steps = [fill.step("daily", 1)]

    def enqueue() -> list[Ticket]:
        ticket = fill.store.writer.record_steps(steps, [])
        steps.clear()
        return [ticket]

    together(fill, enqueue)
    assert len(fill.store.reader.steps("r1")) == 1


def test_the_clock_is_given(path: Path) -> None:
    from tests.contract.store_records import NOON

    store = open_store(f"sqlite:///{path}", clock=lambda: NOON)
    fill = Filler(store)
    version = fill.version("daily")
    fill.publish("daily", version=version)
    assert store.reader.version(version.version).published_at == NOON
    assert opening.utc_now().utcoffset() is not None
    store.close()


def test_a_ticket_is_not_waited_for_beyond_its_timeout(fill: Filler) -> None:
    move = fill.publication("daily")

    def enqueue() -> list[Ticket]:
        ticket = fill.commit(move)
        with pytest.raises(TimeoutError, match=r"no answer from the metadata store within 0\.01 s"):
            ticket.result(timeout=0.01)
        return [ticket]

    (ticket,) = together(fill, enqueue)
    assert ticket.result(timeout=0.01) == 2
