"""``show`` and ``query``: the data itself, and questions to the catalog in SQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from assetflow.cli.options import Target, open_project, read_address
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count
from assetflow.errors import UsageError
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.catalog.preview import Preview
    from assetflow.catalog.query import QueryResult

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_NUMBERS = ("int", "uint", "float", "double", "decimal", "bigint", "hugeint", "smallint", "tinyint", "ubigint", "real")
_LONGEST_CELL = 60


@app.command("show")
def show(
    context: typer.Context,
    target: Target,
    version: Annotated[
        int | None, typer.Option("--version", metavar="ID", help="An older version, by its id.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many rows or lines.")] = 20,
) -> Answer:
    """Show the first rows of what is published."""
    with open_project(context) as project:
        address = read_address(target, project)
        preview = project.catalog.preview(address.asset, address.partition, version=version, limit=limit)
    return Answer(preview.to_dict, lambda page: _show_preview(page, preview))


@app.command("query")
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One select statement; - reads it from stdin.")],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many rows.")] = 10_000,
) -> Answer:
    """Answer a question in SQL.

    It may name the views of the catalog (assets, partitions, versions, lineage, runs, ...) and the data of every asset
    that reads as a table, as data.ASSET.
    """
    text = sys.stdin.read() if sql == "-" else sql
    if not text.strip():
        raise UsageError("the query is empty", hint="assetflow query 'select asset, partition, state from partitions'")
    with open_project(context) as project:
        result = project.catalog.answer(text, limit=limit)
    return Answer(result.to_dict, lambda page: _show_result(page, result))


def _show_result(page: Page, result: QueryResult) -> None:
    _show_rows(page, result)
    page.line()
    page.line(_row_count(result.table.num_rows, truncated=result.truncated))


def _show_preview(page: Page, preview: Preview) -> None:
    version = f", version {preview.version}" if preview.version is not None else ""
    page.line(f"{format_address(preview.asset, preview.partition)}{version}", style="bold")
    if preview.table is not None:
        _show_rows(page, preview.table)
        shown = preview.table.table.num_rows
        whole = shown if preview.row_count is None else preview.row_count
        page.line()
        page.line(
            f"{shown:,} of {count(whole, 'row')}" if shown < whole else _row_count(shown, truncated=preview.truncated)
        )
    elif preview.kind == "empty":
        page.line("published as having no data")
    else:
        page.line(preview.text)
        if preview.truncated:
            page.line("...")


def _row_count(shown: int, *, truncated: bool) -> str:
    return f"the first {count(shown, 'row')}" if truncated else count(shown, "row")


def _show_rows(page: Page, result: QueryResult) -> None:
    document = result.to_dict()
    names = cast("list[str]", document["columns"])
    columns = [
        Column(name, right=kind.casefold().startswith(_NUMBERS)) for name, kind in zip(names, result.types, strict=True)
    ]
    page.table(columns, [[_cell(value) for value in row] for row in cast("list[list[object]]", document["rows"])])


def _cell(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.2f}"
        case _:
            text = str(value)
            return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}..."
