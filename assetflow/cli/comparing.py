"""``explain``: why something ran in one run and not in another."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from assetflow.cli.options import open_project
from assetflow.cli.parsing import Command, Parser
from assetflow.cli.runs import asked_for
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.tracing import diff_lines, versions_text
from assetflow.cli.words import count, moment
from assetflow.keys import parse_address

if TYPE_CHECKING:
    from assetflow.catalog.comparing import AssetComparison, Comparison, Group, Side

_GROUPS = 12
"""Of each asset so many groups are told."""


def explain(arguments: Namespace) -> Answer:
    """Compare two runs."""
    address = None if arguments.target is None else parse_address(arguments.target)
    with open_project(arguments) as project:
        asset, partition = (None, None) if address is None else (address.asset, address.partition)
        found = project.explain(arguments.first, arguments.second, asset, partition)
        runs = [project.run(run_id) for run_id in (found.first, found.second)]
    return Answer(found.to_dict, lambda page: _show(page, found, runs))


def _show(page: Page, found: Comparison, runs: list[dict[str, object]]) -> None:
    for name, run in zip(("first", "second"), runs, strict=True):
        started = moment(str(run["started_at"]))
        page.line(f"{name:<6}  run {run['run_id']}: {run['status']}, {started}, asked for {asked_for(run)}")
    for each in found.assets:
        if each.groups:
            page.line()
            _show_asset(page, each)
    if not any(each.groups for each in found.assets):
        number = sum(each.both for each in found.assets)
        page.line()
        page.line(f"The same ran in both: {count(number, 'partition')}.")


def _show_asset(page: Page, found: AssetComparison) -> None:
    page.line(found.asset, style="bold")
    for group in found.groups[:_GROUPS]:
        _show_group(page, group)
    if len(found.groups) > _GROUPS:
        page.line(f"  ... and {count(len(found.groups) - _GROUPS, 'more group')}")
    differing = any(group.components for group in found.groups)
    if found.both and differing:
        page.line(f"  ran in both: {count(found.both, 'partition')}")


def _show_group(page: Page, group: Group) -> None:
    number = count(group.count, "partition")
    keys = ", ".join(group.partitions)
    subject = " ".join(
        each
        for each in (keys, f"({group.former})" if group.former else "", f"({number})" if group.count > 1 else "")
        if each
    )
    if group.components:
        where = f"ran in the {'first' if group.first.ran else 'second'} run only"
        verdict = f"{where}; the difference: {', '.join(group.components)}"
    else:
        verdict = "ran in both" if group.first.ran else "ran in neither"
    page.line(f"  {subject}: {verdict}" if subject else f"  {verdict}")
    for name, side in (("first", group.first), ("second", group.second)):
        _show_side(page, name, side)


def _show_side(page: Page, name: str, side: Side) -> None:
    leads = ["" if each.kind in ("failed", "waiting") else "because " for each in side.reasons]
    told = [f"{lead}{each.detail}{versions_text(each)}" for lead, each in zip(leads, side.reasons, strict=True)]
    published = ""
    if side.version is not None:
        published = f": version {side.version}" + (f" of run {side.made_in}" if side.made_in else "")
    page.line(f"    {name:<6}  {side.detail}{published if side.fate == 'up_to_date' else ''}{_joined(told)}")
    for reason in side.reasons:
        for line in diff_lines(reason):
            page.line(f"              {line}")


def _joined(told: list[str]) -> str:
    return f", {'; '.join(told)}" if told else ""


def _arguments(parser: Parser) -> None:
    parser.add_argument("first", metavar="RUN_A", help="the id of a run, as `assetflow runs` lists it")
    parser.add_argument("second", metavar="RUN_B", help="the id of another run")
    parser.add_argument("target", metavar="ASSET[@PARTITION]", nargs="?", help="only this asset or partition, in full")


COMMANDS = {
    "explain": Command(
        _arguments, explain, "Say why partitions ran in one of two runs and not in the other, and what differed."
    )
}
