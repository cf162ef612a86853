"""Freshness of a whole project: what runs record, what is told, and what ``due`` builds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assetflow import DailyPartitions, FreshnessPolicy, Project, asset, observable_source

DAY = FreshnessPolicy(max_lag="24h")
HOUR = timedelta(hours=1)
Opened = Callable[..., Project]


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = datetime(2024, 1, 11, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> Iterator[Opened]:
    projects: list[Project] = []

    def open_project(*assets: Any) -> Project:
        projects.append(Project(list(assets), clock=clock))
        return projects[-1]

    yield open_project
    for project in projects:
        project.close()


def shown(project: Project) -> dict[str, tuple[str, float | None]]:
    found = {row.asset: row.freshness for row in project.status().rows}
    return {asset: (each.state, None if each.lag is None else each.lag / HOUR) for asset, each in found.items()}


def planned(project: Project, **options: Any) -> list[tuple[str, str]]:
    return [(step.computation, step.certainty) for step in project.plan(due=True, **options).steps]


def test_a_rebuild_without_change_is_recorded_for_it_and_for_what_reads_it(clock: Clock, opened: Opened) -> None:
    @asset
    def raw() -> int:
        return 1

    @asset(freshness_policy=DAY)
    def report(raw: int) -> int:
        return raw

    project = opened(raw, report)
    assert project.materialize(due=True).counts["materialized"] == 2
    version = project.versions("raw")
    clock.now += 24 * HOUR
    assert shown(project)["report"] == ("fail", 24)
    assert project.materialize().run_id is None

    result = project.materialize(due=True)

    assert (result.counts["unchanged"], result.counts["materialized"]) == (2, 0)
    assert project.versions("raw") == version
    assert shown(project)["report"] == ("pass", 0)
    assert project.materialize(due=True).run_id is None


def test_a_change_that_an_expired_asset_brings_goes_down(clock: Clock, opened: Opened) -> None:
    given = [1]

    @asset(code_version="1")
    def raw() -> int:
        return given[0]

    @asset
    def report(raw: int) -> int:
        return raw * 10

    @asset(freshness_policy=DAY)
    def page(report: int) -> int:
        return report + 1

    project = opened(raw, report, page)
    project.materialize()
    given[0] = 2
    clock.now += 30 * HOUR
    assert planned(project) == [("raw", "will"), ("report", "may"), ("page", "may")]
    assert project.materialize(due=True).counts["materialized"] == 3
    assert project.load("page") == 21


def test_going_back_makes_data_old_again(clock: Clock, opened: Opened) -> None:
    @asset(freshness_policy=DAY, hashing="none")
    def raw() -> int:
        return 1

    project = opened(raw)
    project.materialize()
    clock.now += 30 * HOUR
    project.materialize(due=True)
    assert shown(project)["raw"] == ("pass", 0)
    first = min(each["version"] for each in project.versions("raw"))  # type: ignore[type-var]
    clock.now += HOUR
    project.rollback("raw", to=first)  # type: ignore[arg-type]
    assert shown(project)["raw"] == ("fail", 31)


def test_a_source_that_was_asked_keeps_what_reads_it_fresh(clock: Clock, opened: Opened) -> None:
    @observable_source
    def page() -> str:
        return "same"

    @asset(deps=[page], freshness_policy=DAY)
    def copy() -> int:
        return 1

    project = opened(page, copy)
    project.materialize()
    clock.now += 30 * HOUR
    status = project.status(observe=False)
    assert status.rows[1].freshness.state == "fail"
    assert status.notes == ("copy is late because of what is upstream: page",)
    assert project.plan(due=True, observe=False).steps == ()
    assert shown(project)["copy"] == ("pass", 0)


def test_the_catalog_and_the_documents_tell_the_same(clock: Clock, opened: Opened) -> None:
    @asset(partitions=DailyPartitions("2024-01-08"), freshness_policy=FreshnessPolicy(max_lag="36h", warn_lag="30h"))
    def daily() -> int:
        return 1

    @asset
    def free() -> int:
        return 1

    project = opened(daily, free)
    project.materialize("daily", "2024-01-08...2024-01-09")
    clock.now += 6 * HOUR
    rows = {row["asset"]: row for row in project.catalog.query("from freshness").to_pylist()}
    mark = datetime(2024, 1, 10, tzinfo=UTC)
    assert rows["daily"] == {"asset": "daily", "state": "warn", "watermark": mark, "lag_seconds": 30.5 * 3600}
    assert rows["free"] == {"asset": "free", "state": "none", "watermark": None, "lag_seconds": None}
    documents: Any = project.status().to_dict()["assets"]
    assert documents[0]["freshness"] == {
        "state": "warn",
        "lag_seconds": 30.5 * 3600,
        "deadline": "2024-01-11T12:00:00+00:00",
        "late": None,
        "upstream": [],
    }
    assert project.plan(due=True).to_dict()["next_deadline"] == "2024-01-11T12:00:00+00:00"
    assert planned(project, partitions="2024-01-10") == [("daily", "will")]
    assert planned(project, partitions="2024-01-08") == []
    assert planned(project, select="free") == []
    assert planned(project, select="status:late") == []
    clock.now += 6 * HOUR
    assert planned(project, select="status:late") == [("daily", "will")]


def test_a_policy_is_no_part_of_the_code_version(clock: Clock, opened: Opened) -> None:
    def raw() -> int:
        return 1

    with_policy = opened(asset(name="a", freshness_policy=DAY)(raw)).code.codes.computations["a"].version

    def raw() -> int:
        return 1

    assert opened(asset(name="a")(raw)).code.codes.computations["a"].version == with_policy
