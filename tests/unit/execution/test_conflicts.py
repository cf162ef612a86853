"""Publishing against pointers that moved since the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from assetflow import Project, StaticPartitions, asset
from assetflow.errors import DefinitionErrors
from assetflow.execution.loop import run_plan
from assetflow.execution.result import RunEvent
from assetflow.planner.planning import plan_from
from assetflow.planner.staleness import assess

SOURCE = {"value": 1}


@asset
def number() -> int:
    return SOURCE["value"]


@asset
def double(number: int) -> int:
    return 2 * number


@asset(partitions=StaticPartitions(["a", "b"]))
def letters() -> object:
    return {SOURCE["value"]}


def opened(tmp_path: Path, *assets: object) -> Project:
    return Project(list(assets) or [number, double], store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data")


def end_leases(project: Project) -> None:
    """As if whoever holds them had stood still for too long."""
    for lease in project.store.reader.leases():
        project.store.writer.release(lease.fence).result()


def test_a_run_on_an_outdated_plan_publishes_nothing_over_what_another_published(tmp_path: Path) -> None:
    with opened(tmp_path) as slow, opened(tmp_path) as fast:
        assessment = assess(slow.graph, slow.state(), slow.setting.codes, slow.clock())
        plan = plan_from(assessment)
        SOURCE["value"] = 1
        fast.materialize()
        SOURCE["value"] = 5
        run = run_plan(plan, assessment.world.state, slow.setting, trigger="test")

        assert run.status == "failed"
        assert (run.counts["failed"], run.counts["materialized"]) == (2, 0)
        assert {failure.error["type"] for failure in run.failures} == {"PublishConflict"}
        assert (slow.load("number"), slow.load("double")) == (1, 2)
        assert fast.plan().steps == ()


def test_what_was_staged_for_a_refused_commit_is_deleted(tmp_path: Path) -> None:
    with opened(tmp_path, letters) as slow, opened(tmp_path, letters) as fast:
        assessment = assess(slow.graph, slow.state(), slow.setting.codes, slow.clock())
        plan = plan_from(assessment)
        SOURCE["value"] = 1
        fast.materialize()
        SOURCE["value"] = 2
        run = run_plan(plan, assessment.world.state, slow.setting, trigger="test")

        assert {failure.error["message"].split(":")[0] for failure in run.failures} == {"letters@a", "letters@b"}
        assert slow.store.reader.intents() == []
        assert len(list(slow.storage.root.glob("letters/*/v-*"))) == 2
        assert slow.load("letters") == {"a": {1}, "b": {1}}


def test_a_manager_that_forgets_is_refused_in_a_lasting_project(tmp_path: Path) -> None:
    @asset(io_manager="memory")
    def kept() -> int:
        return 1

    with pytest.raises(DefinitionErrors, match="keeps values in this process only"):
        Project([kept], store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data")
    with Project([kept]) as project:
        assert project.materialize().value("kept") == 1


def test_what_another_run_published_meanwhile_is_planned_again(tmp_path: Path) -> None:
    with opened(tmp_path) as slow, opened(tmp_path) as fast:
        SOURCE["value"] = 1
        meddled: list[str] = []

        def meddle(event: RunEvent) -> None:
            if event.kind == "step_started" and event.computation == "number" and not meddled:
                meddled.append("once")
                end_leases(fast)
                fast.materialize()
                SOURCE["value"] = 5

        result = slow.materialize(on_event=meddle)

        assert result.status == "success"
        assert {outcome: n for outcome, n in result.counts.items() if n} == {"unchanged": 2}
        assert (slow.load("number"), slow.load("double")) == (1, 2)
        assert slow.plan().steps == ()
        statuses = {run["run_id"]: run["status"] for run in slow.runs()}
        assert statuses[result.run_id] == "success"


def test_a_run_goes_on_from_what_another_one_published(tmp_path: Path) -> None:
    """The other run built only the upstream: the downstream is built from that."""
    with opened(tmp_path) as slow, opened(tmp_path) as fast:
        SOURCE["value"] = 1
        meddled: list[str] = []

        def meddle(event: RunEvent) -> None:
            if event.kind == "step_started" and event.computation == "number" and not meddled:
                meddled.append("once")
                end_leases(fast)
                fast.materialize("number")
                SOURCE["value"] = 5

        result = slow.materialize(on_event=meddle)

        assert {outcome: n for outcome, n in result.counts.items() if n} == {"unchanged": 1, "materialized": 1}
        assert (slow.load("number"), slow.load("double")) == (1, 2)
        assert slow.plan().steps == ()


def test_a_failure_of_its_own_still_blocks_after_planning_again(tmp_path: Path) -> None:
    @asset
    def broken() -> int:
        raise ValueError("no network")

    @asset
    def needs(broken: int, number: int) -> int:
        return broken + number

    definitions = [number, broken, needs]
    places = {"store": f"sqlite:///{tmp_path}/store.db", "storage": tmp_path / "data"}
    with Project(definitions, **places) as slow, Project(definitions, **places) as fast:  # type: ignore[arg-type]
        meddled: list[str] = []

        def meddle(event: RunEvent) -> None:
            if event.kind == "step_started" and event.computation == "number" and not meddled:
                meddled.append("once")
                end_leases(fast)
                fast.materialize("number")

        result = slow.materialize(on_event=meddle)

        assert {o: n for o, n in result.counts.items() if n} == {"unchanged": 1, "failed": 1, "blocked": 1}
        assert sum(result.counts.values()) == result.plan.totals["partitions"]
