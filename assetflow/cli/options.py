"""The options and arguments that several commands share, and the project that ``--project`` means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assetflow.errors import UsageError
from assetflow.keys import Address, parse_address, parse_range

if TYPE_CHECKING:
    from assetflow.project import Project

Select = Annotated[
    str,
    typer.Option("--select", "-s", metavar="S", help="Which assets, such as 'orders', '+orders', 'group:g' or '*'."),
]
Partition = Annotated[
    list[str] | None,
    typer.Option("--partition", "-p", metavar="K", help="A partition key, or a range A...B; may be repeated."),
]
First = Annotated[str | None, typer.Option("--from", metavar="A", help="First partition of a range, as it is.")]
Last = Annotated[str | None, typer.Option("--to", metavar="B", help="Last partition of the range, included.")]
Observe = Annotated[
    bool, typer.Option("--observe/--no-observe", help="Ask the sources first, or use what they answered last.")
]
StrictObserve = Annotated[bool, typer.Option("--strict-observe", help="Fail when a source cannot be observed.")]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed/--no-retry-failed", help="Try again what failed with the same code and inputs.")
]
Target = Annotated[str, typer.Argument(metavar="ASSET[@PARTITION]", show_default=False)]


@dataclass(slots=True)
class Request:
    """What was said to the whole program, before or after the command's name."""

    project: Path | None = None
    as_document: bool = False
    """Whether the answer is printed as JSON: what only people read need not be found out then."""


def open_project(context: typer.Context) -> Project:
    """The project that ``--project`` names, or the one around the working directory. Raises ProjectError."""
    from assetflow.project import Project

    return Project.open(request_of(context).project)


def request_of(context: typer.Context) -> Request:
    """What was said to the whole program."""
    return context.find_object(Request) or Request()


def chosen_partitions(
    keys: list[str] | None, first: str | None, last: str | None
) -> list[str | tuple[str, str]] | None:
    """``--partition``, and ``--from`` with ``--to``, as ``Project.plan`` takes them. Raises UsageError.

    >>> chosen_partitions(["2024-01", "a...b"], "a...z", "b")
    ['2024-01', 'a...b', ('a...z', 'b')]
    """
    chosen: list[str | tuple[str, str]] = list(keys or ())
    for key in keys or ():
        parse_range(key)
    if (first is None) != (last is None):
        given, absent = ("--from", "--to") if last is None else ("--to", "--from")
        raise UsageError(f"{given} needs {absent}", hint="write --from A --to B for the range that includes both")
    if first is not None and last is not None:
        if not first or not last:
            raise UsageError("a partition key cannot be empty", hint="write --from A --to B")
        chosen.append((first, last))
    return chosen or None


def read_address(text: str, project: Project) -> Address:
    """An asset or asset partition of the project. Raises UsageError, UnknownAsset."""
    address = parse_address(text)
    project.graph.require(address.asset)
    return address
