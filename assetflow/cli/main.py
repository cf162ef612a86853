"""The entry point: finds the command, prints its answer or its error, and gives the exit code."""

from __future__ import annotations

import io
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from types import FrameType
from typing import NoReturn, TextIO, cast

from assetflow.cli.failures import exit_code_of, show_error
from assetflow.cli.parsing import Command, parse, split, unknown_command
from assetflow.cli.terminal import (
    Answer,
    Page,
    end_document,
    forget_stdout,
    reopen_closed,
    stdout_for_document,
    survive_any_text,
    survive_lost_readers,
)
from assetflow.documents import document_of, dumps
from assetflow.errors import AssetflowError, Interrupted, UsageError

_COMMANDS = {
    "init": ("init", "create a new runnable project"),
    "dev": ("dev", "serve the project, and load it anew at each save"),
    "list": ("declared", "list the assets"),
    "graph": ("declared", "draw the graph"),
    "validate": ("declared", "check the definitions"),
    "plan": ("planning", "show what is stale, why, and what would run"),
    "materialize": ("running", "build what is missing or stale, check it, and publish it"),
    "why": ("state", "say in which state an asset or a partition is, and why"),
    "status": ("state", "count the partitions of each asset by state"),
    "show": ("data", "show the first rows of what is published"),
    "query": ("data", "answer a question in SQL"),
    "lineage": ("lineage", "show what something was made from"),
    "runs": ("runs", "list the latest runs"),
    "runs show": ("runs", "show how one run went"),
    "runs cancel": ("runs", "ask a run to stop"),
    "runs logs": ("runs", "show what user code printed and logged in a run"),
    "runs retry": ("runs", "try again what a run left to do"),
    "explain": ("comparing", "say why something ran in one run and not in another"),
    "partitions": ("partitions", "list the dynamic partitions"),
    "partitions list": ("partitions", "list the keys of dynamic partitions"),
    "partitions add": ("partitions", "add keys to dynamic partitions"),
    "partitions remove": ("partitions", "take keys out of dynamic partitions"),
    "versions": ("versions", "list the versions of an asset or a partition"),
    "rollback": ("versions", "publish again what was published before"),
    "accept": ("versions", "take what is published as right for today's code and inputs"),
    "publish": ("versions", "publish a version that a check refused"),
    "wipe": ("versions", "take what is published away from its readers"),
    "mv": ("versions", "give an asset another key"),
    "pin": ("retention", "keep a version, or everything of a moment"),
    "pins": ("retention", "list what is pinned"),
    "unpin": ("retention", "let go of a pin"),
    "gc": ("retention", "delete versions that nothing keeps"),
    "doctor": ("doctor", "look for what is broken or left over"),
}
"""The commands in the order in which a newcomer needs them; the module of a command is imported when it is called."""

_GROUPS = frozenset(name.partition(" ")[0] for name in _COMMANDS if " " in name)


def main() -> NoReturn:
    """Run the command line of this process."""
    if sys.platform == "win32":
        sys.stderr.write("error: assetflow runs on Linux and macOS\n  hint: on Windows, use WSL: wsl --install\n")
        sys.exit(2)
    reopen_closed()
    survive_lost_readers()
    signal.signal(signal.SIGTERM, _stop)
    arguments = sys.argv[1:]
    code = run(arguments)
    if wants_document(arguments):
        end_document()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; with ``--json``, stdout is one document whatever happens."""
    survive_any_text()
    as_document = wants_document(arguments)
    with stdout_for_document(as_document) as stdout:
        try:
            answer = answer_to(arguments)
        except BaseException as raised:
            answer = _answer_to_error(raised)
        try:
            _print(answer, stdout, as_document)
        except BrokenPipeError:
            forget_stdout()
        return answer.exit_code


def wants_document(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` is asked for; read from the text, so that it holds for a usage error too.

    >>> wants_document(["plan", "--json"]), wants_document(["query", "--", "--json"])
    (True, False)
    """
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def answer_to(arguments: Sequence[str]) -> Answer:
    """Carry out one command. Raises what the command raises, UsageError for a command line that cannot be read."""
    before, name, after = split(arguments)
    if "--version" in before:
        from importlib.metadata import version

        return _text(f"assetflow {version('assetflow')}\n", {"version": version("assetflow")})
    if name is None:
        if before and not {"--help", "-h"} & set(before):
            raise UsageError("a command is missing", hint="assetflow --help lists the commands")
        return _text(_help(), {"help": _help()})
    if name in _GROUPS and after and not after[0].startswith("-"):
        name = f"{name} {after.pop(0)}"
    if name not in _COMMANDS:
        raise unknown_command(name, _COMMANDS)
    command = cast("Command", import_module(f"assetflow.cli.{_COMMANDS[name][0]}").COMMANDS[name])
    parsed = _parsed(name, command, [*before, *after])
    return command.run(parsed) if isinstance(parsed, Namespace) else _text(parsed, {"help": parsed})


def _parsed(name: str, command: Command, arguments: Sequence[str]) -> Namespace | str:
    """The arguments, or the help text when that is asked for."""
    with redirect_stdout(io.StringIO()) as text:
        try:
            return parse(name, command, arguments)
        except SystemExit:
            return text.getvalue()


def _help() -> str:
    wide = max(map(len, _COMMANDS))
    return (
        "usage: assetflow COMMAND [OPTIONS]\n\n"
        "Declare datasets as Python functions; see what is stale and why; rebuild just that.\n\ncommands:\n"
        + "".join(f"  {name:<{wide}}  {summary}\n" for name, (_, summary) in _COMMANDS.items())
        + "\noptions of every command:\n"
        "  --project DIR  the project's folder; otherwise found upwards from here\n"
        "  --json         print one JSON document instead of text\n"
        "  --help         show the command's help\n"
        "  --version      show the version\n"
    )


def _text(text: str, document: dict[str, object]) -> Answer:
    return Answer(lambda: document, lambda page: page.line(text.removesuffix("\n"), lines=True))


def _answer_to_error(raised: BaseException) -> Answer:
    match raised:
        case KeyboardInterrupt():
            error: BaseException = Interrupted("interrupted")
        case SystemExit():
            error = AssetflowError(
                f"the project's code ended the process with exit code {raised.code}",
                hint="raise an exception instead of calling sys.exit",
            )
        case _:
            error = raised
    show_error(Page(sys.stderr), error)
    return Answer(lambda: document_of(error), lambda _: None, exit_code_of(error))


def _print(answer: Answer, stdout: TextIO, as_document: bool) -> None:
    if as_document:
        stdout.write(dumps(answer.document(), indent=2 if stdout.isatty() else None) + "\n")
    else:
        answer.show(Page(stdout))
    stdout.flush()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
