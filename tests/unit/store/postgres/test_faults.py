"""Connections that break, servers that restart, locks and full disks: nothing is lost, and nothing is written twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from assetflow.errors import CommitUnknown, StoreDamaged, StoreError, StoreLocked, StoreUnreachable
from assetflow.store.interface import Store
from assetflow.store.opening import open_store
from assetflow.store.postgres.connection import PostgresConnection
from assetflow.store.postgres.database import PostgresDatabase
from assetflow.store.postgres.url import PostgresUrl
from assetflow.store.records import Group
from tests.contract.store_records import Filler

if TYPE_CHECKING:
    from tests.postgres_server import Server

ENDED = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'assetflow'"


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.fresh()


@pytest.fixture
def fill(url: str) -> Any:
    store = open_store(url, patience=0.5)
    yield Filler(store)
    store.close()


def moves(store: Store) -> list[int]:
    """The generations in which the one asset moved."""
    return store.reader.history(1, store.reader.uids()["daily"]).generation.tolist()


def test_sessions_that_the_server_ends_are_begun_again(fill: Filler, postgres: Server) -> None:
    fill.publish("daily", 1)
    for number in range(2, 5):
        postgres.execute(ENDED)
        assert fill.publish("daily", number) == number
        postgres.execute(ENDED)
        assert fill.store.reader.generation() == number
    assert moves(fill.store) == [1, 2, 3, 4]


def test_a_crash_of_the_server_loses_nothing_that_was_acknowledged(url: str, postgres: Server) -> None:
    fill = Filler(open_store(url))
    fill.publish("daily", 1)
    waiting = fill.publication("daily", 2)
    postgres.stop("immediate")
    ticket = fill.commit(waiting)
    assert not ticket.done()
    postgres.start()
    assert ticket.result() == 2
    assert moves(fill.store) == [1, 2]
    assert fill.store.reader.integrity() == []
    fill.store.close()


def test_a_server_that_stays_away_is_told_and_later_found_again(fill: Filler, postgres: Server) -> None:
    fill.publish("daily", 1)
    waiting = fill.publication("daily", 2)
    with postgres.stopped(0):
        with pytest.raises(StoreUnreachable, match="the database cannot be reached") as caught:
            fill.commit(waiting).result()
        assert caught.value.transient
        with pytest.raises(StoreUnreachable, match="the database cannot be reached"):
            fill.store.reader.generation()
    assert fill.publish("daily", 3) == 2
    assert moves(fill.store) == [1, 2]


class Breaking:
    """A connection that breaks when it commits, before or after that took effect."""

    def __init__(self, raw: psycopg.Connection[Any], *, after: bool, times: int) -> None:
        self.raw, self.after, self.left = raw, after, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def execute(self, statement: Any, *values: Any) -> Any:
        if statement != "COMMIT" or not self.left:
            return self.raw.execute(statement, *values)
        self.left -= 1
        if self.after:
            self.raw.execute(statement)
        os.close(self.raw.fileno())
        return self.raw.execute(statement)


def breaking(monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """Let the next connection that writes break at its second commit."""
    connect = PostgresDatabase.connect

    def connected(database: PostgresDatabase, *, patience: float, writing: bool = False) -> PostgresConnection:
        connection = connect(database, patience=patience, writing=writing)
        if writing:
            monkeypatch.setattr(PostgresDatabase, "connect", connect)
            connection.raw = Breaking(connection.raw, after=after, times=1)  # type: ignore[assignment]
        return connection

    monkeypatch.setattr(PostgresDatabase, "connect", connected)


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
def test_a_commit_whose_connection_breaks_takes_effect_once(
    url: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    store = open_store(url)
    fill = Filler(store)
    move = fill.publication("daily", 1, inputs=[fill.read("orders")])
    store.close()
    breaking(monkeypatch, after=after)
    store = open_store(url)
    assert store.writer.publish(Group((move,))).result() == 1
    assert moves(store) == [1]
    assert len(store.reader.table("derivations")["derivation"]) == 1
    assert store.reader.integrity() == []
    store.close()


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after it took effect"])
def test_a_commit_of_which_nothing_can_be_told_is_not_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    store = open_store(url)
    fill = Filler(store)
    first, second = fill.publication("daily", 1), fill.publication("daily", 2)
    store.close()
    breaking(monkeypatch, after=after)
    store = open_store(url, patience=0.1)
    connect_once = PostgresDatabase.connect_once
    reachable = [True, False]

    def connected(database: PostgresDatabase) -> PostgresConnection:
        if not (reachable.pop(0) if len(reachable) > 1 else reachable[0]):
            raise psycopg.OperationalError("connection refused")
        return connect_once(database)

    monkeypatch.setattr(PostgresDatabase, "connect_once", connected)
    with pytest.raises(CommitUnknown, match="it cannot be told whether that was written") as caught:
        store.writer.publish(Group((first,))).result()
    assert "the next run finds out" in str(caught.value.hint)
    reachable[:] = [True]
    assert store.writer.publish(Group((second,))).result() == 1 + after
    assert store.reader.pointers(1, store.reader.uids()["daily"]).ordinals.tolist() == ([1, 2] if after else [2])
    store.close()


def test_a_transaction_that_goes_on_without_us_is_waited_for(url: str) -> None:
    """The server may not have noticed yet that the connection broke: what it does then counts."""
    open_store(url).close()
    ends: list[Callable[[], None]] = []
    database = PostgresDatabase(PostgresUrl.parsed(url), sleep=lambda seconds: ends.pop()() if ends else None)
    lost = psycopg.OperationalError("lost")
    other = database.connect(patience=1.0, writing=True)
    for end, committed in (("COMMIT", True), ("ROLLBACK", False)):
        database.begin(other, 1.0)
        ends.append(partial(other.execute, end))  # type: ignore[arg-type]
        assert database._committed(other, 5.0, lost) == committed
    database.begin(other, 1.0)
    with pytest.raises(CommitUnknown):
        database._committed(other, 0.0, lost)
    database.commit(other, 1.0)
    assert database._committed(other, 1.0, lost)
    # Another server took over: what it says of the number is about another transaction.
    other.history = "00000000"
    with pytest.raises(CommitUnknown):
        database._committed(other, 1.0, lost)
    other.close()


def test_a_server_that_goes_down_while_it_is_asked_is_asked_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(url).close()
    database = PostgresDatabase(PostgresUrl.parsed(url), sleep=lambda seconds: None)
    other = database.connect(patience=1.0, writing=True)
    database.begin(other, 1.0)
    database.commit(other, 1.0)
    status, asked = PostgresDatabase._status, [psycopg.errors.AdminShutdown("terminating"), psycopg.OperationalError()]

    def goes_down(*arguments: Any) -> str | None:
        if asked:
            raise asked.pop()
        return status(*arguments)

    monkeypatch.setattr(PostgresDatabase, "_status", goes_down)
    assert database._committed(other, 5.0, psycopg.OperationalError("lost"))
    asked.append(psycopg.errors.InsufficientPrivilege("no"))
    with pytest.raises(CommitUnknown):
        database._committed(other, 5.0, psycopg.OperationalError("lost"))
    other.close()


def test_a_lock_that_stays_fails_what_waits_and_nothing_later(url: str, fill: Filler) -> None:
    waiting = [fill.publication("daily", 1), fill.publication("daily", 2)]
    with psycopg.connect(url) as other:
        other.execute("SELECT * FROM counters FOR UPDATE")
        with pytest.raises(StoreLocked, match="the metadata store is locked by another session") as caught:
            fill.commit(waiting[0]).result()
        assert caught.value.transient
        assert "pg_stat_activity" in str(caught.value.hint)
    assert fill.commit(waiting[1]).result() == 1


def test_a_record_that_cannot_be_written_harms_nobody_else(fill: Filler) -> None:
    first, second = fill.publication("daily", 1), fill.publication("daily", 2)
    odd = fill.version("odd", metadata={"x": "y"})
    object.__setattr__(odd, "location", "nul\x00")
    tickets = [fill.commit(first), fill.commit(fill.publication("odd", version=odd)), fill.commit(second)]
    assert tickets[0].result() == 1
    with pytest.raises(StoreError, match="a record could not be written to the metadata store"):
        tickets[1].result()
    assert tickets[2].result() == 2


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (psycopg.errors.DiskFull("no space"), StoreError, "no space is left for the metadata store"),
        (psycopg.errors.DataCorrupted("bad page"), StoreDamaged, r"is damaged \(bad page\)"),
        (psycopg.errors.AdminShutdown("terminating"), StoreUnreachable, r"cannot be reached \(terminating\)"),
        (psycopg.errors.QueryCanceled("timeout"), StoreError, r"refused a statement \(timeout\)"),
        (psycopg.errors.UndefinedTable("relation x"), StoreError, r"refused a statement \(relation x\)"),
        (psycopg.errors.InsufficientPrivilege("no"), StoreError, r"the user may not do this \(no\)"),
    ],
)
def test_errors_of_the_database_are_told_for_people(error: psycopg.Error, kind: type[StoreError], words: str) -> None:
    database = PostgresDatabase(PostgresUrl.parsed("postgresql://me:secret@host/shop"))
    told = database.explained(error)
    assert type(told) is kind
    with pytest.raises(StoreError, match=rf"^postgresql://me@host/shop: .*{words}"):
        raise told


def test_a_full_disk_fails_what_waits_and_nothing_later(monkeypatch: pytest.MonkeyPatch, fill: Filler) -> None:
    waiting = [fill.publication("daily", 1), fill.publication("daily", 2)]
    commit = PostgresDatabase.commit

    def full(*_: object) -> None:
        raise psycopg.errors.DiskFull("could not extend file")

    monkeypatch.setattr(PostgresDatabase, "commit", full)
    with pytest.raises(StoreError, match="no space is left for the metadata store; nothing of this commit was written"):
        fill.commit(waiting[0]).result()
    monkeypatch.setattr(PostgresDatabase, "commit", commit)
    assert fill.commit(waiting[1]).result() == 1
    assert fill.store.reader.integrity() == []


def test_what_the_server_finds_broken_is_told(url: str, fill: Filler) -> None:
    fill.publish("daily", 1)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("UPDATE counters SET generation = 0")
        assert fill.store.reader.integrity() == [
            "1 pointers are newer than the last generation (the first is of generation 1)"
        ]
        other.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'versions_by_partition'::regclass")
    assert fill.store.reader.integrity() == [
        "the database is damaged: the index versions_by_partition is not whole",
    ]


def test_settings_that_may_lose_data_are_told(fill: Filler) -> None:
    """The server of these tests does without what only a power cut would call for."""
    assert fill.store.reader.advice() == [
        "the server runs with fsync = off: a power cut can destroy the store",
        "the server runs with full_page_writes = off: a power cut can destroy the store",
    ]


def test_a_forked_process_reads_over_a_connection_of_its_own(fill: Filler) -> None:
    fill.publish("daily", 1)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found = fill.store.reader.generation()
            try:
                fill.store.writer.publish(Group(()))
            except StoreError as error:
                os.write(writable, f"{found} {error.message}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writable)
    with os.fdopen(readable, "rb") as told:
        text = told.read().decode()
    assert text.startswith("1 postgresql://postgres@/postgres?host=")
    assert f"opened by process {os.getpid()}, not by this one" in text
    assert fill.publish("daily", 2) == 2
