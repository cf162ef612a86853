"""One run of a plan: begun, driven to its end, recorded; what other runs got in the way of is planned again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random

import numpy as np

from assetflow.errors import AssetflowError, StorageError
from assetflow.execution.driving import Driver, Ending
from assetflow.execution.journal import Entry, Journal
from assetflow.execution.live import LiveState
from assetflow.execution.options import RunOptions
from assetflow.execution.output.recording import RunOutput
from assetflow.execution.output.showing import show_line
from assetflow.execution.parts import RunParts
from assetflow.execution.pools import Slots
from assetflow.execution.projection import CurrentFiles
from assetflow.execution.remaining import Remaining
from assetflow.execution.result import EventKind, Listener, Outcome, ResultStatus, RunEvent, RunResult, no_counts
from assetflow.execution.rounds import Doing, Replan, Round, Rounds
from assetflow.execution.stages import Desk, VersionIds
from assetflow.execution.treating import Treatment
from assetflow.execution.units import units_of
from assetflow.execution.workshop import Workshop
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId
from assetflow.planner.plan import Plan
from assetflow.planner.recording import recorded
from assetflow.planner.spans import Integers
from assetflow.planner.state import State
from assetflow.publish.key_room import KeyRoom
from assetflow.publish.liveness import this_process
from assetflow.publish.setting import Setting
from assetflow.store.leases import LeaseRecord
from assetflow.store.records import RunRecord, VersionRecord


def run_plan(
    plan: Plan,
    state: State,
    setting: Setting,
    *,
    trigger: str,
    listener: Listener | None = None,
    replan: Replan | None = None,
    options: RunOptions | None = None,
) -> RunResult:
    """Execute a plan; an interrupt ends it as ``canceled``. Raises StoreError when the store fails.

    ``replan`` makes the plan anew on what is committed: for partitions that another run published in the meantime.
    """
    waiting = sum(len(entry.partitions.ordinals) * len(entry.outputs) for entry in plan.waiting)
    if not plan.steps:
        if plan.tolerated:
            _Run(plan, state, setting, trigger, None, RunOptions(), run_id="").leave_out()
        return RunResult("success", None, {**no_counts(), "waiting": waiting}, 0.0, (), plan)
    return _Run(plan, state, setting, trigger, listener, options or RunOptions()).execute(waiting, replan)


class _Run:
    def __init__(
        self,
        plan: Plan,
        state: State,
        setting: Setting,
        trigger: str,
        listener: Listener | None,
        options: RunOptions,
        run_id: str | None = None,
    ) -> None:
        self._options = options
        self._plan = plan
        self._setting = setting
        self._trigger = trigger
        self._listener = listener
        self._began = time.monotonic()
        self._done = 0
        self._total = sum(step.asset_partitions for step in plan.steps)
        self._remaining = Remaining(plan)
        versions: dict[VersionId, VersionRecord] = {}
        self._current = CurrentFiles(setting, versions)
        self._existing: dict[str, Integers] = {}
        run_id = setting.run_ids() if run_id is None else run_id
        live = LiveState(state, lambda key: self._exists(setting.graph.owner[key]))
        to_build = sum(step.asset_partitions for step in plan.steps if step.certainty in ("will", "may"))
        desk = Desk()
        self._output = RunOutput(setting.logs, run_id, setting.clock, show_line)
        self._executor = options.executor(
            Workshop(
                setting.graph,
                setting.managers,
                setting.storage,
                setting.codes.checks,
                desk.open_folder,
                setting.clock,
                output=self._output,
            )
        )
        self._parts = RunParts(
            run_id,
            setting,
            state,
            live,
            Journal(setting.writer, run_id, self._refused),
            VersionIds(setting, to_build),
            self._exists,
            plan.as_of,
            plan.include_late,
            self._current,
            self._progress,
            versions,
            KeyRoom(setting.graph),
            desk,
            self._executor.deferred,
            Random(run_id).random,
        )

    def execute(self, waiting: int, replan: Replan | None) -> RunResult:
        setting, journal = self._setting, self._parts.journal
        record = RunRecord(
            self._parts.run_id,
            setting.environment,
            "running",
            setting.clock(),
            self._trigger,
            this_process(),
            recorded(self._plan, setting.graph, setting.codes, setting.spaces),
            executor=self._options.name,
            workers=self._executor.slots,
            priority=self._options.priority,
        )
        ending: Ending = "done"
        try:
            setting.writer.save_code(list(setting.code_sources))
            setting.writer.start_run(record)
            try:
                self._tell("started")
                ending = self._rounds(replan).carry_out()
            except KeyboardInterrupt:
                ending = "canceled"
            finally:
                self._executor.close(now=ending == "canceled")
                self._output.close()
            journal.conclude()
        except BaseException as error:
            self._break_off(record, error)
            raise
        by_asset = self._by_asset(cut_short=ending != "done")
        counts = no_counts()
        for each in by_asset.values():
            for outcome, number in each.items():
                counts[outcome] += number
        counts["waiting"] += waiting
        failed = counts["failed"] + counts["quarantined"] + counts["blocked"]
        status: ResultStatus = "canceled" if ending == "canceled" else "failed" if failed else "success"
        self._end(record, status, counts, None)
        self._current.refresh()
        self._tell("finished")
        seconds = time.monotonic() - self._began
        return RunResult(
            status, record.run_id, counts, seconds, tuple(journal.failures), self._plan, by_asset, self._added()
        )

    def leave_out(self) -> None:
        """Record what a plan without steps leaves out because it is late. Raises StoreError."""
        self._setting.writer.save_code(list(self._setting.code_sources))
        self._rounds(None).carry_out()
        self._executor.close()
        self._parts.journal.conclude()
        self._current.refresh()

    def _rounds(self, replan: Replan | None) -> Rounds:
        doing = Doing(
            self._carry_out,
            lambda: self._setting.reader.cancel_asked(self._parts.run_id),
            self._waits,
            lambda: self._tell("lease_lost"),
        )
        return Rounds(self._plan, self._parts, replan, doing)

    def _carry_out(self, now: Round) -> Ending:
        self._parts = now.parts
        plan = replace(now.plan, steps=now.steps, tolerated=now.tolerated)
        treatment = Treatment(
            now.parts, plan, lambda node, begins: self._tell("step_started" if begins else "step_finished", node)
        )
        driver = Driver(
            self._executor,
            self._options.waiting,
            self._setting.clock,
            stop_asked=lambda: self._setting.reader.cancel_asked(now.parts.run_id),
            failed=lambda: self._options.fail_fast and bool(now.parts.journal.failures),
            lost=lambda: now.hold.lost,
            gate=Slots(self._setting, now.hold, self._options.priority, self._options.waiting.now),
        )
        ending = driver.carry_out(units_of(now.steps, self._setting.graph, treatment, self._executor.slots))
        if ending == "done":
            treatment.leave_out()
        return ending

    def _waits(self, held: Sequence[LeaseRecord]) -> None:
        self._tell("waiting", waits_for=tuple(dict.fromkeys(lease.holder for lease in held)))

    def _exists(self, computation: str) -> Integers:
        if computation not in self._existing:
            self._existing[computation] = self._setting.spaces[computation].existing(self._plan.as_of).array()
        return self._existing[computation]

    def _by_asset(self, *, cut_short: bool) -> dict[AssetKey, dict[Outcome, int]]:
        counts = self._parts.journal.counts
        if cut_short:
            planned: Counter[AssetKey] = Counter()
            for step in self._plan.steps:
                planned.update(dict.fromkeys(step.outputs, len(step.partitions.ordinals)))
            for asset, number in planned.items():
                each = counts.setdefault(asset, no_counts())
                each["canceled"] = number - sum(n for outcome, n in each.items() if outcome != "canceled")
        return counts

    def _added(self) -> dict[str, int]:
        """How many keys of dynamic partitions are there now because this run added them."""
        asked = self._parts.journal.added
        if not asked:
            return {}
        reader, before = self._setting.reader, self._parts.state.dynamic
        present, dictionary = reader.dynamic(), reader.keys()
        counts: dict[str, int] = {}
        for name, keys in asked.items():
            fresh = np.setdiff1d(present[name], before.get(name, np.empty(0, np.int64)))
            counts[name] = int(np.isin(dictionary.find([*keys]), fresh).sum())
        return {name: number for name, number in counts.items() if number}

    def _refused(self, entries: Sequence[Entry], staged: Sequence[VersionRecord]) -> None:
        """Nothing may read what was not committed, and what was staged for it goes."""
        for entry in entries:
            self._parts.live.lose(entry.asset, [entry.ordinal])
        for version in staged:
            if version.location is not None:
                with suppress(StorageError):
                    self._setting.storage.discard(version.location)
                    self._setting.writer.settle([version.version])

    def _break_off(self, record: RunRecord, error: BaseException) -> None:
        """Record that the run could not go on; what was committed until then is projected."""
        reason = error if isinstance(error, AssetflowError) else AssetflowError(f"{type(error).__name__}: {error}")
        with suppress(AssetflowError):
            self._end(record, "canceled" if isinstance(error, KeyboardInterrupt) else "failed", {}, reason.message)
            self._current.refresh()

    def _end(self, record: RunRecord, status: ResultStatus, counts: Mapping[Outcome, int], error: str | None) -> None:
        """Record how the run ended. Raises StoreError."""
        ended_at = self._setting.clock()
        totals: dict[str, int] = {**counts}
        ended = replace(record, status=status, ended_at=ended_at, counts=totals, error=error)
        self._setting.writer.finish_run(ended).result()

    def _progress(self, entry: Entry) -> None:
        self._done += 1
        self._current.tick()
        self._tell("partition", None, entry)

    def _tell(
        self, kind: EventKind, node: Node | None = None, entry: Entry | None = None, waits_for: tuple[str, ...] = ()
    ) -> None:
        if self._listener is None:
            return
        name = node.name if node else self._setting.graph.owner[entry.asset] if entry else None
        seconds = time.monotonic() - self._began
        key, outcome = (entry.key, entry.outcome) if entry else (None, None)
        if entry is not None and name is not None:
            self._remaining.done(name)
        left, complete = self._remaining.seconds, self._remaining.complete
        done = min(self._done, self._total)  # what is planned again is done twice
        run_id = self._parts.run_id
        self._listener(
            RunEvent(kind, done, self._total, seconds, name, key, outcome, left, complete, waits_for, run_id)
        )
