"""One attempt: load the inputs, call the user's function, stage what it returns, run the checks on what was staged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast

from assetflow.definitions.annotations import ANY
from assetflow.definitions.context import AssetContext
from assetflow.definitions.values import NO_DATA
from assetflow.errors import AssetflowError, OutputError, StepError, StoreError
from assetflow.execution.checking import run_checks
from assetflow.execution.copies import no_copies
from assetflow.execution.measuring import Stopwatch
from assetflow.execution.metadata import plain_metadata
from assetflow.execution.staging import stage_output
from assetflow.execution.task import (
    PartitionOutcome,
    PartitionTask,
    StagedVersion,
    Task,
    TaskResult,
)
from assetflow.execution.tracebacks import user_error
from assetflow.execution.workshop import Workshop
from assetflow.graph import Edge, Node
from assetflow.io import duckdb_connection
from assetflow.keys import AssetKey, format_address
from assetflow.publish.batches import split_batch
from assetflow.publish.loading import load_batch_input, load_input
from assetflow.publish.stored import StoredInput
from assetflow.store.records import KeyAddition

if TYPE_CHECKING:
    import duckdb


def run_task(task: Task, workshop: Workshop) -> TaskResult:
    """Carry out a task; only interrupts and StoreError are raised. One outcome for each partition, in order."""
    node = workshop.graph.nodes[task.computation]
    watch = Stopwatch(workshop.meter)
    outcomes = _check(node, task, workshop, watch) if task.action == "check" else _build(node, task, workshop, watch)
    return TaskResult(outcomes, watch.measures())


def _check(node: Node, task: Task, workshop: Workshop, watch: Stopwatch) -> tuple[PartitionOutcome, ...]:
    outcomes = tuple(_checked(node, partition, workshop) for partition in task.partitions)
    watch.lap("check")
    return outcomes


def _build(node: Node, task: Task, workshop: Workshop, watch: Stopwatch) -> tuple[PartitionOutcome, ...]:
    started = workshop.clock()
    idle = [partition for partition in task.partitions if _has_nothing_to_load(node, partition)]
    busy = [partition for partition in task.partitions if partition not in idle] if idle else list(task.partitions)
    values: dict[int, Mapping[AssetKey, object]] = {}
    metadata: Mapping[str, object] = {}
    added: tuple[KeyAddition, ...] = ()
    if busy:
        try:
            returned, metadata, added = _call(node, task, busy, workshop, watch)
            values.update(returned)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit, and what some test and Rust libraries raise, too
            # Loading comes first: where it raised, nothing was computed.
            watch.lap("compute" if watch.seconds["load"] else "load")
            ended = workshop.clock()
            problem = _problem(error, node, _place(node, busy))
            failed = {each.ordinal: PartitionOutcome(each.ordinal, started, ended, error=problem) for each in busy}
            return tuple(
                failed.get(each.ordinal) or _built(node, each, None, {}, started, workshop, watch)
                for each in task.partitions
            )
    built = [
        _built(node, each, values.get(each.ordinal), metadata, started, workshop, watch) for each in task.partitions
    ]
    return tuple(replace(each, added=added) if added and each.ordinal in values else each for each in built)


def _has_nothing_to_load(node: Node, partition: PartitionTask) -> bool:
    """Whether there are loaded parameters and all that they would read is empty or absent.

    What reads nothing but earlier partitions of its own has to begin somewhere.
    """
    own = {edge.parameter for edge in node.own_edges}
    return not own.issuperset(partition.inputs) and not any(
        stored.stored is not None for inputs in partition.inputs.values() for stored in inputs
    )


def _call(
    node: Node, task: Task, partitions: Sequence[PartitionTask], workshop: Workshop, watch: Stopwatch
) -> tuple[dict[int, Mapping[AssetKey, object]], Mapping[str, object], tuple[KeyAddition, ...]]:
    """What the user's function returned, by ordinal and output, and what it told the context."""
    loaded = [edge for edge in node.edges if edge.loaded]
    # Relations join only those of their own connection.
    relations = any(edge.arrival is not None and edge.arrival.type == "duckdb" for edge in loaded)
    connection = duckdb_connection() if relations else None
    arguments: dict[str, object] = {
        edge.parameter: _argument(node, edge, task, partitions, workshop, connection) for edge in loaded
    }
    context = _context(node, task, partitions, workshop)
    if node.takes_context:
        arguments["context"] = context
    watch.lap("load")
    with no_copies():
        returned: object = node.computation.function(**arguments)
    watch.lap("compute")
    by_asset = _by_output(node, returned)
    metadata = plain_metadata(context.collected_metadata)
    added = tuple(KeyAddition(name, keys, task.run_id) for name, keys in context.added_partitions.items())
    if node.batch is None:
        return {partitions[0].ordinal: by_asset}, metadata, added
    keys = [partition.key for partition in partitions if partition.key is not None]
    split = {
        asset: split_batch(value, keys, node.batch.column, returns, asset)
        for (asset, value), returns in zip(by_asset.items(), node.output_returns, strict=True)
    }
    by_partition: dict[int, Mapping[AssetKey, object]] = {
        partition.ordinal: {
            asset: found.missing.get(partition.key or "") or found.values[partition.key or ""]
            for asset, found in split.items()
        }
        for partition in partitions
    }
    return by_partition, metadata, added


def _argument(
    node: Node,
    edge: Edge,
    task: Task,
    partitions: Sequence[PartitionTask],
    workshop: Workshop,
    connection: duckdb.DuckDBPyConnection | None,
) -> object:
    arrival = edge.arrival or ANY
    schema = task.known_schemas.get(edge.parameter)
    if node.batch is None:
        return load_input(
            arrival,
            partitions[0].inputs[edge.parameter],
            workshop.managers,
            known_schema=schema,
            columns=edge.columns,
            many=not edge.single,
            connection=connection,
        )
    by_key: dict[str, Sequence[StoredInput]] = {
        partition.key: partition.inputs[edge.parameter] for partition in partitions if partition.key is not None
    }
    return load_batch_input(
        arrival, by_key, workshop.managers, known_schema=schema, columns=edge.columns, connection=connection
    )


def _context(node: Node, task: Task, partitions: Sequence[PartitionTask], workshop: Workshop) -> AssetContext:
    return AssetContext(
        node.name,
        partition_keys=[partition.key for partition in partitions if partition.key is not None],
        windows=[partition.window for partition in partitions if partition.window is not None],
        run_id=task.run_id,
        attempt=task.attempt,
        dynamic=workshop.graph.dynamic_names,
    )


def _by_output(node: Node, returned: object) -> dict[AssetKey, object]:
    if not node.computation.multiple:
        return {node.outputs[0]: returned}
    if returned is NO_DATA:
        return {asset: NO_DATA for asset in node.outputs}  # noqa: C420  # fromkeys loses the type
    names = ", ".join(node.outputs)
    if isinstance(returned, tuple):
        values = cast("tuple[object, ...]", returned)
        if len(values) == len(node.outputs):
            return dict(zip(node.outputs, values, strict=True))
        raise OutputError(f"{node.name}: returned {len(values)} values for {len(node.outputs)} outputs: {names}")
    if isinstance(returned, Mapping):
        found = cast("Mapping[object, object]", returned)
        missing = [name for name in node.outputs if name not in found]
        extra = [str(name) for name in found if name not in node.outputs]
        if missing or extra:
            raise OutputError(
                f"{node.name}: "
                + "; ".join(
                    filter(
                        None,
                        (
                            f"returned nothing for {', '.join(missing)}" if missing else "",
                            f"returned {', '.join(extra)}, which is no output" if extra else "",
                        ),
                    )
                ),
                hint=f"return a dict with the keys {names}; NO_DATA for an output without data",
            )
        return {name: found[name] for name in node.outputs}
    if returned is None and all(arrival.container == "none" for arrival in node.output_returns):
        return {asset: None for asset in node.outputs}  # noqa: C420  # fromkeys loses the type
    raise OutputError(
        f"{node.name}: returned {type(returned).__name__} for several outputs",
        hint=f"return a dict by name or a tuple in order: {names}",
    )


def _built(
    node: Node,
    partition: PartitionTask,
    values: Mapping[AssetKey, object] | None,
    metadata: Mapping[str, object],
    started: datetime,
    workshop: Workshop,
    watch: Stopwatch,
) -> PartitionOutcome:
    """Stage and check every output of one partition; None for ``values`` publishes all of them as empty."""
    outputs: list[StagedVersion] = []
    discards: list[Callable[[], None]] = []
    try:
        for asset, spec, returns in zip(node.outputs, node.specs, node.output_returns, strict=True):
            value = NO_DATA if values is None else values[asset]
            if isinstance(value, OutputError):
                raise value
            outputs.append(stage_output(asset, spec, returns, value, metadata, partition, workshop, discards, watch))
    except (KeyboardInterrupt, StoreError):
        raise
    except BaseException as error:
        for discard in discards:
            discard()
        problem = _problem(error, node, format_address(node.name, partition.key))
        return PartitionOutcome(partition.ordinal, started, workshop.clock(), tuple(outputs), problem)
    return PartitionOutcome(partition.ordinal, started, workshop.clock(), tuple(outputs))


def _checked(node: Node, partition: PartitionTask, workshop: Workshop) -> PartitionOutcome:
    """Run the missing checks on given versions."""
    started = workshop.clock()
    outputs: list[StagedVersion] = []
    for asset, current in partition.current.items():
        subject = StoredInput(
            partition.key, None if current.empty else current.stored, current.io_manager, current.schema
        )
        checks = run_checks(workshop.graph.checks.get(asset, ()), subject, workshop, done=current.checked)
        outputs.append(
            StagedVersion(
                asset,
                current.version,
                current.data_hash,
                same=True,
                empty=current.empty,
                io_manager=current.io_manager,
                storage=current.storage,
                row_count=current.stored.row_count,
                schema=current.schema,
                checks=checks,
            )
        )
    return PartitionOutcome(partition.ordinal, started, workshop.clock(), tuple(outputs))


def _problem(error: BaseException, node: Node, place: str) -> AssetflowError:
    problem = user_error(error, place)
    if isinstance(problem, StepError) and problem.location is None:
        problem.location = node.computation.location
    return problem


def _place(node: Node, partitions: Sequence[PartitionTask], asset: AssetKey | None = None) -> str:
    name = asset or node.name
    if len(partitions) == 1:
        return format_address(name, partitions[0].key)
    return f"{name}@{partitions[0].key}...{partitions[-1].key}"
