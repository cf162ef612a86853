"""The metadata stores that come with assetflow keep the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from assetflow.store.opening import open_store
from tests.contract.store_contract import Open, StoreContract
from tests.postgres_server import Server


class TestSqlite(StoreContract):
    """SQLite."""

    @pytest.fixture
    def open_it(self, tmp_path: Path) -> Open:
        return lambda: open_store(f"sqlite:///{tmp_path}/store.db")


class TestPostgres(StoreContract):
    """Postgres."""

    @pytest.fixture
    def open_it(self, postgres: Server) -> Open:
        url = postgres.fresh()
        return lambda: open_store(url)
