"""Going back: of ranges to a moment, of all that a run published; each as one publication."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assetflow import DailyPartitions, Definitions, Project, asset, asset_check
from assetflow.errors import DataMissing, InvalidPartition, UnknownAsset, UsageError
from assetflow.store.opening import open_store

DAYS = DailyPartitions("2024-02-01", end="2024-02-06")
FIRST, LAST = "2024-02-01", "2024-02-05"


class World:
    """What the assets are made from, and the clock."""

    def __init__(self) -> None:
        self.number = 1
        self.bad = False
        self.now = datetime(2024, 2, 10, tzinfo=UTC)

    def assets(self) -> list[Any]:
        world = self

        @asset(partitions=DAYS, code_version="1", hashing="none")
        def daily() -> int:
            return world.number

        @asset(partitions=DAYS, code_version="1")
        def doubled(daily: int) -> int:
            return daily * 2

        @asset(code_version="1")
        def total(doubled: dict[str, int]) -> int:
            return sum(doubled.values())

        return [daily, doubled, total]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def project(world: World, tmp_path: Path) -> Any:
    with Project(
        Definitions(assets=world.assets()),
        store=f"sqlite:///{tmp_path}/store.db",
        storage=tmp_path / "data",
        clock=lambda: world.now,
    ) as opened:
        yield opened


def values(project: Project, name: str) -> dict[str, int]:
    return project.load(name, as_type=dict[str, int])  # type: ignore[return-value]


def generation(project: Project) -> int:
    return project.store.reader.generation()


def rebuilt(project: Project, world: World, number: int, **options: Any) -> Any:
    world.number = number
    return project.materialize("daily", force=True, **options)


class TestRanges:
    def test_a_range_goes_back_to_a_generation_as_one_publication(self, project: Project, world: World) -> None:
        project.materialize()
        then = generation(project)
        rebuilt(project, world, 2)
        before = generation(project)
        moved = project.rollback("daily", f"2024-02-02...{LAST}", as_of=then)
        assert generation(project) == before + 1 == moved["generation"]
        assert [entry["partition"] for entry in moved["published"]] == [f"2024-02-0{n}" for n in range(2, 6)]
        assert list(values(project, "daily").values()) == [2, 1, 1, 1, 1]
        assert not project.why("daily", FIRST).held
        assert all(project.why("daily", f"2024-02-0{n}").held for n in range(2, 6))

    def test_partitions_that_have_not_moved_are_left_alone(self, project: Project, world: World) -> None:
        project.materialize()
        then = generation(project)
        rebuilt(project, world, 2, partitions="2024-02-03")
        moved = project.rollback("daily", as_of=then)
        assert [entry["partition"] for entry in moved["published"]] == ["2024-02-03"]
        assert project.rollback("daily", as_of=generation(project))["generation"] is None

    def test_what_was_not_there_is_withdrawn_and_not_found_again(self, project: Project, world: World) -> None:
        project.materialize("daily", "2024-02-01")
        then = generation(project)
        rebuilt(project, world, 7)
        moved = project.rollback("daily", as_of=then)
        assert [entry["partition"] for entry in moved["withdrawn"]] == [f"2024-02-0{n}" for n in range(2, 6)]
        assert values(project, "daily") == {FIRST: 1}
        assert project.why("daily", "2024-02-02").state == "missing"
        world.number = 9
        result = project.materialize("daily")
        assert (result.counts["materialized"], result.counts["reused"]) == (4, 0)
        assert list(values(project, "daily").values()) == [1, 9, 9, 9, 9]

    def test_what_was_withdrawn_comes_back(self, project: Project) -> None:
        project.materialize()
        then = generation(project)
        project.wipe("daily", reason="a trial")
        moved = project.rollback("daily", as_of=then)
        assert len(moved["published"]) == 5
        assert project.plan().steps == ()

    def test_downstream_comes_along_in_the_same_generation(self, project: Project, world: World) -> None:
        project.materialize()
        then = generation(project)
        world.number = 2
        project.materialize(force=True)
        before = generation(project)
        assert project.load("total") == 20
        moved = project.rollback("daily", as_of=then, with_downstream=True)
        assert generation(project) == before + 1
        assert len(moved["published"]) == 11
        assert project.load("total") == 10
        assert project.plan().steps == ()
        assert project.store.reader.integrity() == []

    def test_downstream_that_is_made_from_it_already_is_left_alone(self, project: Project, world: World) -> None:
        project.materialize()
        then = generation(project)
        rebuilt(project, world, 2)
        moved = project.rollback("daily", as_of=then, with_downstream=True)
        assert {entry["asset"] for entry in moved["published"]} == {"daily"}
        assert project.plan().steps == ()
        assert not project.why("doubled", FIRST).held

    def test_to_a_time(self, world: World, tmp_path: Path) -> None:
        clock = lambda: world.now  # noqa: E731
        url = f"sqlite:///{tmp_path}/store.db"
        with Project(Definitions(assets=world.assets()), store=url, storage=tmp_path / "data", clock=clock) as project:
            project.materialize()
            noted = world.now
            world.now += timedelta(hours=1)
            rebuilt(project, world, 2)
            world.now += timedelta(hours=1)
            project.rollback("daily", as_of=noted + timedelta(minutes=30))
            assert set(values(project, "daily").values()) == {1}


class TestOneTableOfARun:
    """Dependants of a table that is rolled back alone are told apart: stale, because of it."""

    def test_dependants_are_planned_as_stale_with_that_cause(self, project: Project, world: World) -> None:
        project.materialize()
        then = generation(project)
        world.number = 2
        project.materialize(force=True)
        project.rollback("daily", "2024-02-03", as_of=then)
        plan = project.plan()
        assert [(step.computation, step.certainty) for step in plan.steps] == [("doubled", "reuse"), ("total", "may")]
        (cause,) = project.why("doubled", "2024-02-03").causes
        assert (cause.kind, cause.root) == ("input_changed", ("daily",))
        assert "daily" in cause.detail
        project.materialize()
        assert project.load("total") == 4 * 4 + 2


class TestRuns:
    def test_everything_that_a_run_published_goes_back_as_one_publication(self, project: Project, world: World) -> None:
        project.materialize()
        world.number = 5
        run = project.materialize(force=True)
        before = generation(project)
        moved = project.rollback(run=run.run_id, reason="wrong input")
        assert generation(project) == before + 1
        assert len(moved["published"]) == 11
        assert (project.load("total"), set(values(project, "daily").values())) == (10, {1})
        assert project.plan().steps == ()
        events = [row.event for row in project.store.reader.events_since(0) if row.event.kind == "rolled_back"]
        assert {event.asset for event in events} == {"daily", "doubled", "total"}
        assert {event.payload["reason"] for event in events} == {"wrong input"}
        assert all("@" in str(event.payload["by"]) for event in events)

    def test_what_was_not_there_before_is_withdrawn(self, project: Project, world: World) -> None:
        project.materialize("+doubled", "2024-02-01")
        world.number = 5
        run = project.materialize("*")
        moved = project.rollback(run=run.run_id)
        assert len(moved["withdrawn"]) == 9
        assert values(project, "doubled") == {FIRST: 2}
        with pytest.raises(DataMissing):
            project.load("total")
        assert project.status().rows[0].partitions["missing"] == 4

    def test_what_was_published_over_it_stays(self, project: Project, world: World) -> None:
        project.materialize("daily")
        run = rebuilt(project, world, 5)
        rebuilt(project, world, 6, partitions="2024-02-02")
        newest = project.why("daily", "2024-02-02").version
        moved = project.rollback(run=run.run_id)
        assert list(values(project, "daily").values()) == [1, 6, 1, 1, 1]
        assert moved["left"] == [
            {"asset": "daily", "partition": "2024-02-02", "reason": f"version {newest} was published over it since"}
        ]

    def test_a_rollback_can_be_rolled_back(self, project: Project, world: World) -> None:
        project.materialize("daily")
        run = rebuilt(project, world, 5)
        then = generation(project)
        project.rollback(run=run.run_id)
        project.rollback("daily", as_of=then)
        assert set(values(project, "daily").values()) == {5}


class TestFailedRuns:
    """The data of a failed run is nowhere an input."""

    def test_what_a_failed_run_made_is_never_read(self, world: World, tmp_path: Path) -> None:
        assets = world.assets()

        @asset_check(asset="daily", blocking=True)
        def small(daily: int) -> bool:
            return daily < 10

        with Project(
            Definitions(assets=assets, checks=[small]),
            store=f"sqlite:///{tmp_path}/store.db",
            storage=tmp_path / "data",
            clock=lambda: world.now,
        ) as project:
            project.materialize()
            then = generation(project)
            world.number = 100
            failed = project.materialize(force=True)
            assert failed.status == "failed"
            refused = [row for row in project.versions("daily") if row["state"] == "quarantined"]
            assert len(refused) == 5
            assert project.load("daily", version=refused[0]["version"]) == 100
            with pytest.raises(UsageError, match="is quarantined: it was never published") as caught:
                project.rollback("daily", to=refused[0]["version"])
            assert "assetflow publish" in str(caught.value.hint)
            project.rollback("daily", as_of=then, with_downstream=True)
            project.materialize(retry_failed=False)
            assert project.load("total") == 10
            read = project.catalog.query("select distinct upstream_version from lineage").column(0).to_pylist()
            assert set(read).isdisjoint(row["version"] for row in refused)
            with pytest.raises(UsageError, match=f"run {failed.run_id} published nothing"):
                project.rollback(run=failed.run_id)


class TestMistakes:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"asset": "daily"}, "rollback: it does not say where to"),
            ({"asset": "daily", "to": 1, "as_of": 1}, "rollback: both to and as_of are given"),
            ({"to": 1}, "rollback: it does not say which asset"),
            ({"asset": "daily", "run": "abc"}, "a run is rolled back with all that it published, not daily alone"),
            ({"run": "abc"}, "there is no run 'abc'"),
            ({"asset": "daily", "as_of": 99}, "there is no generation 99: they are 1 to"),
            ({"asset": "daily", "as_of": 0}, "there is no generation 0"),
            ({"asset": "daily", "as_of": True}, "as_of=True is no moment"),
            ({"asset": "daily", "as_of": "2024-02-05"}, "'2024-02-05' has no time zone"),
            ({"asset": "daily", "as_of": datetime(2024, 2, 5)}, "'2024-02-05T00:00:00' has no time zone"),
            ({"asset": "daily", "as_of": "2099-01-01T00:00Z"}, "2099-01-01T00:00:00Z is in the future"),
            ({"asset": "daily", "as_of": "1999-01-01T00:00Z"}, "at 1999-01-01T00:00:00Z nothing had been published"),
            ({"asset": "daily", "as_of": "soon"}, "'soon' is neither a generation nor a time"),
            ({"asset": "daily", "partition": "2024-02-01...2024-02-03", "to": 1}, "version 1 is of one partition"),
        ],
    )
    def test_it_is_said(self, project: Project, options: dict[str, Any], message: str) -> None:
        project.materialize("daily")
        with pytest.raises(UsageError) as caught:
            project.rollback(**options)
        assert message in caught.value.message
        assert caught.value.hint

    def test_partitions_and_assets_that_there_are_not(self, project: Project) -> None:
        project.materialize("daily")
        with pytest.raises(InvalidPartition, match="daily"):
            project.rollback("daily", "2024-02-01...nonsense", as_of=1)
        with pytest.raises(UnknownAsset):
            project.rollback("dayly", as_of=1)

    def test_of_a_moment_when_it_was_partitioned_otherwise(self, world: World, tmp_path: Path) -> None:
        @asset(name="daily", code_version="1")
        def whole() -> int:
            return 1

        place: dict[str, Any] = {"store": f"sqlite:///{tmp_path}/s.db", "storage": tmp_path / "data"}
        with Project([whole], **place) as project:
            project.materialize()
            version = project.why("daily").version
        with Project(Definitions(assets=world.assets()), **place) as project:
            with pytest.raises(UsageError) as caught:
                project.rollback("daily", as_of=1)
            assert caught.value.message == "daily was not partitioned at generation 1; now it is partitioned by day"
            assert project.load("daily", version=version) == 1


def test_the_store_keeps_the_time_of_commits(tmp_path: Path) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    store = open_store(f"sqlite:///{tmp_path}/store.db", clock=lambda: moment)
    store.writer.add_partitions("colours", ["red"])
    assert store.reader.committed_at(1) == moment
    assert store.reader.committed_at(2) is None
    assert [store.reader.generation_at(moment + timedelta(seconds=s)) for s in (-1, 0, 1)] == [0, 1, 1]
    store.close()
