"""Source files of a project: read once, imported from what was read, and closed for what comes later."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assetflow.execution.sources import Sources, importing_from


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("depot"):
            del sys.modules[name]
            linecache.cache.clear()


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_module_is_imported_from_what_was_read(root: Path) -> None:
    write(root, depot_a="VALUE = 1\n", depot_p__in____init__="", depot_p__in__part="VALUE = 2\n")
    snapshot = Sources(root).complete()
    assert sorted(Path(path).name for path in snapshot.files) == ["__init__.py", "depot_a.py", "part.py"]
    write(root, depot_a="VALUE = 10\n", depot_p__in__part="VALUE = 20\n", depot_new="VALUE = 3\n")
    with importing_from(Sources.of(snapshot)):
        module = importlib.import_module("depot_a")
        part = importlib.import_module("depot_p.part")
        assert (module.VALUE, part.VALUE) == (1, 2)
        assert module.__file__ == str(root / "depot_a.py")
        assert importlib.import_module("depot_p").__path__ == [str(root / "depot_p")]
        assert linecache.getline(str(root / "depot_a.py"), 1) == "VALUE = 1\n"
        with pytest.raises(ModuleNotFoundError, match=r"depot_new\.py is newer than the run"):
            importlib.import_module("depot_new")
    assert not list(root.rglob("*.pyc"))


def test_a_file_that_was_deleted_is_still_there(root: Path) -> None:
    write(root, depot_b="VALUE = 1\n")
    snapshot = Sources(root).complete()
    (root / "depot_b.py").unlink()
    with importing_from(Sources.of(snapshot)):
        assert importlib.import_module("depot_b").VALUE == 1


def test_packages_without_init_and_other_folders(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, depot_n__in__inner__in__leaf="VALUE = 5\n")
    snapshot = Sources(root).complete()
    with importing_from(Sources.of(snapshot)):
        assert importlib.import_module("depot_n.inner.leaf").VALUE == 5
        assert importlib.import_module("json.tool").__name__ == "json.tool"
        with pytest.raises(ModuleNotFoundError, match="No module named 'depot_nowhere'"):
            importlib.import_module("depot_nowhere")


def test_what_was_loaded_counts_not_what_the_file_holds_now(root: Path) -> None:
    write(root, depot_c="VALUE = 1\n")
    sources = Sources(root)
    with importing_from(sources):
        assert importlib.import_module("depot_c").VALUE == 1
    write(root, depot_c="VALUE = 2\n", depot_d="VALUE = 3\n")
    path = str(root / "depot_c.py")
    assert sources.text(path) == "VALUE = 1\n"
    assert sources.complete().files[path] == b"VALUE = 1\n"
    assert str(root / "depot_d.py") in sources.complete().files


def test_environments_data_and_hidden_folders_are_left_out(root: Path) -> None:
    write(root, depot_e="", venv__in__lib="", data__in__v="", **{".git__in__hook": "", "no-name__in__x": ""})
    (root / "venv" / "pyvenv.cfg").touch()
    snapshot = Sources(root, [root / "data"]).complete()
    assert [Path(path).name for path in snapshot.files] == ["depot_e.py"]


def test_the_declared_encoding_holds(root: Path) -> None:
    (root / "depot_f.py").write_bytes("# coding: latin-1\nVALUE = 'ü'\n".encode("latin-1"))
    snapshot = Sources(root).complete()
    with importing_from(Sources.of(snapshot)):
        assert importlib.import_module("depot_f").VALUE == "ü"


def test_assetflow_itself_is_never_part_of_a_project(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in a checkout of assetflow imports its modules as any other does, also those that nobody had loaded."""
    write(root, assetflow__in__newer="VALUE = 1\n")
    snapshot = Sources(root).complete()
    write(root, assetflow__in__later="VALUE = 2\n")
    monkeypatch.setattr("assetflow.__path__", [str(root / "assetflow")])
    with importing_from(Sources.of(snapshot)):
        assert importlib.import_module("assetflow.later").VALUE == 2
    sys.modules.pop("assetflow.later")
