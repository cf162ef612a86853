"""``versions``, ``rollback`` and ``accept``: what was published, and moving what is current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, cast

import typer

from assetflow.cli.options import Target, open_project, read_address
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, moment
from assetflow.errors import UsageError
from assetflow.keys import format_address

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command("versions")
def versions(context: typer.Context, target: Target) -> Answer:
    """List the versions of an asset or a partition, newest first."""
    with open_project(context) as project:
        address = read_address(target, project)
        found = project.versions(address.asset, address.partition)
    asked = format_address(address.asset, address.partition)
    return Answer(lambda: {"versions": found}, lambda page: _show_versions(page, asked, found))


@app.command("rollback")
def rollback(
    context: typer.Context,
    target: Target,
    to: Annotated[int, typer.Option("--to", metavar="VERSION", help="The id of the version to publish again.")],
    with_downstream: Annotated[
        bool, typer.Option("--with-downstream", help="Take along what was derived from that version.")
    ] = False,
) -> Answer:
    """Publish an old version again.

    It stays until the code or the inputs change, or until the partition is forced.
    """
    with open_project(context) as project:
        address = read_address(target, project)
        document = project.rollback(address.asset, address.partition, to=to, with_downstream=with_downstream)
    return Answer(lambda: document, lambda page: _show_moves(page, "Rolled back", document))


@app.command("accept")
def accept(
    context: typer.Context,
    asset: Annotated[str, typer.Argument(metavar="ASSET", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the versions.")],
) -> Answer:
    """Take what is published as right for today's code and inputs.

    Nothing is computed.
    """
    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why what is published is right as it is")
    with open_project(context) as project:
        address = read_address(asset, project)
        if address.partition is not None:
            raise UsageError(
                "accept takes an asset, not a partition", hint=f"assetflow accept {address.asset} --reason ..."
            )
        document = project.accept(address.asset, reason)
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
        row["partition"],
        row["state"],
        "current" if row["current"] else None,
        None if rows is None else f"{rows:,}",
        moment(published) if published else None,
        row["run_id"],
        row["data_hash"],
    ]


def _show_moves(page: Page, verb: str, document: Mapping[str, object]) -> None:
    moved = cast("Sequence[Mapping[str, object]]", document["published"])
    page.line(f"{verb} {count(len(moved), 'partition')}:")
    for entry in moved:
        address = format_address(cast("str", entry["asset"]), cast("str | None", entry["partition"]))
        page.line(f"  {address} is version {entry['version']}")
