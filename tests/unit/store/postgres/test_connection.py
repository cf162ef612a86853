"""Statements on a real server: values as they were, however many rows there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest

from assetflow.store.columns import gathered
from assetflow.store.connection import Connection, together
from assetflow.store.postgres.arrays import Doubles, Numbers, Octets, Texts, packed
from assetflow.store.postgres.connection import FEW, PostgresConnection

if TYPE_CHECKING:
    from tests.postgres_server import Server

Row = tuple[object, ...]
MADE = "CREATE TABLE t (a {number} PRIMARY KEY, b text, c {octets}, d double precision, e {number})"
INSERT = "INSERT INTO t (a, b, c, d, e) VALUES (?, ?, ?, ?, ?)"
SET = f"{INSERT}\nON CONFLICT (a) DO UPDATE SET b = excluded.b, e = excluded.e"
ROWS: list[Row] = [
    (1, "one", b"\x00\xff", 1.5, None),
    (2, 'quo"ted \\ {a,b}', b"", -0.0, 2**63 - 1),
    (-(2**63), "käse 🍓", None, None, 0),
    (4, "", b"{}", 1e300, 7),
    (5, None, b"\\x00", 2.0, -1),
    (6, "NULL", b"NULL", 0.1, 7),
]


@pytest.fixture
def postgres_connection(postgres: Server) -> Iterator[PostgresConnection]:
    connection = PostgresConnection(psycopg.connect(postgres.fresh(), autocommit=True))
    connection.execute(MADE.format(number="bigint", octets="bytea"))
    yield connection
    connection.close()


@pytest.fixture
def both(postgres_connection: PostgresConnection) -> Iterator[list[Connection]]:
    """The same table in both databases."""
    lite = sqlite3.connect(":memory:", isolation_level=None)
    lite.execute(MADE.format(number="integer", octets="blob"))
    yield [postgres_connection, lite]
    lite.close()


def rows(connection: Connection) -> list[Row]:
    return connection.execute("SELECT a, b, c, d, e FROM t ORDER BY a").fetchall()


@pytest.mark.parametrize("count", [1, FEW, len(ROWS)])
def test_rows_are_kept_as_they_are(both: list[Connection], count: int) -> None:
    for connection in both:
        connection.executemany(INSERT, iter(ROWS[:count]))
        assert rows(connection) == sorted(ROWS[:count])
        connection.executemany(INSERT, [])


def test_the_last_of_rows_about_the_same_counts(both: list[Connection]) -> None:
    more: list[Row] = [(1, f"again {number}", b"", 0.0, number) for number in range(FEW + 3)]
    for connection in both:
        connection.executemany(INSERT, ROWS)
        connection.executemany(SET, [*more, *ROWS[1:]])
        assert rows(connection) == sorted([(1, f"again {FEW + 2}", b"\x00\xff", 1.5, FEW + 2), *ROWS[1:]])


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("DELETE FROM t WHERE a = ?", [(row[0],) for row in ROWS[:5]]),
        ("DELETE FROM t WHERE e = ? AND b = ?", [(7, "NULL"), (7, "x"), (0, "käse 🍓"), (1, ""), (2, "")]),
        ("UPDATE t SET b = 'it', e = ? WHERE a = ? AND b = 'one'", [(number, number) for number in range(6)]),
        ("UPDATE t SET b = ?, e = NULL WHERE e = ? AND a = ?", [("x", 7, number) for number in range(6)]),
        ("UPDATE t SET e = e - ? WHERE a = ?", [(number, number) for number in range(6)]),
        ("UPDATE t SET e = ? WHERE a = ?", [(number, 1) for number in range(6)]),
        ("UPDATE t SET b = 'all', e = ?", [(number,) for number in range(6)]),
        ("INSERT OR IGNORE INTO t (a, b) VALUES (?, ?)", [(number, "new") for number in range(8)]),
        ("INSERT INTO t (a, b, e) VALUES (?, ?, 5)", [(number, "new") for number in range(10, 18)]),
    ],
)
def test_many_changes_are_those_of_one_after_the_other(
    both: list[Connection], statement: str, values: list[Row]
) -> None:
    found: list[list[Row]] = []
    for connection in both:
        connection.executemany(INSERT, ROWS)
        connection.executemany(statement, values)
        found.append(rows(connection))
    assert found[0] == found[1] != sorted(ROWS)


def test_what_does_not_fit_is_refused(postgres_connection: PostgresConnection) -> None:
    refused: list[tuple[type[Exception], Row]] = [
        (psycopg.DataError, (1, "\x00", b"", 0.0, 1)),
        (TypeError, (1, 5, b"", 0.0, 1)),
        (OverflowError, (2**63, "", b"", 0.0, 1)),
        (UnicodeEncodeError, (1, "\ud800", b"", 0.0, 1)),
        (psycopg.IntegrityError, (1, "", b"", 0.0, 1)),
    ]
    for kind, row in refused:
        with pytest.raises(kind):
            postgres_connection.executemany(INSERT, [*ROWS, row])
    assert rows(postgres_connection) == []


def test_columns_come_in_the_order_of_rows(both: list[Connection]) -> None:
    for connection in both:
        nothing = gathered(connection, "SELECT a, c FROM t", (), numbers=["a"], octets=["c"])
        assert (nothing.count, nothing.numbers[0].tolist(), nothing.octets) == (0, [], (b"",))
        connection.executemany(INSERT, [(number, "", bytes([number]), 0.0, -number) for number in range(200)])
        query = "SELECT a, e, c FROM t WHERE a >= :least ORDER BY e"
        found = gathered(connection, query, {"least": 100}, numbers=["a", "e"], octets=["c"])
        assert found.count == 100
        assert found.numbers[0].tolist() == list(range(199, 99, -1))
        assert found.numbers[1].tolist() == list(range(-199, -99))
        assert found.octets == (bytes(range(199, 99, -1)),)


def test_values_may_be_numbered(both: list[Connection]) -> None:
    for connection in both:
        query = "SELECT CAST(?2 AS TEXT), CAST(?1 AS TEXT), CAST(?2 AS TEXT)"
        assert connection.execute(query, ("a", "b")).fetchone() == ("b", "a", "b")


def test_the_last_row_has_its_number(postgres_connection: PostgresConnection) -> None:
    postgres_connection.execute("CREATE TABLE named (id bigserial PRIMARY KEY, name text)")
    numbers = [postgres_connection.execute("INSERT INTO named (name) VALUES (?)", (name,)).lastrowid for name in "ab"]
    assert numbers == [1, 2]


def test_statements_sent_together_take_effect_in_their_order(both: list[Connection]) -> None:
    for connection in both:
        connection.execute("BEGIN")
        with together(connection):
            connection.executemany(INSERT, ROWS)
            connection.execute("DELETE FROM t WHERE a > ?", (1,))
            connection.execute("UPDATE t SET e = ? WHERE a = ?", (9, 1))
        assert connection.in_transaction
        connection.execute("COMMIT")
        assert not connection.in_transaction
        assert [row[0] for row in rows(connection)] == [-(2**63), 1]


def test_arrays_hold_any_value(postgres_connection: PostgresConnection) -> None:
    for kind, name, values in [
        (Numbers, "bigint", [1, -(2**63), 2**63 - 1]),
        (Texts, "text", ["", 'a"b', "{}", "käse", None]),
        (Octets, "bytea", [b"", b"\x00", None]),
        (Doubles, "double precision", [0.5, -1e300, None]),
    ]:
        query = f"SELECT v FROM unnest(?::{name}[]) WITH ORDINALITY AS g(v, n) ORDER BY n"
        assert [value for (value,) in postgres_connection.execute(query, (packed(values, kind),))] == values
