"""Making tasks of decided rows: what they read, as which versions they are staged, what is published now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from assetflow.execution.ledger import Ledger
from assetflow.execution.stages import Stage, Stages
from assetflow.execution.task import PartitionTask, Task
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.conformance import declared_schema
from assetflow.publish.stored import StoredInput


def timeout_of(node: Node) -> float | None:
    """The seconds that one call of a computation may take."""
    timeout = node.computation.timeout
    return None if timeout is None else timeout.total_seconds()


class TaskMaker:
    """Makes the tasks that build the rows of a ledger, with stages of their own for every attempt."""

    def __init__(self, ledger: Ledger, rows: Sequence[int]) -> None:
        self.rows = _in_order(ledger, rows)
        """In the order that people expect."""
        self._ledger = ledger
        self._ids: dict[tuple[int, AssetKey], VersionId] = {}
        self.stages = Stages(ledger.parts.setting, ledger.parts.run_id, self._planned(self.rows))
        ledger.parts.desk.take(self.stages)
        self._inputs = _Inputs(ledger, self.rows)

    def task(self, rows: Sequence[int], attempt: int) -> Task:
        """The call that builds some rows; the intents of what runs elsewhere are durable."""
        ledger, parts = self._ledger, self._ledger.parts
        if attempt > 1:
            self.stages.add(self._planned(rows))
            parts.desk.take(self.stages)
        if parts.deferred:
            versions = [self._ids[row, asset] for row in rows for asset in ledger.node.outputs]
            self.stages.announce(versions, elsewhere=True)
        tasks = tuple(
            _partition_task(
                ledger, row, self._inputs.of(row), {asset: self._ids[row, asset] for asset in ledger.node.outputs}
            )
            for row in rows
        )
        return Task(
            ledger.node.name,
            "build",
            parts.run_id,
            attempt,
            tasks,
            self._inputs.known_schemas(tasks),
            timeout_of(ledger.node),
            ledger.node.computation.max_memory,
            ledger.node.computation.isolated,
        )

    def close(self) -> None:
        """Let go of everything that was staged and not published."""
        self._ledger.parts.desk.forget(self.stages)
        self.stages.close()

    def _planned(self, rows: Sequence[int]) -> list[Stage]:
        ids = self._ledger.parts.ids
        planned = [(row, asset, ids.take()) for row in rows for asset in self._ledger.node.outputs]
        self._ids.update({(row, asset): version for row, asset, version in planned})
        return [_stage(self._ledger, *each) for each in planned]


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
