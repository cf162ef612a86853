"""The metadata stores that come with assetflow keep the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from assetflow.store.interface import Store
from assetflow.store.opening import open_store
from tests.contract.lease_contract import LeaseContract, OpenIn, World
from tests.contract.store_contract import Open, StoreContract
from tests.postgres_server import Server


class TestSqlite(StoreContract):
    """SQLite."""

    @pytest.fixture
    def open_it(self, tmp_path: Path) -> Open:
        return lambda: open_store(f"sqlite:///{tmp_path}/store.db")


class TestSqliteLeases(LeaseContract):
    """Leases and pools in SQLite."""

    @pytest.fixture
    def open_in(self, tmp_path: Path) -> OpenIn:
        return opening(f"sqlite:///{tmp_path}/store.db")


class TestPostgres(StoreContract):
    """Postgres."""

    @pytest.fixture
    def open_it(self, postgres: Server) -> Open:
        url = postgres.fresh()
        return lambda: open_store(url)


class TestPostgresLeases(LeaseContract):
    """Leases and pools in Postgres."""

    @pytest.fixture
    def open_in(self, postgres: Server) -> OpenIn:
        return opening(postgres.fresh())


def opening(url: str) -> OpenIn:
    """Opens the store at a URL."""

    def opened(world: World | None) -> Store:
        return open_store(url) if world is None else open_store(url, lease_clock=world.clock, gone=world.gone)

    return opened
