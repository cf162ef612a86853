"""A blocking check that fails: readers keep the old version, the candidate waits for a mended check."""

from __future__ import annotations

import json
from typing import Any

import pytest

CODE = """
    from pathlib import Path

    import pandas as pd
    from assetflow import CheckResult, asset, asset_check, observable_source

    def called(name: str) -> None:
        with Path("calls").open("a") as file:
            file.write(f"{name}\\n")

    @observable_source
    def price_file() -> str:
        return Path("prices").read_text()

    @asset(deps=[price_file])
    def prices() -> pd.DataFrame:
        called("prices")
        return pd.DataFrame({"price": [int(each) for each in Path("prices").read_text().split()]})

    @asset
    def total(prices: pd.DataFrame) -> int:
        called("total")
        return int(prices["price"].sum())

    @asset_check(asset=prices, blocking=True)
    def not_too_high(prices: pd.DataFrame) -> CheckResult:
        called("check")
        highest = int(prices["price"].max())
        return CheckResult(passed=highest < 100, metadata={"highest": highest})
"""


@pytest.fixture
def refused(folder: Any) -> Any:
    """The first prices are published; the second were refused by the check."""
    folder.code(CODE)
    folder.write("prices", "1 2 3")
    assert folder.run().status == "success"
    assert folder.calls() == ["prices", "check", "total"]
    folder.write("prices", "1 2 300")
    result = folder.run()
    assert result.status == "failed"
    assert {k: n for k, n in result.counts.items() if n} == {"quarantined": 1, "blocked": 1}
    (failure,) = result.failures
    assert failure.asset == "prices"
    assert "not_too_high" in failure.error["message"]
    assert "highest=300" in failure.error["message"]
    assert folder.calls() == ["prices", "check"]
    return folder


def candidate_of(project: Any) -> Any:
    (found,) = [row for row in project.versions("prices") if row["state"] == "quarantined"]
    return found


def test_every_reader_has_the_old_version(refused: Any) -> None:
    with refused.open() as project:
        assert list(project.load("prices")["price"]) == [1, 2, 3]
        assert project.load("total") == 6
        assert project.catalog.query("select price from data.prices").column("price").to_pylist() == [1, 2, 3]
        current = json.loads((project.storage.root / "prices" / "_current.json").read_text())
        (entry,) = current["partitions"]
        assert entry["version"] == project.why("prices", observe=False).version
        assert entry["version"] != candidate_of(project)["version"]
        listed = project.catalog.query("select version, state from partitions where asset = 'prices'").to_pylist()
        assert listed == [{"version": entry["version"], "state": "failed"}]


def test_the_candidate_is_readable_by_its_id(refused: Any) -> None:
    with refused.open() as project:
        candidate = candidate_of(project)
        assert not candidate["current"]
        assert list(project.load("prices", version=candidate["version"])["price"]) == [1, 2, 300]
        shown = project.catalog.query(
            f"select version, passed, blocking from checks where version = {candidate['version']}"
        )
        assert shown.to_pylist() == [{"version": candidate["version"], "passed": False, "blocking": True}]


def test_the_state_is_failed_and_why_names_the_check(refused: Any) -> None:
    why = refused.why("prices")
    assert why.state == "failed"
    assert "failed" in {cause.kind for cause in why.causes}
    assert any("not_too_high" in cause.detail for cause in why.causes)


def test_it_is_not_tried_again_unless_that_is_wanted(refused: Any) -> None:
    assert "prices" not in refused.steps(retry_failed=False)
    assert refused.run(retry_failed=False).counts["quarantined"] == 0
    assert refused.calls() == []
    assert refused.steps()["prices"] == "will"
    refused.run()
    assert refused.calls()[:1] == ["prices"], "an explicit run tries again"


def test_new_input_is_tried_by_itself(refused: Any) -> None:
    refused.write("prices", "1 2 4")
    assert refused.steps(retry_failed=False) == {"prices": "will", "total": "may"}
    assert refused.run(retry_failed=False).status == "success"
    assert refused.value("total") == 7


@pytest.mark.parametrize("retry_failed", [True, False])
def test_a_mended_check_publishes_the_candidate_without_computing(refused: Any, retry_failed: bool) -> None:
    with refused.open() as project:
        candidate = candidate_of(project)["version"]
    refused.edit("highest < 100", "highest < 1000")
    assert refused.steps(retry_failed=retry_failed) == {"prices": "check", "total": "may"}
    result = refused.run(retry_failed=retry_failed)
    assert (result.status, result.counts["materialized"]) == ("success", 2)
    assert refused.calls() == ["check", "total"]
    with refused.open() as project:
        assert project.why("prices", observe=False).version == candidate
        assert list(project.load("prices")["price"]) == [1, 2, 300]
        assert project.load("total") == 303
        assert project.plan().steps == ()


def test_a_check_that_is_mended_and_still_fails_keeps_the_candidate_back(refused: Any) -> None:
    refused.edit("highest < 100", "highest < 200")
    result = refused.run()
    assert (result.status, result.counts["quarantined"]) == ("failed", 1)
    assert refused.calls() == ["check"]
    assert list(refused.value("prices")["price"]) == [1, 2, 3]

    # What is published has not been seen by the mended check yet; the candidate has.
    assert refused.steps(retry_failed=False) == {"prices": "check"}
    result = refused.run(retry_failed=False)
    assert (result.status, result.counts["unchanged"]) == ("success", 1)
    assert refused.calls() == ["check"]
    assert refused.steps(retry_failed=False) == {}


SECOND = """
@asset_check(asset=prices, blocking=True)
def even(prices: pd.DataFrame) -> bool:
    called("even")
    return bool((prices["price"] % 2 == 0).all())
"""


def test_mending_one_of_two_checks_is_not_enough(folder: Any) -> None:
    folder.code(CODE)
    with (folder.root / "pipeline.py").open("a") as module:
        module.write(SECOND)
    folder.write("prices", "2 4")
    folder.run()
    folder.write("prices", "2 301")
    folder.run()
    folder.calls()
    folder.edit("highest < 100", "highest < 1000")
    result = folder.run()
    assert (result.status, result.counts["quarantined"]) == ("failed", 1)
    assert "prices" not in folder.calls()
    assert list(folder.value("prices")["price"]) == [2, 4]


def test_a_check_that_failed_on_what_is_published_is_tried_again_on_demand(folder: Any) -> None:
    folder.code(CODE)
    folder.write("prices", "1 2 300")
    folder.edit("@asset_check(asset=prices, blocking=True)", "")
    folder.run()
    folder.edit("def not_too_high", "@asset_check(asset=prices, blocking=True)\ndef not_too_high")
    folder.edit("highest < 100", "highest < int(Path('limit').read_text())")
    folder.write("limit", "100")
    folder.calls()
    assert folder.run().status == "failed"
    assert folder.why("prices").state == "failed"
    assert list(folder.value("prices")["price"]) == [1, 2, 300], "it stays published"
    assert folder.steps(retry_failed=False) == {}
    folder.write("limit", "1000")
    assert folder.steps() == {"prices": "check"}
    assert folder.run().status == "success"
    assert folder.calls() == ["check", "check"]
    assert folder.why("prices").state == "up_to_date"
