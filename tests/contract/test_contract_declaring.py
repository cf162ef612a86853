"""CONTRACT, "Declaring": decorators, keys, parameters, mappings, constructors, as a project outside writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pytest

from assetflow import (
    NO_DATA,
    AllPartitions,
    AssetContext,
    AssetflowError,
    Batch,
    CheckResult,
    DailyPartitions,
    Definitions,
    Field,
    HourlyPartitions,
    Identity,
    Input,
    LastN,
    MonthlyPartitions,
    Out,
    Project,
    Schema,
    StaticPartitions,
    TimeWindow,
    WeeklyPartitions,
    asset,
    asset_check,
    materialize,
    multi_asset,
    observable_source,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")


class Daily(Schema):
    origin: str
    temp_max: float | None = Field(ge=-60, le=140)


def mistakes(*declared: Any, checks: Any = (), **others: Any) -> str:
    """What is wrong with these declarations, as the text that people read."""
    with pytest.raises(AssetflowError) as caught:
        Project(Definitions(assets=list(declared), checks=list(checks), **others))
    assert caught.value.exit_code == 2
    return str(caught.value)


def edge(graph: Any, downstream: str, parameter: str) -> Any:
    (found,) = [each for each in graph.node_of(downstream).edges if each.parameter == parameter]
    return found


def test_the_first_example_of_the_contract_runs_but_for_its_policy() -> None:
    days = DailyPartitions("2013-01-01", end="2013-01-03", timezone="America/New_York")
    hours = HourlyPartitions("2013-01-01", end="2013-01-03", timezone="America/New_York")

    @asset(partitions=hours)
    def weather_hourly(context: AssetContext) -> pd.DataFrame:
        hour = context.partition_start.hour
        return pd.DataFrame({"origin": ["EWR", "JFK", "LGA"], "temp": [hour, hour + 0.5, hour + 1.0]})

    @asset(partitions=days, group="weather", owners=["team:weather"])
    def weather_daily(context: AssetContext, weather_hourly: pd.DataFrame) -> Annotated[pd.DataFrame, Daily]:
        """Highest temperature per airport and local day."""
        return weather_hourly.groupby("origin", as_index=False).agg(temp_max=("temp", "max"))

    @asset_check(asset="weather_daily", blocking=True)
    def three_airports(weather_daily: pd.DataFrame) -> CheckResult:
        return CheckResult(passed=weather_daily["origin"].nunique() == 3, metadata={"origins": 3})

    result = materialize([weather_hourly, weather_daily, three_airports], now=NOW)

    assert result.status == "success"
    assert result.counts["materialized"] == 50
    loaded: Any = result.value("weather_daily", "2013-01-02")
    assert loaded["temp_max"].tolist() == [23.0, 23.5, 24.0]


def test_a_decorated_asset_stays_the_plain_function() -> None:
    def plain(a: int, b: int = 2) -> int:
        return a + b

    bare, called = asset(plain), asset(name="other")(lambda: 1)

    assert bare is plain
    assert bare(1) == 3
    assert called() == 1


def test_a_parameter_with_a_default_that_is_no_asset_keeps_its_default() -> None:
    @asset
    def one() -> int:
        return 1

    @asset
    def two(one: int, factor: int = 2) -> int:
        return one * factor

    assert materialize([one, two]).value("two") == 2


def test_every_keyword_of_an_asset_that_is_due_is_taken() -> None:
    @asset
    def upstream() -> int:
        return 1

    @asset
    def other() -> int:
        return 2

    class Numbers(Schema):
        n: int

    @asset(
        name="whole",
        deps=[other],
        inputs={"value": Input(upstream, mapping=None, missing="wait")},
        partitions=DAYS,
        io_manager="parquet",
        schema=Numbers,
        code_version="3",
        batch=Batch(max_partitions=2),
        group="g",
        owners=["me"],
        tags={"k": "v"},
        kinds=["table"],
        description="about it",
        metadata={"cost": 3},
        hashing="rows",
        on_drift="fail",
    )
    def declared(context: AssetContext, value: int) -> pd.DataFrame:
        return pd.DataFrame({"n": [value] * len(context.partition_keys), "partition": context.partition_keys})

    result = materialize([upstream, other, declared], now=NOW)

    assert result.status == "success"
    assert result.counts["materialized"] == 6


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("automation_condition", object()),
        ("on_drift", "evolve"),
        ("on_drift", "warn"),
    ],
)
def test_a_keyword_whose_feature_is_not_there_yet_is_refused(keyword: str, value: Any) -> None:
    @asset(**{keyword: value})
    def some() -> int:
        return 1

    said = mistakes(some)

    assert "some" in said
    assert keyword in said


@pytest.mark.parametrize("argument", ["resources", "schedules", "sensors", "alerts"])
def test_parts_of_definitions_that_are_not_there_yet_are_refused(argument: str) -> None:
    given: Any = {"a": 1} if argument == "resources" else [object()]

    assert argument in mistakes(**{argument: given})


def test_an_input_that_asks_for_what_is_not_there_yet_is_refused() -> None:
    @asset
    def up() -> int:
        return 1

    @asset(inputs={"up": Input("up", schema=Daily)})
    def down(up: int) -> int:
        return up

    assert "schema" in mistakes(up, down)


@pytest.mark.parametrize("keyword", ["loader", "io_manager"])
def test_a_source_that_asks_for_what_is_not_there_yet_is_refused(keyword: str) -> None:
    given: Any = {keyword: "parquet"}

    @observable_source(**given)
    def raw() -> str:
        return "1"

    assert keyword in mistakes(raw)


def test_can_subset_is_refused() -> None:
    @multi_asset(outs={"a": Out(), "b": Out()}, can_subset=True)
    def both() -> dict[str, int]:
        return {"a": 1, "b": 2}

    assert "can_subset" in mistakes(both)


@pytest.mark.parametrize("key", ["orders", "raw/orders", "_x", "raw/and", "a/b/c", "Orders2", "nothing", "or_else"])
def test_keys_that_are_fine(key: str) -> None:
    @asset(name=key)
    def some() -> int:
        return 1

    assert materialize([some]).value(key) == 1


@pytest.mark.parametrize("key", ["and", "or", "not", "2x", "a//b", "/a", "a/", "a b", "a-b", "a@b", "é", "a.b", "*"])
def test_keys_that_are_refused(key: str) -> None:
    @asset(name=key)
    def some() -> int:
        return 1

    assert key in mistakes(some)


def test_wherever_an_asset_is_named_its_key_or_the_decorated_object_does() -> None:
    @asset(name="raw/orders")
    def orders() -> int:
        return 1

    @asset(deps=[orders, "second"], inputs={"a": Input(orders), "b": Input("raw/orders")})
    def down(a: int, b: int) -> int:
        return a + b

    @asset
    def second() -> int:
        return 2

    @asset_check(asset=orders)
    def by_object(orders: int) -> bool:
        return orders == 1

    @asset_check(asset="raw/orders")
    def by_key(orders: int) -> bool:
        return orders == 1

    with Project(Definitions(assets=[orders, down, second], checks=[by_object, by_key])) as project:
        assert project.materialize().status == "success"
        assert project.load("down") == 2
        found = project.catalog.query("select check_name, passed from checks order by 1").to_pylist()
    assert found == [{"check_name": "by_key", "passed": True}, {"check_name": "by_object", "passed": True}]


def test_a_parameter_means_the_key_of_that_name_only() -> None:
    @asset(name="raw/orders")
    def orders() -> int:
        return 1

    @asset
    def down(orders: int) -> int:
        return orders

    said = mistakes(orders, down)
    assert "down" in said
    assert "raw/orders" in said, "the nearest name is offered"


def test_several_parameters_may_read_one_asset() -> None:
    @asset(partitions=DAYS)
    def daily(context: AssetContext) -> int:
        return context.partition_start.day

    @asset(
        partitions=DAYS,
        inputs={"today": Input(daily), "before": Input(daily, mapping=TimeWindow(-1, -1), missing="allow")},
    )
    def change(today: int, before: dict[str, int]) -> int:
        return today - sum(before.values())

    result = materialize([daily, change], now=NOW)

    assert [result.value("change", key) for key in ("2024-01-30", "2024-01-31", "2024-02-01")] == [30, 1, -30]


def test_context_is_taken_before_an_asset_of_that_name() -> None:
    @asset
    def down(context: AssetContext) -> str:
        assert context.partition_keys == ()
        return f"{context.asset} {context.attempt} {bool(context.run_id)}"

    assert materialize([down]).value("down") == "down 1 True"


def test_the_context_gives_key_window_log_and_metadata() -> None:
    days = DailyPartitions("2024-03-10", end="2024-03-11", timezone="America/New_York")

    @asset(partitions=days)
    def daily(context: AssetContext) -> dict[str, object]:
        context.log.info("built")
        context.add_metadata(rows=3, source="x")
        hours = (context.partition_end - context.partition_start) / timedelta(hours=1)
        utc = (context.partition_end.astimezone(UTC) - context.partition_start.astimezone(UTC)) / timedelta(hours=1)
        return {
            "key": context.partition_key,
            "keys": list(context.partition_keys),
            "start": context.partition_start.isoformat(),
            "end": context.partition_end.isoformat(),
            "hours": [hours, utc],
        }

    assert materialize([daily], now=datetime(2024, 4, 1, tzinfo=UTC)).value("daily", "2024-03-10") == {
        "key": "2024-03-10",
        "keys": ["2024-03-10"],
        "start": "2024-03-10T00:00:00-05:00",
        "end": "2024-03-11T00:00:00-04:00",
        "hours": [24.0, 23.0],
    }


def test_default_mappings() -> None:
    hours = HourlyPartitions("2024-01-30", end="2024-02-03")
    letters = StaticPartitions(["a", "b"])

    @asset(partitions=hours)
    def hourly() -> int:
        return 1

    @asset(partitions=DAYS)
    def daily(hourly: dict[str, int]) -> int:
        return sum(hourly.values())

    @asset(partitions=DAYS)
    def same(daily: int) -> int:
        return daily

    @asset(partitions=hours)
    def finer(daily: int) -> int:
        return daily

    @asset
    def whole(daily: dict[str, int]) -> int:
        return sum(daily.values())

    @asset(partitions=letters)
    def lettered(whole: int) -> int:
        return whole

    @asset(partitions=StaticPartitions(["a", "b"]))
    def lettered_too(lettered: int) -> int:
        return lettered

    declared = [hourly, daily, same, finer, whole, lettered, lettered_too]
    result = materialize(declared, now=NOW)
    graph = result.project.graph

    assert isinstance(edge(graph, "daily", "hourly").mapping, TimeWindow)
    assert isinstance(edge(graph, "same", "daily").mapping, Identity)
    assert isinstance(edge(graph, "finer", "daily").mapping, TimeWindow)
    assert isinstance(edge(graph, "whole", "daily").mapping, AllPartitions)
    assert isinstance(edge(graph, "lettered_too", "lettered").mapping, Identity)
    assert (edge(graph, "whole", "daily").missing, edge(graph, "daily", "hourly").missing) == ("allow", "wait")
    assert result.value("lettered_too", "b") == 96


def test_a_mapping_that_cannot_be_inferred_says_how_to_state_one() -> None:
    @asset(partitions=StaticPartitions(["a", "b"]))
    def lettered() -> int:
        return 1

    @asset(partitions=DAYS)
    def daily(lettered: int) -> int:
        return 1

    said = mistakes(lettered, daily)
    assert "mapping=" in said
    assert "daily" in said
    assert "lettered" in said


def test_missing_is_allow_for_all_partitions_and_last_n_and_wait_otherwise() -> None:
    @asset(partitions=DAYS)
    def up() -> int:
        return 1

    @asset(
        inputs={
            "a": Input(up, mapping=LastN(2)),
            "b": Input(up, mapping=AllPartitions()),
            "c": Input(up, mapping=AllPartitions(), missing="wait"),
        },
    )
    def down(a: dict[str, int], b: dict[str, int], c: dict[str, int]) -> int:
        return 1

    graph = Project([up, down]).graph

    assert [edge(graph, "down", name).missing for name in "abc"] == ["allow", "allow", "wait"]


def test_deps_take_inputs_too(tmp_path: Path) -> None:
    given: dict[str, str | None] = {"2024-01-30": "x"}

    @observable_source(partitions=DAYS)
    def raw() -> dict[str, str | None]:
        return given

    @asset(partitions=DAYS, deps=[Input(raw, missing="allow")])
    def allowing(context: AssetContext) -> int:
        return 1

    @asset(partitions=DAYS, deps=["raw"])
    def waiting(context: AssetContext) -> int:
        return 1

    defs = Definitions(assets=[raw, allowing, waiting])
    with Project(defs, store=f"sqlite:///{tmp_path}/s.db", storage=tmp_path / "data") as project:
        result = project.materialize(now=NOW)
        assert {name: dict(result.by_asset.get(name, {})) for name in ("allowing", "waiting")}
        rows = {row["asset"]: row["partitions"] for row in project.status(now=NOW).to_dict()["assets"]}
        assert rows["allowing"]["up_to_date"] == 4
        assert (rows["waiting"]["up_to_date"], rows["waiting"]["waiting"]) == (1, 3)
        given["2024-01-31"] = "late"
        (step_a, step_w) = project.plan(now=NOW).steps
    assert [(step.computation, step.to_dict()["partitions"]) for step in (step_a, step_w)] == [
        ("allowing", {"count": 1, "ranges": [["2024-01-31", "2024-01-31"]]}),
        ("waiting", {"count": 1, "ranges": [["2024-01-31", "2024-01-31"]]}),
    ]


def test_constructors_take_what_the_contract_says() -> None:
    for definition in (
        DailyPartitions("2013-01-01", end="2014-01-01", timezone="America/New_York", end_offset=1),
        DailyPartitions(date(2013, 1, 1)),
        HourlyPartitions("2013-01-01", None, "UTC", 0),
        WeeklyPartitions("2013-01-06", week_start="sunday"),
        MonthlyPartitions("2013-01", end="2014-01"),
        MonthlyPartitions("2013-01-01"),
        StaticPartitions(["a"]),
    ):
        assert definition.problems() == []
    assert WeeklyPartitions("2013-01-07").week_start == "monday"
    assert TimeWindow() == TimeWindow(start_offset=0, end_offset=0, allow_nonexistent=True)
    assert LastN(3).n == 3
    assert Input("a") == Input("a", mapping=None, schema=None, columns=None, late_tolerance=None)


def test_multi_asset_returns_a_dict_by_name_or_a_tuple_in_order() -> None:
    @multi_asset(outs={"orders": Out(schema=None), "items": Out()})
    def by_name() -> dict[str, Any]:
        return {"items": 2, "orders": 1}

    @multi_asset(outs={"low": Out(), "high": Out()}, partitions=DAYS)
    def in_order(context: AssetContext) -> tuple[int, int]:
        return 1, 2

    result = materialize([by_name, in_order], now=NOW)

    assert (result.value("orders"), result.value("items")) == (1, 2)
    assert (result.value("low", "2024-01-31"), result.value("high", "2024-01-31")) == (1, 2)
    assert [step.computation for step in result.plan.steps] == ["by_name", "in_order"]
    assert result.plan.totals["partitions"] == 2 + 8


def test_one_output_of_a_multi_asset_without_data() -> None:
    @multi_asset(outs={"a": Out(), "b": Out()})
    def both() -> dict[str, Any]:
        return {"a": NO_DATA, "b": 1}

    @asset(deps=["a"])
    def down(b: int) -> int:
        return b

    result = materialize([both, down])
    assert result.counts["materialized"] == 3
    assert result.project.catalog.query("select asset, state, row_count from partitions order by asset").num_rows == 3


def test_outputs_of_a_multi_asset_fail_together_when_a_check_of_one_blocks() -> None:
    @multi_asset(outs={"a": Out(), "b": Out()})
    def both() -> dict[str, int]:
        return {"a": 1, "b": 2}

    @asset_check(asset="a", blocking=True)
    def never(a: int) -> bool:
        return False

    result = materialize([both, never])

    assert result.status == "failed"
    assert sum(result.counts.values()) == 2
    assert result.counts["materialized"] == 0
    for name in ("a", "b"):
        with pytest.raises(AssetflowError):
            result.value(name)


def test_definitions_from_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "outside_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from assetflow import asset\n@asset\ndef one() -> int:\n    return 1\n")
    (package / "two.py").write_text(
        "from assetflow import asset, asset_check, observable_source\n"
        "from outside_pkg.one import one\n"
        "@observable_source\ndef raw() -> str:\n    return '1'\n"
        "@asset(deps=[raw])\ndef two(one: int) -> int:\n    return one + 1\n"
        "@asset_check(asset=two)\ndef positive(two: int) -> bool:\n    return two > 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import outside_pkg  # pyright: ignore[reportMissingImports]

    for target in (outside_pkg, "outside_pkg"):
        with Project(Definitions.from_modules(target)) as project:
            assert set(project.graph.owner) == {"one", "two", "raw"}
            assert project.materialize().counts["materialized"] == 2
            assert project.load("two") == 2


def test_an_observable_source_works_bare_and_takes_no_value() -> None:
    @observable_source
    def raw() -> str:
        return "1"

    @asset
    def down(raw: str) -> str:
        return raw

    said = mistakes(raw, down)
    assert "deps" in said


def test_the_description_is_the_docstring_unless_it_is_given() -> None:
    @asset
    def told() -> int:
        """Orders by day.

        More about them.
        """
        return 1

    @asset(description="given")
    def given() -> int:
        """Not this."""
        return 1

    table = materialize([told, given]).project.catalog.query("select asset, description from assets order by asset")

    assert table.column("description").to_pylist() == ["given", "Orders by day."]


def test_all_mistakes_are_told_together_each_with_its_place() -> None:
    @asset
    def down(ordrs: int) -> int:
        return ordrs

    @asset
    def orders(pool_of: int) -> int:
        return pool_of

    @asset(partitions=DailyPartitions("2024-02-01", end="2024-01-01"), on_drift="warn")
    def bounds() -> int:
        return 1

    said = mistakes(down, orders, bounds)

    assert said.count(Path(__file__).name) >= 4
    assert "orders" in said
    assert "on_drift" in said
    assert "2024-01-01" in said


def test_a_cycle_is_drawn() -> None:
    @asset
    def a(c: int) -> int:
        return c

    @asset
    def b(a: int) -> int:
        return a

    @asset
    def c(b: int) -> int:
        return b

    said = mistakes(a, b, c)
    assert "a" in said
    assert "->" in said
