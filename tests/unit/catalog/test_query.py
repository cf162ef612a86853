from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from assetflow.catalog.query import Tables, data_name, json_value, run_query
from assetflow.errors import DataMissing, InvalidQuery

AWKWARD = "x'; drop table assets; --"


def numbers() -> pa.Table:
    return pa.table({"n": [1, 2, 3], "name": ["a", AWKWARD, 'b"🙂']})


def tables(**data: Callable[[], ds.Dataset | pa.Table]) -> Tables:
    return Tables({"assets": numbers, "runs": lambda: pa.table({"run_id": ["r1"]})}, data)


def rows(sql: str, given: Tables | None = None) -> object:
    return run_query(sql, given or tables()).to_dict()["rows"]


def test_a_view_is_read():
    result = run_query("select n, name from assets order by n desc", tables())
    assert result.to_dict() == {
        "columns": ["n", "name"],
        "types": ["BIGINT", "VARCHAR"],
        "rows": [[3, 'b"🙂'], [2, AWKWARD], [1, "a"]],
        "row_count": 3,
        "truncated": False,
    }


def test_only_what_the_text_mentions_is_made():
    def never() -> pa.Table:
        raise AssertionError("made without need")

    given = Tables({"assets": numbers, "versions": never}, {"orders": never})
    assert rows("select count(*) from assets", given) == [[3]]
    assert rows("select count(*) as orders from assets", given) == [[3]]


@pytest.mark.parametrize(
    "sql",
    [
        "FROM Assets",
        "with a as (select * from assets) select * from a",
        "select * from query_table('assets')",
        "pivot assets on name using sum(n)",
        "describe assets",
        "summarize assets",
        "explain select * from assets",
        "values (1)",
    ],
)
def test_every_form_of_question_is_answered(sql: str):
    assert rows(sql)


def test_listing_the_tables_shows_all():
    listed = rows("select table_name from information_schema.tables", tables(orders=numbers))
    assert {"assets", "runs", "orders"} <= {row[0] for row in listed}


def test_data_is_in_its_schema_with_parts_quoted():
    given = Tables({}, {"raw/orders": numbers, "orders": lambda: pa.table({"n": [7]})})
    assert rows('select count(*) from "data"."raw/orders"', given) == [[3]]
    assert rows("select n from data.orders", given) == [[7]]
    assert rows("select n from DATA.Orders", given) == [[7]]


def test_names_that_differ_in_case_only_go_by_the_spelling():
    given = Tables({}, {"orders": lambda: pa.table({"n": [1]}), "Orders": lambda: pa.table({"n": [2]})})
    assert rows('select n from data."orders"', given) == [[1]]
    assert rows('select n from data."Orders"', given) == [[2]]


def test_values_are_data_and_never_sql():
    assert rows("select n from assets where name = 'x''; drop table assets; --'") == [[2]]
    given = Tables({"assets": numbers}, {AWKWARD: numbers})
    assert rows('select count(*) from "data"."x\'; drop table assets; --"', given) == [[3]]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{file}')",
        "select * from '{file}'",
        "select * from read_text('{file}')",
        "select * from read_blob('{file}')",
        "select * from glob('{folder}/*')",
        "select * from sniff_csv('{file}')",
        "select * from parquet_scan('{file}')",
        "select * from query('select * from read_text(''{file}'')')",
        "copy assets to '{folder}/out.csv'",
        "export database '{folder}/out'",
        "attach '{folder}/out.db'",
        "attach ':memory:' as other",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "pragma enable_object_cache",
        "create table t as select 1",
        "insert into assets values (1, 'a')",
        "drop view assets",
        "delete from assets",
        "create secret s (type s3)",
        "use data",
        "begin",
    ],
)
def test_nothing_outside_is_read_or_written(sql: str, tmp_path: Path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,hidden\n")
    with pytest.raises(InvalidQuery) as caught:
        run_query(sql.format(file=secret, folder=tmp_path), tables())
    assert "hidden" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_python_variables_are_no_tables():
    secrets = numbers()
    with pytest.raises(InvalidQuery, match="there is no table secrets"):
        run_query("select * from secrets", tables())
    assert secrets.num_rows == 3


def test_statements_that_do_not_ask_are_refused_by_name():
    with pytest.raises(InvalidQuery, match="questions only, and this is a drop statement") as caught:
        run_query("drop view assets", tables())
    assert caught.value.hint == "write one select statement; describe, summarize and explain work too"


@pytest.mark.parametrize(("sql", "count"), [("select 1; select 2", "2"), ("", "no"), ("-- nothing", "no")])
def test_one_statement_at_a_time(sql: str, count: str):
    with pytest.raises(InvalidQuery, match=f"the query has {count} statements"):
        run_query(sql, tables())


def test_an_unknown_table_gives_the_nearest_names():
    with pytest.raises(InvalidQuery, match="there is no table asets") as caught:
        run_query("select * from asets", tables())
    assert caught.value.hint == "did you mean assets?"
    with pytest.raises(InvalidQuery) as caught:
        run_query("select * from orders", tables(orders=numbers))
    assert caught.value.hint == "did you mean data.orders?"
    with pytest.raises(InvalidQuery) as caught:
        run_query("select * from data.ordrs", tables(orders=numbers))
    assert caught.value.hint == "did you mean data.orders?"
    with pytest.raises(InvalidQuery) as caught:
        run_query("select * from zzz", tables())
    assert caught.value.hint == "the views are assets, runs, and data.ASSET"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec 1", 'syntax error at or near "selec"'),
        ("select m from assets", 'Referenced column "m" not found in FROM clause!'),
        ("select n / 0, error('no') from assets", "no"),
        ("select cast(name as integer) from assets", "Could not convert string"),
    ],
)
def test_duckdbs_own_messages_come_without_their_excerpt(sql: str, message: str):
    with pytest.raises(InvalidQuery) as caught:
        run_query(sql, tables())
    assert caught.value.message.startswith(message)
    assert "\n" not in caught.value.message


def test_data_that_does_not_read_as_a_table_matters_only_when_it_is_read():
    def unreadable() -> pa.Table:
        raise InvalidQuery("summary does not read as a table: it is stored as json", hint="show it")

    def lost() -> pa.Table:
        raise DataMissing("orders: its file is gone")

    given = tables(summary=unreadable, orders=lost, other=numbers)
    assert rows("select n as summary, n as orders from data.other limit 1", given) == [[1, 1]]
    with pytest.raises(InvalidQuery, match="summary does not read as a table"):
        run_query("select * from data.summary", given)
    with pytest.raises(DataMissing, match="orders: its file is gone"):
        run_query("select * from data.orders", given)


def test_a_limit_says_whether_there_was_more():
    everything = Tables({"many": lambda: pa.table({"n": range(20_000)})})
    cut = run_query("select n from many", everything, limit=10_000)
    assert (cut.table.num_rows, cut.truncated) == (10_000, True)
    exact = run_query("select n from many where n < 10000", everything, limit=10_000)
    assert (exact.table.num_rows, exact.truncated) == (10_000, False)
    assert run_query("select n from many", everything).table.num_rows == 20_000


def test_a_result_without_rows_keeps_its_columns():
    document = run_query("select n, name from assets where n > 9", tables(), limit=5).to_dict()
    assert (document["columns"], document["rows"], document["row_count"]) == (["n", "name"], [], 0)


def test_values_of_every_type_are_json():
    document = run_query(
        """select 1.5 as d, sum(n) as h, 'nan'::double as nan, timestamp '2025-01-31 10:00' as t,
           timestamptz '2025-01-31 10:00+02' as z, date '2025-01-31' as day, time '10:00' as clock,
           interval 1 day + interval 90 minute as i,
           '\\xAB'::blob as b, {'a': [1, null]} as s, map {'k': 1} as m, null as nothing,
           uuid '85fb815e-5f6c-40ec-87ba-05940d2907bc' as u, 'a'::enum('a') as e, true as yes, 2 as d
           from assets""",
        tables(),
    ).to_dict()
    [row] = document["rows"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert row == [
        1.5,
        6,
        None,
        "2025-01-31T10:00:00",
        "2025-01-31T08:00:00+00:00",
        "2025-01-31",
        "10:00:00",
        "P0M1DT5400S",
        "ab",
        {"a": [1, None]},
        {"k": 1},
        None,
        "85fb815e-5f6c-40ec-87ba-05940d2907bc",
        "a",
        True,
        2,
    ]
    assert document["columns"][-1] == "d"


def test_json_values():
    assert json_value(Decimal("12345678901234567890")) == 12345678901234567890
    assert json_value({1: (datetime(2025, 1, 31), float("inf"))}) == {"1": ["2025-01-31T00:00:00", None]}


def test_names_in_sql():
    assert data_name("orders") == "data.orders"
    assert data_name('a"b') == '"data"."a""b"'
