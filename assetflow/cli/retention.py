"""``pin``, ``pins``, ``unpin`` and ``gc``: what is kept, and letting go of the rest."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import cast

from assetflow.cli.options import open_project, read_address
from assetflow.cli.parsing import Command, Parser, no_arguments, positive
from assetflow.cli.terminal import Answer, Column, Page
from assetflow.cli.words import count, moment, size


def pin(arguments: Namespace) -> Answer:
    """Keep a version, or everything of a moment."""
    with open_project(arguments) as project:
        address = None if arguments.target is None else read_address(arguments.target, project)
        found = project.pin(
            arguments.name,
            address.asset if address else None,
            address.partition if address else None,
            version=arguments.version,
            as_of=arguments.generation,
            reason=arguments.reason,
        )
    return Answer(lambda: found, lambda page: page.line(f"Pinned {_pinned(found)} as {found['name']}."))


def pins(arguments: Namespace) -> Answer:
    """List the pins."""
    with open_project(arguments) as project:
        found = project.pins()
    return Answer(lambda: {"pins": found}, lambda page: _show_pins(page, found))


def unpin(arguments: Namespace) -> Answer:
    """Let go of a pin."""
    with open_project(arguments) as project:
        found = project.unpin(arguments.name)
    return Answer(lambda: found, lambda page: page.line(f"{found['name']} does not keep {_pinned(found)} any more."))


def gc(arguments: Namespace) -> Answer:
    """Find, and with ``--apply`` delete, what nothing keeps."""
    with open_project(arguments) as project:
        found = project.gc(apply=arguments.apply)
    return Answer(lambda: found, lambda page: _show_collected(page, found))


def _pinned(found: Mapping[str, object]) -> str:
    if found["version"] is not None:
        return f"version {found['version']}"
    return f"everything as of generation {found['generation']}"


def _show_pins(page: Page, found: Sequence[Mapping[str, object]]) -> None:
    if not found:
        page.line("Nothing is pinned.")
        return
    columns = [Column("pin", whole=True), "keeps", "environment", Column("since", whole=True), "reason"]
    rows: list[list[object]] = [
        [each["name"], _pinned(each), each["environment"], moment(cast("str", each["created_at"])), each["reason"]]
        for each in found
    ]
    page.table(columns, rows)


def _show_collected(page: Page, found: Mapping[str, object]) -> None:
    assets = cast("Sequence[Mapping[str, int]]", found["assets"])
    strays = cast("Sequence[Mapping[str, object]]", found["folders"])
    if assets:
        columns = [
            Column("asset", whole=True),
            Column("deleted" if found["applied"] else "to delete", right=True),
            Column("size", right=True),
            Column("in grace", right=True),
            Column("size", right=True),
        ]
        page.table(
            columns,
            [
                [
                    each["asset"],
                    f"{each['due']:,}" if each["due"] else None,
                    size(each["due_bytes"]) if each["due"] else None,
                    f"{each['waiting']:,}" if each["waiting"] else None,
                    size(each["waiting_bytes"]) if each["waiting"] else None,
                ]
                for each in assets
            ],
        )
    for stray in strays:
        page.line(f"no version knows {stray['location']}: {size(cast('int', stray['bytes']))}")
    if found["others"]:
        page.line(f"left alone: {count(cast('int', found['others']), 'folder')} that this store did not write")
    if found["events"] or found["steps"]:
        told = f"{count(cast('int', found['events']), 'event')} and {count(cast('int', found['steps']), 'step')}"
        page.line(f"{told} of runs long ago{'' if found['applied'] else ' would go'}")
    due = sum(each["due"] for each in assets) + len(strays)
    verb = "were deleted" if found["applied"] else "would be deleted"
    page.line(
        f"{count(cast('int', found['kept']), 'version')} kept; {size(cast('int', found['bytes']))} {verb}"
        if due
        else f"{count(cast('int', found['kept']), 'version')} kept; nothing to delete"
    )
    if not found["applied"] and (due or any(each["waiting"] for each in assets)):
        page.line("  hint: assetflow gc --apply", style="cyan", lead="  hint:")


def _pin_arguments(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="what the pin is called")
    parser.add_argument(
        "target", metavar="ASSET[@PARTITION]", nargs="?", help="what is current of it; without it, everything as of now"
    )
    parser.add_argument("--version", metavar="V", type=positive, help="a version, by its id")
    parser.add_argument("--generation", metavar="G", type=positive, help="everything as of this generation")
    parser.add_argument("--reason", metavar="TEXT", help="why")


def _unpin_arguments(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the pin")


def _gc_arguments(parser: Parser) -> None:
    parser.add_argument("--apply", action="store_true", help="do it; without this, only say what would be done")


COMMANDS = {
    "pin": Command(
        _pin_arguments, pin, "Keep a version, or everything as of a generation, whatever retention says, until unpin."
    ),
    "pins": Command(no_arguments, pins, "List what is pinned."),
    "unpin": Command(_unpin_arguments, unpin, "Let go of a pin. The next gc sees what nothing else keeps."),
    "gc": Command(
        _gc_arguments,
        gc,
        "Say which versions nothing keeps: no pointer, no pin, no reader, and not [tool.assetflow.retention].\n"
        "With --apply they are marked, and deleted once their grace is over.",
    ),
}
