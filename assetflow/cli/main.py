"""The entry point: finds the command, prints its answer or its error, and gives the exit code."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn, TextIO, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from assetflow.cli.documents import dumps
from assetflow.cli.failures import document_of, exit_code_of, show_error
from assetflow.cli.options import Request
from assetflow.cli.terminal import Answer, Page, forget_stdout, stdout_for_document, survive_any_text
from assetflow.errors import Interrupted, UsageError
from assetflow.keys import nearest_names

_MODULES = {
    "init": "init",
    "list": "declared",
    "graph": "declared",
    "validate": "declared",
    "plan": "planning",
    "materialize": "running",
    "why": "state",
    "status": "state",
    "show": "data",
    "query": "data",
    "lineage": "lineage",
    "runs": "runs",
    "versions": "versions",
    "rollback": "versions",
    "accept": "versions",
    "doctor": "doctor",
}
"""In which module each command is; only the module of the command that is called gets imported."""


class Commands(TyperGroup):
    """Commands by name, each imported when it is called; all of them take the options of the program."""

    def list_commands(self, ctx: object) -> list[str]:
        """The names, in the order in which a newcomer needs them."""
        return list(_MODULES)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """The command, or None."""
        if cmd_name not in _MODULES:
            return None
        built = get_command(import_module(f"assetflow.cli.{_MODULES[cmd_name]}").app)
        found = built.commands.get(cmd_name, built) if isinstance(built, TyperGroup) else built
        command = cast("TyperCommand | TyperGroup", found)
        self._share_options(command)
        return command

    def _share_options(self, command: TyperCommand | TyperGroup) -> None:
        command.params.extend(parameter for parameter in self.params if parameter.name != "version")
        if isinstance(command, TyperGroup):
            for inner in command.commands.values():
                self._share_options(cast("TyperCommand | TyperGroup", inner))


def _keep_project(context: typer.Context, value: Path | None) -> None:
    if value is not None:
        context.ensure_object(Request).project = value


def _say_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        sys.stdout.write(f"assetflow {version('assetflow')}\n")
        raise typer.Exit


program = typer.Typer(
    cls=Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Declare datasets as Python functions; see what is stale and why; rebuild just that.",
)


@program.callback()
def _program(  # pyright: ignore[reportUnusedFunction]
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            metavar="DIR",
            help="The project's folder; otherwise found upwards from here.",
            callback=_keep_project,
            expose_value=False,
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of text.", expose_value=False)
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_say_version, expose_value=False, is_eager=True),
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line of this process."""
    if sys.platform == "win32":
        sys.stderr.write("error: assetflow runs on Linux and macOS\n  hint: on Windows, use WSL: wsl --install\n")
        sys.exit(2)
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; with ``--json``, stdout is one document whatever happens."""
    survive_any_text()
    as_document = wants_document(arguments)
    with stdout_for_document(as_document) as stdout:
        try:
            answer = answer_to(arguments or ["--help"], as_document=as_document)
        except typer.Exit as done:
            if as_document:
                stdout.write(dumps({"help": _help_text(arguments)}) + "\n")
            return done.exit_code
        except (Exception, KeyboardInterrupt) as raised:
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


def answer_to(arguments: Sequence[str], *, as_document: bool = False) -> Answer:
    """Carry out one command. Raises what the command raises, UsageError for a command line that cannot be read.

    ``--help`` and ``--version`` are printed, and raise ``typer.Exit``.
    """
    command = get_command(program)
    try:
        with command.make_context("assetflow", list(arguments), obj=Request(as_document=as_document)) as context:
            return cast("Answer", command.invoke(context))
    except typer.TyperException as error:
        raise _usage_error(error) from None


def _help_text(arguments: Sequence[str]) -> str:
    """What these arguments, which ask for help or the version and thus do nothing, print."""
    with redirect_stdout(io.StringIO()) as text, suppress(typer.Exit):
        answer_to(arguments)
    return text.getvalue()


def _usage_error(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "assetflow")
    message = error.format_message()
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=_nearest(message) or f"{path} --help")


def _nearest(message: str) -> str | None:
    prefix, _, rest = message.partition(" '")
    return nearest_names(rest.partition("'")[0], _MODULES) if prefix == "No such command" else None


def _answer_to_error(raised: BaseException) -> Answer:
    error = Interrupted("interrupted") if isinstance(raised, KeyboardInterrupt) else raised
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
