"""Reading back what was published and recorded: values, versions, runs, as documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np

from assetflow.catalog.holding import holding_of, holds_of
from assetflow.catalog.naming import PartitionNames, partition_names
from assetflow.catalog.timeline import critical_path
from assetflow.definitions.annotations import ANY, Annotations, Arrival
from assetflow.errors import DataMissing, UnknownRun, UnknownVersion, UsageError
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.ordinal_spaces import WHOLE, space_words
from assetflow.partitions.spaces import ordinal_of
from assetflow.planner.recording import RECORD, request_of
from assetflow.publish.conformance import declared_schema
from assetflow.publish.loading import load_input
from assetflow.publish.moments import AsOf, generation_of
from assetflow.publish.past import OVERRIDDEN, pointers_at, refuse_deleted, refuse_former, refuse_unversioned
from assetflow.publish.setting import Setting
from assetflow.publish.stored import stored_input
from assetflow.store.interface import StoreReader
from assetflow.store.leases import LeaseRecord
from assetflow.store.records import RunRecord, StepRecord


def load_value(
    setting: Setting,
    asset: AssetKey,
    partition: str | None,
    version: int | None,
    as_type: object,
    *,
    as_of: AsOf | None = None,
    hold: Callable[[object, Sequence[VersionId]], object] = lambda value, versions: value,
) -> object:
    """The published value of an asset, of one partition, or of one version; ``as_type`` as a parameter's annotation.

    ``as_of``: what was published then. ``hold`` is given the value and the versions that it may read later.

    Raises UsageError, InvalidPartition, UnknownVersion, VersionDeleted, DataMissing and DataUnreadable.
    """
    if version is not None and as_of is not None:
        raise UsageError("both a version and a moment are given", hint="a version is the same at every moment")
    generation = None if as_of is None else generation_of(setting.reader, as_of, setting.clock())
    node = setting.graph.node_of(asset)
    space = setting.spaces[node.name]
    arrival = _arrival(as_type)
    if node.kind == "source":
        raise UsageError(f"{asset} is a source: it has no stored value", hint="read its versions instead")
    if version is not None:
        record = setting.reader.version(VersionId(version))
        if record.asset != asset:
            raise UnknownVersion(f"version {version} is one of {record.asset}, not of {asset}")
        records = [record]
    else:
        if generation is not None:
            refuse_former(setting.reader, setting.graph, setting.uids, setting.environment, asset, generation)
        pointers = pointers_at(setting.reader, setting.environment, setting.uids[asset], generation)
        versions = dict(zip(pointers.ordinals.tolist(), pointers.version.tolist(), strict=True))
        if partition is None:
            wanted = [o for o in space.ordered(space.existing(setting.clock()).array()).tolist() if o in versions]
        else:
            wanted = [ordinal] if (ordinal := ordinal_of(space, asset, partition)) in versions else []
        if not wanted and generation is not None:
            raise DataMissing(
                f"{format_address(asset, partition)} had no version at generation {generation}",
                hint=f"assetflow versions {format_address(asset, partition)} lists its versions",
            )
        if not wanted:
            raise DataMissing(
                f"{format_address(asset, partition)} has no version yet",
                hint=f"run `assetflow materialize --select {asset}`",
            )
        found = setting.reader.versions([VersionId(versions[ordinal]) for ordinal in wanted])
        records = [found[VersionId(versions[ordinal])] for ordinal in wanted]
    keys = _names(setting).keys(asset, np.array([record.ordinal for record in records], np.int64), records[0].uid)
    refuse_deleted(setting.reader, records, keys)
    if generation is not None:
        refuse_unversioned(records, setting.managers)
    inputs = [stored_input(record, setting.storage, key) for record, key in zip(records, keys, strict=True)]
    schema = setting.reader.last_schema(setting.environment, records[0].uid)
    schema = schema or declared_schema(setting.graph.specs[asset].schema)
    many = partition is None and version is None and space.grain != "none"
    value = load_input(arrival, inputs, setting.managers, known_schema=schema, many=many)
    return hold(value, [record.version for record in records if record.location is not None])


def _arrival(as_type: object) -> Arrival:
    if as_type is None:
        return ANY

    def reader(value: object) -> None: ...

    reader.__annotations__["value"] = as_type
    return Annotations(reader).parameter("value")


def version_rows(setting: Setting, asset: AssetKey, partition: str | None) -> list[dict[str, object]]:
    """The versions of an asset or of one partition, the newest first, as in the versions document.

    Those of the asset include what it has from when it was partitioned otherwise: ``former`` says how.
    """
    node = setting.graph.node_of(asset)
    space = setting.spaces[node.name]
    uid = setting.uids[asset]
    ordinal = None if partition is None else ordinal_of(space, asset, partition)
    environment = 0 if node.kind == "source" else setting.environment
    pointers = setting.reader.pointers(environment, uid)
    current = set(pointers.version.tolist())
    records = setting.reader.versions_of(uid, ordinal)
    names = _names(setting)
    keys = names.keys(asset, np.array([record.ordinal for record in records], np.int64))
    if partition is None:
        for other in setting.reader.spaces_of([asset]).keys() - {uid}:
            earlier = setting.reader.versions_of(other)
            records += earlier
            keys += names.keys(asset, np.array([record.ordinal for record in earlier], np.int64), other)
    rows = sorted(zip(records, keys, strict=True), key=lambda row: -row[0].version)
    deletions = setting.reader.deletions([record.version for record in records])
    overridden = overrides(setting.reader, [record.version for record in records])
    return [
        {
            "version": record.version,
            "asset": asset,
            "partition": key,
            "state": record.state,
            "run_id": record.run_id,
            "created_at": record.created_at.isoformat(),
            "published_at": record.published_at.isoformat() if record.published_at else None,
            "row_count": record.row_count,
            "byte_count": record.byte_count,
            "data_hash": record.data_hash,
            "current": record.version in current,
            "empty": record.empty,
            "overridden": overridden.get(record.version),
            "deleted_at": moment.isoformat()
            if (found := deletions.get(record.version)) and (moment := found.deleted_at)
            else None,
            "former": None if record.uid == uid else space_words(names.former.get(record.uid, WHOLE)),
        }
        for record, key in rows
    ]


def overrides(reader: StoreReader, versions: Sequence[VersionId]) -> dict[VersionId, dict[str, object]]:
    """Of the versions that somebody published although checks refused them: who, when, why and which checks."""
    found: dict[VersionId, dict[str, object]] = {}
    for result in reader.check_results(versions):
        told = result.metadata.get(OVERRIDDEN)
        if isinstance(told, Mapping):
            given = cast("Mapping[str, object]", told)
            checks = cast("list[str]", found.get(result.version, {}).get("checks", []))
            found[result.version] = {**given, "checks": [*checks, result.name]}
    return found


def override_notes(reader: StoreReader, version: VersionId | None) -> tuple[str, ...]:
    """What to tell people of a version that was published although checks refused it."""
    told = {} if version is None else overrides(reader, [version])
    return tuple(
        f"version {number} was published by {each['by']} on {str(each['at'])[:10]} although "
        f"{', '.join(cast('list[str]', each['checks']))} refused it: {each['reason']}"
        for number, each in told.items()
    )


def run_rows(setting: Setting, limit: int) -> list[dict[str, object]]:
    """The last runs, the newest first."""
    leases = setting.reader.leases()
    return [_run_row(run, leases) for run in setting.reader.runs(limit=limit)]


def run_document(setting: Setting, run_id: str) -> dict[str, object]:
    """One run with its plan and steps. Raises UnknownRun."""
    run = setting.reader.run(run_id)
    if run is None:
        raise UnknownRun(f"there is no run {run_id!r}", hint="`assetflow runs` lists them")
    names = _names(setting)
    records = setting.reader.steps(run_id)
    steps = [
        _step_row(step, names.keys(step.asset, np.array([step.ordinal], np.int64), step.uid)[0]) for step in records
    ]
    path = [steps[place] for place in critical_path(records, lambda asset: _reads(setting.graph, asset))]
    critical = [{name: step[name] for name in ("asset", "partition", "attempt", "seconds")} for step in path]
    plan = {name: value for name, value in run.plan.items() if name != RECORD}
    row = _run_row(run, setting.reader.leases())
    held = holding_of(setting, names, run_id)
    return {**row, "plan": plan, "steps": steps, "critical_path": critical, **held}


def _reads(graph: AssetGraph, asset: AssetKey) -> set[AssetKey]:
    """What the steps of an asset wait for, as it is declared now; nothing of one that is no longer."""
    if asset not in graph.owner:
        return set()
    upstreams = {edge.upstream for edge in graph.nodes[graph.owner[asset]].edges}
    return {output for upstream in upstreams for output in graph.nodes[graph.owner[upstream]].outputs}


def _step_row(step: StepRecord, partition: str | None) -> dict[str, object]:
    took = step.measures
    return {
        "asset": step.asset,
        "partition": partition,
        "attempt": step.attempt,
        "status": step.status,
        "queued_at": step.queued_at.isoformat(),
        "started_at": step.started_at.isoformat(),
        "ended_at": step.ended_at.isoformat(),
        "seconds": (step.ended_at - step.started_at).total_seconds(),
        "wait_seconds": (step.started_at - step.queued_at).total_seconds(),
        "load_seconds": took.load if took else None,
        "compute_seconds": took.compute if took else None,
        "stage_seconds": took.stage if took else None,
        "check_seconds": took.check if took else None,
        "publish_seconds": step.publish,
        "cpu_seconds": took.cpu if took else None,
        "peak_memory": took.peak_memory if took else None,
        "row_count": step.row_count,
        "byte_count": step.byte_count,
        "call_size": step.call_size,
        "version": step.version,
        "error": dict(step.error) if step.error else None,
    }


def _names(setting: Setting) -> PartitionNames:
    return partition_names(setting.graph, setting.spaces, setting.uids, setting.reader)


def _run_row(run: RunRecord, leases: Sequence[LeaseRecord]) -> dict[str, object]:
    ended = run.ended_at
    return {
        "run_id": run.run_id,
        "status": run.status,
        "trigger": run.trigger,
        "asked": request_of(run.plan),
        "started_at": run.started_at.isoformat(),
        "ended_at": ended.isoformat() if ended else None,
        "seconds": (ended - run.started_at).total_seconds() if ended else None,
        "counts": dict(run.counts),
        "error": run.error,
        "priority": run.priority,
        "holds": holds_of(leases, run.run_id),
    }
