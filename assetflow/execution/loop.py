"""The run loop: takes a plan's steps in order and decides each partition when its inputs are final."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from assetflow.errors import AssetflowError, StorageError
from assetflow.execution.building import build
from assetflow.execution.decisions import Decision, decide, unchecked
from assetflow.execution.executors.inline import InlineExecutor
from assetflow.execution.journal import Entry, Journal
from assetflow.execution.ledger import Ledger
from assetflow.execution.live import LiveState
from assetflow.execution.parts import RunParts
from assetflow.execution.projection import CurrentFiles
from assetflow.execution.remaining import Remaining
from assetflow.execution.result import EventKind, Listener, Outcome, ResultStatus, RunEvent, RunResult, no_counts
from assetflow.execution.stages import Stages, VersionIds
from assetflow.execution.together import Together
from assetflow.execution.tolerating import record_left_out
from assetflow.execution.treatments import check_candidates, check_current, reuse
from assetflow.execution.workshop import Workshop
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.offers import Offers, offers_of
from assetflow.planner.plan import Partitions, Plan, Step
from assetflow.planner.recording import recorded
from assetflow.planner.spans import Flags, Integers, members
from assetflow.planner.state import Retained, State
from assetflow.publish.key_room import KeyRoom
from assetflow.publish.liveness import this_process
from assetflow.publish.setting import Setting
from assetflow.store.records import RunRecord, VersionRecord

_REMEMBERED = 100_000
"""Version records that a run keeps in memory from one computation to the next: some 100 MB."""


Replan = Callable[[], tuple[Plan, State]]
_ROUNDS = 3
"""How often a run tries what other runs got in the way of."""


def run_plan(
    plan: Plan,
    state: State,
    setting: Setting,
    *,
    trigger: str,
    listener: Listener | None = None,
    replan: Replan | None = None,
) -> RunResult:
    """Execute a plan inline; an interrupt ends it as ``canceled``. Raises StoreError when the store fails.

    ``replan`` makes the plan anew on what is committed: for partitions that another run published in the meantime.
    """
    waiting = sum(len(entry.partitions.ordinals) * len(entry.outputs) for entry in plan.waiting)
    if not plan.steps:
        if plan.tolerated:
            _Run(plan, state, setting, trigger, None, run_id="").leave_out()
        return RunResult("success", None, {**no_counts(), "waiting": waiting}, 0.0, (), plan)
    return _Run(plan, state, setting, trigger, listener).execute(waiting, replan)


class _Run:
    def __init__(
        self,
        plan: Plan,
        state: State,
        setting: Setting,
        trigger: str,
        listener: Listener | None,
        run_id: str | None = None,
    ) -> None:
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
        )
        interrupted = False
        try:
            setting.writer.save_code(list(setting.code_sources))
            setting.writer.start_run(record)
            try:
                self._tell("started")
                self._carry_out(self._plan.steps)
                if replan is not None:
                    self._settle_conflicts(replan)
                self._leave_out()
            except KeyboardInterrupt:
                interrupted = True
            journal.conclude()
        except BaseException as error:
            self._break_off(record, error)
            raise
        by_asset = self._by_asset(interrupted=interrupted)
        counts = no_counts()
        for each in by_asset.values():
            for outcome, number in each.items():
                counts[outcome] += number
        counts["waiting"] += waiting
        failed = counts["failed"] + counts["quarantined"] + counts["blocked"]
        status: ResultStatus = "canceled" if interrupted else "failed" if failed else "success"
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
        self._leave_out()
        self._parts.journal.conclude()
        self._current.refresh()

    def _leave_out(self) -> None:
        for entry in self._plan.tolerated:
            node = self._setting.graph.nodes[entry.computation]
            steps = [step for step in self._plan.steps if step.computation == entry.computation]
            untouched = entry.partitions.ordinals - PartitionSet.from_ordinals(_ordinals(steps))
            decision = decide(node, untouched.array(), self._parts)
            record_left_out(Ledger(self._parts, decision), ~(decision.blocked | decision.waiting))

    def _carry_out(self, steps: Sequence[Step]) -> None:
        nodes = self._setting.graph.nodes
        by_group = groupby(_by_computation(steps), lambda each: nodes[each[0]].publish_group or ("alone", each[0]))
        for group, computations in by_group:
            together = Together(group) if isinstance(group, str) else None
            try:
                for name, of_computation in computations:
                    self._computation(nodes[name], of_computation, together)
                if together is not None:
                    together.publish(self._parts)
            except BaseException:
                if together is not None:
                    together.abandon(self._parts)
                raise

    def _settle_conflicts(self, replan: Replan) -> None:
        """Plan again what other runs got in the way of, and what that blocked; what they made is left as it is."""
        journal = self._parts.journal
        for _ in range(1, _ROUNDS):
            journal.settle()
            reopened = journal.reopen()
            if not reopened:
                return
            open_by_asset: dict[AssetKey, set[int]] = {}
            for entry in reopened:
                open_by_asset.setdefault(entry.asset, set()).add(entry.ordinal)
            plan, state = replan()
            live = LiveState(state, lambda key: self._exists(self._setting.graph.owner[key]))
            for asset, ordinals in self._parts.live.lost().items():
                live.lose(asset, [o for o in ordinals.tolist() if o not in open_by_asset.get(asset, ())])
            self._parts = replace(self._parts, state=state, live=live)
            steps = [
                replace(step, partitions=Partitions(chosen, step.partitions.ranges))
                for step in plan.steps
                if (chosen := step.partitions.ordinals & _open(step, open_by_asset))
            ]
            planned = {(asset, o) for step in steps for asset in step.outputs for o in step.partitions.ordinals}
            for entry in reopened:
                if (entry.asset, entry.ordinal) not in planned:
                    made = entry.ordinal in live.asset(entry.asset).ordinals
                    journal.note(replace(entry, outcome="unchanged", error=None) if made else entry)
            self._carry_out(steps)

    def _computation(self, node: Node, steps: Sequence[Step], together: Together | None) -> None:
        self._tell("step_started", node)
        parts = self._parts
        asked = _Asked.of(steps)
        for ordinals in self._decided_together(node, _ordinals(steps)):
            decision = decide(node, ordinals, parts)
            self._treat(Ledger(parts, decision, together), decision, asked)
        if len(parts.versions) > _REMEMBERED and together is None:
            parts.journal.settle()  # now the store has them all
            parts.versions.clear()
        self._tell("step_finished", node)

    def _decided_together(self, node: Node, ordinals: Integers) -> Iterable[Integers]:
        """The partitions in parts whose inputs are final once the parts before are done."""
        if not node.own_edges:
            return [ordinals]
        ordered = self._setting.spaces[node.name].ordered(ordinals)
        return (ordered[place : place + 1] for place in range(len(ordered)))

    def _treat(self, ledger: Ledger, decision: Decision, asked: _Asked) -> None:
        """Give each row the cheapest treatment that is right for it."""
        ledger.close(_rows(decision.blocked), "blocked")
        ledger.lose(_rows(decision.blocked))
        ledger.close(_rows(decision.waiting), "waiting")
        todo = ~(decision.blocked | decision.waiting)
        if ledger.together is not None:
            todo &= ~self._spoiled(ledger, ledger.together, todo)
        if not self._plan.forced:
            offers = self._offers(decision)
            if offers is not None or len(asked.check) or decision.stays.any():
                todo = self._left_to_build(ledger, decision, asked, offers, todo)
        build(ledger, _rows(todo), lambda stages: InlineExecutor(self._workshop(stages)))

    def _spoiled(self, ledger: Ledger, together: Together, todo: Flags) -> Flags:
        """Leave alone what would not be published for a member of the publish group that was not built."""
        spoiled = todo & members(ledger.decision.ordinals, together.spoiled())
        now = self._setting.clock()
        for row in _rows(spoiled):
            for asset in ledger.node.outputs:
                entry = ledger.entry(row, asset, "blocked", (now, now))
                ledger.note(replace(entry, error=together.refusal(entry)))
        ledger.lose(_rows(spoiled))
        return spoiled

    def _left_to_build(
        self, ledger: Ledger, decision: Decision, asked: _Asked, offers: Offers | None, todo: Flags
    ) -> Flags:
        """Check, reuse and leave alone what can be; gives the rows that nothing spares."""
        checker = InlineExecutor(self._workshop(None))
        # Made from the very code and inputs of today, and yet to be built: the last try of that failed.
        again = todo & decision.stays & members(decision.ordinals, asked.build)
        # What is too old is found anew: an earlier version would not be any newer.
        again |= todo & members(decision.ordinals, asked.expired)
        todo &= ~again
        mended = members(decision.ordinals, asked.candidates)
        if offers is not None and (recheck := todo & ~decision.stays & mended & offers.checkable).any():
            found = _offered(offers.candidates, self._parts.state.candidates, recheck)
            check_candidates(ledger, _rows(recheck), found, checker)
            todo &= ~recheck
        published = todo & members(decision.ordinals, asked.check) & ~mended
        check_current(ledger, _rows(published), checker)
        todo &= ~published
        lacking = todo & decision.stays & self._unchecked(ledger, decision)
        record_left_out(ledger, (todo | published) & ~lacking)
        check_current(ledger, _rows(lacking), checker)
        ledger.close(_rows(todo & decision.stays & ~lacking), "unchanged")
        todo &= ~decision.stays
        if offers is not None and (fits := todo & offers.reusable).any():
            found = _offered(offers.retained, self._parts.state.retained, fits)
            todo[reuse(ledger, _rows(fits), found, checker)] = False
        return todo | again

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

    def _tell(self, kind: EventKind, node: Node | None = None, entry: Entry | None = None) -> None:
        if self._listener is None:
            return
        name = node.name if node else self._setting.graph.owner[entry.asset] if entry else None
        seconds = time.monotonic() - self._began
        key, outcome = (entry.key, entry.outcome) if entry else (None, None)
        if entry is not None and name is not None:
            self._remaining.done(name)
        left, complete = self._remaining.seconds, self._remaining.complete
        self._listener(RunEvent(kind, self._done, self._total, seconds, name, key, outcome, left, complete))


def _by_computation(steps: Sequence[Step]) -> list[tuple[str, list[Step]]]:
    grouped: dict[str, list[Step]] = {}
    for step in steps:
        grouped.setdefault(step.computation, []).append(step)
    return list(grouped.items())


def _open(step: Step, open_by_asset: Mapping[AssetKey, set[int]]) -> PartitionSet:
    return PartitionSet.from_ordinals([o for asset in step.outputs for o in open_by_asset.get(asset, ())])


def _ordinals(steps: Sequence[Step]) -> Integers:
    if len(steps) == 1:
        return steps[0].partitions.ordinals.array()
    arrays = [step.partitions.ordinals.array() for step in steps]
    return np.unique(np.concatenate(arrays)) if arrays else np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What the plan is sure of, ordinals ascending: ``build`` anew, or only ``check``.

    Of the latter, the ``candidates`` are to be published if the checks pass now; of the others, what is published is
    checked. What is ``expired`` is built whatever has changed.
    """

    build: Integers
    check: Integers
    candidates: Integers
    expired: Integers

    @classmethod
    def of(cls, steps: Sequence[Step]) -> _Asked:
        checks = [step for step in steps if step.certainty == "check"]
        arrays = [reuse.ordinals for step in checks for reuse in step.reuse.values()]
        candidates = np.unique(np.concatenate(arrays)) if arrays else np.empty(0, np.int64)
        builds = [step for step in steps if step.certainty == "will"]
        expired = [step.expired.array() for step in steps if step.expired]
        old = np.unique(np.concatenate(expired)) if expired else np.empty(0, np.int64)
        return cls(_ordinals(builds), _ordinals(checks), candidates, old)


def _rows(mask: Flags) -> list[int]:
    return mask.nonzero()[0].tolist()


def _offered(
    places: Mapping[AssetKey, Integers], offered: Mapping[AssetKey, Retained], mask: Flags
) -> dict[AssetKey, dict[int, VersionId]]:
    return {
        asset: {row: VersionId(int(offered[asset].version[where[row]])) for row in _rows(mask)}
        for asset, where in places.items()
    }
