"""The run loop: takes a plan's steps in order and decides each partition when its inputs are final."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from assetflow.errors import AssetflowError
from assetflow.execution.building import build
from assetflow.execution.decisions import Decision, decide, unchecked
from assetflow.execution.executors.inline import InlineExecutor
from assetflow.execution.journal import Entry, Journal
from assetflow.execution.ledger import Ledger
from assetflow.execution.live import LiveState
from assetflow.execution.parts import RunParts
from assetflow.execution.projection import CurrentFiles
from assetflow.execution.result import EventKind, Listener, Outcome, RunEvent, RunResult, no_counts
from assetflow.execution.stages import Stages, VersionIds
from assetflow.execution.treatments import check_candidates, check_current, reuse
from assetflow.execution.workshop import Workshop
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId
from assetflow.planner.offers import Offers, offers_of
from assetflow.planner.plan import Plan, Step
from assetflow.planner.spans import Flags, Integers, members
from assetflow.planner.state import Retained, State
from assetflow.publish.liveness import this_process
from assetflow.publish.setting import Setting
from assetflow.store.records import RunRecord, VersionRecord


def run_plan(
    plan: Plan, state: State, setting: Setting, *, trigger: str, listener: Listener | None = None
) -> RunResult:
    """Execute a plan inline; an interrupt ends it as ``canceled``. Raises StoreError when the store fails."""
    waiting = sum(len(entry.partitions.ordinals) * len(entry.outputs) for entry in plan.waiting)
    if not plan.steps:
        return RunResult("success", None, {**no_counts(), "waiting": waiting}, 0.0, (), plan)
    return _Run(plan, state, setting, trigger, listener).execute(waiting)


class _Run:
    def __init__(self, plan: Plan, state: State, setting: Setting, trigger: str, listener: Listener | None) -> None:
        self._plan = plan
        self._setting = setting
        self._trigger = trigger
        self._listener = listener
        self._began = time.monotonic()
        self._done = 0
        self._total = sum(step.asset_partitions for step in plan.steps)
        versions: dict[VersionId, VersionRecord] = {}
        self._current = CurrentFiles(setting, versions)
        self._existing: dict[str, Integers] = {}
        run_id = setting.run_ids()
        live = LiveState(state, lambda key: self._exists(setting.graph.owner[key]))
        to_build = sum(step.asset_partitions for step in plan.steps if step.certainty in ("will", "may"))
        self._parts = RunParts(
            run_id,
            setting,
            state,
            live,
            Journal(setting.writer, run_id, lambda entry: live.lose(entry.asset, [entry.ordinal])),
            VersionIds(setting, to_build),
            self._exists,
            self._current,
            self._progress,
            versions,
        )

    def execute(self, waiting: int) -> RunResult:
        setting, journal = self._setting, self._parts.journal
        record = RunRecord(
            self._parts.run_id,
            setting.environment,
            "running",
            setting.clock(),
            self._trigger,
            this_process(),
            self._plan.to_dict(),
        )
        setting.writer.save_code(list(setting.code_sources))
        setting.writer.start_run(record)
        self._tell("started")
        interrupted = False
        try:
            for name, steps in _by_computation(self._plan.steps):
                self._computation(setting.graph.nodes[name], steps)
            journal.settle()
        except KeyboardInterrupt:
            interrupted = True
            journal.settle()
        except AssetflowError as error:
            self._end(record, "failed", {}, error)
            raise
        except Exception as error:
            self._end(record, "failed", {}, AssetflowError(f"{type(error).__name__}: {error}"))
            raise
        by_asset = self._by_asset(interrupted=interrupted)
        counts = no_counts()
        for each in by_asset.values():
            for outcome, number in each.items():
                counts[outcome] += number
        counts["waiting"] += waiting
        failed = counts["failed"] + counts["quarantined"] + counts["blocked"]
        status = "canceled" if interrupted else "failed" if failed else "success"
        self._end(record, status, counts, None)
        self._current.refresh()
        self._tell("finished")
        seconds = time.monotonic() - self._began
        return RunResult(status, record.run_id, counts, seconds, tuple(journal.failures), self._plan, by_asset)

    def _computation(self, node: Node, steps: Sequence[Step]) -> None:
        self._tell("step_started", node)
        parts = self._parts
        decision = decide(node, _ordinals(steps), parts)
        ledger = Ledger(parts, decision)
        checks = [step for step in steps if step.certainty == "check"]
        self._treat(ledger, decision, _ordinals(checks), _candidates(checks))
        self._tell("step_finished", node)

    def _treat(self, ledger: Ledger, decision: Decision, check_only: Integers, candidates: Integers) -> None:
        """Give each row the cheapest treatment that is right for it.

        Of the ordinals ``check_only``, the ``candidates`` are to be published if the checks pass now; of the others,
        what is published is checked.
        """
        ledger.close(_rows(decision.blocked), "blocked")
        ledger.lose(_rows(decision.blocked))
        ledger.close(_rows(decision.waiting), "waiting")
        todo = ~(decision.blocked | decision.waiting)
        offers = self._offers(decision)
        checker = InlineExecutor(self._workshop(None))
        if not self._plan.forced:
            mended = members(decision.ordinals, candidates)
            if offers is not None and (recheck := todo & ~decision.same & mended & offers.checkable).any():
                found = _offered(offers.candidates, self._parts.state.candidates, recheck)
                check_candidates(ledger, _rows(recheck), found, checker)
                todo &= ~recheck
            published = todo & members(decision.ordinals, check_only) & ~mended
            check_current(ledger, _rows(published), checker)
            todo &= ~published
            lacking = todo & decision.same & self._unchecked(ledger, decision)
            check_current(ledger, _rows(lacking), checker)
            ledger.close(_rows(todo & decision.same & ~lacking), "unchanged")
            todo &= ~decision.same
            if offers is not None and (fits := todo & offers.reusable).any():
                reuse(ledger, _rows(fits), _offered(offers.retained, self._parts.state.retained, fits))
                todo &= ~fits
        build(ledger, _rows(todo), lambda stages: InlineExecutor(self._workshop(stages)))

    def _offers(self, decision: Decision) -> Offers | None:
        setting = self._setting
        sums = {reading.edge.parameter: reading.signature.sums for reading in decision.readings}
        return offers_of(setting.graph, self._parts.state, setting.codes, decision.node, decision.ordinals, sums)

    def _unchecked(self, ledger: Ledger, decision: Decision) -> Flags:
        lacking = np.zeros(len(decision.ordinals), np.bool_)
        setting = self._setting
        for asset in decision.node.outputs:
            if setting.graph.checks.get(asset):
                present, versions, _ = self._parts.pointed(asset, decision.ordinals)
                lacking |= present & unchecked(self._parts.state, setting.graph, asset, versions)
        return lacking

    def _workshop(self, stages: Stages | None) -> Workshop:
        setting = self._setting
        return Workshop(
            setting.graph,
            setting.managers,
            setting.storage,
            setting.codes.checks,
            stages.open_folder if stages else None,
            setting.clock,
        )

    def _exists(self, computation: str) -> Integers:
        if computation not in self._existing:
            self._existing[computation] = self._setting.spaces[computation].existing(self._plan.as_of).array()
        return self._existing[computation]

    def _by_asset(self, *, interrupted: bool) -> dict[AssetKey, dict[Outcome, int]]:
        counts = self._parts.journal.counts
        if interrupted:
            for step in self._plan.steps:
                for asset in step.outputs:
                    counts.setdefault(asset, no_counts())["canceled"] += len(step.partitions.ordinals)
            for each in counts.values():
                each["canceled"] -= sum(number for outcome, number in each.items() if outcome != "canceled")
        return counts

    def _end(
        self, record: RunRecord, status: str, counts: Mapping[Outcome, int], broken: AssetflowError | None
    ) -> None:
        """Record how the run ended; where the store is broken already, its first error is what the caller gets."""
        ended = RunRecord(
            record.run_id,
            record.environment,
            "canceled" if status == "canceled" else "failed" if status == "failed" else "success",
            record.started_at,
            record.trigger,
            record.process,
            record.plan,
            self._setting.clock(),
            {str(outcome): number for outcome, number in counts.items()},
            broken.message if broken else None,
        )
        try:
            self._setting.writer.finish_run(ended).result()
        except AssetflowError:
            if broken is None:
                raise

    def _progress(self, entry: Entry) -> None:
        self._done += 1
        self._current.tick()
        self._tell("partition", None, entry)

    def _tell(self, kind: EventKind, node: Node | None = None, entry: Entry | None = None) -> None:
        if self._listener is None:
            return
        name = node.name if node else self._setting.graph.owner[entry.asset] if entry else None
        seconds = time.monotonic() - self._began
        key, outcome = (entry.key, entry.outcome) if entry else (None, None)
        self._listener(RunEvent(kind, self._done, self._total, seconds, name, key, outcome))


def _by_computation(steps: Sequence[Step]) -> list[tuple[str, list[Step]]]:
    grouped: dict[str, list[Step]] = {}
    for step in steps:
        grouped.setdefault(step.computation, []).append(step)
    return list(grouped.items())


def _ordinals(steps: Sequence[Step]) -> Integers:
    if len(steps) == 1:
        return steps[0].partitions.ordinals.array()
    arrays = [step.partitions.ordinals.array() for step in steps]
    return np.unique(np.concatenate(arrays)) if arrays else np.empty(0, np.int64)


def _candidates(checks: Sequence[Step]) -> Integers:
    """The partitions of check steps whose quarantined candidates are to be published."""
    arrays = [reuse.ordinals for step in checks for reuse in step.reuse.values()]
    return np.unique(np.concatenate(arrays)) if arrays else np.empty(0, np.int64)


def _rows(mask: Flags) -> list[int]:
    return np.flatnonzero(mask).tolist()


def _offered(
    places: Mapping[AssetKey, Integers], offered: Mapping[AssetKey, Retained], mask: Flags
) -> dict[AssetKey, dict[int, VersionId]]:
    return {
        asset: {row: VersionId(int(offered[asset].version[where[row]])) for row in _rows(mask)}
        for asset, where in places.items()
    }
