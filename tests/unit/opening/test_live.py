"""A project's long-lived planner: equal to plans from scratch, whoever writes to the store."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assetflow import (
    AllPartitions,
    AssetContext,
    CheckResult,
    DailyPartitions,
    DynamicPartitions,
    HourlyPartitions,
    Input,
    Project,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
    asset,
    asset_check,
    observable_source,
)
from assetflow.errors import AssetflowError, InvalidPartition, UnknownAsset, UsageError
from assetflow.opening.live import LiveProject
from assetflow.planner import intake

BEGIN = datetime(2024, 3, 11, 4, 30, tzinfo=UTC)
HOURS = HourlyPartitions("2024-03-10T00:00Z")
DAYS = DailyPartitions("2024-03-09")

DEFINITIONS = """
from assetflow import AssetContext, Definitions, HourlyPartitions, DailyPartitions, asset, observable_source
from pathlib import Path

hours = HourlyPartitions("2024-03-10T00:00Z", end="2024-03-10T12:00Z")
days = DailyPartitions("2024-03-10", end="2024-03-11")
WANTED = Path(__file__).with_name("prices.txt")

@observable_source
def prices() -> str:
    return WANTED.read_text()

@asset(partitions=hours, deps=[prices])
def hourly(context: AssetContext) -> str:
    return context.partition_key + WANTED.read_text()

@asset(partitions=days)
def daily(hourly: dict[str, str]) -> list[str]:
    return sorted(hourly.values())
"""


@dataclass
class Scene:
    """One project, its clock and what its source says; ``scale`` changes its code."""

    root: Path
    now: datetime = BEGIN
    rates: str = "1"

    def project(self, scale: int = 1, *, checked: bool = False, extra: bool = False) -> Project:
        """The project with some code; opened anew each time, as after an edit."""

        @observable_source
        def rates() -> str:
            return self.rates

        @asset(partitions=HOURS, deps=[rates], code_version=str(scale))
        def hourly() -> int:
            if self.rates == "broken":
                raise ValueError(self.rates)
            return len(self.rates)

        @asset(partitions=DAYS, deps=[Input("hourly", missing="allow")])
        def daily() -> int:
            return 1

        @asset(partitions=StaticPartitions(["north", "south"]), deps=[Input("daily", AllPartitions())])
        def region() -> int:
            return 2

        @asset(deps=[region])
        def more() -> int:
            return 3

        @asset_check(asset="hourly", blocking=False)
        def small(hourly: int) -> CheckResult:
            return CheckResult(passed=hourly < 3)

        assets: list[Any] = [rates, hourly, daily, region, *([more] if extra else []), *([small] if checked else [])]
        return Project(assets, store="sqlite:///store.db", storage="data", root=self.root, clock=lambda: self.now)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def project(scene: Scene) -> Iterator[Project]:
    with scene.project() as opened:
        yield opened


def equal(live: LiveProject, project: Project) -> None:
    """The live planner says what plans from scratch say."""
    now = project.clock()
    assert live.plan(now=now, observe=False, estimate=True).to_dict() == project.plan(now=now, observe=False).to_dict()
    status = project.status(observe=False)
    for row in status.to_dict()["assets"]:
        assert live.counts(row["asset"]) == row["partitions"]
    for key in project.graph.owner:
        assert live.why(key, observe=False).to_dict() == project.why(key, observe=False).to_dict()


def test_a_live_plan_follows_runs_observations_failures_and_the_clock(scene: Scene, project: Project) -> None:
    live = project.live()
    equal(live, project)
    project.materialize()
    equal(live, project)
    assert live.plan().steps == ()
    for rates, hours in (("2", 0), ("broken", 2), ("3", 1), ("3", 24), ("4", -10)):
        scene.rates, scene.now = rates, scene.now + timedelta(hours=hours)
        live.plan()
        equal(live, project)
        project.materialize("hourly")
        equal(live, project)
        project.materialize()
        equal(live, project)


def test_a_live_plan_observes_as_a_plan_does(scene: Scene, project: Project) -> None:
    project.materialize()
    live = project.live()
    assert live.plan().steps == ()
    scene.rates = "2"
    assert live.plan(observe=False).steps == ()
    assert [step.computation for step in live.plan().steps] == ["hourly", "daily", "region"]


def test_selections_ranges_and_force_are_planned_as_by_the_project(scene: Scene, project: Project) -> None:
    live = project.live()
    for options in (
        {"select": "+daily"},
        {"select": "hourly", "partitions": "2024-03-10"},
        {"select": "status:missing"},
        {"force": True},
        {"due": True},
        {"retry_failed": False, "workers": 3},
    ):
        assert live.plan(**options, estimate=True).to_dict() == project.plan(**options).to_dict(), options  # type: ignore[arg-type]


def test_rolling_back_and_accepting_are_followed(scene: Scene, project: Project) -> None:
    project.materialize()
    live = project.live()
    live.plan()
    scene.rates = "22"
    project.materialize()
    equal(live, project)
    first = min(int(str(row["version"])) for row in project.versions("hourly", "2024-03-10T00:00Z"))
    project.rollback("hourly", "2024-03-10T00:00Z", to=first)
    equal(live, project)
    assert live.why("hourly", "2024-03-10T00:00Z").held
    scene.rates = "333"
    live.plan()
    project.accept("hourly", "it does not matter")
    equal(live, project)


@pytest.mark.parametrize("edit", [{"scale": 2}, {"checked": True}, {"extra": True}, {}])
def test_a_live_planner_goes_on_with_edited_code(scene: Scene, edit: dict[str, Any]) -> None:
    with scene.project() as before:
        before.materialize()
        live = before.live()
        assert live.plan().steps == ()
        with scene.project(**edit) as after:
            assert after.live(live) is live
            equal(live, after)
            after.materialize("hourly")
            equal(live, after)
        with scene.project() as again:
            again.live(live)
            equal(live, again)
            again.materialize()
            equal(live, again)


def test_keys_that_come_and_go_are_followed_with_their_publish_group(tmp_path: Path) -> None:
    customers = DynamicPartitions("customers")

    @asset(partitions=customers, publish_group="books")
    def orders() -> int:
        return 1

    @asset(partitions=customers, publish_group="books")
    def items(context: AssetContext) -> int:
        if context.partition_key == "bad":
            raise ValueError("bad")
        return 2

    regions = StaticPartitions(["west", "east"])
    mapped = asset(name="mapped", partitions=regions, deps=[Input("items", StaticMapping({"zoe": ["west"]}))])(
        lambda: 4
    )
    total = asset(name="total", deps=[Input("orders", AllPartitions())])(lambda: 3)
    with Project([orders, items, total, mapped], clock=lambda: BEGIN, root=tmp_path) as project:
        live = project.live()
        equal(live, project)
        assert any("have no keys yet" in note for note in live.plan().notes)
        project.add_partitions("customers", ["acme", "bad"])
        equal(live, project)
        project.materialize()
        equal(live, project)
        assert any("'zoe'" in note for note in live.plan().notes)
        project.add_partitions("customers", ["zoe"])
        project.remove_partitions("customers", ["bad"])
        equal(live, project)
        project.materialize()
        equal(live, project)
        assert live.plan().steps == ()


def test_assets_that_read_themselves_and_late_data_are_followed(scene: Scene) -> None:
    @asset(partitions=HOURS)
    def sales() -> int:
        return scene.now.minute

    @asset(partitions=DAYS, deps=[Input("sales", late_tolerance=timedelta(hours=1))])
    def daily() -> int:
        return 1

    @asset(partitions=DAYS, deps=[daily, Input("balance", TimeWindow(-1, -1))])
    def balance() -> int:
        return 2

    with Project([sales, daily, balance], clock=lambda: scene.now, root=scene.root) as project:
        live = project.live()
        equal(live, project)
        project.materialize()
        equal(live, project)
        scene.now += timedelta(hours=30, minutes=7)
        equal(live, project)
        project.materialize()
        project.materialize("sales", "2024-03-10T05", force=True)
        equal(live, project)
        assert live.plan().tolerated
        late = live.plan(include_late=True, estimate=True).to_dict()
        assert late == project.plan(include_late=True).to_dict()
        assert late["steps"]


def test_a_live_planner_of_another_store_begins_anew(scene: Scene, project: Project, tmp_path: Path) -> None:
    project.materialize()
    live = project.live()
    live.plan()
    (tmp_path / "other").mkdir()
    with Scene(tmp_path / "other").project() as other:
        other.live(live)
        equal(live, other)
        assert live.plan().totals["steps"] == 3


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda live: live.plan(now=datetime(2024, 1, 1)), UsageError, "now=2024-01-01T00:00:00 has no time zone"),
        (lambda live: live.plan("dayly"), UnknownAsset, "there is no asset 'dayly'"),
        (lambda live: live.counts("dayly"), UnknownAsset, "there is no asset 'dayly'"),
        (lambda live: live.why("daily", "2024-13-01"), InvalidPartition, "'2024-13-01'"),
        (lambda live: live.why("daily", "2024-03-11"), InvalidPartition, "daily@2024-03-11 does not exist yet"),
        (
            lambda live: live.plan(force=True, due=True),
            UsageError,
            "force computes everything, due only what is needed",
        ),
    ],
)
def test_questions_that_make_no_sense_are_refused_as_by_the_project(
    project: Project, ask: Callable[[LiveProject], object], error: type[AssetflowError], message: str
) -> None:
    live = project.live()
    live.plan()
    with pytest.raises(error) as refused:
        ask(live)
    assert message in refused.value.message


def test_what_two_other_processes_write_is_seen(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(DEFINITIONS)
    (tmp_path / "pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "shop"\n')
    (tmp_path / "prices.txt").write_text("1")
    with Project.open(tmp_path) as project:
        live = project.live()
        assert live.plan().totals["partitions"] == 13
        for prices in ("1", "2", "3"):
            (tmp_path / "prices.txt").write_text(prices)
            halves = ["2024-03-10T00:00Z...2024-03-10T05:00Z", "2024-03-10T06:00Z...2024-03-10T11:00Z"]
            writers = [_command(tmp_path, "materialize", "--select", "hourly", "--partition", half) for half in halves]
            while any(writer.poll() is None for writer in writers):
                live.plan(observe=False)
            assert [writer.wait() for writer in writers] == [0, 0]
            equal(live, project)
            assert [step.computation for step in live.plan().steps] == ["daily"]
            assert _command(tmp_path, "materialize").wait() == 0
            equal(live, project)
            assert live.plan().steps == ()


def _command(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "assetflow", *arguments], cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def test_a_planner_that_was_interrupted_is_not_asked_again(
    scene: Scene, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = project.live()
    live.plan()
    project.materialize()
    with monkeypatch.context() as patched:
        patched.setattr(intake, "judge", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            live.plan()
    equal(live, project)
    assert live.plan().steps == ()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
