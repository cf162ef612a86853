"""What planned partitions get short of building: their inputs are final, and nothing has to be computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from assetflow.errors import AssetflowError, StepCanceled
from assetflow.execution.checking import refusal
from assetflow.execution.journal import Call
from assetflow.execution.ledger import Ledger
from assetflow.execution.records import check_records
from assetflow.execution.result import Outcome
from assetflow.execution.task import PartitionOutcome, PartitionTask, StagedVersion, Task, TaskResult
from assetflow.execution.tasks import timeout_of
from assetflow.execution.work import Phase, Retry, Work
from assetflow.keys import AssetKey, VersionId
from assetflow.store.records import DerivationKind, FailureRecord

Found = Mapping[AssetKey, Mapping[int, VersionId]]
"""By output and row."""


def reuse(ledger: Ledger, rows: Sequence[int], found: Found) -> tuple[list[int], Phase]:
    """Publish earlier versions that were made by the present code from exactly these inputs.

    Checks that have not seen them yet run first. Gives the rows that this does: those whose files are lost are not.
    """
    _fetch(ledger, found)
    whole = [row for row in rows if all(_is_there(ledger, versions[row]) for versions in found.values())]
    return whole, (_republishing(ledger, row, found, "reused", "reused") for row in whole)


def check_candidates(ledger: Ledger, rows: Sequence[int], found: Found) -> Phase:
    """Run mended checks on quarantined versions, and publish those that pass now."""
    _fetch(ledger, found)
    for row in rows:
        yield _republishing(ledger, row, found, "computed", "materialized")


def check_current(ledger: Ledger, rows: Sequence[int]) -> Phase:
    """Run the missing checks on what is published; nothing is unpublished, whatever they say."""
    if not rows:
        return
    versions = [ledger.current(row, asset) for row in rows for asset in ledger.node.outputs]
    ledger.parts.fetch(version for version in versions if version)
    for row in rows:
        subjects = {asset: version for asset in ledger.node.outputs if (version := ledger.current(row, asset))}
        yield Work(_check_task(ledger, row, subjects), partial(_checked, ledger, row))


def _checked(ledger: Ledger, row: int, result: TaskResult) -> Sequence[Retry]:
    """Record what checks say of what is published."""
    (outcome,) = result.outcomes
    times, call = (outcome.started_at, outcome.ended_at), Call(1, 1, result.measures)
    staged_by_asset = {staged.asset: staged for staged in outcome.outputs}
    refused = outcome.error is not None
    for asset in ledger.node.outputs:
        if outcome.error is not None:
            ledger.note(ledger.entry(row, asset, _ended(outcome), times, error=outcome.error, call=call))
            continue
        staged = staged_by_asset.get(asset)
        checks = staged.checks if staged else ()
        version = staged.version if staged else None
        if staged:
            uid = ledger.parts.setting.uids[asset]
            results = check_records(checks, asset, uid, ledger.ordinal(row), staged.version)
            ledger.parts.setting.writer.record_checks(list(results))
        error = refusal(ledger.place(row, asset), checks, published=True)
        refused |= error is not None
        how = "quarantined" if error else "unchanged"
        ledger.note(ledger.entry(row, asset, how, times, version=version, error=error, call=call, staged=staged))
    if refused:
        ledger.lose([row])
    return ()


def _ended(outcome: PartitionOutcome) -> Outcome:
    return "canceled" if isinstance(outcome.error, StepCanceled) else "failed"


def _republishing(
    ledger: Ledger, row: int, found: Found, kind: DerivationKind, how: Literal["reused", "materialized"]
) -> Work:
    subjects = {asset: found[asset][row] for asset in ledger.node.outputs}
    return Work(_check_task(ledger, row, subjects), partial(_republish, ledger, row, kind, how))


def _republish(
    ledger: Ledger, row: int, kind: DerivationKind, how: Literal["reused", "materialized"], result: TaskResult
) -> Sequence[Retry]:
    """Publish versions that the store has, all outputs of one row, unless a blocking check refuses one of them."""
    (outcome,) = result.outcomes
    times, call = (outcome.started_at, outcome.ended_at), Call(1, 1, result.measures)
    kept = [replace(_kept(ledger, staged.asset, staged.version), checks=staged.checks) for staged in outcome.outputs]
    refusals = {staged.asset: refusal(ledger.place(row, staged.asset), staged.checks) for staged in kept}
    first = outcome.error or next(filter(None, refusals.values()), None)
    if first is None:
        made = ledger.derived(row)
        publications = [ledger.publication(row, staged.version, staged, made, kind, times[1]) for staged in kept]
        entries = [
            ledger.entry(row, staged.asset, how, times, version=staged.version, call=call, staged=staged)
            for staged in kept
        ]
        ledger.commit(publications, entries, [made])
        return ()
    staged_by_asset = {staged.asset: staged for staged in kept}
    ended: Outcome = "quarantined" if outcome.error is None else _ended(outcome)
    for asset in ledger.node.outputs:
        staged = staged_by_asset.get(asset)
        error = refusals.get(asset) or first
        version = staged.version if staged else None
        if ended != "canceled":
            _remember(ledger, row, asset, error, staged)
        ledger.note(ledger.entry(row, asset, ended, times, version=version, error=error, call=call, staged=staged))
    ledger.lose([row])
    return ()


def _remember(ledger: Ledger, row: int, asset: AssetKey, error: AssetflowError, staged: StagedVersion | None) -> None:
    setting, ordinal = ledger.parts.setting, ledger.ordinal(row)
    uid = setting.uids[asset]
    setting.writer.fail(
        FailureRecord(
            setting.environment,
            uid,
            ordinal,
            ledger.try_key(row),
            ledger.parts.run_id,
            error.message,
            checks=check_records(staged.checks, asset, uid, ordinal, staged.version) if staged else (),
            fence=ledger.parts.fence,
        )
    )


def _fetch(ledger: Ledger, found: Found) -> None:
    ledger.parts.fetch(version for versions in found.values() for version in versions.values())


def _is_there(ledger: Ledger, version: VersionId) -> bool:
    """Whether a fetched version has its files, in their recorded size; reads none of them."""
    return ledger.parts.setting.storage.holds(ledger.parts.version(version))


def _check_task(ledger: Ledger, row: int, subjects: Mapping[AssetKey, VersionId]) -> Task:
    key = ledger.keys[row]
    current = {asset: ledger.parts.current_version(version, key) for asset, version in subjects.items()}
    ordinal = ledger.ordinal(row)
    task = PartitionTask(ordinal, key, ledger.space.window(ordinal), {}, {}, None, current)
    return Task(ledger.node.name, "check", ledger.parts.run_id, 1, (task,), {}, timeout_of(ledger.node))


def _kept(ledger: Ledger, asset: AssetKey, version: VersionId) -> StagedVersion:
    record = ledger.parts.version(version)
    return StagedVersion(
        asset,
        version,
        record.data_hash,
        empty=record.empty,
        row_count=record.row_count,
        byte_count=record.byte_count,
    )
