"""``versions``, ``rollback`` and ``accept``: what was published, and moving what is current."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import cast

from assetflow.cli.options import add_target, open_project, read_address
from assetflow.cli.parsing import Command, Parser, positive
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, moment
from assetflow.errors import UsageError
from assetflow.keys import format_address


def versions(arguments: Namespace) -> Answer:
    """List versions, the newest first."""
    with open_project(arguments) as project:
        address = read_address(arguments.target, project)
        found = project.versions(address.asset, address.partition)
    asked = format_address(address.asset, address.partition)
    return Answer(lambda: {"versions": found}, lambda page: _show_versions(page, asked, found))


def rollback(arguments: Namespace) -> Answer:
    """Publish an old version again."""
    with open_project(arguments) as project:
        address = read_address(arguments.target, project)
        document = project.rollback(
            address.asset, address.partition, to=arguments.to, with_downstream=arguments.with_downstream
        )
    return Answer(lambda: document, lambda page: _show_moves(page, "Rolled back", document))


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
    moved = cast("Sequence[Mapping[str, object]]", document["published"])
    if not moved:
        page.line("Nothing to do: what is published is right as it is.")
        return
    page.line(f"{verb} {count(len(moved), 'partition')}:")
    for entry in moved:
        address = format_address(cast("str", entry["asset"]), cast("str | None", entry["partition"]))
        page.line(f"  {address} is version {entry['version']}")


def _rollback_arguments(parser: Parser) -> None:
    add_target(parser)
    parser.add_argument("--to", metavar="VERSION", type=positive, required=True, help="the version to publish again")
    parser.add_argument("--with-downstream", action="store_true", help="take along what was derived from that version")


def _accept_arguments(parser: Parser) -> None:
    parser.add_argument("asset", metavar="ASSET", help="the asset whose published versions are right")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept with the versions")


COMMANDS = {
    "versions": Command(add_target, versions, "List the versions of an asset or of one partition, the newest first."),
    "rollback": Command(
        _rollback_arguments, rollback, "Publish an old version again. It stays until the code or the inputs change."
    ),
    "accept": Command(
        _accept_arguments, accept, "Take what is published as right for today's code and inputs; nothing is computed."
    ),
}
