"""``partitions``: the keys of dynamic partitions."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from assetflow.cli.options import open_project
from assetflow.cli.parsing import Command, Parser, no_arguments
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, some, visible
from assetflow.errors import UsageError


def sets(arguments: Namespace) -> Answer:
    """List the sets of keys."""
    from assetflow.opening.key_sets import key_sets

    with open_project(arguments) as project:
        found = key_sets(project.setting)

    def show(page: Page) -> None:
        if not found:
            page.line('No asset has dynamic partitions. Declare some with partitions=DynamicPartitions("customers").')
            return
        cells = [[row["name"], row["count"], some(cast("Sequence[str]", row["assets"]))] for row in found]
        page.table([Column("partitions", whole=True), Column("keys", right=True), "assets"], cells)

    return Answer(lambda: {"partitions": found}, show)


def list_keys(arguments: Namespace) -> Answer:
    """List the keys of one set, or the sets."""
    if arguments.name is None:
        return sets(arguments)
    with open_project(arguments) as project:
        keys = project.partitions(arguments.name)

    def show(page: Page) -> None:
        for key in keys:
            page.line(key)
        if not keys:
            page.line(f"There are no keys yet: assetflow partitions add {arguments.name} KEY")

    return Answer(lambda: {"name": arguments.name, "count": len(keys), "keys": keys}, show)


def add(arguments: Namespace) -> Answer:
    """Add keys."""
    keys = _keys(arguments)
    with open_project(arguments) as project:
        added = project.add_partitions(arguments.name, keys)
        total = len(project.partitions(arguments.name))
    return _changed(arguments.name, "added", added, total)


def remove(arguments: Namespace) -> Answer:
    """Remove keys."""
    keys = _keys(arguments)
    with open_project(arguments) as project:
        removed = project.remove_partitions(arguments.name, keys, force=arguments.force)
        total = len(project.partitions(arguments.name))
    return _changed(arguments.name, "removed", removed, total)


def _changed(name: str, verb: str, keys: Sequence[str], total: int) -> Answer:
    def show(page: Page) -> None:
        told = f": {some([*map(visible, keys)])}" if keys else ""
        page.line(f"{verb} {count(len(keys), 'key')}{told} ({name} has {count(total, 'key')} now)")

    return Answer(lambda: {"name": name, verb: list(keys), "count": total}, show)


def _keys(arguments: Namespace) -> list[str]:
    """The keys of the command line, and those of the lines of a file."""
    keys: list[str] = list(arguments.keys)
    if arguments.file is not None:
        keys += _lines(arguments.file)
    if not keys:
        raise UsageError("no key is given", hint="write KEY..., or --file FILE with one key in each line")
    return keys


def _lines(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: is no text in UTF-8 ({error.reason} at byte {error.start})") from error
    return [line for line in text.split("\n") if line]


def _list_arguments(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="the dynamic partitions; without it, all are counted")


def _add_arguments(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the dynamic partitions, as the definitions call them")
    parser.add_argument("keys", metavar="KEY", nargs="*", help="keys, as they are")
    parser.add_argument("--file", metavar="FILE", help="a file with one key in each line; - is the standard input")


def _remove_arguments(parser: Parser) -> None:
    _add_arguments(parser)
    parser.add_argument("--force", action="store_true", help="even what is published or named by a mapping")


COMMANDS = {
    "partitions": Command(no_arguments, sets, "List the dynamic partitions with the number of their keys."),
    "partitions list": Command(
        _list_arguments, list_keys, "List the keys of dynamic partitions, in the order in which they were added."
    ),
    "partitions add": Command(
        _add_arguments, add, "Add keys to dynamic partitions; those that are there already change nothing."
    ),
    "partitions remove": Command(
        _remove_arguments,
        remove,
        "Take keys out of dynamic partitions. What was published of them is kept, and comes back with the key.",
    ),
}
