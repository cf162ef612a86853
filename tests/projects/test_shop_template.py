from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TEMPLATE = REPOSITORY / "project_template"


def run(*command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATE, tmp_path / "shop"))


def test_its_data_are_what_the_generator_writes(tmp_path: Path):
    runpy.run_path(str(TEMPLATE / "make_data.py"))["write_all"](tmp_path)
    assert contents(tmp_path) == contents(TEMPLATE / "incoming")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.csv")}


def test_its_own_tests_pass(shop: Path):
    assert "6 passed" in run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=shop)


def test_the_demo_tells_its_story(tmp_path: Path):
    told = run(str(REPOSITORY / "scripts" / "demo"), folder=tmp_path)
    first, changed = told.split("# Somebody tried a new till")
    assert "122 materialized" in first
    assert "2025-02  17746" in first
    assert "because shop.cleaning.real_orders changed" in changed
    assert "6 materialized, 115 unchanged" in changed
    assert "2025-02  14346" in changed
    assert "order_files: 28 partitions (2025-02-01...2025-02-28)" in changed
    assert list(tmp_path.iterdir()) == []
