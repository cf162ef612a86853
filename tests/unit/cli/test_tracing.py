"""The tree of a trace: branches, what is told already, what is too deep, too long or too much."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from assetflow.cli.terminal import Page
from assetflow.cli.tracing import show_trace
from assetflow.keys import AssetKey, VersionId
from assetflow.planner.trace import CodeChange, Link, Reason, ReasonKind, Trace, VersionChange


def link(asset: str, *reasons: Reason, planned: bool = True, partitions: tuple[str, ...] = (), **fields: Any) -> Link:
    return Link(AssetKey(asset), planned, partitions, 1, reasons, **fields)


def stale(upstream: str) -> Reason:
    return Reason("upstream_stale", f"{upstream} is stale", 1, upstream=AssetKey(upstream))


def plain(kind: ReasonKind, detail: str, count: int = 1) -> Reason:
    return Reason(kind, detail, count)


def shown(*links: Link, numbers: bool = False) -> list[str]:
    stream = io.StringIO()
    show_trace(Page(stream), Trace(links), indent=2, numbers=numbers)
    return stream.getvalue().splitlines()


def test_nothing_is_printed_of_an_empty_trace() -> None:
    assert shown() == []


def test_each_reason_has_its_branch_and_what_was_told_is_not_told_again() -> None:
    top = plain("code_changed", "shop.top changed")
    found = shown(
        link("end", stale("left"), stale("right")),
        link("right", stale("top")),
        link("left", stale("top")),
        link("top", top),
    )
    assert found == [
        "  because left is stale",
        "  └─ left: top is stale",
        "     └─ top: shop.top changed",
        "  because right is stale",
        "  └─ right: top is stale",
        "     └─ top: as above",
    ]


def test_several_reasons_of_one_link_are_branches_beside_each_other() -> None:
    both = (plain("missing", "never built"), plain("failed", "failed in run r1: boom"))
    assert shown(link("end", stale("a")), link("a", *both)) == [
        "  because a is stale",
        "  ├─ a: never built",
        "  └─ a: failed in run r1: boom",
    ]


def test_versions_runs_and_moments_are_told() -> None:
    changes = (
        VersionChange("a", VersionId(1), VersionId(4)),
        VersionChange("b", None, VersionId(5)),
        VersionChange("c", VersionId(3), None),
    )
    changed = Reason("input_changed", "files a...k changed", 1, "files", AssetKey("files"), changes, 11)
    single = Reason(
        "input_changed", "raw changed", 1, "raw", AssetKey("raw"), (VersionChange(None, VersionId(7), VersionId(8)),), 1
    )
    found = shown(
        link("end", changed, single, unexamined=2000),
        link(
            "files",
            plain("observed", "observed anew"),
            planned=False,
            partitions=("a...k",),
            at=datetime(2024, 2, 1, tzinfo=UTC),
        ),
        link("raw", plain("computed_again", "computed again"), planned=False, runs=("r1", "r2")),
    )
    assert found == [
        (
            "  because files a...k changed, a from version 1 to 4, b to version 5, c from version 3, +8 more"
            " (2,000 of them not looked at one by one)"
        ),
        "  └─ files a...k (2024-02-01 00:00:00Z): observed anew",
        "  because raw changed, from version 7 to 8 (2,000 of them not looked at one by one)",
        "  └─ raw (run r1, r2): computed again",
    ]


def test_numbers_tell_how_many_share_a_reason() -> None:
    whole = Link(AssetKey("end"), True, (), 5, (plain("missing", "never built", 2), plain("forced", "forced", 5)))
    assert shown(whole, numbers=True) == ["  never built (2 partitions)", "  forced"]


def test_a_long_difference_is_cut() -> None:
    code = (
        CodeChange("shop.a", "added", ("+new",)),
        CodeChange("shop.b", "changed", tuple(f"+{n}" for n in range(20))),
    )
    found = shown(link("end", Reason("code_changed", "shop.a added, shop.b changed", 1, code=code)))
    assert found[:2] == ["  because shop.a added, shop.b changed", "    +0"]
    assert found[-1] == "    +8 more lines"
    assert len(found) == 14


def test_a_very_deep_tree_ends_with_its_roots() -> None:
    chain = [link(f"a{n}", stale(f"a{n + 1}")) for n in range(99)]
    found = shown(*chain, link("a99", plain("code_changed", "shop.a99 changed")))
    assert len(found) == 32
    assert found[-2:] == ["  ... and 70 more assets, down to:", "     a99: shop.a99 changed"]
    assert max(len(line) for line in found) < 100


def test_a_sentence_stays_one_line_whatever_its_keys_hold() -> None:
    assert shown(link("end", plain("missing", "waits for a@x\ny"))) == [r"  waits for a@x\ny"]
