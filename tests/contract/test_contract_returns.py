"""CONTRACT, "Returns" and ``Input``: what a returned value becomes, and what arrives where there is nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from assetflow import (
    NO_DATA,
    AllPartitions,
    AssetContext,
    AssetflowError,
    CheckResult,
    DailyPartitions,
    Definitions,
    Field,
    Input,
    LastN,
    MonthlyPartitions,
    Project,
    Schema,
    StaticPartitions,
    asset,
    asset_check,
    materialize,
    observable_source,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")


class Numbers(Schema):
    n: int
    text: str | None = Field(isin=["a", "b"])


def opened(*declared: Any, **options: Any) -> Project:
    return Project(Definitions(assets=list(declared)), clock=lambda: NOW, **options)


def message(result: Any) -> str:
    (failure,) = result.failures
    return str(failure.error["message"])


@asset(partitions=DAYS)
def table(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"n": [context.partition_start.day], "day": [context.partition_key]})


def test_plain_python_values_come_back_equal() -> None:
    @dataclass(frozen=True)
    class Point:
        x: int

    values: dict[str, Any] = {
        "number": 3,
        "text": "é\u2028",
        "nothing_in_it": [],
        "nested": {"a": [1, 2.5, None, True]},
        "when": dt.date(2024, 1, 1),
        "octets": b"\x00\xff",
        "a_set": {1, 2},
        "pair": (1, "a"),
        "number_keys": {1: "a"},
        "long": "x" * 50_000,
    }

    def giver(value: Any) -> Callable[[], Any]:
        return lambda: value

    declared = [asset(name=name, code_version="1")(giver(value)) for name, value in values.items()]
    result = materialize(declared)

    assert result.status == "success", result.failures
    assert {name: result.value(name) for name in values} == values
    assert {name: type(result.value(name)) for name in values} == {name: type(value) for name, value in values.items()}


def test_returning_none_is_an_error_unless_it_is_declared() -> None:
    @asset
    def undeclared():  # type: ignore[no-untyped-def]
        return None

    @asset
    def optional() -> int | None:
        return None

    @asset
    def effect() -> None:
        return None

    @asset(deps=["effect"])
    def after() -> int:
        return 1

    result = materialize([undeclared, optional, effect, after])

    assert (result.counts["failed"], result.counts["materialized"]) == (2, 2)
    assert all("None" in str(failure.error["message"]) for failure in result.failures)


def test_an_effect_that_returns_something_is_an_error() -> None:
    @asset
    def effect() -> None:
        return 3  # type: ignore[return-value]

    assert materialize([effect]).counts["failed"] == 1


def test_an_effect_is_loadable_by_nobody() -> None:
    @asset
    def effect() -> None:
        return None

    @asset
    def down(effect: int) -> int:
        return effect

    with pytest.raises(AssetflowError, match="effect") as caught:
        Project([effect, down])
    assert caught.value.exit_code == 2
    with pytest.raises(AssetflowError, match="effect"):
        materialize([effect]).value("effect")


def test_when_all_is_empty_the_function_is_not_called_and_nothing_is_checked() -> None:
    calls: list[str] = []

    @asset(partitions=DAYS)
    def up(context: AssetContext) -> pd.DataFrame:
        return NO_DATA

    @asset(partitions=DAYS, code_version="1")
    def down(up: pd.DataFrame) -> pd.DataFrame:
        calls.append("down")
        return up

    @asset_check(asset=down, blocking=True, code_version="1")
    def never(down: pd.DataFrame) -> bool:
        calls.append("never")
        return False

    result = materialize([up, down, never], now=NOW)

    assert (result.status, calls, result.counts["materialized"]) == ("success", [], 8)
    states = {row["asset"]: row["partitions"] for row in result.project.status(now=NOW).to_dict()["assets"]}
    assert states["down"]["empty"] == states["down"]["up_to_date"] == 4
    assert result.project.plan(now=NOW).steps == ()


def test_absent_with_allow_publishes_empty_and_a_late_arrival_makes_it_stale() -> None:
    given: dict[str, str | None] = {}
    calls: list[str] = []

    @observable_source(partitions=DAYS)
    def raw() -> dict[str, str | None]:
        return given

    @asset(partitions=DAYS, deps=[raw])
    def up() -> int:
        return 1

    @asset(partitions=DAYS, inputs={"up": Input(up, missing="allow")}, code_version="1")
    def down(up: int) -> int:
        calls.append("down")
        return up

    with opened(raw, up, down) as project:
        result = project.materialize()
        assert calls == []
        assert (result.counts["materialized"], result.counts["waiting"]) == (4, 4)
        given["2024-01-31"] = "late"
        steps = {step.computation: step.to_dict()["partitions"] for step in project.plan().steps}
        assert steps == {name: {"count": 1, "ranges": [["2024-01-31", "2024-01-31"]]} for name in ("up", "down")}
        project.materialize()
        assert calls == ["down"]
        assert project.load("down", "2024-01-31") == 1


def test_what_arrives_when_only_some_have_nothing() -> None:
    empty = [False]
    seen: dict[str, Any] = {}

    @asset(partitions=DAYS, code_version="1")
    def frames() -> pd.DataFrame:
        return NO_DATA if empty[0] else pd.DataFrame({"n": [1], "text": ["a"]})

    @asset(code_version="1")
    def value() -> int:
        return NO_DATA if empty[0] else 3

    @asset
    def always() -> int:
        return 1

    @asset(
        inputs={
            "as_frame": Input(frames),
            "as_arrow": Input(frames),
            "as_dataset": Input(frames),
            "as_relation": Input(frames),
            "as_dict": Input(frames),
            "as_paths": Input(frames),
            "narrow": Input(frames, columns=["text"]),
        },
        code_version="1",
    )
    def down(
        as_frame: pd.DataFrame,
        as_arrow: pa.Table,
        as_dataset: ds.Dataset,
        as_relation: duckdb.DuckDBPyRelation,
        as_dict: dict[str, pd.DataFrame],
        as_paths: list[Path],
        narrow: pd.DataFrame,
        value: int | None,
        always: int,
    ) -> int:
        seen.update(
            frame=(list(as_frame.columns), len(as_frame)),
            arrow=(as_arrow.column_names, as_arrow.num_rows),
            dataset=(as_dataset.schema.names, as_dataset.count_rows()),
            relation=(as_relation.columns, len(as_relation.fetchall())),
            dict=as_dict,
            paths=as_paths,
            narrow=list(narrow.columns),
            value=value,
        )
        return always

    with opened(frames, value, always, down) as project:
        project.materialize()
        empty[0] = True
        result = project.materialize(force=True)

    names = ["n", "text"]
    assert result.status == "success", result.failures
    assert seen == {
        **dict.fromkeys(("frame", "arrow", "dataset", "relation"), (names, 0)),
        "dict": {},
        "paths": [],
        "narrow": ["text"],
        "value": None,
    }


def test_the_columns_of_a_schema_are_known_before_there_was_any_data() -> None:
    seen: list[list[str]] = []

    @asset(schema=Numbers)
    def frames() -> pd.DataFrame:
        return NO_DATA

    @asset
    def always() -> int:
        return 1

    @asset(code_version="1")
    def down(frames: pd.DataFrame, always: int) -> int:
        seen.append(list(frames.columns))
        return always

    result = materialize([frames, always, down])

    assert result.status == "success", result.failures
    assert seen == [["n", "text"]]


def test_an_asset_with_deps_only_is_always_called() -> None:
    calls: list[str] = []

    @observable_source
    def raw() -> None:
        return None

    @asset
    def nothing() -> int:
        return NO_DATA

    @asset(deps=[raw, nothing], code_version="1")
    def down() -> int:
        calls.append("down")
        return 1

    materialize([raw, nothing, down])

    assert calls == ["down"]


def test_an_empty_partition_is_skipped_by_loads_and_passed_by_the_watermark() -> None:
    @observable_source(partitions=DAYS)
    def raw() -> dict[str, str | None]:
        return {"2024-01-30": "a", "2024-01-31": None, "2024-02-01": "c", "2024-02-02": "d"}

    @asset(partitions=DAYS, deps=[raw])
    def day(context: AssetContext) -> pd.DataFrame:
        if context.partition_key == "2024-01-31":
            return NO_DATA
        return pd.DataFrame({"n": [1]})

    @asset
    def all_days(day: dict[str, pd.DataFrame]) -> list[str]:
        return list(day)

    with opened(raw, day, all_days) as project:
        project.materialize()
        assert project.load("all_days") == ["2024-01-30", "2024-02-01", "2024-02-02"]
        rows = {row["asset"]: row for row in project.status().to_dict()["assets"]}
        assert rows["day"]["watermark"] == rows["raw"]["watermark"] == "2024-02-03T00:00:00+00:00"
        assert (rows["day"]["gaps"], rows["day"]["partitions"]["empty"]) == ([], 1)


def test_missing_wait_waits_for_every_expected_partition_and_says_for_which() -> None:
    months = MonthlyPartitions("2024-01", end="2024-02")
    days = DailyPartitions("2024-01-28", end="2024-02-01")

    @observable_source(partitions=days)
    def raw() -> dict[str, str]:
        return {"2024-01-28": "a", "2024-01-30": "c"}

    @asset(partitions=days, deps=[raw])
    def day() -> int:
        return 1

    @asset(partitions=months)
    def month(day: dict[str, int]) -> int:
        return sum(day.values())

    with opened(raw, day, month) as project:
        result = project.materialize()
        assert (result.status, result.counts["waiting"], result.counts["materialized"]) == ("success", 3, 2)
        found = project.why("month", "2024-01")
        assert found.state == "waiting"
        assert found.causes[0].kind == "waiting"
        waiting = {entry["asset"]: entry["for"] for entry in project.plan().to_dict()["waiting"]}  # type: ignore[attr-defined]
    assert waiting["day"] == ["raw@2024-01-29", "raw@2024-01-31"]
    assert waiting["month"] == ["day@2024-01-29", "day@2024-01-31"]


def test_allow_uses_what_is_there_and_a_late_one_makes_exactly_that_stale() -> None:
    months = MonthlyPartitions("2024-01", end="2024-03")
    days = DailyPartitions("2024-01-28", end="2024-03-01")
    given = {"2024-01-28": "a", "2024-02-01": "b"}

    @observable_source(partitions=days)
    def raw() -> dict[str, str]:
        return dict(given)

    @asset(partitions=days, deps=[raw])
    def day() -> int:
        return 1

    @asset(partitions=months, inputs={"day": Input(day, missing="allow")})
    def month(day: dict[str, int]) -> int:
        return sum(day.values())

    with Project([raw, day, month], clock=lambda: datetime(2024, 4, 1, tzinfo=UTC)) as project:
        project.materialize()
        assert [project.load("month", key) for key in ("2024-01", "2024-02")] == [1, 1]
        given["2024-01-31"] = "late"
        project.materialize("day")
        states = [project.why("month", key).state for key in ("2024-01", "2024-02")]
        assert states == ["stale", "up_to_date"]
        assert [cause.kind for cause in project.why("month", "2024-01").causes] == ["input_changed"]


def test_last_n_and_all_partitions() -> None:
    @asset(
        inputs={"last": Input(table, mapping=LastN(2)), "every": Input(table, mapping=AllPartitions())},
    )
    def down(last: dict[str, pd.DataFrame], every: dict[str, pd.DataFrame]) -> list[list[str]]:
        return [list(last), list(every)]

    days = ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"]
    assert materialize([table, down], now=NOW).value("down") == [days[2:], days]


def test_static_partitions_of_all_go_in_the_order_of_the_definition() -> None:
    @asset(partitions=StaticPartitions(["z", "a", "m"]))
    def letters(context: AssetContext) -> str:
        return context.partition_key

    @asset
    def joined(letters: dict[str, str]) -> str:
        return "".join(letters.values())

    assert materialize([letters, joined]).value("joined") == "zam"


def test_paths_are_those_of_the_published_files() -> None:
    @asset
    def down(table: list[Path]) -> list[bool]:
        return [path.is_absolute() and path.is_file() for path in table]

    assert materialize([table, down], now=NOW).value("down") == [True] * 4


def test_a_handed_over_value_is_what_load_gives_and_never_the_users_own_object() -> None:
    kept: list[Any] = []

    @asset(code_version="1")
    def up() -> dict[str, list[int]]:
        value = {"a": [1]}
        kept.append(value)
        return value

    @asset(code_version="1")
    def first(up: dict[str, list[int]]) -> int:
        up["a"].append(2)
        return len(up["a"])

    @asset(code_version="1")
    def second(up: dict[str, list[int]]) -> int:
        return len(up["a"])

    result = materialize([up, first, second])

    assert (result.value("first"), result.value("second")) == (2, 1)
    assert kept == [{"a": [1]}]


def test_a_named_tuple_and_its_kin_come_back_or_fail_clearly() -> None:
    class Point(NamedTuple):
        x: int

    @asset(code_version="1")
    def point() -> Any:
        return Point(1)

    result = materialize([point])
    assert result.status == "failed" or result.value("point") == Point(1)


def test_checks_see_the_form_that_they_annotate() -> None:
    @asset_check(asset=table)
    def as_arrow(table: pa.Table) -> CheckResult:
        return CheckResult(passed=isinstance(table, pa.Table) and table.num_rows == 1)

    @asset_check(asset=table)
    def with_context(context: AssetContext, table: pd.DataFrame) -> bool:
        return table["day"].tolist() == [context.partition_key]

    result = materialize([table, as_arrow, with_context], now=NOW)

    passed = result.project.catalog.query("select passed, count(*) as n from checks group by all").to_pylist()
    assert passed == [{"passed": True, "n": 8}]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (float("nan"), None),
        ({"a": [float("inf"), 1]}, {"a": [None, 1]}),
        ({(1, 2): 3}, {"(1, 2)": 3}),
        (np.arange(3), [0, 1, 2]),
        (pd.Series([1.5]), [1.5]),
        (np.float32(1.5), 1.5),
        (dt.datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00"),
        (Path("x"), "x"),
        (10**5000, "<int>"),
        (float, "<class 'float'>"),
    ],
    ids=lambda value: str(type(value)),
)
def test_metadata_of_any_kind_is_kept_as_json(value: Any, kept: Any) -> None:
    @asset(code_version="1")
    def number(context: AssetContext) -> int:
        context.add_metadata(it=value)
        return 1

    @asset_check(asset=number, code_version="1")
    def check(number: int) -> CheckResult:
        return CheckResult(passed=True, metadata={"it": value})

    result = materialize([number, check])
    (row,) = result.project.catalog.query("select metadata from checks").to_pylist()

    assert result.status == "success", result.failures
    assert json.loads(row["metadata"], parse_constant=pytest.fail) == {"it": kept}


@pytest.mark.parametrize("returned", [None, "yes", 1, CheckResult(passed="yes"), CheckResult(True, severity="fatal")])  # type: ignore[arg-type]
def test_a_check_that_gives_no_answer_has_not_passed(returned: Any) -> None:
    @asset
    def number() -> int:
        return 1

    @asset_check(asset=number, blocking=True, code_version="1")
    def check(number: int) -> Any:
        return returned

    result = materialize([number, check])

    assert result.counts["quarantined"] == 1
    assert "returned" in message(result)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "error",
    [ValueError("\ud800"), ValueError("x" * 100_000), Unspeakable(), ValueError("\x00"), SystemExit(3), ValueError()],
)
def test_whatever_user_code_raises_is_a_failure_of_its_partition(error: BaseException) -> None:
    @asset(code_version="1")
    def broken() -> int:
        raise error

    @asset(code_version="1")
    def fine() -> int:
        return 1

    @asset_check(asset=fine, code_version="1")
    def check(fine: int) -> bool:
        raise error

    @observable_source
    def raw() -> str:
        raise error

    result = materialize([broken, fine, check, raw])

    assert (result.counts["failed"], result.counts["materialized"]) == (1, 1)
    assert json.dumps(result.to_dict())
    assert result.project.catalog.query("select error from steps").num_rows == 2
    assert result.project.run(str(result.run_id))["status"] == "failed"
