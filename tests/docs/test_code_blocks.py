"""Every page of the documentation does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_blocks import report

TOP = Path(__file__).parents[2]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(TOP)) for page in PAGES])
def test_code_blocks_of(page: Path, tmp_path: Path) -> None:
    assert report(page, tmp_path) == ""
