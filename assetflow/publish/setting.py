"""Where a run takes place: the loaded project, its store and storage, handed in as values."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from assetflow.graph import AssetGraph
from assetflow.io import IOManager
from assetflow.keys import AssetKey
from assetflow.partitions.spaces import PartitionSpace
from assetflow.planner.state import Codes
from assetflow.publish.folders import Storage
from assetflow.publish.hearts import Heart, ThreadedHeart
from assetflow.publish.limits import NORMAL, Limits
from assetflow.store.interface import StoreReader, StoreWriter
from assetflow.store.records import CodeSource


@dataclass(frozen=True, slots=True)
class Setting:
    """A project as runs see it. ``clock`` gives aware UTC datetimes; ``run_ids`` fresh run ids."""

    graph: AssetGraph
    spaces: Mapping[str, PartitionSpace]
    codes: Codes
    code_sources: tuple[CodeSource, ...]
    uids: Mapping[AssetKey, int]
    environment: int
    suffix: str | None
    """The environment's name in file names; None for the default one."""
    storage: Storage
    managers: Mapping[str, IOManager]
    reader: StoreReader
    writer: StoreWriter
    clock: Callable[[], datetime]
    run_ids: Callable[[], str]
    limits: Limits = NORMAL
    heart: Heart = field(default_factory=ThreadedHeart)
    """Keeps leases alive."""
    pause: Callable[[float], None] = time.sleep
    """Lets seconds go by while others hold what is to be published."""
    logs: Path | None = None
    """Where what user code prints is kept, a folder for each run; None: nowhere."""
