from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assetflow import Definitions, Project

NOW = datetime(2024, 2, 10, tzinfo=UTC)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Project]:
    """Opens a lasting project of assets and ``checks``; the same store and storage each time."""

    def open_project(*assets: Any, checks: Any = (), **options: Any) -> Project:
        return Project(
            Definitions(assets=list(assets), checks=list(checks)),
            store=f"sqlite:///{tmp_path}/store.db",
            storage=tmp_path / "data",
            clock=lambda: NOW,
            **options,
        )

    return open_project
