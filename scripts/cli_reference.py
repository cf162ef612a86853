"""Writes docs/reference/cli.md from the program itself: every command, argument and option that there is.

python scripts/cli_reference.py          writes the page
python scripts/cli_reference.py --check  says whether the page is current, and writes nothing
"""

from __future__ import annotations

import sys
from argparse import Action
from importlib import import_module
from pathlib import Path

from assetflow.cli import main
from assetflow.cli.parsing import Command, Parser

PAGE = Path(__file__).parents[1] / "docs/reference/cli.md"

HEAD = """\
<!-- Written by scripts/cli_reference.py from the program; edit the help texts there. -->
# Command line

`assetflow COMMAND [OPTIONS]`. `assetflow --help` lists the commands, `assetflow COMMAND --help` explains one. What
`ASSET[@PARTITION]` and `K` may be is said under [Partitions](partitions.md), `S` under [Selections](selections.md).

| Options of every command | |
|---|---|
| `--project DIR` | the project's folder; otherwise found upwards from the working directory |
| `--json` | print one JSON document instead of text: [the documents](json.md) |
| `--help`, `-h` | show the help |

`assetflow --version` prints the version.

Answers go to stdout; progress, logs and errors go to stderr. With `--json`, stdout is exactly one document, also when
the command fails.

| Exit code | |
|---|---|
| 0 | done; also when there was nothing to do |
| 1 | an asset, a check or a run failed, or `doctor` found something broken |
| 2 | a wrong command line or a mistake in the definitions: nothing was started |
| 3 | `plan --fail-if-stale` found something to do |
| 130 | interrupted |
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(name) for name in main._COMMANDS)])


def _section(name: str) -> str:
    module = import_module(f"assetflow.cli.{main._COMMANDS[name][0]}")
    command: Command = module.COMMANDS[name]
    parser = Parser(prog=f"assetflow {name}", add_help=False)
    command.arguments(parser)
    actions = parser._actions
    usage = " ".join([f"assetflow {name}", *(_usage(action) for action in actions)])
    told = command.help.replace("\n", " ")
    lines = [f"## {name}", "", told, "", "```text", _wrapped(usage), "```", ""]
    if actions:
        lines += ["| | |", "|---|---|"]
        lines += [f"| {_names(action)} | {_cell(action.help or '')} |" for action in actions]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("'*'", "`*`")


def _usage(action: Action) -> str:
    if not action.option_strings:
        return str(action.metavar)
    # Of `--observe`, `--no-observe` people write the one that is not the default.
    option = action.option_strings[-1 if action.default is True else 0]
    text = f"{option}{_value(action)}"
    return text if action.required else f"[{text}]"


def _names(action: Action) -> str:
    return ", ".join(f"`{option}{_value(action)}`" for option in action.option_strings) or f"`{action.metavar}`"


def _value(action: Action) -> str:
    return f" {action.metavar}" if action.metavar and action.option_strings else ""


def _wrapped(usage: str) -> str:
    """The usage in lines of up to 100 characters, broken between options."""
    lines = [""]
    for part in usage.replace(" [", "\0[").split("\0"):
        joined = f"{lines[-1]} {part}" if lines[-1] else part
        lines = [*lines[:-1], joined] if len(joined) <= 100 else [*lines, f"    {part}"]
    return "\n".join(lines)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text(encoding="utf-8") == page() else f"{PAGE} is not current: run {sys.argv[0]}")
    PAGE.write_text(page(), encoding="utf-8")
