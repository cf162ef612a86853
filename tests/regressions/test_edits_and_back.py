"""Declarations that are edited, and edited back: what that makes stale, and what it must not."""

from __future__ import annotations

from typing import Any

SHOP = """
    from pathlib import Path

    from assetflow import AssetContext, DailyPartitions, Input, asset

    days = DailyPartitions("2024-01-01", end="2024-01-05")

    def called(name: str) -> None:
        with Path("calls").open("a") as calls:
            calls.write(f"{name}\\n")

    @asset
    def orders() -> list[int]:
        called("orders")
        return [3, 4]

    @asset
    def rates() -> int:
        called("rates")
        return 2

    @asset(deps=["rates"])
    def revenue(orders: list[int]) -> int:
        called("revenue")
        return sum(orders)

    @asset
    def report(revenue: int) -> str:
        called("report")
        return f"{revenue} in all"
"""


def built(folder: Any, code: str = SHOP) -> None:
    folder.code(code)
    folder.run()
    folder.calls()


def test_words_for_people_make_nothing_stale(folder: Any) -> None:
    built(folder)
    folder.edit(
        '@asset(deps=["rates"])',
        '@asset(deps=["rates"], group="sales", owners=["team:sales"], tags={"tier": "gold"}, kinds=["python"],\n'
        '       description="What came in", metadata={"wiki": "revenue"})',
    )
    folder.edit("return sum(orders)", '"""All of it."""\n    # Every order counts.\n    return sum( orders )')
    assert folder.steps() == {}


def test_a_renamed_parameter_costs_one_rebuild_that_ends_there(folder: Any) -> None:
    built(folder)
    folder.edit('@asset(deps=["rates"])', '@asset(deps=["rates"], inputs={"bought": Input("orders")})')
    folder.edit("def revenue(orders: list[int])", "def revenue(bought: list[int])")
    folder.edit("return sum(orders)", "return sum(bought)")
    assert folder.steps() == {"revenue": "will", "report": "may"}
    counts = folder.run().counts
    assert (counts["unchanged"], folder.calls()) == (2, ["revenue"])
    assert folder.steps() == {}


def test_an_upstream_taken_out_and_put_back_is_not_computed_again(folder: Any) -> None:
    built(folder)
    folder.edit('@asset(deps=["rates"])', "@asset")
    assert folder.steps() == {"revenue": "will", "report": "may"}
    folder.run()
    assert folder.calls() == ["revenue"]
    assert "rates" not in {edge.upstream for edge in folder.open().graph.nodes["revenue"].edges}

    folder.code(SHOP)
    assert folder.steps() == {"revenue": "reuse", "report": "may"}
    counts = folder.run().counts
    assert (counts["reused"], counts["unchanged"], folder.calls()) == (1, 1, [])
    assert folder.steps() == {}


def test_an_upstream_put_back_after_it_changed_is_a_change(folder: Any) -> None:
    built(folder)
    folder.edit('@asset(deps=["rates"])', "@asset")
    folder.run()
    folder.edit("return 2", "return 3")
    folder.run()
    assert folder.calls() == ["revenue", "rates"]
    folder.edit("@asset\ndef revenue", '@asset(deps=["rates"])\ndef revenue')
    assert folder.steps() == {"revenue": "will", "report": "may"}


def test_a_code_version_that_is_taken_away_is_one_change_and_back_is_none(folder: Any) -> None:
    stated = SHOP.replace('@asset(deps=["rates"])', '@asset(deps=["rates"], code_version="7")')
    built(folder, stated)
    folder.code(SHOP)
    why = folder.why("revenue")
    assert [cause.kind for cause in why.causes] == ["code_changed"]
    assert "code_version" in why.causes[0].detail
    folder.run()
    assert folder.calls() == ["revenue"]
    assert folder.steps() == {}
    folder.code(stated)
    assert folder.steps() == {"revenue": "reuse", "report": "may"}


def test_an_asset_that_was_away_comes_back_as_it_was(folder: Any) -> None:
    built(folder)
    cut = SHOP[: SHOP.index("    @asset\n    def report")]
    folder.code(cut)
    assert folder.steps() == {}
    folder.code(SHOP)
    assert folder.steps() == {}
    assert folder.value("report") == "7 in all"

    folder.code(cut.replace("return [3, 4]", "return [3, 5]"))
    folder.run()
    folder.code(SHOP.replace("return [3, 4]", "return [3, 5]"))
    assert folder.steps() == {"report": "will"}
    assert folder.why("report").causes[0].kind == "input_changed"


PARTS = """
    from assetflow import AssetContext, DailyPartitions, asset

    days = DailyPartitions("2024-01-01", end="2024-01-05")

    @asset(partitions=days)
    def sales(context: AssetContext) -> str:
        return context.partition_key

    @asset
    def total(sales: dict[str, str]) -> int:
        return len(sales)
"""


def test_an_end_moved_back_and_forth_rebuilds_no_partition(folder: Any) -> None:
    built(folder, PARTS)
    assert folder.value("total") == 4
    folder.edit('end="2024-01-05"', 'end="2024-01-03"')
    assert folder.steps() == {"total": "will"}, "it reads fewer"
    folder.run()
    assert folder.value("total") == 2
    folder.edit('end="2024-01-03"', 'end="2024-01-05"')
    assert folder.steps() == {"total": "reuse"}
    assert folder.run().counts["reused"] == 1
    assert (folder.value("total"), folder.value("sales", "2024-01-04")) == (4, "2024-01-04")


def test_two_assets_with_the_same_content_are_told_apart(folder: Any) -> None:
    built(
        folder,
        """
    from assetflow import asset, Input

    @asset
    def left() -> int:
        return 1

    @asset
    def right() -> int:
        return 1

    @asset(inputs={"number": Input("left")})
    def shown(number: int) -> int:
        return number
    """,
    )
    folder.edit('Input("left")', 'Input("right")')
    assert folder.steps() == {"shown": "will"}
    assert folder.run().counts["unchanged"] == 1
    assert folder.steps() == {}
