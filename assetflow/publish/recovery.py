"""Clearing up after processes that died: their half-written stages, and their runs that never ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from assetflow.keys import VersionId
from assetflow.publish.folders import Storage
from assetflow.publish.liveness import is_gone
from assetflow.store.interface import StoreReader, StoreWriter
from assetflow.store.records import (
    StageIntent,
)


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What dead processes left behind."""

    stages: tuple[StageIntent, ...] = ()
    runs: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stages or self.runs)


def find_leftovers(reader: StoreReader) -> Leftovers:
    """Stages that will never be published, and runs that will never end, because their process is gone."""
    running = {run.run_id: run for run in reader.runs(status="running")}
    dead = {run_id for run_id, run in running.items() if is_gone(run.process)}
    stages = tuple(intent for intent in reader.intents() if intent.run_id in dead or intent.run_id not in running)
    return Leftovers(stages, tuple(sorted(dead)))


def clear(
    leftovers: Leftovers, storage: Storage, reader: StoreReader, writer: StoreWriter, clock: Callable[[], datetime]
) -> None:
    """Delete the stages that no version refers to, then forget them; mark the runs as failed. Raises StorageError."""
    recorded = reader.versions([stage.version for stage in leftovers.stages])
    for stage in leftovers.stages:
        if stage.version not in recorded:
            storage.discard(stage.location)
    if leftovers.stages:
        writer.settle([VersionId(stage.version) for stage in leftovers.stages])
    for run_id in leftovers.runs:
        run = reader.run(run_id)
        if run is not None:
            error = "the process died before the run ended"
            writer.finish_run(replace(run, status="failed", ended_at=clock(), error=error))
    writer.flush()
