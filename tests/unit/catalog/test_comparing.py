"""Two runs side by side: each way in which a partition can run in one of them only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assetflow import (
    AssetContext,
    CheckResult,
    DailyPartitions,
    Definitions,
    FreshnessPolicy,
    MonthlyPartitions,
    Project,
    StaticPartitions,
    asset,
    asset_check,
    observable_source,
)
from assetflow.catalog.comparing import Comparison, Group
from assetflow.catalog.fates import FATES
from assetflow.errors import InvalidPartition, UnknownAsset, UsageError

NOON = datetime(2024, 2, 4, 12, tzinfo=UTC)
DAYS = DailyPartitions("2024-02-01")
AREAS = StaticPartitions(["north", "south"])


class Shop:
    """A lasting project; tests set its clock, what is broken, what sources answer, and what values assets give."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON
        self.broken: set[str | None] = set()
        self.interrupted: set[str | None] = set()
        self.values: dict[str, int] = {}
        self.opened: list[Project] = []

    def asset(self, name: str, partitions: Any = None, *deps: Any, code: str = "1", **keywords: Any) -> Any:
        def build(context: AssetContext) -> int:
            key = None if partitions is None else context.partition_key
            if key in self.interrupted:
                raise KeyboardInterrupt
            if key in self.broken:
                raise ValueError("broken")
            return self.values.get(name, 1)

        return asset(name=name, partitions=partitions, deps=list(deps), code_version=code, **keywords)(build)

    def open(self, *assets: Any, checks: Any = ()) -> Project:
        project = Project(
            Definitions(assets=list(assets), checks=list(checks)),
            store=f"sqlite:///{self.folder}/store.db",
            storage=self.folder / "data",
            clock=lambda: self.now,
        )
        self.opened.append(project)
        return project


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    for project in made.opened:
        project.close()


def run(project: Project, *arguments: Any, **options: Any) -> str:
    result = project.materialize(*arguments, **options)
    assert result.run_id is not None
    return result.run_id


def told(found: Comparison) -> list[str]:
    """Each group in a line: what differs, and both fates with the reasons."""
    return [f"{each.asset}: {line(group)}" for each in found.assets for group in each.groups]


def line(group: Group) -> str:
    sides = [
        " ".join([side.fate, *(f"({reason.kind}: {reason.detail})" for reason in side.reasons)])
        for side in (group.first, group.second)
    ]
    return f"{','.join(group.partitions)} [{','.join(group.components)}] {' | '.join(sides)}"


def test_the_code(shop: Shop) -> None:
    first = run(shop.open(shop.asset("orders")), force=True)
    second = run(shop.open(shop.asset("orders", code="2"), shop.asset("other")))
    third = run(shop.open(shop.asset("orders", code="2"), shop.asset("other", code="2")))
    project = shop.open(shop.asset("orders", code="2"), shop.asset("other", code="2"))
    found = project.explain(second, third, "orders")
    assert told(found) == ["orders:  [code] unchanged (code_changed: code_version changed) | up_to_date"]
    (reason,) = found.assets[0].groups[0].first.reasons
    assert reason.code[0].diff == ("-1", "+2")
    assert found.assets[0].groups[0].second.made_in == second
    assert told(project.explain(first, first)) == []


def test_an_input_with_its_versions(shop: Shop) -> None:
    texts = {"north": "a", "south": "b"}

    @observable_source(partitions=AREAS)
    def files() -> dict[str, str]:
        return texts

    project = shop.open(files, shop.asset("orders", AREAS, files))
    run(project)
    texts["north"] = "A"
    second = run(project)
    texts["south"] = "B"
    third = run(project)
    found = project.explain(second, third)
    assert told(found) == [
        "orders: north [input] unchanged (input_changed: files north changed) | up_to_date",
        "orders: south [input] up_to_date | unchanged (input_changed: files south changed)",
    ]
    (change,) = found.assets[0].groups[1].second.reasons[0].versions
    current = {row["partition"]: row["version"] for row in project.versions("files") if row["current"]}
    assert (change.partition, change.after) == ("south", current["south"])
    assert change.before is not None


def test_the_selection_and_the_partitions_asked_for(shop: Shop) -> None:
    project = shop.open(shop.asset("orders", AREAS), shop.asset("totals", AREAS, "orders"))
    first = run(project, "orders", "north")
    second = run(project)
    assert told(project.explain(first, second)) == [
        "orders: north [missing] materialized (missing: it had no version) | up_to_date",
        "orders: south [selection] not_asked | materialized (missing: it had no version)",
        "totals: north...south [selection] not_selected | materialized (missing: it had no version)",
    ]


def test_what_did_not_exist_yet(shop: Shop) -> None:
    project = shop.open(shop.asset("orders", DAYS))
    first = run(project)
    shop.now += timedelta(days=1)
    second = run(project)
    found = project.explain(first, second, "orders", "2024-02-04")
    assert told(found) == ["orders: 2024-02-04 [existence] nonexistent | materialized (missing: it had no version)"]
    assert found.assets[0].groups[0].first.detail == "did not exist yet, as of 2024-02-04 12:00:00+0000"


def test_the_memory_of_a_failure(shop: Shop) -> None:
    project = shop.open(shop.asset("orders", AREAS), shop.asset("other"))
    shop.broken = {"north"}
    run(project, "orders")
    first = run(project, retry_failed=False)
    second = run(project)
    assert told(project.explain(first, second, "orders", "north")) == [
        "orders: north [failure] failed_before | failed (missing: it had no version)"
    ]
    shop.broken = set()
    third = run(project)
    assert told(project.explain(first, third, "orders", "north")) == [
        "orders: north [failure] failed_before | materialized (missing: it had no version)"
    ]


def test_what_failed_again_with_the_same_code_and_inputs(shop: Shop) -> None:
    shop.broken = {"north"}
    project = shop.open(shop.asset("orders", AREAS))
    run(project, partitions="south")
    shop.broken = set()
    run(project)
    shop.broken = {"north"}
    changed = shop.open(shop.asset("orders", AREAS, code="2"))
    first = run(changed)
    second = run(changed, force=True, partitions="south")
    assert told(changed.explain(first, second, "orders", "north")) == [
        "orders: north [selection] failed (code_changed: code_version changed) | not_asked"
    ]


def test_force(shop: Shop) -> None:
    project = shop.open(shop.asset("orders"), shop.asset("other"))
    run(project, "orders")
    first = run(project, force=True)
    second = run(shop.open(shop.asset("orders"), shop.asset("other", code="2")))
    assert told(project.explain(first, second, "orders")) == [
        "orders:  [force] unchanged (forced: it was forced) | up_to_date"
    ]


def test_freshness(shop: Shop) -> None:
    project = shop.open(shop.asset("prices", freshness_policy=FreshnessPolicy(max_lag="1h")), shop.asset("other"))
    run(project, "prices")
    shop.now += timedelta(hours=2)
    first = run(project, due=True)
    second = run(project)
    assert told(project.explain(first, second)) == [
        "prices:  [freshness] unchanged (expired: its data was older than a freshness policy allowed) | up_to_date",
        "other:  [freshness] not_due | materialized (missing: it had no version)",
    ]


def test_what_turned_out_as_it_was_what_was_reused_and_what_was_only_checked(shop: Shop) -> None:
    limit = {"most": 5}

    @asset_check(asset="orders", code_version="1")
    def early(orders: int) -> CheckResult:
        return CheckResult(passed=orders < limit["most"])

    @asset_check(asset="orders", code_version="2")
    def late(orders: int) -> CheckResult:
        return CheckResult(passed=orders < limit["most"])

    def assets(code: str) -> list[Any]:
        return [shop.asset("orders", code=code), shop.asset("totals", None, "orders")]

    project = shop.open(*assets("1"), checks=[early])
    first = run(project)
    second = run(shop.open(*assets("2"), checks=[early]))
    assert told(project.explain(first, second)) == ["totals:  [input] materialized (missing: it had no version) | left"]
    third = run(shop.open(*assets("1"), checks=[early]))
    fourth = run(shop.open(*assets("1"), checks=[late]))
    assert told(project.explain(second, third, "orders")) == [
        "orders:  [reuse] unchanged (code_changed: code_version changed) | reused"
    ]
    assert told(project.explain(second, fourth, "orders")) == [
        "orders:  [check] unchanged (code_changed: code_version changed) | checked"
    ]


def test_what_was_blocked_waited_or_was_not_reached(shop: Shop) -> None:
    texts: dict[str, str] = {}

    @observable_source(partitions=AREAS)
    def files() -> dict[str, str]:
        return texts

    project = shop.open(
        files,
        shop.asset("orders", AREAS),
        shop.asset("totals", AREAS, "orders"),
        shop.asset("copies", AREAS, files),
        shop.asset("end", None, "totals"),
        shop.asset("last"),
    )
    shop.broken, shop.interrupted = {"north"}, {None}
    first = run(project)
    shop.broken, shop.interrupted = set(), set()
    texts |= {"north": "a", "south": "b"}
    second = run(project)
    new = "materialized (missing: it had no version)"
    assert sorted(told(project.explain(first, second))) == sorted(
        [
            f"orders: south [missing] {new} | up_to_date",
            f"totals: north [upstream] blocked | {new}",
            f"totals: south [missing] {new} | up_to_date",
            f"copies: north...south [upstream] waiting | {new}",
            f"end:  [upstream] blocked | {new}",
            f"last:  [canceled] canceled | {new}",
        ]
    )


def test_a_retry_left_to_do_less(shop: Shop) -> None:
    shop.broken = {"north"}
    project = shop.open(shop.asset("orders", AREAS))
    first = run(project)
    shop.broken = set()
    second = project.retry(first).run_id
    assert second is not None
    found = project.explain(first, second, "orders", "south")
    assert told(found) == ["orders: south [selection] materialized (missing: it had no version) | not_asked"]
    assert found.assets[0].groups[0].second.detail == (f"was not left to do by run {first}, which was tried again")


def test_a_named_partition_is_told_even_where_both_ran_or_neither(shop: Shop) -> None:
    project = shop.open(shop.asset("orders", AREAS), shop.asset("never"))
    first = run(project, "orders")
    second = run(project, "orders", force=True)
    found = project.explain(first, second, "orders", "south")
    assert told(found) == [
        "orders: south [] materialized (missing: it had no version) | unchanged (forced: it was forced)"
    ]
    assert (found.assets[0].both, found.assets[0].neither) == (1, 0)
    assert told(project.explain(first, second, "never")) == ["never:  [] not_selected | not_selected"]


def test_an_asset_that_is_declared_no_more_can_be_asked_for(shop: Shop) -> None:
    first = run(shop.open(shop.asset("orders"), shop.asset("gone")))
    project = shop.open(shop.asset("orders", code="2"))
    second = run(project)
    found = project.explain(first, second, "gone")
    assert told(found) == ["gone:  [missing] materialized (missing: it had no version) | up_to_date"]
    assert found.assets[0].groups[0].second.detail == "had no step: it was up to date, or not declared"
    with pytest.raises(UnknownAsset, match="there is no asset 'gone'"):
        project.explain(first, second, "gone", "north")


def test_what_cannot_be_compared_says_why(shop: Shop) -> None:
    project = shop.open(shop.asset("orders", AREAS))
    first = run(project)
    with pytest.raises(UsageError) as caught:
        project.explain(first, "nowhere")
    assert (caught.value.message, caught.value.hint) == ("there is no run 'nowhere'", "`assetflow runs` lists them")
    with pytest.raises(UnknownAsset, match="there is no asset 'ordres'"):
        project.explain(first, first, "ordres")
    with pytest.raises(InvalidPartition, match="orders: there is no partition 'east'"):
        project.explain(first, first, "orders", "east")


def test_the_document_holds_it_all(shop: Shop) -> None:
    project = shop.open(shop.asset("orders", AREAS))
    first = run(project, partitions="north")
    second = run(project)
    document = project.explain(first, second).to_dict()
    assert (document["first"], document["second"]) == (first, second)
    assets: Any = document["assets"]
    assert [each["asset"] for each in assets] == ["orders"]
    fields = ["components", "count", "first", "former", "partitions", "second", "unexamined"]
    assert sorted(assets[0]["groups"][0]) == fields
    assert sorted(assets[0]["groups"][0]["first"]) == ["detail", "fate", "made_in", "ran", "reasons", "version"]


MONTHS = MonthlyPartitions("2024-01")


def test_partitioned_otherwise_the_partitions_of_each_run_are_told_apart(shop: Shop) -> None:
    first = run(shop.open(shop.asset("orders", DAYS), shop.asset("total")))
    shop.now += timedelta(days=28)
    project = shop.open(shop.asset("orders", MONTHS), shop.asset("total"))
    second = run(project)
    found = project.explain(first, second)
    days, months = found.assets[0].groups
    missing = "materialized (missing: it had no version)"
    assert told(found) == [
        f"orders: 2024-02-01,2024-02-02,2024-02-03 [partitions] {missing} | repartitioned",
        f"orders: 2024-01...2024-02 [partitions] repartitioned | {missing}",
        f"total:  [missing] {missing} | up_to_date",
    ]
    assert (days.former, months.former) == ("partitioned by day", None)
    assert (days.second.detail, months.first.detail) == ("was partitioned by month", "was partitioned by day")
    assert (found.assets[0].both, found.assets[0].neither) == (0, 0)
    assert told(project.explain(first, second, "orders", "2024-02")) == [
        "orders: 2024-02 [partitions] repartitioned | materialized (missing: it had no version)"
    ]
    assert shop.open(shop.asset("orders"), shop.asset("total")).explain(first, second).assets[0].groups[1].former == (
        "partitioned by month"
    )


def test_two_runs_of_before_are_compared_by_the_keys_of_then(shop: Shop) -> None:
    project = shop.open(shop.asset("orders", DAYS))
    first, second = run(project, partitions="2024-02-01"), run(project)
    shop.now += timedelta(days=28)
    present = shop.open(shop.asset("orders", MONTHS))
    run(present)
    found = present.explain(first, second)
    assert told(found) == [
        "orders: 2024-02-01 [missing] materialized (missing: it had no version) | up_to_date",
        "orders: 2024-02-02,2024-02-03 [selection] not_asked | materialized (missing: it had no version)",
    ]
    assert {group.former for group in found.assets[0].groups} == {"partitioned by day"}
    assert told(present.explain(first, second, "orders", "2024-02")) == [
        "orders: 2024-02 [] repartitioned | repartitioned"
    ]


def test_a_try_that_failed_under_other_partitions_is_no_memory_of_a_failure(shop: Shop) -> None:
    shop.broken.add(None)
    whole = shop.open(shop.asset("orders"))
    run(whole)
    shop.broken.clear()
    project = shop.open(shop.asset("orders", AREAS))
    first = run(project, partitions="north")
    assert told(project.explain(first, run(project), "orders", "north")) == [
        "orders: north [missing] materialized (missing: it had no version) | up_to_date"
    ]


def test_every_fate_is_in_words() -> None:
    assert all(text and text[0].islower() for text in FATES.values())
