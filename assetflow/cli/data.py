"""``show`` and ``query``: the data itself, and questions to the catalog in SQL."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING, cast

from assetflow.cli.options import add_as_of, add_target, open_project, read_address
from assetflow.cli.parsing import Command, Parser, positive
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count
from assetflow.errors import UsageError
from assetflow.keys import format_address

if TYPE_CHECKING:
    from assetflow.catalog.preview import Preview
    from assetflow.catalog.query import QueryResult

_NUMBERS = ("int", "uint", "float", "double", "decimal", "bigint", "hugeint", "smallint", "tinyint", "ubigint", "real")
_LONGEST_CELL = 60


_SHOWN_ROWS = 200
_DOCUMENT_ROWS = 10_000


def show(arguments: Namespace) -> Answer:
    """Preview what is published, or was, or one older version."""
    if arguments.version is not None and arguments.as_of is not None:
        raise UsageError("--version and --as-of are both given", hint="a version is the same at every moment")
    with open_project(arguments) as project:
        address = read_address(arguments.target, project)
        catalog = project.catalog if arguments.as_of is None else project.catalog.at(arguments.as_of)
        preview = catalog.preview(address.asset, address.partition, version=arguments.version, limit=arguments.limit)
    return Answer(preview.to_dict, lambda page: _show_preview(page, preview))


def query(arguments: Namespace) -> Answer:
    """Answer one select statement, from the command line or from stdin."""
    text: str = sys.stdin.read() if arguments.sql == "-" else arguments.sql
    if not text.strip():
        raise UsageError("the query is empty", hint="assetflow query 'select asset, partition, state from partitions'")
    with open_project(arguments) as project:
        limit = arguments.limit or (_DOCUMENT_ROWS if arguments.json else _SHOWN_ROWS)
        catalog = project.catalog if arguments.as_of is None else project.catalog.at(arguments.as_of)
        result = catalog.answer(text, limit=limit)
    return Answer(result.to_dict, lambda page: _show_result(page, result))


def _show_result(page: Page, result: QueryResult) -> None:
    _show_rows(page, result)
    page.line()
    page.line(_row_count(result.table.num_rows, truncated=result.truncated))
    if result.truncated:
        page.line("  hint: --limit N shows more, --json is for programs", style="cyan", lead="  hint:")


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
        page.line(preview.text, lines=True)
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
            return f"{value:.12g}"
        case _:
            text = str(value)
            return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 3]}..."


def _show_arguments(parser: Parser) -> None:
    add_target(parser)
    parser.add_argument("--version", metavar="ID", type=positive, help="an older version, by its id")
    add_as_of(parser, "what was published then: a time with its zone, or a generation")
    parser.add_argument("--limit", metavar="N", type=positive, default=20, help="how many rows or lines (20)")


def _query_arguments(parser: Parser) -> None:
    parser.add_argument("sql", metavar="SQL", help="one select statement; - reads it from stdin")
    add_as_of(parser, "the data as it was published then: a time with its zone, or a generation")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=positive,
        help=f"at most so many rows ({_SHOWN_ROWS}; {_DOCUMENT_ROWS} with --json)",
    )


COMMANDS = {
    "show": Command(_show_arguments, show, "Show the first rows of what is published."),
    "query": Command(
        _query_arguments,
        query,
        "Answer a question in SQL. It may name the views of the catalog (assets, partitions, versions,\n"
        "lineage, checks, runs, ...) and, as data.ASSET, every asset that reads as a table.",
    ),
}
