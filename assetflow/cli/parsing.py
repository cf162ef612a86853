"""Reading a command line: which command it names, and what its arguments are.

The standard library's argparse does the reading: a parser that costs more to import than the command takes to answer
would be felt at every call.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from assetflow.cli.terminal import Answer
from assetflow.errors import UsageError
from assetflow.keys import nearest_names


class Parser(ArgumentParser):
    """A parser that raises UsageError instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        told = message.removeprefix("argument ").replace("the following arguments are required: ", "missing: ")
        raise UsageError(told, hint=f"{self.prog} --help")


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what adds its arguments to a parser, what carries it out, and its help text."""

    arguments: Callable[[Parser], None]
    run: Callable[[Namespace], Answer]
    help: str


def no_arguments(parser: Parser) -> None:
    """For a command that has only the options of the program."""


def parse(name: str, command: Command, arguments: Sequence[str]) -> Namespace:
    """The arguments of a command. Raises UsageError; ``--help`` prints the help and raises SystemExit."""
    parser = Parser(
        prog=f"assetflow {name}",
        description=command.help,
        allow_abbrev=False,
        formatter_class=RawDescriptionHelpFormatter,
    )
    command.arguments(parser)
    _add_program_options(parser)
    found, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise UsageError(_unknown(unknown[0]), hint=_nearest_option(unknown[0], parser) or f"{parser.prog} --help")
    return found


def split(arguments: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """What stands before the command's name, the name, and what follows it.

    >>> split(["--project", "shop", "plan", "--json"])
    (['--project', 'shop'], 'plan', ['--json'])
    >>> split(["--version"])
    (['--version'], None, [])
    """
    place = 0
    while place < len(arguments) and arguments[place].startswith("-"):
        place += 2 if arguments[place] == "--project" else 1
    name = arguments[place] if place < len(arguments) else None
    return list(arguments[:place]), name, list(arguments[place + 1 :])


def positive(text: str) -> int:
    """A whole number from 1 on, for ``type=``.

    >>> positive("3")
    3
    """
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def unknown_command(name: str, known: Iterable[str]) -> UsageError:
    """The error for a command that does not exist, with the nearest names."""
    return UsageError(f"there is no command {name!r}", hint=nearest_names(name, known) or "assetflow --help")


def _add_program_options(parser: Parser) -> None:
    options = parser.add_argument_group("options of every command")
    options.add_argument(
        "--project", metavar="DIR", default=None, help="the project's folder; otherwise found upwards from here"
    )
    options.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def _unknown(argument: str) -> str:
    return f"there is no option {argument.partition('=')[0]}" if argument.startswith("-") else f"unexpected: {argument}"


def _nearest_option(argument: str, parser: Parser) -> str | None:
    known = [
        text.removeprefix("--") for text in parser.format_help().replace(",", " ").split() if text.startswith("--")
    ]
    near = (
        nearest_names(argument.partition("=")[0].removeprefix("--"), set(known)) if argument.startswith("--") else None
    )
    return near.replace("did you mean ", "did you mean --").replace(" or ", " or --") if near else None
