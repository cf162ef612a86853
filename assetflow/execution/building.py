"""Building partitions: attempts at decided rows, and publications from what they staged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from assetflow.errors import AssetflowError, InvalidPartition, StepCanceled
from assetflow.execution.checking import refusal
from assetflow.execution.journal import Call, Entry
from assetflow.execution.ledger import Ledger
from assetflow.execution.records import Derived, check_records, version_record
from assetflow.execution.retries import may_retry, seconds_before, smaller_calls
from assetflow.execution.stages import Stages
from assetflow.execution.task import PartitionOutcome, StagedVersion, TaskResult
from assetflow.execution.tasks import TaskMaker
from assetflow.execution.work import Phase, Retry, Work
from assetflow.keys import AssetKey, VersionId
from assetflow.store.records import FailureRecord, KeyAddition, Publication, VersionRecord


@dataclass(frozen=True, slots=True)
class _Tried:
    """One partition of a call that has ended."""

    outcome: PartitionOutcome
    made: Derived


class Building:
    """The rows of one decision that are computed, staged, checked and published; a failure stops only its own."""

    def __init__(self, ledger: Ledger, rows: Sequence[int]) -> None:
        self._ledger = ledger
        self._tasks = TaskMaker(ledger, rows)
        self._policy = ledger.node.computation.retry_policy

    def works(self) -> Phase:
        """The calls, made as they are asked for."""
        batch, rows = self._ledger.node.batch, self._tasks.rows
        size = batch.max_partitions if batch else 1
        for start in range(0, len(rows), size):
            yield self._work(rows[start : start + size], 1, None)

    def close(self) -> None:
        """Let go of what was staged and not published."""
        self._tasks.close()

    def _work(self, rows: Sequence[int], attempt: int, queued_at: datetime | None) -> Work:
        return Work(self._tasks.task(rows, attempt), partial(self._settle, rows, attempt, queued_at))

    def _settle(
        self, rows: Sequence[int], attempt: int, queued_at: datetime | None, result: TaskResult
    ) -> Sequence[Retry]:
        ledger, stages = self._ledger, self._tasks.stages
        call = Call(attempt, len(rows), result.measures, queued_at)
        failed: dict[int, _Tried] = {}
        publications: list[Publication] = []
        entries: list[Entry] = []
        derivations: list[Derived] = []
        finished: list[VersionId] = []
        added: dict[KeyAddition, None] = {}
        for row, given in zip(rows, result.outcomes, strict=True):
            if isinstance(given.error, StepCanceled):
                _cancel(ledger, row, given, call)
                continue
            made, outcome = ledger.derived(row), _with_room(ledger, row, given)
            error = outcome.error or _refusal(ledger, row, outcome)
            if given.error is not None and may_retry(self._policy, given.error, attempt):
                failed[row] = _Tried(outcome, made)
                continue
            if error is not None:
                _fail(ledger, row, _Tried(outcome, made), error, call, stages)
                continue
            times = (outcome.started_at, outcome.ended_at)
            derivations.append(made)
            added.update(dict.fromkeys(outcome.added))
            for staged in outcome.outputs:
                version = staged.version if staged.same else _record(ledger, row, staged, outcome, "published")
                publications.append(ledger.publication(row, version, staged, made, "computed", outcome.ended_at))
                how = "unchanged" if staged.same else "materialized"
                entries.append(
                    ledger.entry(row, staged.asset, how, times, version=staged.version, call=call, staged=staged)
                )
                if staged.location is not None and not staged.same:
                    finished.extend(stages.finish(staged.version))
        if publications:
            ledger.commit(publications, entries, derivations, finished=finished, added=tuple(added))
        return self._retries(failed, call) if failed else ()

    def _retries(self, failed: Mapping[int, _Tried], call: Call) -> list[Retry]:
        """Note the attempts that failed, and try again: in two halves, if it was the call that failed as a whole."""
        ledger = self._ledger
        assert self._policy is not None
        for row, tried in failed.items():
            for asset in ledger.node.outputs:
                times = (tried.outcome.started_at, tried.outcome.ended_at)
                ledger.attempted(ledger.entry(row, asset, "failed", times, error=tried.outcome.error, call=call))
        whole = len({id(tried.outcome.error) for tried in failed.values()}) == 1
        retries: list[Retry] = []
        for rows in smaller_calls(list(failed), halved=whole):
            delay = seconds_before(self._policy, call.attempt + 1, ledger.parts.chance)
            due = failed[rows[0]].outcome.ended_at + timedelta(seconds=delay)
            give_up = partial(_give_up, ledger, failed, rows, call, self._tasks.stages)
            retries.append(Retry(partial(self._work, rows, call.attempt + 1, due), delay, give_up))
        return retries


def _give_up(ledger: Ledger, failed: Mapping[int, _Tried], rows: Sequence[int], call: Call, stages: Stages) -> None:
    for row in rows:
        error = failed[row].outcome.error
        assert error is not None
        _fail(ledger, row, failed[row], error, call, stages)


def _cancel(ledger: Ledger, row: int, outcome: PartitionOutcome, call: Call) -> None:
    times = (outcome.started_at, outcome.ended_at)
    for asset in ledger.node.outputs:
        ledger.note(ledger.entry(row, asset, "canceled", times, call=call))
    ledger.lose([row])


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


def _fail(ledger: Ledger, row: int, tried: _Tried, error: AssetflowError, call: Call, stages: Stages) -> None:
    """Remember the failed try of every output; what blocking checks refused is kept as a candidate."""
    outcome, made = tried.outcome, tried.made
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
                fence=ledger.parts.fence,
            )
        )
        times = (outcome.started_at, outcome.ended_at)
        version = staged.version if staged and result == "quarantined" else None
        ledger.note(ledger.entry(row, asset, result, times, version=version, error=error, call=call, staged=staged))
    ledger.lose([row])


def _record(ledger: Ledger, row: int, staged: StagedVersion, outcome: PartitionOutcome, state: str) -> VersionRecord:
    uid = ledger.parts.setting.uids[staged.asset]
    kind = "published" if state == "published" else "quarantined"
    return version_record(staged, uid, ledger.ordinal(row), ledger.parts.run_id, outcome.ended_at, kind)
