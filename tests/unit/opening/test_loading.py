"""Importing definitions afresh, and the surroundings in which user code runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from assetflow.errors import DefinitionErrors, ProjectError
from assetflow.opening.loading import load_definitions, working_in


def inside(root: Path) -> object:
    return lambda file: file.startswith(str(root))


@pytest.fixture(autouse=True)
def forgotten() -> object:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("depot"):
            del sys.modules[name]


def test_user_code_runs_in_the_project_and_leaves_no_trace(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    folder, path = os.getcwd(), list(sys.path)
    with working_in(tmp_path):
        assert (os.getcwd(), sys.path[:2]) == (str(tmp_path), [str(tmp_path), str(tmp_path / "src")])
        with working_in(tmp_path):
            assert sys.path.count(str(tmp_path)) == 1
        sys.path.append("added by the user")
    assert (os.getcwd(), sys.path) == (folder, [*path, "added by the user"])
    sys.path.remove("added by the user")


def test_surroundings_are_restored_after_an_error(tmp_path: Path) -> None:
    folder, path = os.getcwd(), list(sys.path)

    def lost() -> None:
        with working_in(tmp_path):
            os.chdir("/")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lost()
    assert (os.getcwd(), sys.path) == (folder, path)


def test_a_folder_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    folder, path = os.getcwd(), list(sys.path)
    with pytest.raises(ProjectError, match="No such file"), working_in(tmp_path / "absent"):
        raise AssertionError("not reached")
    assert (os.getcwd(), sys.path) == (folder, path)


def test_definitions_are_imported_afresh_and_without_bytecode(tmp_path: Path) -> None:
    module = tmp_path / "depot_one.py"
    module.write_text("from assetflow import asset\n@asset\ndef first() -> int:\n    return 1\n")
    assert len(load_definitions("depot_one", tmp_path, inside(tmp_path)).computations) == 1  # type: ignore[arg-type]
    module.write_text(module.read_text() + "@asset\ndef second() -> int:\n    return 2\n")
    assert len(load_definitions("depot_one", tmp_path, inside(tmp_path)).computations) == 2  # type: ignore[arg-type]
    assert not (tmp_path / "__pycache__").exists()
    assert not sys.dont_write_bytecode or os.environ.get("PYTHONDONTWRITEBYTECODE")


@pytest.mark.parametrize(
    ("text", "target", "kind", "message"),
    [
        ("", "depot_none", ProjectError, "there is no module depot_none"),
        ("defs = 1", "depot_bad:others", ProjectError, "has no others"),
        ("import depot_lacking", "depot_bad", DefinitionErrors, "No module named 'depot_lacking'"),
        ("x = (", "depot_bad", DefinitionErrors, "depot_bad.py:1: '\\(' was never closed"),
        ("1 / 0", "depot_bad", DefinitionErrors, "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "depot_bad", DefinitionErrors, "sys.exit"),
    ],
)
def test_what_goes_wrong_is_told(tmp_path: Path, text: str, target: str, kind: type[Exception], message: str) -> None:
    (tmp_path / "depot_bad.py").write_text(text)
    folder, path = os.getcwd(), list(sys.path)
    with pytest.raises(kind, match=message):
        load_definitions(target, tmp_path, inside(tmp_path))  # type: ignore[arg-type]
    assert (os.getcwd(), sys.path) == (folder, path)
