from __future__ import annotations

import json
from pathlib import Path

import pytest

from assetflow.cli.main import run

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_new_project_is_the_template_without_what_using_it_left(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "till", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    copied = {str(path.relative_to("till")) for path in Path("till").rglob("*") if path.is_file()}
    assert {"pyproject.toml", ".gitignore", "README.md", "shop/definitions.py"} <= copied
    assert not [path for path in copied if "__pycache__" in path or path.startswith(".assetflow")]
    assert document == {"project": "till", "path": str(Path("till").absolute()), "files": len(copied)}
    assert (Path("till/pyproject.toml")).read_bytes() == (REPOSITORY / "project_template/pyproject.toml").read_bytes()


def test_an_empty_folder_is_fine(capfd: pytest.CaptureFixture[str]) -> None:
    Path("till").mkdir()
    assert run(["init", "till"]) == 0
    assert "  cd till\n  assetflow materialize" in capfd.readouterr().out


def test_what_is_there_is_never_touched(capfd: pytest.CaptureFixture[str]) -> None:
    Path("till").mkdir()
    Path("till/notes.txt").write_text("mine")
    Path("file").write_text("mine")
    assert run(["init", "till"]) == 2
    assert run(["init", "file"]) == 2
    assert capfd.readouterr().err == (
        "error: till is not empty\n  hint: name a new folder: assetflow init NAME\n"
        "error: file is no folder\n  hint: name a new folder: assetflow init NAME\n"
    )
    assert [path.name for path in Path("till").iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made(capfd: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("mine")
    assert run(["init", "file/till"]) == 2
    assert capfd.readouterr().err.startswith("error: file/till cannot be written: ")
