"""Staging one output of one partition, and running its checks on what was staged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from assetflow.definitions.annotations import Arrival
from assetflow.definitions.computations import AssetSpec
from assetflow.execution.checking import run_checks
from assetflow.execution.measuring import Stopwatch
from assetflow.execution.task import CheckOutcome, CurrentVersion, PartitionTask, StagedVersion
from assetflow.execution.workshop import Workshop
from assetflow.fingerprint.data import hash_files
from assetflow.io import DiscardingIOManager, OutputContext, StoredFile, StoredPartition
from assetflow.keys import AssetKey, DataHash, format_address
from assetflow.publish.folders import is_whole, storage_errors
from assetflow.publish.stored import StoredInput
from assetflow.publish.values import Prepared, choose_manager, prepare, staged_value


def stage_output(
    asset: AssetKey,
    spec: AssetSpec,
    returns: Arrival,
    value: object,
    metadata: Mapping[str, object],
    partition: PartitionTask,
    workshop: Workshop,
    discards: list[Callable[[], None]],
    watch: Stopwatch,
) -> StagedVersion:
    """Stage and check one output; ``discards`` gets what makes its IO manager forget it again."""
    address = format_address(asset, partition.key)
    version = partition.versions[asset]
    current = partition.current.get(asset)
    own: list[Callable[[], None]] = []
    prepared = prepare(
        value,
        address=address,
        returns=Arrival("one", returns.type, returns.python) if returns.container == "dict" else returns,
        nonce=str(version).encode(),
        schema=spec.schema,
        hashing=spec.hashing,
        overlap=current is None,
    )
    if prepared.kind == "none":
        staged = StagedVersion(
            asset, version, prepared.data_hash or DataHash(""), empty=prepared.empty, metadata=metadata
        )
    else:
        staged = _stored(asset, spec, prepared, metadata, partition, workshop, current, own)
    if current is not None and _equal(staged, current):
        for discard in own:
            discard()
        own.clear()
        staged = replace(
            staged,
            version=current.version,
            same=True,
            row_count=current.stored.row_count,
        )
    discards += own
    watch.lap("stage")
    checks = _checks(asset, staged, current, partition, workshop)
    watch.lap("check")
    return replace(staged, checks=checks) if checks else staged


def _stored(
    asset: AssetKey,
    spec: AssetSpec,
    prepared: Prepared,
    metadata: Mapping[str, object],
    partition: PartitionTask,
    workshop: Workshop,
    current: CurrentVersion | None,
    discards: list[Callable[[], None]],
) -> StagedVersion:
    address = format_address(asset, partition.key)
    version = partition.versions[asset]
    name = choose_manager(prepared, spec.io_manager)
    manager = workshop.managers[name]
    location = workshop.storage.location(asset, partition.path, version)
    opened = False
    expected = StagedVersion(
        asset,
        version,
        prepared.data_hash or DataHash(""),
        io_manager=name,
        storage=getattr(manager, "storage", None),
        row_count=prepared.row_count,
        schema=prepared.schema,
        metadata=metadata,
    )
    if current is not None and expected.storage is not None and _equal(expected, current):
        return expected

    def folder() -> Path:
        nonlocal opened
        opened = True
        return workshop.open_folder(version) if workshop.open_folder else workshop.storage.create(location)

    given = staged_value(prepared, manager, address)
    with storage_errors(f"{address}: {workshop.storage.folder(location)}"):
        context = OutputContext(asset, partition.key, version, folder)
        made = manager.stage(context, given)
    if isinstance(manager, DiscardingIOManager):
        discards.append(partial(manager.discard, context, made))
    files = workshop.storage.seal(location, asset=asset, partition=partition.key, version=version) if opened else ()
    data_hash = prepared.pending.result() if prepared.pending else prepared.data_hash
    data_hash = data_hash or made.data_hash or hash_files((f.name, f.size, f.digest) for f in files)
    size = sum(file.size for file in files) if opened else len((made.inline or "").encode())
    return replace(
        expected,
        data_hash=data_hash,
        storage=made.storage,
        location=location if opened else None,
        files=files,
        inline=made.inline,
        row_count=prepared.row_count if prepared.row_count is not None else made.row_count,
        byte_count=size,
    )


def _equal(staged: StagedVersion, current: CurrentVersion) -> bool:
    """Whether nothing new has to be published; a version whose files are not whole is replaced by an equal one."""
    return (
        bool(staged.data_hash)
        and staged.data_hash == current.data_hash
        and staged.empty == current.empty
        and staged.schema == current.schema
        and staged.storage == current.storage
        and staged.io_manager == current.io_manager
        and is_whole(current.stored.files)
    )


def _checks(
    asset: AssetKey,
    staged: StagedVersion,
    current: CurrentVersion | None,
    partition: PartitionTask,
    workshop: Workshop,
) -> tuple[CheckOutcome, ...]:
    checks = workshop.graph.checks.get(asset, ())
    if not checks or staged.empty:
        return ()
    if staged.same and current is not None:
        subject = StoredInput(partition.key, current.stored, current.io_manager, current.schema)
        return run_checks(checks, subject, workshop, done=current.checked)
    folder = workshop.storage.folder(staged.location) if staged.location else None
    files = tuple(StoredFile(folder / f.name, f.size, f.digest) for f in staged.files) if folder else ()
    stored = StoredPartition(asset, partition.key, staged.version, files, staged.inline, staged.row_count)
    subject = StoredInput(partition.key, stored, staged.io_manager, staged.schema)
    return run_checks(checks, subject, workshop, done=frozenset())
