"""What planned partitions get short of building: their inputs are final, and nothing has to be computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assetflow.execution.checking import refusal
from assetflow.execution.journal import Entry
from assetflow.execution.ledger import Ledger
from assetflow.execution.records import check_records
from assetflow.execution.task import Executor, PartitionTask, StagedVersion, Task
from assetflow.keys import AssetKey, VersionId
from assetflow.store.records import FailureRecord, Publication


def reuse(ledger: Ledger, rows: Sequence[int], found: Mapping[AssetKey, Mapping[int, VersionId]]) -> None:
    """Publish, by row, earlier versions that were made by the present code from exactly these inputs."""
    ledger.parts.fetch(version for versions in found.values() for version in versions.values())
    for row in rows:
        now = ledger.parts.setting.clock()
        made = ledger.derived(row)
        publications: list[Publication] = []
        entries: list[Entry] = []
        for asset in ledger.node.outputs:
            version = found[asset][row]
            publications.append(
                ledger.publication(row, version, _kept(ledger, asset, version), made, "reused", now),
            )
            entries.append(ledger.entry(row, asset, "reused", (now, now), version=version))
        ledger.commit(publications, entries, [made])


def check_current(ledger: Ledger, rows: Sequence[int], executor: Executor) -> None:
    """Run the missing checks on what is published; nothing is unpublished, whatever they say."""
    if not rows:
        return
    _fetch_current(ledger, rows)
    for row in rows:
        subjects = {asset: version for asset in ledger.node.outputs if (version := ledger.current(row, asset))}
        (outcome,) = executor.submit(_check_task(ledger, row, subjects)).result()
        times = (outcome.started_at, outcome.ended_at)
        for staged in outcome.outputs:
            uid = ledger.parts.setting.uids[staged.asset]
            results = check_records(staged.checks, staged.asset, uid, ledger.ordinal(row), staged.version)
            ledger.parts.setting.writer.record_checks(list(results))
            error = refusal(ledger.place(row, staged.asset), staged.checks, published=True)
            result = "quarantined" if error else "unchanged"
            ledger.note(ledger.entry(row, staged.asset, result, times, version=staged.version, error=error))


def check_candidates(
    ledger: Ledger, rows: Sequence[int], found: Mapping[AssetKey, Mapping[int, VersionId]], executor: Executor
) -> None:
    """Run mended checks on quarantined versions, by row, and publish those that pass now."""
    ledger.parts.fetch(version for versions in found.values() for version in versions.values())
    for row in rows:
        subjects = {asset: versions[row] for asset, versions in found.items() if row in versions}
        (outcome,) = executor.submit(_check_task(ledger, row, subjects)).result()
        times = (outcome.started_at, outcome.ended_at)
        made = ledger.derived(row)
        errors = {
            staged.asset: error
            for staged in outcome.outputs
            if (error := refusal(ledger.place(row, staged.asset), staged.checks))
        }
        publications: list[Publication] = []
        entries: list[Entry] = []
        for staged in outcome.outputs:
            uid = ledger.parts.setting.uids[staged.asset]
            if errors:
                results = check_records(staged.checks, staged.asset, uid, ledger.ordinal(row), staged.version)
                message = errors.get(staged.asset, next(iter(errors.values())))
                ledger.parts.setting.writer.fail(
                    FailureRecord(
                        ledger.parts.setting.environment,
                        uid,
                        ledger.ordinal(row),
                        ledger.try_key(row),
                        ledger.parts.run_id,
                        message.message,
                        checks=results,
                    )
                )
                ledger.note(
                    ledger.entry(row, staged.asset, "quarantined", times, version=staged.version, error=message)
                )
            else:
                publications.append(ledger.publication(row, staged.version, staged, made, "computed", times[1]))
                entries.append(ledger.entry(row, staged.asset, "materialized", times, version=staged.version))
        if errors:
            ledger.lose([row])
        else:
            ledger.commit(publications, entries, [made])


def _fetch_current(ledger: Ledger, rows: Sequence[int]) -> None:
    versions = [ledger.current(row, asset) for row in rows for asset in ledger.node.outputs]
    ledger.parts.fetch(version for version in versions if version)


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
