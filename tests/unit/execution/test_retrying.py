"""Retrying a run: its partitions and what existed then, the code and the inputs of now."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest

from assetflow import (
    AssetContext,
    CronPartitions,
    DailyPartitions,
    DynamicPartitions,
    FreshnessPolicy,
    Input,
    MonthlyPartitions,
    MultiPartitions,
    Project,
    StaticPartitions,
    asset,
    observable_source,
)
from assetflow.errors import UsageError
from assetflow.planner.recording import RECORD, read_record, recorded
from assetflow.publish.liveness import this_process
from assetflow.store.records import RunRecord

NOON = datetime(2024, 2, 4, 12, tzinfo=UTC)
DAYS = DailyPartitions("2024-02-01")
AREAS = StaticPartitions(["north", "south", "west"])


class Shop:
    """A lasting project whose clock, broken partitions and calls a test sets and reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON
        self.broken: set[str | None] = set()
        self.interrupted: set[str | None] = set()
        self.calls: list[tuple[str, str | None]] = []
        self.made = 0

    def asset(self, name: str, partitions: Any = None, *deps: Any, code: str = "1", **keywords: Any) -> Any:
        """An asset that notes its calls, and fails or is interrupted at some partitions."""

        def build(context: AssetContext) -> int:
            key = None if partitions is None else context.partition_key
            self.calls.append((name, key))
            if key in self.interrupted:
                raise KeyboardInterrupt
            if key in self.broken:
                raise ValueError("broken")
            self.made += 1
            return self.made

        return asset(name=name, partitions=partitions, deps=list(deps), code_version=code, **keywords)(build)

    def open(self, *assets: Any, **options: Any) -> Project:
        """The project of these assets; the same store each time."""
        return Project(
            list(assets),
            store=f"sqlite:///{self.folder}/store.db",
            storage=self.folder / "data",
            clock=lambda: self.now,
            **options,
        )

    def called(self) -> list[tuple[str, str | None]]:
        """What was called since the last time that somebody asked."""
        calls, self.calls = self.calls, []
        return sorted(calls, key=str)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def run_id_of(result: Any) -> str:
    assert result.run_id is not None
    return result.run_id


def test_what_failed_and_what_that_blocked_is_tried_again_as_of_then_with_the_code_of_now(shop: Shop) -> None:
    shop.broken = {"2024-02-02"}
    with shop.open(shop.asset("orders", DAYS), shop.asset("totals", DAYS, "orders")) as project:
        failed = run_id_of(project.materialize())
    shop.called()
    shop.broken, shop.now = set(), NOON + timedelta(days=30)
    with shop.open(shop.asset("orders", DAYS, code="2"), shop.asset("totals", DAYS, "orders")) as project:
        result = project.retry(failed)
        assert shop.called() == [("orders", "2024-02-02"), ("totals", "2024-02-02")]
        assert (result.status, result.counts["materialized"]) == ("success", 2)
        assert result.plan.as_of == NOON
        document = project.run(run_id_of(result))
        assert document["asked"] == {
            "as_of": "2024-02-04T12:00:00+00:00",
            "selection": "*",
            "partitions": [],
            "forced": False,
            "due": False,
            "include_late": False,
            "retry_failed": True,
            "retry_of": failed,
        }
        assert project.versions("orders", "2024-02-02")[0]["run_id"] == result.run_id


def test_everything_takes_what_succeeded_too_where_it_is_stale_now(shop: Shop) -> None:
    with shop.open(shop.asset("orders", DAYS), shop.asset("totals", DAYS, "orders")) as project:
        first = run_id_of(project.materialize("orders", ("2024-02-01", "2024-02-02")))
        assert project.retry(first).run_id is None
        assert project.retry(first, everything=True).run_id is None
    shop.called()
    with shop.open(shop.asset("orders", DAYS, code="2"), shop.asset("totals", DAYS, "orders")) as project:
        assert project.retry(first).run_id is None
        project.retry(first, everything=True)
        assert shop.called() == [("orders", "2024-02-01"), ("orders", "2024-02-02")]


def test_what_was_built_meanwhile_is_skipped(shop: Shop) -> None:
    shop.broken = {"2024-02-01", "2024-02-02"}
    with shop.open(shop.asset("orders", DAYS)) as project:
        failed = run_id_of(project.materialize())
        shop.broken = set()
        project.materialize(partitions="2024-02-01")
        shop.called()
        project.retry(failed)
        assert shop.called() == [("orders", "2024-02-02")]
        assert project.retry(failed).run_id is None


def test_an_interrupted_run_goes_on(shop: Shop) -> None:
    shop.interrupted = {"2024-02-02"}
    with shop.open(shop.asset("orders", DAYS), shop.asset("totals", DAYS, "orders")) as project:
        canceled = project.materialize()
        assert canceled.status == "canceled"
        shop.interrupted = set()
        shop.called()
        result = project.retry(run_id_of(canceled))
        assert result.counts["materialized"] == canceled.counts["canceled"] == 5
        assert ("orders", "2024-02-01") not in shop.called()
        assert project.plan().steps == ()


def test_a_killed_run_is_tried_again(shop: Shop) -> None:
    with shop.open(shop.asset("orders", DAYS)) as project:
        setting = project.setting
        plan = recorded(project.plan(), setting.graph, setting.codes, setting.spaces)
        gone = replace(this_process(), boot_id="another", pid=1)
        run = RunRecord("killed", setting.environment, "running", NOON, "cli", gone, plan)
        setting.writer.start_run(run).result()
    with shop.open(shop.asset("orders", DAYS)) as project:
        assert project.retry("killed").counts["materialized"] == 3
        assert project.run("killed")["status"] == "failed"


def test_what_waited_is_tried_again(shop: Shop) -> None:
    known = {"2024-02-01": "a"}

    @observable_source(partitions=DAYS)
    def files() -> dict[str, str]:
        return known

    with shop.open(files, shop.asset("orders", DAYS, files)) as project:
        first = project.materialize()
        assert first.counts["waiting"] == 2
        known["2024-02-03"] = "b"
        shop.called()
        result = project.retry(run_id_of(first))
        assert shop.called() == [("orders", "2024-02-03")]
        assert [entry.partitions.ranges for entry in result.plan.waiting] == [(("2024-02-02", "2024-02-02"),)]


def test_a_forced_run_computes_what_it_left_even_if_that_is_up_to_date(shop: Shop) -> None:
    with shop.open(shop.asset("orders", DAYS)) as project:
        project.materialize()
        shop.interrupted = {"2024-02-02"}
        forced = run_id_of(project.materialize(force=True))
        shop.interrupted = set()
        project.materialize(partitions="2024-02-03", force=True)
        shop.called()
        result = project.retry(forced)
        assert shop.called() == [("orders", "2024-02-02")]
        assert [cause.kind for cause in result.plan.steps[0].causes] == ["forced"]


def test_what_was_too_old_for_a_policy_is_computed_although_nothing_changed(shop: Shop) -> None:
    prices = shop.asset("prices", freshness_policy=FreshnessPolicy(max_lag="1h"))
    with shop.open(prices) as project:
        project.materialize()
        shop.now += timedelta(hours=3)
        shop.interrupted = {None}
        due = project.materialize(due=True)
        assert due.status == "canceled"
        shop.interrupted = set()
        shop.called()
        assert project.retry(run_id_of(due)).counts["materialized"] == 1
        assert shop.called() == [("prices", None)]
        assert project.retry(run_id_of(due)).run_id is None


def test_upstreams_are_those_of_now_and_are_not_rebuilt(shop: Shop) -> None:
    shop.broken = {"north"}
    with shop.open(shop.asset("base"), shop.asset("orders", AREAS, "base")) as project:
        failed = run_id_of(project.materialize())
    shop.broken = set()
    shop.called()
    with shop.open(shop.asset("base", code="2"), shop.asset("orders", AREAS, "base")) as project:
        result = project.retry(failed)
        assert shop.called() == [("orders", "north")]
        assert result.plan.outside == ("base",)


def test_a_publish_group_is_tried_again_whole(shop: Shop) -> None:
    def together(code: str) -> list[Any]:
        return [shop.asset(name, AREAS, code=code, publish_group="day") for name in ("orders", "returns")]

    shop.broken = {"north"}
    with shop.open(*together("1")) as project:
        failed = run_id_of(project.materialize())
    shop.broken = set()
    shop.called()
    with shop.open(*together("1")) as project:
        assert project.retry(failed).counts["materialized"] == 2
        assert shop.called() == [("orders", "north"), ("returns", "north")]


def test_static_keys_in_another_order_are_the_same_partitions(shop: Shop) -> None:
    shop.broken = {"north", "west"}
    with shop.open(shop.asset("orders", AREAS)) as project:
        failed = run_id_of(project.materialize())
    shop.broken = set()
    shop.called()
    with shop.open(shop.asset("orders", StaticPartitions(["west", "east", "south", "north"]))) as project:
        project.retry(failed)
        assert shop.called() == [("orders", "north"), ("orders", "west")]


def test_a_partition_that_the_definition_lost_is_left_out_with_a_note(shop: Shop) -> None:
    shop.broken = {"north", "west"}
    with shop.open(shop.asset("orders", AREAS)) as project:
        failed = run_id_of(project.materialize())
    shop.broken = set()
    shop.called()
    with shop.open(shop.asset("orders", StaticPartitions(["south", "north"]))) as project:
        result = project.retry(failed)
        assert shop.called() == [("orders", "north")]
        assert result.plan.notes == ("orders has the partition west no more: not tried again",)


def test_what_is_declared_no_more_is_left_out_and_the_rest_is_done(shop: Shop) -> None:
    shop.broken = {None}
    with shop.open(shop.asset("orders"), shop.asset("returns")) as project:
        failed = run_id_of(project.materialize())
    shop.broken = set()
    with shop.open(shop.asset("orders")) as project:
        result = project.retry(failed)
        assert result.counts["materialized"] == 1
        assert result.plan.notes == (f"returns is declared no more: 1 partition of run {failed} cannot be tried again",)
    with shop.open(shop.asset("other")) as project, pytest.raises(UsageError) as caught:
        project.retry(failed)
    assert caught.value.message == (
        f"nothing of run {failed} can be tried again: "
        f"orders is declared no more: 1 partition of run {failed} cannot be tried again; "
        f"returns is declared no more: 1 partition of run {failed} cannot be tried again"
    )
    assert caught.value.hint == "assetflow plan shows what there is to do"


@pytest.mark.parametrize("later", [MonthlyPartitions("2024-01"), AREAS, None])
def test_a_definition_of_another_kind_is_told(shop: Shop, later: Any) -> None:
    shop.broken = {"2024-02-01"}
    with shop.open(shop.asset("orders", DAYS)) as project:
        failed = run_id_of(project.materialize(partitions="2024-02-01"))
    with shop.open(shop.asset("orders", later)) as project, pytest.raises(UsageError) as caught:
        project.retry(failed)
    was = DAYS.describe()
    now = "not partitioned" if later is None else later.describe()
    assert caught.value.message == (
        f"nothing of run {failed} can be tried again: "
        f"orders was {was} in run {failed}, and is {now}: 1 partition cannot be tried again"
    )


def test_runs_that_cannot_be_tried_again_say_why(shop: Shop) -> None:
    with shop.open(shop.asset("orders")) as project:
        setting = project.setting
        writer, process = setting.writer, this_process()
        plan = recorded(project.plan(), setting.graph, setting.codes, setting.spaces)
        writer.start_run(RunRecord("going", setting.environment, "running", NOON, "cli", process, plan))
        other = writer.open_environment("dev")
        writer.start_run(RunRecord("theirs", other, "failed", NOON, "cli", process))
        writer.start_run(RunRecord("old", setting.environment, "failed", NOON, "cli", process, {"steps": []}))
        writer.flush()
        messages: dict[str, tuple[str, str | None]] = {}
        for run_id in ("nowhere", "going", "theirs", "old"):
            with pytest.raises(UsageError) as caught:
                project.retry(run_id)
            messages[run_id] = (caught.value.message, caught.value.hint)
    assert messages == {
        "nowhere": ("there is no run 'nowhere'", "`assetflow runs` lists them"),
        "going": ("run going is still running", "wait until it has ended: assetflow runs show going"),
        "theirs": ("run theirs was one of the environment dev", "set ASSETFLOW_ENVIRONMENT=dev and try again"),
        "old": (
            "of run old it was not recorded which partitions it was to do",
            "assetflow plan shows what there is to do",
        ),
    }


@pytest.mark.parametrize("options", [{"executor": "dask"}, {"workers": 2}])
def test_an_executor_that_there_is_not_is_refused_before_the_run_is_looked_up(
    shop: Shop, options: dict[str, Any]
) -> None:
    with shop.open(shop.asset("orders")) as project, pytest.raises(UsageError, match="executor"):
        project.retry("nowhere", **options)


@pytest.mark.parametrize(
    "definition",
    [
        None,
        DAYS,
        CronPartitions("*/15 8-17 * * 1-5", "2024-01-01"),
        AREAS,
        MultiPartitions({"day": DAYS, "area": AREAS}),
    ],
)
def test_a_record_holds_the_very_partitions(shop: Shop, definition: Any) -> None:
    with shop.open(shop.asset("a", definition), shop.asset("b", definition, "a")) as project:
        keys = project.graph.nodes["a"].partitions
        made = project.plan("+b", None if keys is None else project.plan().steps[0].partitions.ranges[-1:])
        setting = project.setting
        text = json.dumps(recorded(made, setting.graph, setting.codes, setting.spaces))
    read = read_record(json.loads(text))
    assert read is not None
    assert (read.plan_id, read.as_of, read.generation) == (made.plan_id, made.as_of, made.generation)
    assert read.asked == made.asked
    for step in made.steps:
        assert read.computations[step.computation].steps[step.certainty] == step.partitions.ordinals
    assert {name: each.code for name, each in read.computations.items()} == {
        name: setting.codes.computations[name].version for name in ("a", "b")
    }


def test_the_shown_plan_is_without_what_only_a_retry_reads(shop: Shop) -> None:
    with shop.open(shop.asset("orders", DAYS)) as project:
        result = project.materialize()
        run_id = run_id_of(result)
        plan = project.run(run_id)["plan"]
        assert isinstance(plan, dict)
        assert RECORD not in plan
        assert plan == json.loads(json.dumps(result.plan.to_dict()))


def test_a_very_large_plan_is_a_small_record(shop: Shop) -> None:
    minutes = CronPartitions("* * * * *", "2023-01-01")
    with shop.open(shop.asset("ticks", minutes)) as project:
        setting = project.setting
        made = project.plan()
        assert len(made.steps[0].partitions.ordinals) > 500_000
        assert len(json.dumps(recorded(made, setting.graph, setting.codes, setting.spaces))) < 20_000


def test_allowed_inputs_of_a_retry_are_those_that_there_are_now(shop: Shop) -> None:
    shop.broken = {None}
    late = Input("orders", missing="allow")
    with shop.open(shop.asset("orders", AREAS), shop.asset("totals", None, late)) as project:
        failed = run_id_of(project.materialize("totals"))
        shop.broken = set()
        project.materialize("orders", "north")
        project.retry(failed)
        assert [node.id for node in project.catalog.lineage("totals").nodes] == ["orders", "totals"]
        assert project.plan("totals").steps == ()


FILES = DynamicPartitions("files")


def listing(shop: Shop, kind: object = dict[str, int]) -> Any:
    """An asset that gives the keys that it reads, and fails where unpartitioned assets are broken."""

    def totals(parsed: Any) -> list[str]:
        if None in shop.broken:
            raise ValueError("broken")
        return list(parsed)

    totals.__annotations__["parsed"] = kind
    return asset(code_version="1")(totals)


@pytest.mark.parametrize("crossed", [False, True])
def test_keys_that_were_added_after_the_run_are_not_waited_for(shop: Shop, crossed: bool) -> None:
    partitions = MultiPartitions({"area": StaticPartitions(["north"]), "file": FILES}) if crossed else FILES
    prefix = "north|" if crossed else ""
    shop.broken = {None}
    with shop.open(shop.asset("parsed", partitions), listing(shop)) as project:
        project.add_partitions("files", ["zoe", "acme"])
        failed = run_id_of(project.materialize())
        shop.broken = set()
        project.add_partitions("files", ["later", "also"])
        shop.called()
        result = project.retry(failed)
        assert (result.status, result.counts["materialized"], result.plan.waiting) == ("success", 1, ())
        assert shop.called() == []
        # It read what there was then: those that came later make it stale, as they would any other.
        assert project.load("totals") == [f"{prefix}zoe", f"{prefix}acme"]
        assert project.why("totals").state == "stale"
        assert project.materialize().counts["materialized"] == 3
        assert len(project.load("totals")) == 4


def test_keys_that_were_built_since_are_not_read_by_a_retry_and_removed_ones_are_not_there(shop: Shop) -> None:
    shop.broken = {None, "gone"}
    with shop.open(
        shop.asset("parsed", FILES), listing(shop, Annotated[dict[str, int], Input("parsed", missing="allow")])
    ) as project:
        project.add_partitions("files", ["zoe", "gone"])
        failed = run_id_of(project.materialize())
        shop.broken = set()
        project.add_partitions("files", ["later"])
        project.materialize("parsed", "later")
        project.remove_partitions("files", ["gone"], force=True)
        shop.called()
        result = project.retry(failed)
        assert shop.called() == []
        assert "parsed has the partition gone no more: not tried again" in result.plan.notes
        assert project.load("totals") == ["zoe"]


def test_a_retry_of_a_retry_goes_by_the_keys_of_the_first_run(shop: Shop) -> None:
    shop.broken = {None}
    with shop.open(shop.asset("parsed", FILES), listing(shop)) as project:
        project.add_partitions("files", ["zoe"])
        failed = run_id_of(project.materialize())
        project.add_partitions("files", ["later"])
        again = run_id_of(project.retry(failed))
        shop.broken = set()
        assert project.retry(again).counts["materialized"] == 1
        assert project.load("totals") == ["zoe"]
