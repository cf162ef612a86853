from __future__ import annotations

import sys
from pathlib import Path

import pytest

from assetflow.fingerprint.sources import ModulePlace, SourceReader, locate, project_predicate, read_source


def test_inside_is_under_the_root_outside_environments_and_excluded_folders(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for folder in ("shop/sub", ".venv/lib", "data/x", "lib/site-packages/dep"):
        (project / folder).mkdir(parents=True)
    (project / ".venv" / "pyvenv.cfg").touch()
    inside = project_predicate(project, [project / "data"])
    for path, expected in {
        "shop/a.py": True,
        "shop/sub/b.py": True,
        "a.py": True,
        "shop/not/there.py": True,
        ".venv/lib/c.py": False,
        "data/x/d.py": False,
        "data": False,
        "lib/site-packages/dep/e.py": False,
        "lib/e.py": True,
        "../other.py": False,
        "../project2/a.py": False,
    }.items():
        assert inside(str(project / path)) is expected, path


def test_a_project_that_is_itself_in_an_environment_is_inside(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").touch()
    (tmp_path / "project").mkdir()
    assert project_predicate(tmp_path / "project")(str(tmp_path / "project" / "a.py"))


def test_a_link_to_the_project_is_the_project(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert project_predicate(tmp_path / "link")(str(tmp_path / "real" / "a.py"))
    assert project_predicate(tmp_path / "real")(str(tmp_path / "link" / "a.py"))


def test_locating_a_module_imports_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "unseen_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    (package / "inner.py").touch()
    (tmp_path / "unseen_space" / "deep").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert locate("unseen_package") == ModulePlace(str(package / "__init__.py"), True)
    assert locate("unseen_package.inner") == ModulePlace(str(package / "inner.py"), False)
    assert locate("unseen_space.deep") == ModulePlace(str(tmp_path / "unseen_space" / "deep"), True)
    assert "unseen_package" not in sys.modules
    for missing in ("unseen_package.nothing", "unseen_nothing", "sys", "unseen_nothing.more", ""):
        assert locate(missing) is None


def test_a_source_is_read_in_the_encoding_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nNAME = 'é'\n".encode("latin-1"))
    assert "é" in read_source(str(path))
    (tmp_path / "broken.py").write_bytes(b"NAME = '\xff'\n")
    assert SourceReader().file("broken", str(tmp_path / "broken.py"), "") is None
    assert SourceReader().file("gone", str(tmp_path / "gone.py"), "") is None
