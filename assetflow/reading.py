"""Reading back what was published and recorded: values, versions, runs, as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.definitions.annotations import ANY, Annotations, Arrival
from assetflow.errors import DataMissing, UnknownVersion, UsageError
from assetflow.execution.task import StoredInput
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.partitions.spaces import PartitionSpace
from assetflow.publish.conformance import declared_schema
from assetflow.publish.loading import load_input
from assetflow.publish.publication import stored_partition
from assetflow.store.records import RunRecord, VersionRecord

if TYPE_CHECKING:
    from assetflow.project import Project


def load_value(
    project: Project, asset: AssetKey, partition: str | None, version: int | None, as_type: object
) -> object:
    """See :meth:`Project.load`."""
    setting = project.setting
    node = project.graph.node_of(asset)
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
        pointers = setting.reader.pointers(setting.environment, setting.uids[asset])
        versions = dict(zip(pointers.ordinals.tolist(), pointers.version.tolist(), strict=True))
        if partition is None:
            wanted = [o for o in space.ordered(space.existing(project.clock()).array()).tolist() if o in versions]
        else:
            wanted = [ordinal] if (ordinal := space.ordinal(partition)) in versions else []
        if not wanted:
            raise DataMissing(
                f"{format_address(asset, partition)} has no version yet",
                hint=f"run `assetflow materialize --select {asset}`",
            )
        found = setting.reader.versions([VersionId(versions[ordinal]) for ordinal in wanted])
        records = [found[VersionId(versions[ordinal])] for ordinal in wanted]
    inputs = [_input(project, record, space) for record in records]
    schema = setting.reader.last_schema(setting.environment, setting.uids[asset])
    schema = schema or declared_schema(project.graph.specs[asset].schema)
    many = partition is None and version is None and space.grain != "none"
    return load_input(arrival, inputs, project.managers, known_schema=schema, many=many)


def _input(project: Project, record: VersionRecord, space: PartitionSpace) -> StoredInput:
    key = space.key(record.ordinal)
    stored = None if record.empty else stored_partition(record, project.storage, key)
    return StoredInput(key, stored, record.io_manager, record.schema)


def _arrival(as_type: object) -> Arrival:
    if as_type is None:
        return ANY

    def reader(value: object) -> None: ...

    reader.__annotations__["value"] = as_type
    return Annotations(reader).parameter("value")


def version_rows(project: Project, asset: AssetKey, partition: str | None) -> list[dict[str, object]]:
    """See :meth:`Project.versions`."""
    setting = project.setting
    node = project.graph.node_of(asset)
    space = setting.spaces[node.name]
    uid = setting.uids[asset]
    ordinal = None if partition is None else space.ordinal(partition)
    environment = 0 if node.kind == "source" else setting.environment
    pointers = setting.reader.pointers(environment, uid)
    current = set(pointers.version.tolist())
    return [
        {
            "version": record.version,
            "asset": asset,
            "partition": space.key(record.ordinal),
            "state": record.state,
            "run_id": record.run_id,
            "created_at": record.created_at.isoformat(),
            "published_at": record.published_at.isoformat() if record.published_at else None,
            "row_count": record.row_count,
            "byte_count": record.byte_count,
            "data_hash": record.data_hash,
            "current": record.version in current,
            "empty": record.empty,
        }
        for record in setting.reader.versions_of(uid, ordinal)
    ]


def run_rows(project: Project, limit: int) -> list[dict[str, object]]:
    """See :meth:`Project.runs`."""
    return [_run_row(run) for run in project.store.reader.runs(limit=limit)]


def run_document(project: Project, run_id: str) -> dict[str, object]:
    """See :meth:`Project.run`."""
    run = project.store.reader.run(run_id)
    if run is None:
        raise UsageError(f"there is no run {run_id!r}", hint="`assetflow runs` lists them")
    spaces, owner = project.setting.spaces, project.graph.owner
    steps: list[dict[str, object]] = []
    for step in project.store.reader.steps(run_id):
        space = spaces.get(owner.get(step.asset, ""))
        steps.append(
            {
                "asset": step.asset,
                "partition": space.key(step.ordinal) if space else None,
                "attempt": step.attempt,
                "status": step.status,
                "started_at": step.started_at.isoformat(),
                "ended_at": step.ended_at.isoformat(),
                "seconds": (step.ended_at - step.started_at).total_seconds(),
                "version": step.version,
                "error": dict(step.error) if step.error else None,
            }
        )
    return {**_run_row(run), "plan": dict(run.plan), "steps": steps}


def _run_row(run: RunRecord) -> dict[str, object]:
    ended = run.ended_at
    return {
        "run_id": run.run_id,
        "status": run.status,
        "trigger": run.trigger,
        "started_at": run.started_at.isoformat(),
        "ended_at": ended.isoformat() if ended else None,
        "seconds": (ended - run.started_at).total_seconds() if ended else None,
        "counts": dict(run.counts),
        "error": run.error,
    }
