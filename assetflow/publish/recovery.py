"""Clearing up after processes that died: their half-written stages, and their runs that never ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from assetflow.errors import StorageError
from assetflow.publish.folders import Storage
from assetflow.publish.liveness import is_gone
from assetflow.store.interface import StoreReader, StoreWriter
from assetflow.store.leases import LeaseRecord
from assetflow.store.records import RunRecord, StageIntent


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What dead processes left behind."""

    stages: tuple[StageIntent, ...] = ()
    runs: tuple[RunRecord, ...] = ()
    leases: tuple[LeaseRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stages or self.runs or self.leases)


def find_leftovers(reader: StoreReader) -> Leftovers:
    """Stages that will never be published, and runs that will never end, because their process is gone.

    And leases that nobody can use any more.
    """
    # Intents first: a run that starts meanwhile has none here, and one that ends meanwhile has settled its own.
    intents = reader.intents()
    running = {run.run_id: run for run in reader.runs(status="running")}
    dead = {run_id: run for run_id, run in running.items() if is_gone(run.process)}
    stages = tuple(intent for intent in intents if intent.run_id in dead or intent.run_id not in running)
    leases = tuple(lease for lease in reader.leases() if not lease.live or is_gone(lease.process))
    return Leftovers(stages, tuple(dead.values()), leases)


def clear(
    leftovers: Leftovers, storage: Storage, reader: StoreReader, writer: StoreWriter, clock: Callable[[], datetime]
) -> tuple[StorageError, ...]:
    """Delete the stages that no version refers to, then forget them; mark the runs as failed; remove the leases.

    Raises StoreError.

    Gives what stood in the way of deleting a stage: that one is tried again the next time.
    """
    for lease in leftovers.leases:
        writer.release(lease.fence)
    recorded = reader.versions([stage.version for stage in leftovers.stages])
    problems: list[StorageError] = []
    for stage in leftovers.stages:
        try:
            if stage.version not in recorded:
                storage.discard(stage.location)
            writer.settle([stage.version])
        except StorageError as problem:
            problems.append(problem)
    for run in leftovers.runs:
        writer.finish_run(
            replace(run, status="failed", ended_at=clock(), error="the process died before the run ended")
        )
    writer.flush()
    return tuple(problems)
