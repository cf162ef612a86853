"""A trace as a tree: under each reason the upstream that it came from, down to the roots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.cli.words import count, moment

if TYPE_CHECKING:
    from assetflow.cli.terminal import Page
    from assetflow.planner.trace import Link, Reason, Trace

_DIFF_LINES = 12
_DEEPEST = 12
"""From this depth on a tree is not indented any further."""

_LINKS = 30
"""After so many links the tree ends, and only the roots of the rest are told."""


def show_trace(page: Page, trace: Trace, *, indent: int, numbers: bool = False) -> None:
    """Print the reasons of the first link, each with what lies behind it; ``numbers`` tells how many share it."""
    if not trace.links:
        return
    links = {link.identity: link for link in reversed(trace.links)}
    told = {trace.links[0].identity}
    cut = False
    # What is still to be printed, the next one last: the reason, its link, and the guides before it.
    pending = [(reason, trace.links[0], " " * indent, "", "") for reason in reversed(trace.links[0].reasons)]
    while pending:
        reason, link, margin, branch, below = pending.pop()
        first = not branch
        page.line(f"{margin}{branch}{_lead(reason, link, first=first)}{_number(reason, link, numbers=numbers)}")
        margin += below
        for line in diff_lines(reason):
            page.line(f"{margin}  {line}".rstrip())
        key = reason.onward()
        onward = None if key is None else links.get(key)
        if key is None or onward is None:
            continue
        if onward is link:
            continue
        if key in told:
            page.line(f"{margin}└─ {onward.asset}{_then(onward)}: as above")
        elif len(told) >= _LINKS:
            cut = True
        else:
            told.add(key)
            pending += _branches(onward, margin)
    if cut:
        page.line(f"{' ' * indent}... and {count(len(links) - len(told), 'more asset')}, down to:")
        for asset, reason in trace.roots()[:_LINKS]:
            page.line(f"{' ' * indent}   {asset}: {reason.detail}{versions_text(reason)}")


def because(kind: str) -> str:
    """The word that leads to a cause, where its sentence does not stand for itself."""
    return "" if kind in ("missing", "waiting", "forced", "failed") else "because "


def _branches(link: Link, margin: str) -> list[tuple[Reason, Link, str, str, str]]:
    """The reasons of a link as branches, the first one last."""
    deep = len(margin) >= 3 * _DEEPEST
    found: list[tuple[Reason, Link, str, str, str]] = []
    for place, reason in enumerate(link.reasons):
        last = place == len(link.reasons) - 1
        found.append((reason, link, margin, "└─ " if last else "├─ ", "" if deep else "   " if last else "│  "))
    return found[::-1]


def _lead(reason: Reason, link: Link, *, first: bool) -> str:
    detail = reason.detail + versions_text(reason)
    if first:
        return f"{because(reason.kind)}{detail}"
    partitions = " ".join(["", ", ".join(reason.partitions or link.partitions)]).rstrip()
    made = f" (run {', '.join(link.runs)})" if link.runs else f" ({moment(link.at)})" if link.at else ""
    return f"{link.asset}{partitions}{_then(link)}{made}: {detail}"


def _then(link: Link) -> str:
    return f" ({link.former})" if link.former else ""


def _number(reason: Reason, link: Link, *, numbers: bool) -> str:
    told = [count(reason.count, "partition")] if numbers and reason.count != link.count else []
    if link.unexamined and reason.kind == "input_changed":
        told.append(f"{link.unexamined:,} of them not looked at one by one")
    return f" ({', '.join(told)})" if told else ""


def versions_text(reason: Reason) -> str:
    """Which versions were read and are there now."""
    told: list[str] = []
    for each in reason.versions:
        partition = "" if reason.changed == 1 or each.partition is None else f"{each.partition} "
        if each.before is None:
            told.append(f"{partition}to version {each.after}")
        elif each.after is None:
            told.append(f"{partition}from version {each.before}")
        else:
            told.append(f"{partition}from version {each.before} to {each.after}")
    if reason.changed > len(told):
        told.append(f"+{reason.changed - len(told):,} more")
    return f", {', '.join(told)}" if told else ""


def diff_lines(reason: Reason) -> list[str]:
    """How the code changed, in lines of a diff."""
    lines = [line for change in reason.code if change.kind == "changed" for line in change.diff]
    return lines if len(lines) <= _DIFF_LINES else [*lines[:_DIFF_LINES], f"+{len(lines) - _DIFF_LINES:,} more lines"]
