"""Deciding the partitions of a run's computations, and giving each the cheapest treatment that is right for it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assetflow.execution.building import Building
from assetflow.execution.decisions import Decision, decide, unchecked
from assetflow.execution.ledger import Ledger
from assetflow.execution.parts import RunParts
from assetflow.execution.together import Together
from assetflow.execution.tolerating import record_left_out
from assetflow.execution.treatments import check_candidates, check_current, reuse
from assetflow.execution.work import Phase
from assetflow.graph import Node
from assetflow.keys import AssetKey, VersionId
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.offers import Offers, offers_of
from assetflow.planner.plan import Plan, Step
from assetflow.planner.spans import Flags, Integers, members
from assetflow.planner.state import Retained

_REMEMBERED = 100_000
"""Version records that a run keeps in memory from one computation to the next: some 100 MB."""

Computations = Sequence[tuple[Node, Sequence[Step]]]


class Treatment:
    """What the steps of one plan get; ``told`` hears of each computation that begins (True) and that is done."""

    def __init__(self, parts: RunParts, plan: Plan, told: Callable[[Node, bool], None]) -> None:
        self._parts = parts
        self._setting = parts.setting
        self._plan = plan
        self._told = told
        self._kept_back = 0

    def alone(self, node: Node, steps: Sequence[Step], together: Together | None = None) -> Iterator[Phase]:
        """The phases of one computation; each is decided when the one before is settled."""
        self._told(node, True)
        parts = self._parts
        asked = _Asked.of(steps)
        for ordinals in self._decided_together(node, _ordinals(steps)):
            decision = decide(node, ordinals, parts)
            yield from self._treat(Ledger(parts, decision, together), decision, asked)
        if len(parts.versions) > _REMEMBERED and not self._kept_back:
            parts.journal.settle()  # now the store has them all
            parts.versions.clear()
        self._told(node, False)

    def together(self, group: str, members: Computations) -> Iterator[Phase]:
        """The phases of a publish group: its members one after the other, published at the end."""
        together = Together(group)
        self._kept_back += 1
        try:
            for node, steps in members:
                yield from self.alone(node, steps, together)
            together.publish(self._parts)
        except BaseException:
            together.abandon(self._parts)
            raise
        finally:
            self._kept_back -= 1

    def leave_out(self) -> None:
        """Record what the plan leaves out because it is late. Raises StoreError."""
        for entry in self._plan.tolerated:
            node = self._setting.graph.nodes[entry.computation]
            steps = [step for step in self._plan.steps if step.computation == entry.computation]
            untouched = entry.partitions.ordinals - PartitionSet.from_ordinals(_ordinals(steps))
            decision = decide(node, untouched.array(), self._parts)
            record_left_out(Ledger(self._parts, decision), ~(decision.blocked | decision.waiting))

    def _decided_together(self, node: Node, ordinals: Integers) -> Iterable[Integers]:
        """The partitions in parts whose inputs are final once the parts before are done."""
        if not node.own_edges:
            return [ordinals]
        ordered = self._setting.spaces[node.name].ordered(ordinals)
        return (ordered[place : place + 1] for place in range(len(ordered)))

    def _treat(self, ledger: Ledger, decision: Decision, asked: _Asked) -> Iterator[Phase]:
        ledger.close(_rows(decision.blocked), "blocked")
        ledger.lose(_rows(decision.blocked))
        ledger.close(_rows(decision.waiting), "waiting")
        todo = ~(decision.blocked | decision.waiting)
        if ledger.together is not None:
            todo &= ~self._spoiled(ledger, ledger.together, todo)
        if not self._plan.forced:
            offers = self._offers(decision)
            if offers is not None or len(asked.check) or decision.stays.any():
                todo = yield from self._left_to_build(ledger, decision, asked, offers, todo)
        rows = _rows(todo)
        if rows:
            building = Building(ledger, rows)
            try:
                yield building.works()
            finally:
                building.close()

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
    ) -> Generator[Phase, None, Flags]:
        """Check, reuse and leave alone what can be; gives the rows that nothing spares."""
        # Made from the very code and inputs of today, and yet to be built: the last try of that failed.
        again = todo & decision.stays & members(decision.ordinals, asked.build)
        # What is too old is found anew: an earlier version would not be any newer.
        again |= todo & members(decision.ordinals, asked.expired)
        todo &= ~again
        mended = members(decision.ordinals, asked.candidates)
        if offers is not None and (recheck := todo & ~decision.stays & mended & offers.checkable).any():
            found = _offered(offers.candidates, self._parts.state.candidates, recheck)
            yield check_candidates(ledger, _rows(recheck), found)
            todo &= ~recheck
        published = todo & members(decision.ordinals, asked.check) & ~mended
        yield check_current(ledger, _rows(published))
        todo &= ~published
        lacking = todo & decision.stays & self._unchecked(ledger, decision)
        record_left_out(ledger, (todo | published) & ~lacking)
        yield check_current(ledger, _rows(lacking))
        ledger.close(_rows(todo & decision.stays & ~lacking), "unchanged")
        todo &= ~decision.stays
        if offers is not None and (fits := todo & offers.reusable).any():
            found = _offered(offers.retained, self._parts.state.retained, fits)
            whole, phase = reuse(ledger, _rows(fits), found)
            yield phase
            todo[whole] = False
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
