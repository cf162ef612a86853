"""``versions``, ``rollback`` and ``accept``: what was published, and moving what is current."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import cast

from assetflow.cli.options import add_as_of, add_range, add_target, open_project, read_address, read_range
from assetflow.cli.parsing import Command, Parser, positive
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, moment
from assetflow.errors import UsageError
from assetflow.keys import format_address

_SHOWN_MOVES = 20
"""Of each asset so many partitions are shown; the document has all."""


def versions(arguments: Namespace) -> Answer:
    """List versions, the newest first."""
    with open_project(arguments) as project:
        address = read_address(arguments.target, project)
        found = project.versions(address.asset, address.partition)
    asked = format_address(address.asset, address.partition)
    return Answer(lambda: {"versions": found}, lambda page: _show_versions(page, asked, found))


def rollback(arguments: Namespace) -> Answer:
    """Publish again what was published before."""
    with open_project(arguments) as project:
        asset, partitions = (None, None) if arguments.target is None else read_range(arguments.target, project)
        several = partitions is not None and partitions[0] != partitions[1]
        document = project.rollback(
            asset,
            partitions if several or partitions is None else partitions[0],
            to=arguments.to,
            as_of=arguments.as_of,
            run=arguments.run,
            with_downstream=arguments.with_downstream,
            reason=arguments.reason,
        )
    return Answer(lambda: document, lambda page: _show_moves(page, "Rolled back", document))


def publish(arguments: Namespace) -> Answer:
    """Publish a version although checks refused it."""
    if arguments.override and not (arguments.reason or "").strip():
        raise UsageError("--override needs --reason", hint="say why it is published although a check refused it")
    with open_project(arguments) as project:
        document = project.publish(arguments.version, override=arguments.override, reason=arguments.reason or "")
    return Answer(lambda: document, lambda page: _show_moves(page, "Published", document))


def wipe(arguments: Namespace) -> Answer:
    """Take partitions out of what is published."""
    if not arguments.reason.strip():
        raise UsageError("--reason is empty", hint="say why it is wiped; it is kept with the event")
    with open_project(arguments) as project:
        asset, partitions = read_range(arguments.target, project)
        if not (arguments.yes or _confirmed(f"Take what is published of {arguments.target} away from its readers?")):
            raise UsageError("nothing was wiped: it was not confirmed", hint="answer y, or give --yes")
        document = project.wipe(asset, partitions, reason=arguments.reason)
    return Answer(lambda: document, lambda page: _show_moves(page, "Wiped", document))


def move(arguments: Namespace) -> Answer:
    """Give an asset another key."""
    with open_project(arguments) as project:
        document = project.rename(arguments.old, arguments.new)
    return Answer(lambda: document, lambda page: _show_renamed(page, document))


def _show_renamed(page: Page, document: Mapping[str, object]) -> None:
    new = document["to"]
    page.line(f"{document['from']} is called {new} now.")
    hint = f"the name of a function is code: if {new} is stale for it alone, assetflow accept {new} --reason renamed"
    page.line(f"  hint: {hint}", style="cyan", lead="  hint:")


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def accept(arguments: Namespace) -> Answer:
    """Take what is published as right for today's code and inputs."""
    if not arguments.reason.strip():
        raise UsageError("--reason is empty", hint="say why what is published is right as it is")
    with open_project(arguments) as project:
        address = read_address(arguments.asset, project)
        if address.partition is not None:
            raise UsageError(
                "accept takes an asset, not a partition", hint=f"assetflow accept {address.asset} --reason ..."
            )
        document = project.accept(address.asset, arguments.reason)
    return Answer(lambda: document, lambda page: _show_moves(page, "Accepted", document))


def _show_versions(page: Page, asked: str, found: Sequence[Mapping[str, object]]) -> None:
    if not found:
        page.line(f"{asked} has no versions yet.")
        page.line(f"  hint: assetflow why {asked}", style="cyan", lead="  hint:")
        return
    columns = [
        Column("version", right=True),
        Column("partition", whole=True),
        "state",
        "",
        Column("rows", right=True),
        Column("published", whole=True),
        Column("run", whole=True),
        Column("data hash", whole=True),
    ]
    page.table(columns, [_version_cells(row) for row in found])


def _version_cells(row: Mapping[str, object]) -> list[object]:
    rows = cast("int | None", row["row_count"])
    published = cast("str | None", row["published_at"])
    return [
        row["version"],
        _partition_cell(row),
        row["state"],
        "current" if row["current"] else None,
        None if rows is None else f"{rows:,}",
        moment(published) if published else None,
        row["run_id"],
        row["data_hash"],
    ]


def _partition_cell(row: Mapping[str, object]) -> object:
    """The key; of what is from when the asset was partitioned otherwise, how."""
    if row["former"] is None:
        return row["partition"]
    return f"{row['partition']} ({row['former']})" if row["partition"] else f"({row['former']})"


def _show_moves(page: Page, verb: str, document: Mapping[str, object]) -> None:
    moved, gone, left = (
        cast("Sequence[Mapping[str, object]]", document[name]) for name in ("published", "withdrawn", "left")
    )
    if not moved and not gone:
        page.line("Nothing to do: what is published is right as it is.")
    else:
        page.line(f"{verb} {count(len(moved) + len(gone), 'partition')}:")
    for asset in dict.fromkeys(cast("str", entry["asset"]) for entry in (*moved, *gone)):
        published = [entry for entry in moved if entry["asset"] == asset]
        withdrawn = [entry for entry in gone if entry["asset"] == asset]
        for entry in published[:_SHOWN_MOVES]:
            page.line(f"  {_address(entry)} is version {entry['version']}")
        for entry in withdrawn[:_SHOWN_MOVES]:
            page.line(f"  {_address(entry)} is not published any more; it was version {entry['version']}")
        more = sum(max(0, len(each) - _SHOWN_MOVES) for each in (published, withdrawn))
        if more:
            page.line(f"  ... and {count(more, 'more partition')} of {asset}")
    for entry in left[:_SHOWN_MOVES]:
        page.line(f"  left as it is: {_address(entry)}: {entry['reason']}")
    if len(left) > _SHOWN_MOVES:
        page.line(f"  ... and {len(left) - _SHOWN_MOVES:,} more were left as they are")


def _address(entry: Mapping[str, object]) -> str:
    return format_address(cast("str", entry["asset"]), cast("str | None", entry["partition"]))


def _rollback_arguments(parser: Parser) -> None:
    add_range(parser, optional=True)
    parser.add_argument("--to", metavar="VERSION", type=positive, help="the version to publish again")
    add_as_of(parser, "what was published then: a time with its zone, or a generation")
    parser.add_argument("--run", metavar="RUN_ID", help="what was there before everything that this run published")
    parser.add_argument("--with-downstream", action="store_true", help="take along what was derived from that version")
    parser.add_argument("--reason", metavar="TEXT", help="why; it is kept with the event")


def _publish_arguments(parser: Parser) -> None:
    parser.add_argument("version", metavar="VERSION", type=positive, help="a version that a blocking check refused")
    parser.add_argument("--override", action="store_true", help="publish it all the same, and answer for it")
    parser.add_argument("--reason", metavar="TEXT", help="why; it is kept, with who and when")


def _wipe_arguments(parser: Parser) -> None:
    add_range(parser)
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept with the event")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _move_arguments(parser: Parser) -> None:
    parser.add_argument("old", metavar="OLD", help="the key that the asset had")
    parser.add_argument("new", metavar="NEW", help="the key that the definitions give it now")


def _accept_arguments(parser: Parser) -> None:
    parser.add_argument("asset", metavar="ASSET", help="the asset whose published versions are right")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept with the versions")


COMMANDS = {
    "versions": Command(add_target, versions, "List the versions of an asset or of one partition, the newest first."),
    "rollback": Command(
        _rollback_arguments,
        rollback,
        "Publish an old version again; or, of a range of partitions, what was published at a moment; or what was\n"
        "there before a run. All of it becomes visible at once, and stays until the code or the inputs change.",
    ),
    "publish": Command(
        _publish_arguments,
        publish,
        "Publish a version that a blocking check refused. Who did it, when and why is recorded, and the check only\n"
        "warns of this version from then on.",
    ),
    "wipe": Command(
        _wipe_arguments,
        wipe,
        "Take what is published of an asset, or of some of its partitions, away from its readers. Versions stay until\n"
        "gc; going back to one publishes it again.",
    ),
    "mv": Command(
        _move_arguments,
        move,
        "Give an asset another key: versions, runs and lineage stay with it. Rename it in the code, then run this.",
    ),
    "accept": Command(
        _accept_arguments, accept, "Take what is published as right for today's code and inputs; nothing is computed."
    ),
}
