"""The schema is written down three times: as tables, as the text that makes a new store, and as migrations."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from assetflow.errors import StoreLocked
from assetflow.keys import AssetKey
from assetflow.store import migrations, opening, tables
from assetflow.store.opening import open_store

SCHEMA = Path(opening.__file__).parent / "schema.sql"

Shape = list[tuple[str, str, str]]


def shape(connection: sqlite3.Connection) -> tuple[Shape, list[object], list[object]]:
    """Every table and index with its text, and the rows that a new store has."""
    made = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    texts = sorted((kind, name, " ".join(text.split())) for kind, name, text in made)
    counters = connection.execute("SELECT * FROM counters").fetchall()
    return texts, counters, connection.execute("SELECT * FROM alembic_version").fetchall()


def test_the_text_is_that_of_the_tables() -> None:
    assert SCHEMA.read_text("utf-8") == tables.sqlite_ddl()
    assert int(tables.REVISION) == opening.SCHEMA


def test_migrations_lead_to_the_tables(tmp_path: Path) -> None:
    migrations.upgrade(f"sqlite:///{tmp_path}/migrated.db")
    with sqlite3.connect(":memory:") as made, sqlite3.connect(tmp_path / "migrated.db") as migrated:
        made.executescript(SCHEMA.read_text("utf-8"))
        assert shape(migrated) == shape(made)
    made.close()
    migrated.close()


def longer(folder: Path, upgrade: str) -> Path:
    """The migrations with one more, whose ``upgrade`` is given."""
    package = folder / "migrations"
    (package / "versions").mkdir(parents=True)
    source = Path(migrations.__file__).parent
    for file in [source / "env.py", *(source / "versions").glob("0*.py")]:
        (package / file.relative_to(source)).write_text(file.read_text("utf-8"), "utf-8")
    (package / "versions" / f"{opening.SCHEMA + 1:04}_more.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = '{opening.SCHEMA + 1:04}', '{opening.SCHEMA:04}'\n"
        "branch_labels, depends_on = None, None\n"
        f"def upgrade():\n    {upgrade}\n",
        "utf-8",
    )
    return package / "__init__.py"


def test_an_older_store_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one more migration that adds a table, a store of the present schema opens with that table."""
    url = f"sqlite:///{tmp_path}/store.db"
    old = open_store(url)
    old.writer.open_environment("prod")
    old.close()
    monkeypatch.setattr(migrations, "__file__", str(longer(tmp_path, "op.execute('CREATE TABLE more (id INTEGER)')")))
    monkeypatch.setattr(opening, "SCHEMA", opening.SCHEMA + 1)
    new = open_store(url)
    assert new.reader.environments() == {"prod": 1}
    new.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        assert revision == [(f"{opening.SCHEMA:04}",)]
        assert connection.execute("SELECT count(*) FROM more").fetchone() == (0,)
    connection.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "store.db"
    open_store(f"sqlite:///{database}").close()
    upgrade = "op.execute('CREATE TABLE more (id INTEGER)'); raise RuntimeError('half way')"
    monkeypatch.setattr(migrations, "__file__", str(longer(tmp_path, upgrade)))
    with pytest.raises(RuntimeError, match="half way"):
        migrations.upgrade(f"sqlite:///{database}")
    with sqlite3.connect(database) as connection:
        texts, _, revision = shape(connection)
    connection.close()
    assert revision == [(f"{opening.SCHEMA:04}",)]
    assert "more" not in [name for _, name, _ in texts]


def test_a_locked_store_is_not_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "store.db"
    open_store(f"sqlite:///{database}").close()
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(opening, "SCHEMA", opening.SCHEMA + 1)
    with pytest.raises(StoreLocked):
        open_store(f"sqlite:///{database}", patience=0.1)
    other.close()


def test_opening_a_store_loads_neither_sqlalchemy_nor_alembic(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from assetflow.store.opening import open_store\n"
        f"store = open_store('sqlite:///{tmp_path}/store.db')\n"
        "store.writer.open_environment('prod')\n"
        "store.close()\n"
        "costly = ('sqlalchemy', 'alembic', 'psycopg', 'pandas', 'pyarrow', 'duckdb')\n"
        "print([name for name in costly if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_uids_of_the_first_schema_take_on_the_space_that_their_asset_has_when_it_is_opened(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes.update(url=f"sqlite:///{tmp_path}/store.db", patience=1.0)
    command.upgrade(config, "0001")
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("INSERT INTO assets (uid, key) VALUES (1, 'orders'), (4, 'raw')")
    connection.close()
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    orders, raw = AssetKey("orders"), AssetKey("raw")
    assert store.reader.spaces_of() == {1: (orders, None), 4: (raw, None)}
    assert store.writer.intern_assets([orders], {orders: "day"}) == {orders: 1}
    assert store.writer.intern_assets([orders], {orders: "month"}) == {orders: 5}
    assert store.reader.uids() == {orders: 5, raw: 4}
    store.close()
