"""Opening a store on Postgres creates it or says why it cannot be used; a schema that is refused stays as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from assetflow.errors import ProjectError, StoreDamaged, StoreError, StoreLocked, StoreTooNew, StoreUnreachable
from assetflow.store import migrations, opening, tables
from assetflow.store.opening import SCHEMA, open_store
from assetflow.store.postgres import opening as postgres_opening
from assetflow.store.postgres.database import PostgresDatabase
from assetflow.store.postgres.url import PostgresUrl
from tests.contract.store_records import Filler
from tests.unit.store.test_schema import longer

if TYPE_CHECKING:
    from tests.postgres_server import Server


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.fresh()


def said(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


def tables_of(url: str) -> set[object]:
    return {name for (name,) in said(url, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")}


def test_the_text_is_that_of_the_tables() -> None:
    text = (Path(postgres_opening.__file__).parent / "schema.sql").read_text("utf-8")
    assert text == tables.postgres_ddl()


def test_a_store_is_created_in_an_empty_schema(url: str) -> None:
    store = open_store(url)
    assert store.reader.generation() == 0
    assert store.reader.integrity() == []
    store.close()
    assert tables_of(url) == set(tables.metadata.tables)
    assert said(url, "SELECT version_num FROM alembic_version") == [(tables.REVISION,)]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_any_name_of_postgres_will_do(url: str, scheme: str) -> None:
    open_store(url.replace("postgresql", scheme, 1)).close()


def test_a_store_is_not_created_where_only_reading_is_wanted(url: str) -> None:
    with pytest.raises(StoreError, match="there is no metadata store yet") as caught:
        open_store(url, create=False)
    assert caught.value.hint == "`assetflow materialize` creates it"
    assert tables_of(url) == set()


def test_a_store_written_by_a_newer_assetflow_is_refused(url: str) -> None:
    open_store(url).close()
    said(url, "UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(StoreTooNew) as caught:
        open_store(url)
    assert f"its schema is 99, and this assetflow knows schemas up to {SCHEMA}" in str(caught.value)
    assert caught.value.hint == "upgrade assetflow: pip install --upgrade assetflow"


@pytest.mark.parametrize("table", ["alembic_version (version_num text)", "runs (id int)"])
def test_a_schema_of_something_else_is_refused_and_kept(url: str, table: str) -> None:
    said(url, f"CREATE TABLE {table}")
    before = tables_of(url)
    with pytest.raises(StoreDamaged, match=r"the schema test_\d+ of this database holds tables of something else") as e:
        open_store(url)
    assert "?options=-csearch_path%3Dassetflow" in str(e.value.hint)
    assert tables_of(url) == before


def test_a_schema_that_is_not_there_is_told(postgres: Server) -> None:
    with pytest.raises(StoreError, match="the database has no schema of the search path missing") as caught:
        open_store(postgres.url("missing"))
    assert caught.value.hint == "create it: CREATE SCHEMA, by a user who may"


def test_a_database_of_another_encoding_is_refused(postgres: Server) -> None:
    said(postgres.url(), "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with pytest.raises(StoreError, match="the database keeps texts as LATIN1") as caught:
        open_store(postgres.url().replace("/postgres?", "/latin?"))
    assert "createdb --encoding=UTF8" in str(caught.value.hint)


def test_an_old_server_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetflow.store.postgres.database.OLDEST", 99)
    with pytest.raises(StoreError, match=r"this is Postgres 1\d") as caught:
        open_store(url)
    assert caught.value.hint == "the metadata store needs Postgres 99 or newer"


def test_a_server_that_cannot_be_reached_is_told_at_once() -> None:
    with pytest.raises(StoreUnreachable) as caught:
        open_store("postgresql://me:secret@127.0.0.1:1/shop")
    assert caught.value.message.startswith("postgresql://me@127.0.0.1:1/shop: the database cannot be reached (")
    assert "names it" in str(caught.value.hint)
    assert "secret" not in str(caught.value)


def test_a_database_and_a_user_that_are_not_there_are_told(postgres: Server) -> None:
    with pytest.raises(StoreUnreachable, match='database "nowhere" does not exist') as caught:
        open_store(postgres.url().replace("/postgres?", "/nowhere?"))
    assert caught.value.hint == "create it, or check `store` in pyproject.toml"
    with pytest.raises(StoreUnreachable, match='role "nobody" does not exist'):
        open_store(postgres.url(user="nobody"))


def test_a_wrong_password_is_told_and_not_repeated(postgres: Server) -> None:
    said(postgres.url(), "CREATE ROLE guarded LOGIN PASSWORD 'right'")
    rules = postgres.folder / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all guarded scram-sha-256\n" + before)
    said(postgres.url(), "SELECT pg_reload_conf()")
    try:
        with pytest.raises(StoreUnreachable, match="the database refused the user or the password") as caught:
            open_store(postgres.url(user="guarded:guarded%21secret"))
        assert "PGPASSWORD" in str(caught.value.hint)
        for shown in (str(caught.value), repr(caught.value), repr(caught.value.__cause__)):
            assert "secret" not in shown
        with pytest.raises(StoreUnreachable, match="refused the user or the password"):
            open_store(postgres.url(user="guarded"))
    finally:
        rules.write_text(before)
        said(postgres.url(), "SELECT pg_reload_conf()")


def test_a_user_who_may_not_create_tables_is_told(postgres: Server, url: str) -> None:
    said(url, "DROP ROLE IF EXISTS reader")
    said(url, "CREATE ROLE reader LOGIN")
    said(url, "DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO reader', current_schema()); END $$")
    with pytest.raises(StoreError, match=r"the user may not do this \(permission denied for schema"):
        open_store(url.replace("postgres@", "reader@"))


def test_a_server_that_may_only_be_read_is_told(url: str) -> None:
    open_store(url).close()
    store = open_store(f"{url}%20-cdefault_transaction_read_only%3Don")
    assert store.reader.generation() == 0
    with pytest.raises(StoreError, match=r"the database may only be read \(a standby server\?\)"):
        store.writer.open_environment("prod")
    store.close()


def test_no_password_is_in_any_representation() -> None:
    database = PostgresDatabase(PostgresUrl.parsed("postgresql://me:secret@host/shop"))
    assert "secret" not in repr(database) + database.place
    with pytest.raises(ProjectError) as caught:
        open_store("mysql://me:secret@host/shop")
    assert "it is an SQLite file or a Postgres database" in caught.value.message
    assert "secret" not in str(caught.value)


def test_an_older_store_is_brought_up_to_date(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = open_store(url)
    Filler(old).publish("daily", 1)
    old.close()
    upgrade = "op.execute('CREATE TABLE more (id bigint)'); op.execute('ALTER TABLE runs ADD COLUMN \"50%\" text')"
    monkeypatch.setattr(migrations, "__file__", str(longer(tmp_path, upgrade)))
    monkeypatch.setattr(opening, "SCHEMA", SCHEMA + 1)
    new = open_store(url)
    assert new.reader.environments() == {"prod": 1}
    assert new.reader.generation() == 1
    new.close()
    assert said(url, "SELECT version_num FROM alembic_version") == [(f"{SCHEMA + 1:04}",)]
    assert said(url, "SELECT count(*) FROM more") == [(0,)]


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(url).close()
    upgrade = "op.execute('CREATE TABLE more (id bigint)'); op.execute('SELECT nothing')"
    monkeypatch.setattr(migrations, "__file__", str(longer(tmp_path, upgrade)))
    monkeypatch.setattr(opening, "SCHEMA", SCHEMA + 1)
    with pytest.raises(StoreError, match=r"refused a statement \(column \"nothing\" does not exist"):
        open_store(url)
    assert "more" not in tables_of(url)
    assert said(url, "SELECT version_num FROM alembic_version") == [(tables.REVISION,)]


def test_a_store_that_is_being_migrated_is_waited_for(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(url).close()
    monkeypatch.setattr(opening, "SCHEMA", SCHEMA + 1)
    with psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (postgres_opening.LOCK,))
        with pytest.raises(StoreLocked, match="the metadata store is locked by another session"):
            open_store(url, patience=0.05)


def test_processes_create_and_fill_a_store_at_once(url: str) -> None:
    program = (
        "import sys\n"
        "from assetflow.store.opening import open_store\n"
        "from tests.contract.store_records import Filler\n"
        f"fill = Filler(open_store({url!r}))\n"
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
    told = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(int(generation) for part in told for generation in part) == list(range(1, 121))
    assert all(part == sorted(part, key=int) for part in told)
    store = open_store(url)
    assert store.reader.generation() == 120
    assert store.reader.integrity() == []
    store.close()
