"""CONTRACT, "Declaring": how sources are observed, and how outputs are held to a schema, hashed and checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pytest

from assetflow import (
    AssetContext,
    AssetflowError,
    CheckResult,
    DailyPartitions,
    Field,
    Project,
    Schema,
    asset,
    asset_check,
    materialize,
    observable_source,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")


class Daily(Schema):
    origin: str
    temp_max: float | None = Field(ge=-60, le=140)


@pytest.mark.parametrize("interval", ["15m", timedelta(minutes=15)])
def test_min_interval_spares_the_source(tmp_path: Path, interval: str | timedelta) -> None:
    times = [NOW]
    asked: list[str] = []

    @observable_source(min_interval=interval)
    def raw() -> str:
        asked.append("x")
        return "1"

    @asset(deps=[raw])
    def down() -> int:
        return 1

    with Project([raw, down], clock=lambda: times[0]) as project:
        project.materialize()
        project.plan()
        times[0] = NOW + timedelta(minutes=14)
        project.plan()
        assert len(asked) == 1
        times[0] = NOW + timedelta(minutes=15)
        project.plan()
        assert len(asked) == 2


def test_a_source_that_raises_keeps_its_last_observation_and_tells_its_age(tmp_path: Path) -> None:
    times = [NOW]
    broken: list[str] = []

    @observable_source
    def raw() -> str:
        if broken:
            raise OSError("ftp is down")
        return "1"

    @asset(deps=[raw])
    def down() -> int:
        return 1

    with Project([raw, down], clock=lambda: times[0]) as project:
        project.materialize()
        broken.append("now")
        times[0] = NOW + timedelta(hours=5)
        plan = project.plan()
        assert plan.steps == ()
        told = " ".join(plan.notes)
        assert "raw" in told
        assert "ftp is down" in told
        assert "raw is unobserved" in told
        assert "5 hours" in told
        assert any("5 hours" in note for note in project.status().notes)
        with pytest.raises(AssetflowError, match="ftp is down"):
            project.plan(strict_observe=True)
        assert project.plan(observe=False, strict_observe=True).steps == ()


def test_source_keys_outside_the_definition_are_a_warning() -> None:
    @observable_source(partitions=DAYS)
    def raw() -> dict[str, str | None]:
        return {"1999-01-01": "x", "2024-01-30": "a", "2024-01-31": None, "nonsense": "y"}

    @asset(partitions=DAYS, deps=[raw])
    def down(context: AssetContext) -> int:
        return 1

    with Project([raw, down], clock=lambda: NOW) as project:
        plan = project.plan()
        assert any("1999-01-01" in note and "nonsense" in note for note in plan.notes)
        result = project.materialize()
        status = {row["asset"]: row["partitions"] for row in project.status().to_dict()["assets"]}
    assert result.counts["materialized"] == 2
    assert (status["raw"]["empty"], status["raw"]["total"]) == (1, 4)


def test_schema_by_annotation_and_by_keyword_are_the_same() -> None:
    @asset(schema=Daily)
    def by_keyword() -> pd.DataFrame:
        return pd.DataFrame({"origin": ["a"], "temp_max": [200.0]})

    @asset
    def by_annotation() -> Annotated[pd.DataFrame, Daily]:
        return pd.DataFrame({"origin": ["a"], "temp_max": [200.0]})

    result = materialize([by_keyword, by_annotation])

    assert result.counts["failed"] == 2
    assert all("temp_max" in str(failure.error["message"]) for failure in result.failures)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"origin": ["a"], "temp_max": [1.0], "more": [1]}), "more"),
        (pd.DataFrame({"origin": ["a"]}), "temp_max"),
        (pd.DataFrame({"origin": [None], "temp_max": [1.0]}), "origin"),
        (pd.DataFrame({"origin": ["a"], "temp_max": ["x"]}), "temp_max"),
    ],
)
def test_drift_fails_by_default(frame: pd.DataFrame, said: str) -> None:
    frames = [frame]

    @asset(schema=Daily, code_version="1")
    def daily() -> pd.DataFrame:
        return frames[0]

    result = materialize([daily])

    assert result.counts["failed"] == 1
    assert said in str(result.failures[0].error["message"])


def test_hashing_modes() -> None:
    orders = [[1, 2], [2, 1]]
    turn = [0]

    def shuffled() -> pd.DataFrame:
        return pd.DataFrame({"n": orders[turn[0]]})

    declared = [asset(name=mode, hashing=mode, code_version="1")(_copy(shuffled)) for mode in ("ordered", "rows")]
    declared.append(asset(name="none", hashing="none", code_version="1")(_copy(lambda: pd.DataFrame({"n": [1]}))))
    with Project(declared) as project:
        project.materialize()
        turn[0] = 1
        result = project.materialize(force=True)
    counts = {name: next(k for k, n in each.items() if n) for name, each in result.by_asset.items()}

    assert counts == {"ordered": "materialized", "rows": "unchanged", "none": "materialized"}


def _copy(function: Any) -> Any:
    def copied() -> pd.DataFrame:
        return function()

    return copied


def test_decimals_round_for_the_hash_only() -> None:
    values = [1.001, 1.002, 1.3]

    class Rounded(Schema):
        x: float = Field(decimals=1)

    @asset(schema=Rounded, code_version="1")
    def noisy() -> pd.DataFrame:
        return pd.DataFrame({"x": [values[0]]})

    with Project([noisy]) as project:
        project.materialize()
        stored: Any = project.load("noisy")
        assert stored["x"].tolist() == [1.001]
        values.pop(0)
        assert project.materialize(force=True).counts["unchanged"] == 1
        values.pop(0)
        assert project.materialize(force=True).counts["materialized"] == 1


def test_a_check_may_give_any_truth_value_of_numpy(tmp_path: Path) -> None:
    @asset
    def table() -> pd.DataFrame:
        return pd.DataFrame({"n": [1, 2]})

    @asset_check(asset=table, blocking=True)
    def bare(table: pd.DataFrame) -> Any:
        return (table["n"] > 0).all()

    @asset_check(asset=table, blocking=True)
    def wrapped(table: pd.DataFrame) -> CheckResult:
        return CheckResult(passed=(table["n"] > 0).all(), metadata={"least": table["n"].min()})

    result = materialize([table, bare, wrapped])

    assert result.status == "success"
    assert result.project.catalog.query("select passed from checks").column("passed").to_pylist() == [True, True]


def test_a_blocking_check_whose_result_is_a_warning_blocks_nothing() -> None:
    @asset
    def number() -> int:
        return 1

    @asset_check(asset=number, blocking=True)
    def mild(number: int) -> CheckResult:
        return CheckResult(passed=False, severity="warn")

    result = materialize([number, mild])

    assert result.status == "success"
    assert result.value("number") == 1
    (row,) = result.project.catalog.query("select passed, severity, blocking from checks").to_pylist()
    assert row == {"passed": False, "severity": "warn", "blocking": True}
    assert result.project.why("number").state == "up_to_date"
    assert result.project.plan().steps == ()
