"""The arguments that several commands share, and what they mean in a project."""

from __future__ import annotations

from argparse import BooleanOptionalAction, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assetflow.cli.parsing import Parser, positive
from assetflow.errors import UsageError
from assetflow.keys import Address, AssetKey, parse_address, parse_range

if TYPE_CHECKING:
    from assetflow.project import Project


def add_target(parser: Parser) -> None:
    """Add the asset, or asset partition, that the command is about."""
    parser.add_argument("target", metavar="ASSET[@PARTITION]", help="an asset, or one of its partitions")


def add_as_of(parser: Parser, text: str) -> None:
    """Add ``--as-of``."""
    parser.add_argument("--as-of", metavar="TIME|GENERATION", help=text)


def add_range(parser: Parser, *, optional: bool = False) -> None:
    """Add the asset, one of its partitions or a range of them."""
    parser.add_argument(
        "target",
        metavar="ASSET[@A...B]",
        nargs="?" if optional else None,
        help="an asset, one of its partitions, or a range of them",
    )


def read_range(text: str, project: Project) -> tuple[AssetKey, tuple[str, str] | None]:
    """An asset of the project, and the first and the last partition that are meant. Raises UsageError, UnknownAsset."""
    asset, at, partitions = text.partition("@")
    key = parse_address(asset).asset
    project.graph.require(key)
    if at and not partitions:
        parse_address(text)
    return key, parse_range(partitions) if at else None


def add_select(parser: Parser) -> None:
    """Add ``--select``."""
    parser.add_argument(
        "--select", "-s", metavar="S", default="*", help="which assets: orders, +orders, group:g, '*' (the default)"
    )


def add_partitions(parser: Parser) -> None:
    """Add ``--partition``, ``--from`` and ``--to``."""
    parser.add_argument(
        "--partition", "-p", metavar="K", action="append", help="a partition, or a range A...B; may be repeated"
    )
    parser.add_argument("--from", metavar="A", dest="first", help="the first partition of a range, read as it is")
    parser.add_argument("--to", metavar="B", dest="last", help="the last partition of that range")


def add_observe(parser: Parser) -> None:
    """Add ``--no-observe`` and ``--strict-observe``."""
    parser.add_argument(
        "--observe", action=BooleanOptionalAction, default=True, help="ask the sources first (the default)"
    )
    parser.add_argument("--strict-observe", action="store_true", help="fail when a source cannot be observed")


def add_due(parser: Parser) -> None:
    """``--due``."""
    parser.add_argument("--due", action="store_true", help="only what freshness policies need now")


def add_executor(parser: Parser) -> None:
    """Add ``--executor``, ``--workers`` and ``--fail-fast``."""
    parser.add_argument("--executor", metavar="E", help="where steps run: inline (the default) or processes")
    parser.add_argument("--workers", metavar="N", type=positive, help="how many processes; otherwise one for each core")
    parser.add_argument("--fail-fast", action="store_true", help="begin nothing new after the first failure")


def add_priority(parser: Parser) -> None:
    """Add ``--priority``."""
    parser.add_argument(
        "--priority",
        metavar="N",
        type=int,
        default=0,
        help="who goes first where pools are full: from -100 to 100, one is worth a minute of waiting (0)",
    )


def add_include_late(parser: Parser) -> None:
    """Add ``--include-late``."""
    parser.add_argument(
        "--include-late", action="store_true", help="take in late data, which a late_tolerance leaves out"
    )


def add_retry_failed(parser: Parser) -> None:
    """Add ``--no-retry-failed``."""
    parser.add_argument(
        "--retry-failed",
        action=BooleanOptionalAction,
        default=True,
        help="try again what failed with the same code and inputs (the default)",
    )


def open_project(arguments: Namespace) -> Project:
    """The project that ``--project`` names, or the one around the working directory. Raises ProjectError."""
    from assetflow.project import Project

    return Project.open(arguments.project)


def chosen_partitions(arguments: Namespace) -> list[str | tuple[str, str]] | None:
    """``--partition``, and ``--from`` with ``--to``, as ``Project.plan`` takes them. Raises UsageError.

    >>> chosen_partitions(Namespace(partition=["2024-01", "a...b"], first="a...z", last="b"))
    ['2024-01', 'a...b', ('a...z', 'b')]
    """
    keys: Sequence[str] = arguments.partition or ()
    first: str | None = arguments.first
    last: str | None = arguments.last
    for key in keys:
        parse_range(key)
    chosen: list[str | tuple[str, str]] = list(keys)
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
