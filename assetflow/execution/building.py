"""Building partitions: tasks from decided rows, and publications from what attempts staged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from assetflow.errors import AssetflowError, InvalidPartition
from assetflow.execution.checking import refusal
from assetflow.execution.journal import Entry
from assetflow.execution.ledger import Ledger
from assetflow.execution.records import Derived, check_records, version_record
from assetflow.execution.stages import Stage, Stages
from assetflow.execution.task import (
    Executor,
    PartitionOutcome,
    PartitionTask,
    StagedVersion,
    Task,
)
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.conformance import declared_schema
from assetflow.publish.stored import StoredInput
from assetflow.store.records import FailureRecord, KeyAddition, Publication, VersionRecord


def build(ledger: Ledger, rows: Sequence[int], executor_for: Callable[[Stages], Executor]) -> None:
    """Compute, stage, check and publish the rows, in the order that people expect; a failure stops only its own."""
    if not rows:
        return
    parts = ledger.parts
    rows = _in_order(ledger, rows)
    planned = [(row, asset, parts.ids.take()) for row in rows for asset in ledger.node.outputs]
    ids = {(row, asset): version for row, asset, version in planned}
    stages = Stages(parts.setting, parts.run_id, [_stage(ledger, *each) for each in planned])
    executor = executor_for(stages)
    reader = _Inputs(ledger, rows)
    size = ledger.node.batch.max_partitions if ledger.node.batch else 1
    try:
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            tasks = tuple(
                _partition_task(ledger, row, reader.of(row), {a: ids[row, a] for a in ledger.node.outputs})
                for row in chunk
            )
            task = Task(ledger.node.name, "build", parts.run_id, 1, tasks, reader.known_schemas(tasks))
            _settle(ledger, chunk, executor.submit(task).result(), stages)
    finally:
        executor.close()
        stages.close()


def _in_order(ledger: Ledger, rows: Sequence[int]) -> list[int]:
    if len(rows) == 1:
        return list(rows)
    ordered = ledger.space.ordered(ledger.decision.ordinals[np.asarray(rows, np.int64)])
    return ledger.decision.ordinals.searchsorted(ordered).tolist()


def _stage(ledger: Ledger, row: int, asset: AssetKey, version: VersionId) -> Stage:
    ordinal = ledger.ordinal(row)
    component = ledger.space.path_component(ordinal) or None
    return Stage(asset, ordinal, version, ledger.parts.setting.storage.location(asset, component, version))


def _partition_task(
    ledger: Ledger, row: int, inputs: Mapping[str, tuple[StoredInput, ...]], ids: Mapping[AssetKey, VersionId]
) -> PartitionTask:
    ordinal, key = ledger.ordinal(row), ledger.keys[row]
    component = ledger.space.path_component(ordinal) or None
    current = {
        asset: ledger.parts.current_version(version, key)
        for asset in ledger.node.outputs
        if (version := ledger.current(row, asset)) is not None
    }
    return PartitionTask(ordinal, key, ledger.space.window(ordinal), inputs, ids, component, current)


class _Inputs:
    """What the loaded parameters of the rows read; versions are fetched once."""

    def __init__(self, ledger: Ledger, rows: Sequence[int]) -> None:
        self._ledger = ledger
        self._loaded = [reading for reading in ledger.decision.readings if reading.edge.loaded]
        self._known: dict[tuple[AssetKey, VersionId], StoredInput] = {}
        self._schemas: dict[AssetKey, bytes | None] = {}
        parts = ledger.parts
        wanted = {version for row in rows for asset in ledger.node.outputs if (version := ledger.current(row, asset))}
        for reading in self._loaded:
            for row in rows:
                wanted.update(map(VersionId, reading.live.version[reading.positions(row)].tolist()))
        parts.fetch(wanted)

    def of(self, row: int) -> dict[str, tuple[StoredInput, ...]]:
        """By parameter, in partition order."""
        return {
            reading.edge.parameter: tuple(self._read(reading.edge.upstream, row, n))
            for n, reading in enumerate(self._loaded)
        }

    def known_schemas(self, tasks: Sequence[PartitionTask]) -> dict[str, bytes]:
        """The schema of the upstream's last table, else the declared one, by parameter that lacks data in some task."""
        found: dict[str, bytes] = {}
        for reading in self._loaded:
            parameter, upstream = reading.edge.parameter, reading.edge.upstream
            if all(any(read.stored is not None for read in task.inputs[parameter]) for task in tasks):
                continue
            if upstream not in self._schemas:
                self._schemas[upstream] = self._last_schema(upstream)
            schema = self._schemas[upstream]
            if schema is not None:
                found[parameter] = schema
        return found

    def _last_schema(self, upstream: AssetKey) -> bytes | None:
        setting = self._ledger.parts.setting
        # The last table may be one of this run, whose commit is on its way.
        setting.writer.flush()
        last = setting.reader.last_schema(setting.environment, setting.uids[upstream])
        return last or declared_schema(setting.graph.specs[upstream].schema)

    def _read(self, upstream: AssetKey, row: int, place: int) -> Iterator[StoredInput]:
        reading = self._loaded[place]
        graph, spaces = self._ledger.parts.setting.graph, self._ledger.parts.setting.spaces
        space = spaces[graph.owner[upstream]]
        positions = reading.positions(row)
        ordinals = reading.live.ordinals[positions]
        versions = dict(zip(ordinals.tolist(), reading.live.version[positions].tolist(), strict=True))
        for ordinal in space.ordered(ordinals).tolist():
            version = VersionId(versions[ordinal])
            stored = self._known.get((upstream, version))
            if stored is None:
                stored = self._ledger.parts.stored_input(version, space.key(ordinal))
                self._known[upstream, version] = stored
                if stored.schema is not None:
                    self._schemas[upstream] = stored.schema
            yield stored


def _settle(ledger: Ledger, rows: Sequence[int], outcomes: Sequence[PartitionOutcome], stages: Stages) -> None:
    publications: list[Publication] = []
    entries: list[Entry] = []
    derivations: list[Derived] = []
    finished: list[VersionId] = []
    added: dict[KeyAddition, None] = {}
    for row, given in zip(rows, outcomes, strict=True):
        made, outcome = ledger.derived(row), _with_room(ledger, row, given)
        times = (outcome.started_at, outcome.ended_at)
        error = outcome.error or _refusal(ledger, row, outcome)
        if error is not None:
            _fail(ledger, row, outcome, made, error, stages)
            continue
        derivations.append(made)
        added.update(dict.fromkeys(outcome.added))
        for staged in outcome.outputs:
            version = staged.version if staged.same else _record(ledger, row, staged, outcome, "published")
            publications.append(ledger.publication(row, version, staged, made, "computed", outcome.ended_at))
            result = "unchanged" if staged.same else "materialized"
            entries.append(ledger.entry(row, staged.asset, result, times, version=staged.version))
            if staged.location is not None and not staged.same:
                finished.extend(stages.finish(staged.version))
    if publications:
        ledger.commit(publications, entries, derivations, finished=finished, added=tuple(added))


def _with_room(ledger: Ledger, row: int, outcome: PartitionOutcome) -> PartitionOutcome:
    """The outcome, failed where the keys that it adds do not fit."""
    if outcome.error is not None or not outcome.added:
        return outcome
    try:
        additions = [(addition.name, addition.keys) for addition in outcome.added]
        ledger.parts.room.require(additions, ledger.parts.setting.reader.keys())
    except InvalidPartition as error:
        message = f"{ledger.place(row)}: context.add_partitions: {error.message}"
        return replace(outcome, error=InvalidPartition(message, hint=error.hint), added=())
    return outcome


def _refusal(ledger: Ledger, row: int, outcome: PartitionOutcome) -> AssetflowError | None:
    errors = (refusal(ledger.place(row, staged.asset), staged.checks) for staged in outcome.outputs)
    return next((error for error in errors if error), None)


def _fail(
    ledger: Ledger, row: int, outcome: PartitionOutcome, made: Derived, error: AssetflowError, stages: Stages
) -> None:
    """Remember the failed try of every output; what blocking checks refused is kept as a candidate."""
    setting, ordinal = ledger.parts.setting, ledger.ordinal(row)
    staged_by_asset: Mapping[AssetKey, StagedVersion] = {staged.asset: staged for staged in outcome.outputs}
    result = "failed" if outcome.error else "quarantined"
    for asset in ledger.node.outputs:
        staged = staged_by_asset.get(asset)
        kept = staged is not None and result == "quarantined" and not staged.same
        candidate = _record(ledger, row, staged, outcome, "quarantined") if staged and kept else None
        if candidate is not None and candidate.location is not None:
            setting.storage.sync(candidate.location)
        uid = setting.uids[asset]
        checks = check_records(staged.checks, asset, uid, ordinal, staged.version) if staged else ()
        setting.writer.fail(
            FailureRecord(
                setting.environment,
                uid,
                ordinal,
                ledger.try_key(row),
                ledger.parts.run_id,
                error.message,
                candidate=candidate,
                candidate_key=made.key if candidate else None,
                code=made.code,
                inputs=made.inputs,
                checks=checks,
                finished_intents=stages.finish(candidate.version) if candidate else (),
                added=outcome.added,
            )
        )
        times = (outcome.started_at, outcome.ended_at)
        version = staged.version if staged and result == "quarantined" else None
        ledger.note(ledger.entry(row, asset, result, times, version=version, error=error))
    ledger.lose([row])


def _record(ledger: Ledger, row: int, staged: StagedVersion, outcome: PartitionOutcome, state: str) -> VersionRecord:
    uid = ledger.parts.setting.uids[staged.asset]
    kind = "published" if state == "published" else "quarantined"
    return version_record(staged, uid, ledger.ordinal(row), ledger.parts.run_id, outcome.ended_at, kind)
