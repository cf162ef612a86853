"""``init``: a new project, copied from the template."""

from __future__ import annotations

import shutil
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from assetflow.cli.parsing import Command, Parser
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.words import count
from assetflow.errors import UsageError

_LEFT_OUT = frozenset({".assetflow", "__pycache__", ".pytest_cache", ".ruff_cache"})
"""What using the template in place leaves behind."""


def init(arguments: Namespace) -> Answer:
    """Copy the template into the folder NAME."""
    folder = Path(arguments.name).expanduser()
    _refuse_occupied(folder)
    template = _template()
    try:
        shutil.copytree(template, folder, ignore=_left_out, dirs_exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror or error}", hint="name a folder that you may write"
        ) from error
    files = sum(path.is_file() for path in folder.rglob("*"))
    document = {"project": folder.name, "path": str(folder.absolute()), "files": files}

    def show(page: Page) -> None:
        page.line(f"Created {folder}: a small shop with {count(files, 'file')}. Next:")
        page.line(f"  cd {folder}")
        page.line("  assetflow materialize     # build everything")
        page.line("  assetflow status          # what is up to date")

    return Answer(lambda: document, show)


def _arguments(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the folder to create")


def _refuse_occupied(folder: Path) -> None:
    hint = "name a new folder: assetflow init NAME"
    if folder.is_dir():
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", hint=hint)
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is no folder", hint=hint)


def _template() -> Path:
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_project_template", package.parent / "project_template"):
        if (folder / "pyproject.toml").is_file():
            return folder
    raise UsageError("this installation has no project template", hint="install assetflow again")


def _left_out(folder: str, names: Iterable[str]) -> set[str]:
    return {name for name in names if name in _LEFT_OUT or name.endswith(".pyc")}


COMMANDS = {"init": Command(_arguments, init, "Create a new runnable project, a small shop, in the folder NAME.")}
