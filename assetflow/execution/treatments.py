"""What planned partitions get short of building: their inputs are final, and nothing has to be computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from assetflow.execution.checking import refusal
from assetflow.execution.ledger import Ledger
from assetflow.execution.records import check_records
from assetflow.execution.task import Executor, PartitionTask, StagedVersion, Task
from assetflow.keys import AssetKey, VersionId
from assetflow.store.records import DerivationKind, FailureRecord

Found = Mapping[AssetKey, Mapping[int, VersionId]]
"""By output and row."""


def reuse(ledger: Ledger, rows: Sequence[int], found: Found, executor: Executor) -> list[int]:
    """Publish earlier versions that were made by the present code from exactly these inputs.

    Checks that have not seen them yet run first. Gives the rows that are done: those whose files are lost are not.
    """
    _fetch(ledger, found)
    whole = [row for row in rows if all(_is_there(ledger, versions[row]) for versions in found.values())]
    for row in whole:
        _republish(ledger, row, found, executor, "reused", "reused")
    return whole


def check_candidates(ledger: Ledger, rows: Sequence[int], found: Found, executor: Executor) -> None:
    """Run mended checks on quarantined versions, and publish those that pass now."""
    _fetch(ledger, found)
    for row in rows:
        _republish(ledger, row, found, executor, "computed", "materialized")


def check_current(ledger: Ledger, rows: Sequence[int], executor: Executor) -> None:
    """Run the missing checks on what is published; nothing is unpublished, whatever they say."""
    if not rows:
        return
    versions = [ledger.current(row, asset) for row in rows for asset in ledger.node.outputs]
    ledger.parts.fetch(version for version in versions if version)
    for row in rows:
        subjects = {asset: version for asset in ledger.node.outputs if (version := ledger.current(row, asset))}
        (outcome,) = executor.submit(_check_task(ledger, row, subjects)).result().outcomes
        times = (outcome.started_at, outcome.ended_at)
        staged_by_asset = {staged.asset: staged for staged in outcome.outputs}
        refused = False
        for asset in ledger.node.outputs:
            staged = staged_by_asset.get(asset)
            checks = staged.checks if staged else ()
            version = staged.version if staged else None
            if staged:
                uid = ledger.parts.setting.uids[asset]
                results = check_records(checks, asset, uid, ledger.ordinal(row), staged.version)
                ledger.parts.setting.writer.record_checks(list(results))
            error = refusal(ledger.place(row, asset), checks, published=True)
            refused |= error is not None
            result = "quarantined" if error else "unchanged"
            ledger.note(ledger.entry(row, asset, result, times, version=version, error=error))
        if refused:
            ledger.lose([row])


def _republish(
    ledger: Ledger,
    row: int,
    found: Found,
    executor: Executor,
    kind: DerivationKind,
    result: Literal["reused", "materialized"],
) -> None:
    """Publish versions that the store has, all outputs of one row, unless a blocking check refuses one of them."""
    subjects = {asset: found[asset][row] for asset in ledger.node.outputs}
    (outcome,) = executor.submit(_check_task(ledger, row, subjects)).result().outcomes
    kept = [replace(_kept(ledger, staged.asset, staged.version), checks=staged.checks) for staged in outcome.outputs]
    times = (outcome.started_at, outcome.ended_at)
    refusals = {staged.asset: refusal(ledger.place(row, staged.asset), staged.checks) for staged in kept}
    if any(refusals.values()):
        first = next(filter(None, refusals.values()))
        for staged in kept:
            uid = ledger.parts.setting.uids[staged.asset]
            error = refusals[staged.asset] or first
            ledger.parts.setting.writer.fail(
                FailureRecord(
                    ledger.parts.setting.environment,
                    uid,
                    ledger.ordinal(row),
                    ledger.try_key(row),
                    ledger.parts.run_id,
                    error.message,
                    checks=check_records(staged.checks, staged.asset, uid, ledger.ordinal(row), staged.version),
                )
            )
            ledger.note(ledger.entry(row, staged.asset, "quarantined", times, version=staged.version, error=error))
        ledger.lose([row])
        return
    made = ledger.derived(row)
    publications = [ledger.publication(row, staged.version, staged, made, kind, times[1]) for staged in kept]
    entries = [ledger.entry(row, staged.asset, result, times, version=staged.version) for staged in kept]
    ledger.commit(publications, entries, [made])


def _fetch(ledger: Ledger, found: Found) -> None:
    ledger.parts.fetch(version for versions in found.values() for version in versions.values())


def _is_there(ledger: Ledger, version: VersionId) -> bool:
    """Whether a fetched version has its files, in their recorded size; reads none of them."""
    return ledger.parts.setting.storage.holds(ledger.parts.versions[version])


def _check_task(ledger: Ledger, row: int, subjects: Mapping[AssetKey, VersionId]) -> Task:
    key = ledger.keys[row]
    current = {asset: ledger.parts.current_version(version, key) for asset, version in subjects.items()}
    ordinal = ledger.ordinal(row)
    task = PartitionTask(ordinal, key, ledger.space.window(ordinal), {}, {}, None, current)
    return Task(ledger.node.name, "check", ledger.parts.run_id, 1, (task,), {})


def _kept(ledger: Ledger, asset: AssetKey, version: VersionId) -> StagedVersion:
    record = ledger.parts.versions[version]
    return StagedVersion(
        asset,
        version,
        record.data_hash,
        empty=record.empty,
        row_count=record.row_count,
        byte_count=record.byte_count,
    )
