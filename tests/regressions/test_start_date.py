"""The start date moved back by one day adds exactly one partition and disturbs none."""

from __future__ import annotations

from typing import Any

CODE = """
    from pathlib import Path

    from assetflow import AssetContext, DailyPartitions, HourlyPartitions, LastN, Input, MonthlyPartitions, asset
    from assetflow import observable_source

    days = DailyPartitions("2024-01-02", end="2024-01-06", timezone="Europe/Berlin")

    @observable_source(partitions=days)
    def till() -> dict[str, str]:
        return {f"2024-01-0{n}": "as ever" for n in range(2, 6)}

    @asset(partitions=days, deps=[till])
    def orders(context: AssetContext) -> str:
        return context.partition_key

    @asset(partitions=days)
    def revenue(orders: str) -> str:
        return orders

    @asset(partitions=days, inputs={"revenue": Input("revenue", mapping=LastN(2))})
    def trend(revenue: dict[str, str]) -> int:
        return len(revenue)
"""


def ranges(plan: Any) -> dict[tuple[str, str], list[tuple[str, str]]]:
    return {(step.computation, step.certainty): list(step.partitions.ranges) for step in plan.steps}


def versions(project: Any, asset: str) -> dict[str, int]:
    return {row["partition"]: row["version"] for row in project.versions(asset)}


def test_only_the_new_day_and_what_reads_it_is_built(folder: Any) -> None:
    folder.code(CODE)
    assert folder.run().counts["materialized"] == 12
    with folder.open() as project:
        before = [versions(project, asset) for asset in ("orders", "revenue")]

    folder.edit('"2024-01-02", end', '"2024-01-01", end')
    folder.edit("range(2, 6)", "range(1, 6)")
    with folder.open() as project:
        first = [("2024-01-01", "2024-01-01")]
        plan = project.plan()
        # The window of what was the first day holds one more day now.
        assert ranges(plan) == {
            ("orders", "will"): first,
            ("revenue", "will"): first,
            ("trend", "will"): first,
            ("trend", "may"): [("2024-01-02", "2024-01-02")],
        }
        assert {cause.kind for step in plan.steps[:2] for cause in step.causes} == {"missing"}
        result = project.materialize()
        assert (result.status, result.counts["materialized"]) == ("success", 4)
        after = [versions(project, asset) for asset in ("orders", "revenue")]
        assert all(asset.pop("2024-01-01") for asset in after)
        assert after == before
        assert project.load("trend", "2024-01-02") == 2
        assert project.plan().steps == ()


def test_moved_forward_again_the_day_is_out_of_sight_and_nothing_else_changes(folder: Any) -> None:
    folder.code(CODE)
    folder.edit('inputs={"revenue": Input("revenue", mapping=LastN(2))}', "")
    folder.edit("revenue: dict[str, str]", "revenue: str")
    folder.run()
    folder.edit('"2024-01-02", end', '"2024-01-03", end')
    with folder.open() as project:
        plan = project.plan(observe=False)
        assert plan.steps == ()
        (row,) = project.status(select="orders", observe=False).rows
        assert row.partitions["total"] == 3
