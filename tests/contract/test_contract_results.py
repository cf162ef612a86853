"""CONTRACT, "A project": what Python programs get from plan, materialize, why, status, versions, rollback, accept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import assetflow
from assetflow import (
    AssetContext,
    AssetflowError,
    DailyPartitions,
    Definitions,
    Input,
    Out,
    Project,
    asset,
    asset_check,
    materialize,
    multi_asset,
    observable_source,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")
COUNTS = {"materialized", "unchanged", "reused", "failed", "quarantined", "blocked", "waiting", "canceled"}
KINDS = {
    *("missing", "waiting", "code_changed", "input_changed", "upstream_stale", "schema_changed", "check_failed"),
    *("failed", "expired", "forced"),
}


def opened(folder: Path, *declared: Any, **options: Any) -> Project:
    return Project(
        Definitions(assets=list(declared)),
        store=f"sqlite:///{folder}/store.db",
        storage=folder / "data",
        clock=lambda: NOW,
        **options,
    )


def counted(result: Any) -> dict[str, int]:
    assert set(result.counts) == COUNTS
    lacking = sum(
        (entry.to_dict()["partitions"] or {"count": 1})["count"] * len(entry.outputs) for entry in result.plan.waiting
    )
    assert sum(result.counts.values()) == result.plan.totals["partitions"] + lacking
    document = result.to_dict()
    assert set(document["counts"]) == COUNTS
    assert document["counts"] == dict(result.counts)
    assert {"run_id", "status", "counts", "seconds", "failures"} <= set(document)
    return {name: number for name, number in result.counts.items() if number}


def version_of(text: str, name: str = "number") -> Any:
    """An asset whose code version is ``text`` and whose value is, too."""

    def number() -> str:
        return text

    return asset(name=name, code_version=text)(number)


def test_every_public_name_of_the_first_example_that_is_due_can_be_imported() -> None:
    names = """
        asset multi_asset asset_check observable_source Definitions Input Out Schema Field NO_DATA DailyPartitions
        HourlyPartitions WeeklyPartitions MonthlyPartitions StaticPartitions Identity TimeWindow LastN AllPartitions
        Batch CheckResult AssetContext Project materialize AssetflowError
    """
    for name in names.split():
        assert hasattr(assetflow, name)
        assert name in assetflow.__all__


def test_counts_of_every_outcome_sum_up(tmp_path: Path) -> None:
    broken = [True]

    @observable_source(partitions=DAYS)
    def raw() -> dict[str, str | None]:
        return {"2024-01-30": "a", "2024-01-31": None, "2024-02-01": "c"}

    @asset(partitions=DAYS, deps=[raw], code_version="1")
    def day(context: AssetContext) -> int:
        if broken[0] and context.partition_key == "2024-01-31":
            raise ValueError("no")
        return context.partition_start.day

    @asset(partitions=DAYS)
    def after(day: int) -> int:
        return day

    @asset(inputs={"day": Input(day, missing="allow")})
    def lenient(day: dict[str, int]) -> int:
        return sum(day.values())

    @multi_asset(outs={"a": Out(), "b": Out()}, partitions=DAYS, deps=[day])
    def both() -> tuple[int, int]:
        return 1, 2

    @asset_check(asset=after, blocking=True)
    def small(after: int) -> bool:
        return after < 30

    with opened(tmp_path, raw, day, after, lenient, both, small) as project:
        first = project.materialize()
        assert counted(first) == {
            "materialized": 2 + 1 + 4,
            "failed": 1,
            "quarantined": 1,
            "blocked": 1 + 1 + 2,
            "waiting": 1 + 1 + 2,
        }
        assert first.status == "failed"
        assert {(failure.asset, failure.partition) for failure in first.failures} == {
            ("day", "2024-01-31"),
            ("after", "2024-01-30"),
        }
        for failure in first.failures:
            assert {"type", "message", "hint", "location"} <= set(failure.error)
        broken[0] = False
        second = project.materialize()
        assert counted(second) == {"materialized": 1 + 1 + 2, "quarantined": 2, "waiting": 4}


def test_nothing_to_do_is_a_success_without_a_run() -> None:
    first = materialize([version_of("1")])
    again = first.project.materialize()

    assert (again.status, again.run_id, counted(again)) == ("success", None, {})
    assert again.to_dict()["run_id"] is None


def test_the_plan_document(tmp_path: Path) -> None:
    @observable_source(partitions=DAYS)
    def raw() -> dict[str, str]:
        return {"2024-01-30": "a", "2024-01-31": "b", "2024-02-02": "c"}

    @multi_asset(outs={"a": Out(), "b": Out()}, partitions=DAYS, deps=[raw], code_version="1")
    def both() -> tuple[int, int]:
        return 1, 2

    @asset(inputs={"a": Input("a", missing="allow")}, code_version="1")
    def whole(a: dict[str, int]) -> int:
        return 1

    with opened(tmp_path, raw, both, whole) as project:
        plan: Any = project.plan().to_dict()
        assert project.plan().to_dict()["plan_id"] == plan["plan_id"], "the same plan has the same id"
    assert {"plan_id", "as_of", "steps", "totals", "waiting", "outside"} <= set(plan)
    assert datetime.fromisoformat(plan["as_of"]) == NOW
    one, two = plan["steps"]
    assert (one["asset"], one["outputs"], one["certainty"]) == ("both", ["a", "b"], "will")
    assert one["partitions"] == {
        "count": 3,
        "ranges": [["2024-01-30", "2024-01-31"], ["2024-02-02", "2024-02-02"]],
    }
    assert (two["asset"], two["outputs"], two["partitions"]) == ("whole", ["whole"], None)
    for step in plan["steps"]:
        assert {"asset", "outputs", "certainty", "partitions", "causes", "estimate"} <= set(step)
        for cause in step["causes"]:
            assert {"kind", "count", "detail", "root"} <= set(cause)
            assert cause["kind"] in KINDS
            assert isinstance(cause["root"], list)
    assert {"steps", "partitions", "seconds"} <= set(plan["totals"])
    assert (plan["totals"]["steps"], plan["totals"]["partitions"]) == (2, 7)
    (waiting,) = plan["waiting"]
    assert (waiting["asset"], waiting["partitions"], waiting["for"]) == (
        "both",
        {"count": 1, "ranges": [["2024-02-01", "2024-02-01"]]},
        ["raw@2024-02-01"],
    )
    assert plan["outside"] == []


def test_now_decides_which_partitions_exist(tmp_path: Path) -> None:
    @asset(partitions=DailyPartitions("2024-02-01"))
    def day() -> int:
        return 1

    with opened(tmp_path, day) as project:
        assert project.plan(now=datetime(2024, 2, 4, 1, tzinfo=UTC)).totals["partitions"] == 3
        assert project.plan(now=datetime(2024, 2, 3, 23, 59, tzinfo=UTC)).totals["partitions"] == 2
        assert project.plan().totals["partitions"] == 9


def test_states_causes_and_certainties_along_a_history(tmp_path: Path) -> None:
    code, source = ["1"], ["x"]

    @observable_source
    def raw() -> str:
        return source[0]

    def declared() -> list[Any]:
        @asset(deps=[raw], code_version=code[0])
        def up() -> int:
            return 1

        @asset(code_version="1")
        def down(up: int) -> int:
            return up

        return [raw, up, down]

    def told(project: Project) -> list[tuple[str, str, list[str]]]:
        steps: Any = project.plan().to_dict()["steps"]
        return [(step["asset"], step["certainty"], [cause["kind"] for cause in step["causes"]]) for step in steps]

    with opened(tmp_path, *declared()) as project:
        assert [(step, certain, kinds[0]) for step, certain, kinds in told(project)] == [
            ("up", "will", "missing"),
            ("down", "will", "missing"),
        ]
        assert (project.why("up").state, project.why("up").to_dict()["version"]) == ("missing", None)
        assert counted(project.materialize()) == {"materialized": 2}
        assert told(project) == []
        found = project.why("down").to_dict()
        assert {"asset", "partition", "state", "held", "causes", "version"} <= set(found)
        assert (found["partition"], found["state"], found["held"], found["causes"]) == (None, "up_to_date", False, [])
        source[0] = "y"
        assert told(project) == [("up", "will", ["input_changed"]), ("down", "may", ["upstream_stale"])]
        why: Any = project.why("down").to_dict()
        assert (why["state"], why["causes"][0]["kind"]) == ("stale", "upstream_stale")
        assert why["causes"][0]["root"]
        assert counted(project.materialize()) == {"unchanged": 2}
    code[0] = "2"
    with opened(tmp_path, *declared()) as project:
        assert told(project) == [("up", "will", ["code_changed"]), ("down", "may", ["upstream_stale"])]
        assert counted(project.materialize(force=True)) == {"unchanged": 2}
    code[0] = "1"
    with opened(tmp_path, *declared()) as project:
        assert told(project)[0][1] == "reuse"
        assert counted(project.materialize()) == {"reused": 1, "unchanged": 1}
        assert told(project) == []
        assert told_forced(project) == ["forced", "forced"]


def told_forced(project: Project) -> list[str]:
    steps: Any = project.plan(force=True).to_dict()["steps"]
    return [step["causes"][0]["kind"] for step in steps]


def test_a_failed_try_is_a_state_and_is_not_retried_unasked(tmp_path: Path) -> None:
    calls: list[str] = []

    @asset(code_version="1")
    def number() -> int:
        calls.append("x")
        raise ValueError("no network")

    with opened(tmp_path, number) as project:
        assert counted(project.materialize()) == {"failed": 1}
        found: Any = project.why("number").to_dict()
        assert found["state"] == "failed"
        assert "failed" in [cause["kind"] for cause in found["causes"]]
        assert "no network" in str(found["causes"])
        assert project.plan(retry_failed=False).to_dict()["steps"] == []
        assert counted(project.materialize(retry_failed=False)) == {}
        assert len(calls) == 1
        assert counted(project.materialize()) == {"failed": 1}
        assert len(calls) == 2


def test_why_of_a_partitioned_asset_counts(tmp_path: Path) -> None:
    @asset(partitions=DAYS)
    def day() -> int:
        return 1

    with opened(tmp_path, day) as project:
        project.materialize(partitions="2024-01")
        found: Any = project.why("day").to_dict()
        one: Any = project.why("day", "2024-01-30").to_dict()
    assert (found["partition"], found["state"], found["version"]) == (None, "missing", None)
    assert found["partitions"] == {
        **dict.fromkeys(("stale", "waiting", "failed", "empty"), 0),
        "total": 4,
        "up_to_date": 2,
        "missing": 2,
    }
    assert (one["state"], one["partition"]) == ("up_to_date", "2024-01-30")
    assert isinstance(one["version"], int)


def test_the_status_document(tmp_path: Path) -> None:
    @asset(partitions=DAYS)
    def day(context: AssetContext) -> int:
        return 1

    @asset
    def whole(day: dict[str, int]) -> int:
        return 1

    with opened(tmp_path, day, whole) as project:
        project.materialize("day", ["2024-01-30", "2024-02-02"])
        document: Any = project.status().to_dict()
    rows = {row["asset"]: row for row in document["assets"]}
    for row in rows.values():
        keys = {"asset", "partitions", "watermark", "gaps", "freshness", "last_materialized"}
        assert keys <= set(row)
        counts = row["partitions"]
        assert set(counts) == {"total", "up_to_date", "stale", "missing", "waiting", "failed", "empty"}
        assert sum(counts.values()) - counts["total"] - counts["empty"] == counts["total"]
        assert {"state", "lag_seconds"} <= set(row["freshness"])
        assert row["freshness"]["state"] == "none"
    assert rows["day"]["watermark"] == "2024-01-31T00:00:00+00:00"
    assert rows["day"]["gaps"]
    assert rows["whole"]["partitions"]["total"] == 1
    assert rows["whole"]["last_materialized"] is None
    assert datetime.fromisoformat(rows["day"]["last_materialized"]).tzinfo is not None


def test_load_gives_what_was_stored_or_what_is_asked_for(tmp_path: Path) -> None:
    @asset(partitions=DAYS)
    def day(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"n": [context.partition_start.day]})

    @asset
    def number() -> int:
        return 3

    with opened(tmp_path, day, number) as project:
        with pytest.raises(AssetflowError, match="number"):
            project.load("number")
        project.materialize()
        one: Any = project.load("day", partition="2024-02-01")
        every: Any = project.load("day")
        assert (one["n"].tolist(), every["n"].tolist()) == ([1], [30, 31, 1, 2])
        assert isinstance(project.load("day", "2024-02-01", as_type=pa.Table), pa.Table)
        assert project.load("number") == 3
        for name, partition in (("day", "1999-01-01"), ("day", "nonsense"), ("nothing", None), ("number", "x")):
            with pytest.raises(AssetflowError) as caught:
                project.load(name, partition)
            assert caught.value.exit_code == 2
            assert caught.value.message


def test_versions_and_time_does_not_decide(tmp_path: Path) -> None:
    with opened(tmp_path, version_of("1")) as project:
        project.materialize()
    with opened(tmp_path, version_of("2")) as project:
        project.materialize()
        rows = project.versions("number")
        assert [row["current"] for row in rows] == [True, False]
        keys = {
            *("version", "asset", "partition", "state", "run_id", "created_at", "published_at", "row_count"),
            *("data_hash", "current"),
        }
        assert all(keys <= set(row) for row in rows)
        assert project.load("number", version=rows[1]["version"]) == "1"  # type: ignore[arg-type]


def test_a_rollback_holds_until_code_or_inputs_change_and_downstream_is_stale(tmp_path: Path) -> None:
    @asset(code_version="1")
    def below(number: str) -> str:
        return f"<{number}>"

    for text in ("1", "2"):
        with opened(tmp_path, version_of(text), below) as project:
            project.materialize()
    with opened(tmp_path, version_of("2"), below) as project:
        old = project.versions("number")[1]["version"]
        moved: Any = project.rollback("number", to=old)  # type: ignore[arg-type]
        assert [entry["asset"] for entry in moved["published"]] == ["number"]
        found = project.why("number")
        assert (found.state, found.held) == ("up_to_date", True)
        assert project.why("below").state == "stale"
        assert (project.load("number"), project.load("below")) == ("1", "<2>")
        project.materialize()
        assert (project.load("number"), project.load("below")) == ("1", "<1>")
        newest = max(row["version"] for row in project.versions("number"))  # type: ignore[type-var]
        project.rollback("number", to=newest, with_downstream=True)  # type: ignore[arg-type]
        assert (project.load("number"), project.load("below")) == ("2", "<2>")
        assert project.plan().steps == ()
    with opened(tmp_path, version_of("3"), below) as project:
        assert project.why("number").state == "stale"
        assert project.why("number").held is False


def test_accept_takes_todays_code_and_computes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, version_of("1")) as project:
        project.materialize()
    with opened(tmp_path, version_of("2")) as project:
        assert project.why("number").state == "stale"
        accepted: Any = project.accept("number", "only a log line changed")
        assert [entry["asset"] for entry in accepted["published"]] == ["number"]
        assert (project.why("number").state, project.load("number")) == ("up_to_date", "1")
        assert project.plan().steps == ()
        payloads = project.catalog.query("select payload::varchar as p from events").column("p").to_pylist()
        assert any("only a log line changed" in (payload or "") for payload in payloads)


def test_two_environments_share_a_store_and_do_not_rebuild_each_other(tmp_path: Path) -> None:
    with opened(tmp_path, version_of("1"), environment="prod") as prod:
        prod.materialize()
    with opened(tmp_path, version_of("2"), environment="dev") as dev:
        assert dev.materialize().status == "success"
        assert dev.load("number") == "2"
    with opened(tmp_path, version_of("1"), environment="prod") as prod:
        assert (prod.load("number"), prod.plan().steps) == ("1", ())
    with opened(tmp_path, version_of("2"), environment="dev") as dev:
        assert dev.plan().steps == ()
    with opened(tmp_path, version_of("1"), environment="dev") as dev:
        assert [step.certainty for step in dev.plan().steps] == ["reuse"]
        assert counted(dev.materialize()) == {"reused": 1}


def test_an_unknown_executor_or_too_many_workers_are_refused(tmp_path: Path) -> None:
    with opened(tmp_path, version_of("1")) as project:
        for options in ({"workers": 2}, {"executor": "processes", "workers": 0}, {"executor": "nonsense"}):
            with pytest.raises(AssetflowError) as caught:
                project.materialize(**options)  # type: ignore[arg-type]
            assert caught.value.exit_code == 2
        assert project.materialize(executor="inline", workers=1).status == "success"
        again = project.materialize(executor="processes", workers=2, force=True)
        assert (again.status, again.counts["unchanged"]) == ("success", 1)


def test_the_result_of_a_call_outlives_what_it_was_called_on() -> None:
    assert materialize([version_of("1")]).project.catalog.query("select asset from assets").num_rows == 1
    assert materialize([version_of("1")]).project.status().rows[0].asset == "number"


def test_memory_needs_a_temporary_project(tmp_path: Path) -> None:
    @asset(io_manager="memory")
    def kept() -> object:
        return {"any": object}

    assert materialize([kept]).value("kept") == {"any": object}
    with pytest.raises(AssetflowError, match="memory"):
        opened(tmp_path, kept)


def test_an_asset_may_be_named_by_its_decorated_object() -> None:
    number = version_of("1")
    result = materialize([number])
    project = result.project

    assert (result.value(number), project.load(number), project.why(number).state) == ("1", "1", "up_to_date")
    assert project.catalog.lineage(number).to_dict()["edges"] == []
    assert len(project.versions(number)) == 1
    with pytest.raises(AssetflowError, match="no asset"):
        project.load(opened)


@pytest.mark.parametrize(
    "request_",
    [
        {"now": datetime(2024, 2, 10)},
        {"partitions": 3},
        {"partitions": [3]},
        {"partitions": ["2024-01-30", None]},
        {"select": ["day"]},
        {"select": 3},
    ],
)
def test_what_has_the_wrong_type_is_a_usage_error(tmp_path: Path, request_: dict[str, Any]) -> None:
    @asset(partitions=DAYS)
    def day() -> int:
        return 1

    with opened(tmp_path, day) as project, pytest.raises(AssetflowError) as caught:
        project.plan(**request_)
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_project_is_opened_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.assetflow]\ndefinitions = "outer_shop"\nstorage = "out"\nenvironment = "dev"\n'
    )
    inner = tmp_path / "src" / "outer_shop" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "src" / "outer_shop" / "__init__.py").write_text("")
    (inner / "__init__.py").write_text("")
    (inner / "assets.py").write_text(
        "import pandas as pd\nfrom assetflow import asset\n\n@asset\n"
        'def one() -> pd.DataFrame:\n    return pd.DataFrame({"n": [1]})\n'
    )

    def sizes(path: Any) -> tuple[int, int]:
        with Project.open(path) as project:
            assert project.environment == "dev"
            return project.materialize().counts["materialized"], len(project.load("one"))  # type: ignore[arg-type]

    assert (sizes(str(tmp_path)), sizes(tmp_path)) == ((1, 1), (0, 1))
    monkeypatch.chdir(inner)
    assert (sizes(None), sizes("../../..")) == ((0, 1), (0, 1))
    assert (tmp_path / "out" / "one" / "_current.dev.json").is_file()
    assert (tmp_path / ".assetflow" / "store.db").is_file()
    with pytest.raises(AssetflowError) as caught:
        Project.open(tmp_path / "nowhere")
    assert caught.value.exit_code == 2


def test_an_upstream_that_was_rewritten_while_its_downstream_ran_leaves_it_stale(tmp_path: Path) -> None:
    values = ["a"]

    def declared() -> Any:
        def number() -> str:
            return values[0]

        return asset(code_version="1")(number)

    @asset(code_version="1")
    def below(number: str) -> str:
        if values == ["a"]:
            values[0] = "b"
            with opened(tmp_path, declared()) as second:
                # Until the first run's commit is there to plan on, a publication beside it is refused.
                while second.materialize("number", force=True).status != "success":
                    pass
        return f"<{number}>"

    with opened(tmp_path, declared(), below) as project:
        project.materialize()
        assert (project.load("number"), project.load("below")) == ("b", "<a>")
        assert project.why("below").state == "stale"
        assert [cause.kind for cause in project.why("below").causes] == ["input_changed"]
