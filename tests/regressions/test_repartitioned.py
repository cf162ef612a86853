"""An asset that is partitioned otherwise than before: nothing that was recorded is taken for something else."""

from __future__ import annotations

from typing import Any

import pytest

from assetflow.errors import UsageError

CODE = """
    from assetflow import AssetContext, DailyPartitions, MonthlyPartitions, MultiPartitions, StaticPartitions, asset
    from assetflow import HourlyPartitions, Input, AllPartitions

    days = DailyPartitions("1970-01-01", end="1970-01-04")
    months = MonthlyPartitions("1970-01", end="1970-03")
    # Enough keys for one of them to have the ordinal of a month, or of a day.
    keys = StaticPartitions(["a", "b"])
    how = days

    @asset(partitions=how, code_version="1")
    def orders(context: AssetContext) -> str:
        return f"orders {context.partition_key if how else 'whole'}"

    @asset(inputs={"orders": Input("orders", AllPartitions())} if how else {}, code_version="1")
    def report(orders) -> int:
        return 1
"""


COPIES = """
    @asset(partitions=days, inputs={"orders": Input("orders", AllPartitions())}, code_version="1")
    def copies(orders) -> int:
        return 1
"""
NEWS = """

@asset(code_version="1")
def news(report) -> int:
    return len(report)
"""


def causes(folder: Any, asset: str, partition: str | None = None) -> list[tuple[str, str]]:
    return [(cause.kind, cause.detail) for cause in folder.why(asset, partition).causes]


def rows(project: Any, asset: str) -> list[tuple[int, str | None, str | None, bool]]:
    found = project.versions(asset)
    return [(row["version"], row["partition"], row["former"], row["current"]) for row in found]


@pytest.fixture
def built(folder: Any) -> Any:
    folder.code(CODE)
    assert folder.run().counts["materialized"] == 4
    return folder


def test_another_grain_starts_anew_says_so_and_keeps_what_was(built: Any) -> None:
    today = built.open().clock().date().isoformat()
    built.edit("how = days", "how = months")
    was = f"until {today} it was partitioned by day, and its 3 partitions of then are kept"
    assert causes(built, "orders", "1970-01") == [("missing", f"never built: {was}")]
    assert causes(built, "orders") == [("missing", f"never built: {was}")]
    assert causes(built, "report") == [
        ("input_changed", "orders is partitioned by month, and was partitioned by day"),
        ("upstream_stale", "orders 1970-01...1970-02 is missing"),
    ]
    assert [(link.asset, [reason.detail for reason in link.reasons]) for link in built.why("report").trace.links] == [
        ("report", [detail for _, detail in causes(built, "report")]),
        ("orders", [f"never built: {was}"]),
    ]
    with built.open() as project:
        assert rows(project, "orders") == [
            (3, "1970-01-03", "partitioned by day", False),
            (2, "1970-01-02", "partitioned by day", False),
            (1, "1970-01-01", "partitioned by day", False),
        ]
        assert project.load("orders", version=2) == "orders 1970-01-02"
        assert project.catalog.preview("orders", version=2).partition == "1970-01-02"
        listed = project.catalog.query("select version, partition from versions where asset = 'orders' order by 1")
        assert listed["partition"].to_pylist() == ["1970-01-01", "1970-01-02", "1970-01-03"]
        read = project.catalog.query("select upstream_partition as key from lineage where asset = 'report' order by 1")
        assert read["key"].to_pylist() == ["1970-01-01", "1970-01-02", "1970-01-03"]
        states = project.catalog.query("select partition, state, version from partitions where asset = 'orders'")
        assert states.to_pylist() == [
            {"partition": key, "state": "missing", "version": None} for key in ("1970-01", "1970-02")
        ]
        run = project.runs()[0]["run_id"]
        assert {step["partition"] for step in project.run(run)["steps"]} == {
            "1970-01-01",
            "1970-01-02",
            "1970-01-03",
            None,
        }
        events = project.catalog.query("select partition from events where asset = 'orders'")
        assert sorted(set(events["partition"].to_pylist())) == ["1970-01-01", "1970-01-02", "1970-01-03"]


def lines(found: Any) -> list[str]:
    """The trace, each reason with the partitions that it is told of; those of former partitions say so."""
    return [
        " ".join(
            filter(None, ("" if link.planned else "was:", link.asset, *link.partitions, link.former, reason.detail))
        )
        for link in found.trace.links
        for reason in link.reasons
    ]


def with_news(built: Any) -> None:
    """Let what reads orders differ whenever they do, and something read that."""
    built.edit("return 1", "return orders")
    built.edit("-> int", "-> dict")
    built.code((built.root / "pipeline.py").read_text() + NEWS)
    built.run()


def test_what_was_read_of_days_is_not_told_as_months(built: Any) -> None:
    today = built.open().clock().date().isoformat()
    built.edit("how = days", "how = months")
    found = built.why("report")
    was = f"until {today} it was partitioned by day, and its 3 partitions of then are kept"
    assert lines(found) == [
        "report orders is partitioned by month, and was partitioned by day",
        "report orders 1970-01...1970-02 is missing",
        f"orders 1970-01...1970-02 never built: {was}",
    ]
    changed = found.trace.links[0].reasons[0]
    assert (changed.kind, changed.count, changed.parameter, changed.versions) == ("input_changed", 1, "orders", ())


def test_the_way_goes_on_through_what_was_published_of_days(built: Any) -> None:
    with_news(built)
    built.edit('f"orders {', 'f"anew {')
    built.edit('@asset(partitions=how, code_version="1")', '@asset(partitions=how, code_version="2")')
    built.run(select="orders or report")
    built.edit("how = days", "how = months")
    found = built.why("news")
    assert lines(found)[-2:] == [
        "was: report orders 1970-01-01, 1970-01-02, 1970-01-03 (partitioned by day) changed",
        "was: orders 1970-01-01 1970-01-02 1970-01-03 partitioned by day code_version changed",
    ]
    report, orders = found.trace.links[-2:]
    assert (report.planned, orders.planned) == (False, False)
    assert (report.to_dict()["former"], orders.to_dict()["former"]) == (None, "partitioned by day")
    assert (report.reasons[0].upstream, report.reasons[0].to_dict()["former"]) == ("orders", "partitioned by day")
    assert [each.partition for each in report.reasons[0].versions] == ["1970-01-01", "1970-01-02", "1970-01-03"]
    assert report.reasons[0] not in [reason for _, reason in found.trace.roots()]


def test_between_two_versions_the_upstream_became_partitioned_otherwise(built: Any) -> None:
    with_news(built)
    built.edit("how = days", "how = months")
    built.run(select="orders or report")
    assert lines(built.why("news"))[-1] == "was: report orders is partitioned by month, and was partitioned by day"


def test_partitions_that_read_the_upstream_of_then_and_of_now_are_told_apart(folder: Any) -> None:
    folder.code(CODE + COPIES)
    folder.run()
    folder.edit("how = days", "how = months")
    folder.run(select="orders")
    folder.run(select="copies", partitions="1970-01-01")
    folder.edit('@asset(partitions=how, code_version="1")', '@asset(partitions=how, code_version="2")')
    folder.edit('f"orders {', 'f"anew {')
    folder.run(select="orders")
    with folder.open() as project:
        reasons = [
            (reason.kind, reason.detail, reason.count) for reason in project.why("copies").trace.links[0].reasons
        ]
    assert reasons == [
        ("input_changed", "orders is partitioned by month, and was partitioned by day", 2),
        ("input_changed", "orders 1970-01...1970-02 changed", 1),
    ]


def test_built_anew_both_are_listed_and_a_version_of_before_is_not_published_again(built: Any) -> None:
    built.edit("how = days", "how = months")
    result = built.run()
    assert (result.counts["materialized"], result.counts["unchanged"]) == (2, 1)
    assert built.value("orders", "1970-02") == "orders 1970-02"
    assert built.steps() == {}
    with built.open() as project:
        assert [(key, former, current) for _, key, former, current in rows(project, "orders")] == [
            ("1970-02", None, True),
            ("1970-01", None, True),
            ("1970-01-03", "partitioned by day", False),
            ("1970-01-02", "partitioned by day", False),
            ("1970-01-01", "partitioned by day", False),
        ]
        assert [row["partition"] for row in project.versions("orders", "1970-01")] == ["1970-01"]
        with pytest.raises(UsageError) as caught:
            project.rollback("orders", to=2)
        assert caught.value.message == (
            "version 2 of orders is from when it was partitioned by day; now it is partitioned by month"
        )
        assert caught.value.hint == ("declare it as it was to roll back, or read it: assetflow show orders --version 2")
        nodes = project.catalog.lineage("orders", "1970-01", direction="downstream").nodes
        assert [(node.asset, node.partition) for node in nodes] == [("orders", "1970-01"), ("report", None)]


def test_changed_back_what_was_built_is_found_again(built: Any) -> None:
    built.edit("how = days", "how = months")
    built.run()
    built.edit("how = months", "how = days")
    assert built.steps() == {"report": "reuse"}
    result = built.run()
    assert (result.counts["materialized"], result.counts["reused"]) == (0, 1)
    assert built.value("orders", "1970-01-02") == "orders 1970-01-02"
    assert built.steps() == {}


@pytest.mark.parametrize(
    ("now", "count", "words"),
    [
        ("None", 1, "not partitioned"),
        ("keys", 2, "partitioned by key"),
        ('HourlyPartitions("1970-01-01", "1970-01-01T03:00")', 3, "partitioned by hour"),
        ('MultiPartitions({"day": days, "key": keys})', 6, "partitioned by day and key"),
    ],
)
def test_no_kind_of_partitions_is_taken_for_another(built: Any, now: str, count: int, words: str) -> None:
    today = built.open().clock().date().isoformat()
    built.edit("how = days", f"how = {now}")
    with built.open() as project:
        (row,) = project.status("orders").rows
        assert (row.partitions["missing"], row.partitions["total"]) == (count, count)
    assert built.run(select="orders").counts["materialized"] == count
    built.edit(f"how = {now}", "how = months")
    kept = "version is kept" if now == "None" else f"{count} partitions of then are kept"
    assert causes(built, "orders", "1970-01") == [
        ("missing", f"never built: until {today} it was {words}, and its {kept}")
    ]


def test_another_order_of_dimensions_is_another_kind(built: Any) -> None:
    built.edit("how = days", 'how = MultiPartitions({"day": days, "key": keys})')
    built.run(select="orders")
    built.edit('how = MultiPartitions({"day": days, "key": keys})', 'how = MultiPartitions({"key": keys, "day": days})')
    with built.open() as project:
        assert project.status("orders").rows[0].partitions["missing"] == 6
        assert {row["partition"] for row in project.versions("orders") if row["former"]} == {
            *(f"1970-01-0{n}" for n in (1, 2, 3)),
            *(f"1970-01-0{n}|{key}" for n in (1, 2, 3) for key in "ab"),
        }


@pytest.mark.parametrize(
    "changed",
    [
        'DailyPartitions("1970-01-01", end="1970-01-04", timezone="Europe/Berlin")',
        'DailyPartitions("1970-01-01", end="1970-01-04", hour_offset=6)',
    ],
)
def test_other_windows_of_the_same_days_make_them_stale(built: Any, changed: str) -> None:
    built.edit('DailyPartitions("1970-01-01", end="1970-01-04")', changed)
    assert causes(built, "orders", "1970-01-02") == [("code_changed", "windows of partitions changed")]
    assert built.run(select="orders").counts["unchanged"] == 3
    assert built.steps() == {}


def test_the_bounds_of_days_make_nothing_stale(built: Any) -> None:
    built.edit('"1970-01-01", end="1970-01-04"', '"1969-12-31", end="1970-01-03", end_offset=0')
    assert built.steps(select="orders") == {"orders": "will"}
    assert [cause[0] for cause in causes(built, "orders", "1969-12-31")] == ["missing"]


def test_weeks_that_begin_on_another_day_are_others(built: Any) -> None:
    monday = 'WeeklyPartitions("1970-01-01", "1970-02-01")'
    built.edit("HourlyPartitions, Input", "HourlyPartitions, WeeklyPartitions, Input")
    built.edit("how = days", f"how = {monday}")
    built.run(select="orders")
    built.edit(monday, 'WeeklyPartitions("1970-01-01", "1970-02-01", week_start="sunday")')
    with built.open() as project:
        detail = project.why("orders").causes[0].detail
        assert "it was partitioned by week (monday), and its 3 partitions of then are kept" in detail
        assert project.status("orders").rows[0].partitions["missing"] == 4


def test_a_list_of_keys_that_becomes_dynamic_keeps_what_it_has(built: Any) -> None:
    built.edit("HourlyPartitions, Input", "HourlyPartitions, DynamicPartitions, Input")
    built.edit("how = days", "how = keys")
    built.run(select="orders")
    built.edit("how = keys", 'how = DynamicPartitions("letters")')
    with built.open() as project:
        project.add_partitions("letters", ["b", "c"])
        counts = project.status("orders").rows[0].partitions
        assert (counts["up_to_date"], counts["missing"]) == (1, 1)
        assert project.load("orders", "b") == "orders b"
