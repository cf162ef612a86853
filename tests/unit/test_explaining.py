"""Explanations over a real store: versions and code as they were recorded, through all that was published since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assetflow import DailyPartitions, Input, Project, StaticPartitions, asset, observable_source
from assetflow.errors import InvalidPartition, UnknownAsset, UsageError
from assetflow.planner.explain import Explanation
from assetflow.planner.plan import Plan
from assetflow.planner.planning import plan_from
from assetflow.planner.staleness import assess

NOW = datetime(2024, 2, 4, 12, tzinfo=UTC)
AREAS = StaticPartitions(["north", "south"])
TEXTS: dict[str, str] = {}
ORDERS = """\
from assetflow import asset, AssetContext, StaticPartitions

def clean(text):
    return text.strip()

@asset(partitions=StaticPartitions(["north", "south"]), deps=["files"])
def orders(context: AssetContext) -> str:
    return clean(TEXTS[context.partition_key])
"""


@observable_source(partitions=AREAS)
def files() -> dict[str, str]:
    return dict(TEXTS)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens a project whose ``orders`` are written in a module that tests edit."""
    TEXTS.clear()
    TEXTS.update(north="n", south="s")
    opened: list[Project] = []

    def open_shop(*edits: tuple[str, str], extra: Any = ()) -> Project:
        text = ORDERS
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "orders.py"
        path.write_text(text)
        space: dict[str, Any] = {"TEXTS": TEXTS, "__name__": "orders"}
        exec(compile(text, str(path), "exec"), space)

        @asset(partitions=AREAS)
        def totals(orders: str) -> int:
            return len(orders)

        project = Project(
            [files, space["orders"], totals, *extra],
            store=f"sqlite:///{tmp_path}/store.db",
            storage=tmp_path / "data",
            root=tmp_path,
            clock=lambda: NOW,
        )
        opened.append(project)
        return project

    yield open_shop
    for project in opened:
        project.close()


def lines(found: Explanation) -> list[str]:
    return [
        f"{link.asset} {','.join(link.partitions)} {reason.kind}: {reason.detail}"
        for link in found.trace.links
        for reason in link.reasons
    ]


def version(project: Project, asset: str, partition: str) -> object:
    return next(row["version"] for row in project.versions(asset, partition) if row["current"])


def test_a_correction_is_followed_from_version_to_version_down_to_its_source(shop: Any) -> None:
    project = shop()
    project.materialize()
    before = version(project, "orders", "north"), version(project, "files", "north")
    TEXTS["north"] = "N!"
    result = project.materialize("orders")
    after = version(project, "orders", "north"), version(project, "files", "north")
    found = project.why("totals", "north")
    assert lines(found) == [
        "totals north input_changed: orders north changed",
        "orders north input_changed: files north changed",
        "files north observed: observed anew",
    ]
    changes = [reason.versions[0] for link in found.trace.links for reason in link.reasons if reason.versions]
    assert [(change.before, change.after) for change in changes] == list(zip(before, after, strict=True))
    assert found.trace.links[1].runs == (result.run_id,)
    assert found.trace.roots()[0][0] == "files"


def test_a_source_key_that_is_gone_is_named_with_the_version_that_was_read(shop: Any) -> None:
    @asset(deps=[Input("files", missing="allow")])
    def all_files() -> int:
        return 1

    project = shop(extra=[all_files])
    project.materialize()
    read = version(project, "files", "south")
    del TEXTS["south"]
    found = project.why("all_files")
    assert lines(found) == [
        "all_files  input_changed: files south went away",
        "files south withdrawn: is not there any more",
    ]
    (change,) = found.trace.links[0].reasons[0].versions
    assert (change.partition, change.before, change.after) == ("south", read, None)


def test_a_cause_names_what_differs_and_not_what_was_built_again_and_is_equal(shop: Any) -> None:
    @asset
    def report(orders: dict[str, str]) -> int:
        return len(orders)

    project = shop(extra=[report])
    project.materialize()
    TEXTS.update(north="n ", south="S")
    project.materialize("orders")
    (cause,) = project.why("report").causes
    assert (cause.detail, cause.partitions) == ("orders south changed", ("south",))
    # A plan looks nothing up, and says so.
    (step,) = project.plan("report").steps
    assert [each.detail for each in step.causes] == ["orders changed (north...south published since)"]
    live = project.live()
    assert [each.detail for each in live.why("report").causes] == ["orders south changed"]


def test_the_data_that_came_back_is_no_change(shop: Any) -> None:
    project = shop()
    project.materialize()
    TEXTS.update(north="N", south="S")
    project.materialize("orders", "north", observe=True)
    TEXTS.update(north="n", south="S")
    found = project.why("orders", "south")
    assert lines(found)[0] == "orders south input_changed: files south changed"


def test_equal_data_of_a_rebuild_with_other_code_is_told_by_what_differs_in_all(shop: Any) -> None:
    shop().materialize()
    strip = ("text.strip()", "text.strip().upper()")
    shop(strip).materialize("orders")
    project = shop(strip)
    found = project.why("totals", "north")
    assert lines(found) == [
        "totals north input_changed: orders north changed",
        "orders north code_changed: orders.clean changed",
    ]
    (code,) = found.trace.links[1].reasons[0].code
    assert code.diff[-2:] == ("-    return text.strip()", "+    return text.strip().upper()")


def test_code_that_no_run_has_seen_yet_is_compared_with_what_was_recorded(shop: Any) -> None:
    shop().materialize()
    found = shop(("text.strip()", "text.rstrip()")).why("totals", "north")
    reason = found.trace.links[1].reasons[0]
    assert (found.trace.links[1].planned, reason.kind) == (True, "code_changed")
    assert reason.code[0].diff[-2:] == ("-    return text.strip()", "+    return text.rstrip()")


def test_a_rollback_is_a_root(shop: Any) -> None:
    project = shop()
    project.materialize()
    old = version(project, "orders", "north")
    TEXTS["north"] = "other"
    project.materialize()
    project.rollback("orders", "north", to=old)
    assert lines(project.why("totals", "north")) == [
        "totals north input_changed: orders north changed",
        "orders north rolled_back: an older version was published again",
    ]


def test_a_plan_answers_for_any_asset_and_partition(shop: Any) -> None:
    project = shop()
    project.materialize("+totals", "north")
    TEXTS["north"] = "N"
    plan = project.plan("orders or totals")
    answers = {key: plan.explain("orders", key) for key in ("north", "south")}
    assert [(each.decision, each.trace.links[0].reasons[0].kind) for each in answers.values()] == [
        ("will", "input_changed"),
        ("will", "missing"),
    ]
    assert plan.explain("totals", "north").decision == "may"
    assert [link.asset for link in plan.explain("totals").trace.links] == ["totals", "orders", "files"]
    assert plan.explain("files", "north").detail == "is observed, not built"
    assert plan.explain("totals", "north").to_dict()["decision"] == "may"


def test_a_plan_says_why_it_leaves_something_alone(shop: Any) -> None:
    project = shop()
    project.materialize("orders", "north")
    nothing = project.plan("orders", "north")
    assert (nothing.explain("orders", "north").decision, nothing.explain("orders", "north").detail) == (
        None,
        "is up to date",
    )
    assert nothing.explain("orders", "south").detail == "was not asked for"
    assert nothing.explain("totals", "south").detail == "was not asked for"
    assert project.plan("orders", due=True).explain("orders", "south").detail == "is not due"
    del TEXTS["south"]
    assert project.plan().explain("totals", "south").decision == "waits"
    TEXTS["north"] = "raises"
    failing = shop(("clean(TEXTS[context.partition_key])", "clean(0)"))
    failing.materialize("orders")
    assert failing.plan("orders", retry_failed=False).explain("orders", "north").detail == (
        "failed with the present code and inputs, and what failed was not to be tried again"
    )
    for wrong in ("ordres", "orders@north"):
        with pytest.raises(UnknownAsset):
            nothing.explain(wrong)
    with pytest.raises(InvalidPartition, match="orders: there is no partition 'east'"):
        nothing.explain("orders", "east")


def test_a_plan_made_apart_from_a_project_cannot_look_up_the_past(shop: Any) -> None:
    project = shop()
    made = plan_from(assess(project.graph, project.state(), project.code.codes, NOW))
    with pytest.raises(UsageError) as caught:
        made.explain("orders")
    assert caught.value.message == "this plan knows nothing of the past"
    assert caught.value.hint == "explain plans that Project.plan() made"


def test_plans_are_equal_whatever_they_know_of_the_past(shop: Any) -> None:
    project = shop()
    first: Plan = project.plan()
    assert "scene" not in repr(first)
    assert first == project.plan()


def test_traces_of_steps_leave_what_is_planned_upstream_to_its_own_step(shop: Any) -> None:
    project = shop()
    project.materialize()
    TEXTS["north"] = "N"
    plan = project.plan()
    assert [[link.asset for link in found.links] for found in plan.traces()] == [["orders", "files"], ["totals"]]


def test_a_partition_that_does_not_exist_yet_is_no_question(shop: Any) -> None:
    @asset(partitions=DailyPartitions("2024-02-01"))
    def daily() -> int:
        return 1

    with pytest.raises(InvalidPartition, match="daily@2024-02-04 does not exist yet"):
        shop(extra=[daily]).plan().explain("daily", "2024-02-04")
