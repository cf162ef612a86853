"""Two hundred random edits end in exactly the graph that a fresh process loads, and leave nothing behind."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.conftest import Dev, cli, write

MODULES = 6


def module_text(generator: random.Random, number: int, least: int = 0) -> str:
    """A module of a few assets, which read the first assets of modules before it."""
    lines = ["from assetflow import asset", "from shop.rules import FACTOR", ""]
    for place in range(generator.randint(least, 4)):
        upstream = f"m{generator.randrange(number)}_0: int" if number and generator.random() < 0.5 else ""
        used = upstream.partition(":")[0] or "1"
        lines += ["", "@asset", f"def m{number}_{place}({upstream}) -> int:"]
        lines += [f"    return {used} * FACTOR + {generator.randrange(1000)}", ""]
    return "\n".join(lines)


class Editor:
    """Edits a project at random; what it leaves at the end can be loaded."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder / "shop"
        self.random = random.Random(seed)

    def start(self) -> None:
        write(self.folder.parent / "pyproject.toml", '[tool.assetflow]\ndefinitions = "shop"\n')
        (self.folder / "assets.py").unlink()
        write(self.folder / "rules.py", "FACTOR = 1\n")
        for number in range(MODULES):
            write(self.folder / f"m{number}.py", module_text(self.random, number, least=1))
        self.gather()

    def gather(self) -> None:
        """The package imports every module that there is."""
        found = sorted(path.stem for path in self.folder.glob("m*") if path.suffix == ".py" or path.is_dir())
        (self.folder / "__init__.py").write_text("".join(f"from shop.{name} import *\n" for name in found))

    def edit(self) -> None:
        number = self.random.randrange(MODULES)
        path = self.folder / f"m{number}.py"
        match self.random.randrange(9):
            case 0 | 1 | 2:
                path.write_text(module_text(self.random, number))
            case 3:  # broken
                path.write_text(module_text(self.random, number) + "\n((\n")
            case 4:  # half-written, and whole a moment later
                text = module_text(self.random, number)
                path.write_text(text[: len(text) // 2])
                time.sleep(self.random.random() * 0.05)
                path.write_text(text)
            case 5:  # as editors save: another file takes its place
                beside = path.with_suffix(".py.tmp")
                beside.write_text(module_text(self.random, number))
                beside.replace(path)
            case 6:  # two within 50 ms
                (self.folder / "rules.py").write_text(f"FACTOR = {self.random.randrange(9)}\n")
                time.sleep(self.random.random() * 0.05)
                path.write_text(module_text(self.random, number))
            case 7:  # gone; and back in another edit
                path.unlink(missing_ok=True)
                self.gather()
            case _:  # renamed into a package of its own, or back
                package = self.folder / f"m{number}"
                if package.is_dir():
                    (package / "__init__.py").replace(path)
                    for each in package.glob("**/*"):
                        if each.is_file():
                            each.unlink()
                    for each in sorted(package.glob("**/*"), reverse=True):
                        each.rmdir()
                    package.rmdir()
                elif path.exists():
                    package.mkdir()
                    path.replace(package / "__init__.py")
                self.gather()

    def mend(self) -> None:
        """Leave a project that can be loaded."""
        for number in range(MODULES):
            package = self.folder / f"m{number}"
            path = package / "__init__.py" if package.is_dir() else self.folder / f"m{number}.py"
            path.write_text(module_text(self.random, number, least=1))
        self.gather()


@pytest.fixture
def editor(shop: Path) -> Editor:
    found = Editor(shop, seed=20)
    found.start()
    return found


def torture(editor: Editor, server: Dev, edits: int) -> None:
    """Edit, now in haste and now in peace, and compare at the end and in between."""
    server.loaded_after(0)
    began = server.processes()
    assert len(began) == 4, "the server, the template, what is loaded, and what answers"
    descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    for number in range(edits):
        editor.edit()
        time.sleep(editor.random.choice((0, 0.01, 0.05, 0.3)))
        if number % 50 == 49:
            editor.mend()
            compare(editor, server)
    editor.mend()
    compare(editor, server)
    server.until(lambda: len(server.processes()) == len(began))
    assert server.processes()[:2] == began[:2]
    server.until(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) <= descriptors + 1)
    template = began[1]
    assert len(os.listdir(f"/proc/{template}/fd")) < 20


def compare(editor: Editor, server: Dev) -> None:
    """What is served is what a fresh process loads, code versions included."""
    folder = editor.folder.parent
    wanted = cli(folder, "graph")
    assert "nodes" in wanted, wanted
    server.until(lambda: server.get("/api/graph") == wanted and server.get("/api/load")["error"] is None)
    sql = "select asset, code_version from assets order by asset"
    server.until(lambda: server.post("/api/query", {"sql": sql})["rows"] == cli(folder, "query", sql)["rows"])


def test_random_edits_end_in_the_graph_of_a_fresh_process(editor: Editor, dev: Callable[..., Dev]) -> None:
    torture(editor, dev(), 25)


@pytest.mark.soak
@pytest.mark.parametrize("arguments", [(), ("--poll",)])
def test_two_hundred_random_edits(editor: Editor, dev: Callable[..., Dev], arguments: tuple[str, ...]) -> None:
    torture(editor, dev(*arguments), 200)
