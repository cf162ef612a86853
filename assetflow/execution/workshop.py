"""What attempts need besides their task: the loaded definitions, the formats, and where to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assetflow.execution.measuring import THIS_PROCESS, Meter
from assetflow.execution.output.recording import RunOutput
from assetflow.graph import AssetGraph
from assetflow.io import IOManager
from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.publish.folders import Storage

OpenFolder = Callable[[VersionId], Path]
"""Announces that a version will be written, then creates its folder."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Given to executors once per run."""

    graph: AssetGraph
    managers: Mapping[str, IOManager]
    storage: Storage
    check_versions: Mapping[tuple[AssetKey, str], CodeVersion]
    open_folder: OpenFolder | None
    """None for workers: what they stage was announced before."""
    clock: Callable[[], datetime]
    meter: Meter = THIS_PROCESS
    output: RunOutput | None = None
    """Where what user code prints goes, beside being shown."""
