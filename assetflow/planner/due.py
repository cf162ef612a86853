"""The least set of steps that satisfies every freshness policy now, and when there will be something to do again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from assetflow.keys import AssetKey
from assetflow.partitions.spans import covered
from assetflow.planner.data_times import NEVER, DataTimes, outputs_times
from assetflow.planner.flow import CANDIDATE, REUSE, WILL, busy_rows, moved
from assetflow.planner.freshness import Freshness, freshness_of, needed_as_of, needed_rows
from assetflow.planner.moments import micros
from assetflow.planner.rows import with_mates
from assetflow.planner.scans import carried, traced
from assetflow.planner.spans import Flags
from assetflow.planner.staleness import Assessment
from assetflow.planner.windows import Windows

Rows = dict[str, Flags]


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """What the policies ask for.

    ``rows`` by computation are what may get a step; of those, ``expired`` are computed although nothing has changed,
    because their data is too old for a policy. ``deadline`` is when there will be more to do.
    """

    rows: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    expired: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    deadline: datetime | None = None
    freshness: Mapping[AssetKey, Freshness] = field(default_factory=dict[AssetKey, Freshness])


def due_of(assessment: Assessment, computations: Collection[str]) -> Due:
    """What the policies of some computations' assets ask for as of the assessment's ``now``."""
    world = assessment.world
    times = DataTimes(assessment)
    found: dict[AssetKey, Freshness] = {}
    windowed: Rows = {}
    ageing: dict[int, Rows] = {}
    for key, spec in world.graph.specs.items():
        name = world.graph.owner[key]
        policy = spec.freshness_policy
        if policy is None or name not in computations:
            continue
        state = found[key] = freshness_of(assessment, key, times)
        if not state.due:
            continue
        facts, moment = assessment.facts[name], needed_as_of(policy, world.now)
        windows = times.windows(facts)
        if windows is not None:
            missing = needed_rows(facts, windows, key, policy, moment)
            _add(windowed, name, _before_blocked(assessment, name, windows, missing))
        else:
            cut = micros(moment)
            _add(ageing.setdefault(cut, {}), name, times.of(key) < cut)

    rows: Rows = {}
    expired: Rows = {}
    _close(assessment, windowed, rows)
    for cut, seeds in ageing.items():
        _refresh(assessment, times, cut, seeds, rows, expired)
    _join_mates(assessment, rows)
    deadlines = [each.deadline for each in found.values() if each.deadline is not None]
    return Due(_pruned(assessment, rows, expired), expired, min(deadlines, default=None), found)


def _add(rows: Rows, name: str, flags: Flags) -> None:
    if flags.any():
        rows[name] = rows[name] | flags if name in rows else flags


def _moves(assessment: Assessment, name: str) -> Flags:
    moves = assessment.flows[name].moves
    return np.zeros(len(assessment.facts[name].ordinals), np.bool_) if moves is None else moves


def _before_blocked(assessment: Assessment, name: str, windows: Windows, rows: Flags) -> Flags:
    """The rows before the first window that cannot be completed: what lies there or behind moves no watermark."""
    blocked = rows & ~_moves(assessment, name)
    if not blocked.any():
        return rows
    return rows & windows.before(int((~windows.where_all(~blocked)).argmax()))


def _join_mates(assessment: Assessment, rows: Rows) -> None:
    """Add what is published together with ``rows``, until nothing is missing."""
    while True:
        joined = with_mates(assessment.facts, rows)
        added = {
            name: flags
            for name, flags in joined.items()
            if (flags & _moves(assessment, name) & ~rows.get(name, np.zeros(len(flags), np.bool_))).any()
        }
        if not added:
            return
        _close(assessment, added, rows)


def _close(assessment: Assessment, seeds: Rows, rows: Rows) -> None:
    """Add the seeds that a full plan would build, with all that it would build for them first."""
    reached = dict(seeds)
    for name in reversed(list(assessment.facts)):
        if name not in reached:
            continue
        facts = assessment.facts[name]
        moving = reached[name] & _moves(assessment, name)
        if facts.own is not None:
            moving = traced(facts.own, moving, _moves(assessment, name))
        _add(rows, name, moving)
        for edge in facts.edges:
            _add(reached, edge.upstream, covered(moving, edge.spans, len(assessment.facts[edge.upstream].ordinals)))


def _refresh(assessment: Assessment, times: DataTimes, cut: int, seeds: Rows, rows: Rows, expired: Rows) -> None:
    """Add what brings the data of the seeds to ``cut`` or later.

    A partition that is sure to be computed needs nothing more than what is stale upstream. One that may turn out to be
    what it was is as old as what it reads: assets without upstream are computed again if they are too old.
    """
    reached = dict(seeds)
    certain: Rows = {}
    for name in reversed(list(assessment.facts)):
        if name not in reached:
            continue
        facts, flow = assessment.facts[name], assessment.flows[name]
        moving = _moves(assessment, name)
        ageing = np.zeros(len(moving), np.bool_)
        if times.windows(facts) is None:
            ageing = outputs_times(times, facts) < cut
        possible = ageing | moving
        asked = reached[name] & possible
        if facts.node.kind == "source":
            continue
        if not facts.edges:
            _add(expired, name, asked & _not_new(assessment, times, name, cut))
        if flow.lacks is not None:
            possible = possible & ~flow.lacks
            asked = asked & ~flow.lacks
        if facts.own is not None:
            asked = traced(facts.own, asked, possible)
        _add(rows, name, asked)
        sure = asked & moving
        if flow.certainty is not None:
            sure = sure & (flow.certainty == WILL)
        _add(certain, name, sure)
        unsure = asked & ~sure
        for edge in facts.edges:
            _add(reached, edge.upstream, covered(unsure, edge.spans, len(assessment.facts[edge.upstream].ordinals)))
    for name, sure in certain.items():
        _close(assessment, {name: sure}, rows)


def _not_new(assessment: Assessment, times: DataTimes, name: str, cut: int) -> Flags:
    """The rows without upstream whose data is older, or that would get an earlier version again."""
    facts, certainty = assessment.facts[name], assessment.flows[name].certainty
    if times.windows(facts) is not None:
        return np.zeros(len(facts.ordinals), np.bool_)
    at = outputs_times(times, facts)
    rows = (at < cut) & (at != NEVER)
    return rows if certainty is None else rows | (certainty == REUSE) | (certainty == CANDIDATE)


def _pruned(assessment: Assessment, rows: Rows, expired: Rows) -> Rows:
    """Without the rows that no step upstream concerns and that have no reason of their own."""
    kept: Rows = {}
    for name, facts in assessment.facts.items():
        if name not in rows:
            continue
        reason = _moves(assessment, name) | expired.get(name, False)
        for edge in facts.edges:
            if edge.upstream in kept:
                # What is published too late for an edge makes nothing stale, so that building it would change nothing.
                reason = reason | moved(edge, kept[edge.upstream], busy_rows(facts, force=False))
        reason = rows[name] & reason
        _add(kept, name, reason if facts.own is None else carried(facts.own, reason, rows[name]))
    return kept
