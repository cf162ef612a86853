"""The command line on a store in Postgres: all of it, and a server that goes away in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assetflow.store import opening

if TYPE_CHECKING:
    from tests.faults.conftest import Shop
    from tests.postgres_server import Server

PROJECT = """
from pathlib import Path

regions = StaticPartitions(["north", "south", "a|b"])
cities = DynamicPartitions("cities")

@observable_source
def feed() -> str: return Path("feed").read_text()

@asset(deps=[feed], partitions=regions)
def regional(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"key": [context.partition_key], "feed": [Path("feed").read_text()]})

@asset
def total(regional: pd.DataFrame) -> list[str]: return [*regional["key"], *regional["feed"].unique()]

@asset(partitions=cities)
def city(context: AssetContext) -> str: return context.partition_key

@asset_check(asset="total", blocking=True)
def not_refused(total: list[str]) -> CheckResult: return CheckResult(passed="refused" not in total)
"""


@pytest.fixture
def url(postgres: Server) -> str:
    return postgres.fresh()


@pytest.fixture
def teams(shop: Shop, url: str) -> Shop:
    """A project whose store is in Postgres."""
    shop.write(f'[tool.assetflow]\ndefinitions = "shop"\nstore = "{url}"\n', "pyproject.toml")
    shop.write(PROJECT)
    (shop.folder / "feed").write_text("first")
    return shop


def told(shop: Shop, command: str, code: int = 0) -> dict[str, Any]:
    said = shop.run(f"{command} --json")
    assert said.code == code, said.err
    assert said.document is not None
    return said.document


def test_every_command_works_on_it(teams: Shop) -> None:
    assert told(teams, "plan")["totals"]["partitions"] == 4
    told(teams, "partitions add cities paris 'the hague'")
    made = told(teams, "materialize")
    assert (made["status"], made["counts"]["materialized"]) == ("success", 6)
    assert told(teams, "plan --fail-if-stale")["steps"] == []
    assert told(teams, "show total")["value"] == ["north", "south", "a|b", "first"]

    (teams.folder / "feed").write_text("second")
    why = told(teams, "why total")
    assert (why["state"], why["causes"][0]["kind"]) == ("stale", "upstream_stale")
    told(teams, "materialize")
    (teams.folder / "feed").write_text("refused")
    assert told(teams, "materialize", 1)["counts"]["quarantined"] == 1

    counts = {each["asset"]: each["partitions"] for each in told(teams, "status")["assets"]}
    assert counts["regional"]["up_to_date"] == 3
    assert counts["total"]["failed"] == 1
    runs = told(teams, "runs")["runs"]
    assert [run["status"] for run in runs] == ["failed", "success", "success"]
    assert len(told(teams, f"runs show {runs[2]['run_id']}")["steps"]) == 6
    rows = told(teams, "query 'select asset, count(*) from versions group by all order by 1'")
    assert rows["rows"] == [["city", 2], ["feed", 3], ["regional", 9], ["total", 3]]
    for view in ("partitions", "lineage", "checks", "runs", "steps", "events", "columns", "freshness", "assets"):
        assert told(teams, f"query 'select * from {view}'")["row_count"]
    first, *_ = sorted(each["version"] for each in told(teams, "versions total")["versions"])
    told(teams, f"rollback total --to {first} --with-downstream")
    assert told(teams, "show total")["value"] == ["north", "south", "a|b", "first"]
    edges = told(teams, "lineage total")["edges"]
    assert [(each["from"], each["to"]) for each in edges] == [("feed", "regional"), ("regional", "total")]
    findings = told(teams, "doctor")["findings"]
    assert "whole" in [each["message"] for each in findings if each["subject"] == "store"]
    assert not any(each["level"] == "error" for each in findings)
    told(teams, "partitions remove cities paris --force")
    assert not list((teams.folder / ".assetflow").glob("*.db"))


def test_worker_processes_leave_the_connections_alone(teams: Shop) -> None:
    made = told(teams, "materialize --executor processes --workers 2")
    assert (made["status"], made["counts"]["materialized"]) == ("success", 4)
    assert told(teams, "plan --fail-if-stale")["steps"] == []


SLOW = """
import time
from pathlib import Path

@observable_source
def feed() -> str: return Path("feed").read_text()

@asset(deps=[feed], partitions=StaticPartitions([f"{number:02}" for number in range(6)]))
def slow(context: AssetContext) -> str:
    if context.partition_key == "03" and Path("hold").exists():
        Path("reached").touch()
        while not Path("go").exists():
            time.sleep(0.01)
    return Path("feed").read_text()
"""


@pytest.fixture
def slow(teams: Shop) -> Shop:
    """A project in the middle of whose second run the server can be stopped."""
    teams.write(SLOW)
    assert told(teams, "materialize")["status"] == "success"
    (teams.folder / "feed").write_text("second")
    (teams.folder / "hold").touch()
    return teams


def values(shop: Shop) -> list[str]:
    return [told(shop, f"show slow@{number:02}")["value"] for number in range(6)]


def when_reached(folder: Path, act: Callable[[], None]) -> threading.Thread:
    """Do something while the run is in the middle, then let it go on."""

    def wait() -> None:
        while not (folder / "reached").exists():
            time.sleep(0.01)
        act()
        (folder / "go").touch()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_server_that_is_restarted_is_waited_for(slow: Shop, postgres: Server) -> None:
    def crash() -> None:
        postgres.stop("immediate")
        starting.start()

    starting = threading.Timer(1.0, postgres.start)
    crashing = when_reached(slow.folder, crash)
    made = told(slow, "materialize")
    crashing.join()
    starting.join()
    assert (made["status"], made["counts"]["materialized"]) == ("success", 6)
    assert values(slow) == ["second"] * 6
    assert told(slow, "plan --fail-if-stale")["steps"] == []


def test_a_server_that_stays_away_fails_the_run_and_nothing_else(
    slow: Shop, url: str, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published stays, what was not is told, and the next run completes."""
    monkeypatch.setattr(opening, "open_store", partial(opening.open_store, patience=0.3))
    stopping = when_reached(slow.folder, lambda: postgres.stop("immediate"))
    error = told(slow, "materialize", 1)["error"]
    stopping.join()
    assert error["type"] == "StoreUnreachable"
    place = url.partition("&")[0].replace("%2F", "/")
    assert error["message"].startswith(f"{place}: the database cannot be reached (")
    assert error["hint"].startswith("check that it runs and that `store` in pyproject.toml names it")
    for command in ("plan", "status", "materialize", "doctor"):
        assert told(slow, command, 1)["error"]["type"] == "StoreUnreachable"
    postgres.start()
    found = values(slow)
    assert set(found) <= {"first", "second"}
    assert found[3:] == ["first"] * 3
    assert told(slow, "materialize")["status"] == "success"
    assert values(slow) == ["second"] * 6
    assert not any(each["level"] == "error" for each in told(slow, "doctor")["findings"])
