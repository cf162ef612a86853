"""The long-lived planner: a tick after one event, a minute that ends, a code edit; by how many partitions there are.

Processor time of the process: nothing here waits for anything, and whatever else the machine does is left out of it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta

import numpy as np
import pytest
from measuring import Figure
from minutes import MINUTES, NOW, recorded

from assetflow.planner.changes import Changes
from assetflow.planner.incremental import LivePlanner

_ROUNDS = 50


@pytest.mark.bench
@pytest.mark.parametrize(("days", "named"), [(7, "10k"), (70, "100k"), (730, "1M"), (6_840, "10M")])
def test_a_tick_after_one_event(record: Callable[[Figure], None], days: int, named: str) -> None:
    given = recorded(days)
    live = LivePlanner(given.graph, given.state, given.codes, NOW)
    assert live.plan().steps == ()
    events = given.events()
    ticks: list[float] = []
    for _ in range(_ROUNDS):
        event = next(events)
        began = time.process_time()
        live.apply(event)
        live.plan()
        ticks.append(time.process_time() - began)
    assert [step.computation for step in live.plan().steps] == ["hours", "days_"]
    what = f"tick after one event, {named} partitions ({given.partitions:,})"
    record(Figure(what, "ms", statistics.median(ticks) * 1e3, 5))

    ends: list[float] = []
    for minute in range(1, 30):
        began = time.process_time()
        live.advance(NOW + timedelta(minutes=minute))
        live.plan()
        ends.append(time.process_time() - began)
    record(Figure(f"tick after a minute has ended, {named} partitions", "ms", statistics.median(ends) * 1e3))


@pytest.mark.bench
@pytest.mark.parametrize("events", [1, 10, 100, 1_000, 10_000])
def test_a_tick_after_many_events(record: Callable[[Figure], None], events: int) -> None:
    given = recorded(730)
    found: list[float] = []
    for _ in range(3):
        live = LivePlanner(given.graph, given.state, given.codes, NOW)
        live.plan()
        every = given.events()
        told = [next(every) for _ in range(events)]
        began = time.process_time()
        live.apply(together(told))
        live.plan()
        found.append(time.process_time() - began)
    record(Figure(f"tick after {events:,} events, 1M partitions", "ms", statistics.median(found) * 1e3))


def together(events: Sequence[Changes]) -> Changes:
    """Several events as one: the last of each partition."""
    last = {int(event.touched[MINUTES][0]): event for event in events}
    ordered = [last[ordinal] for ordinal in sorted(last)]
    pointers = [event.state.assets[MINUTES] for event in ordered]
    columns = {
        each.name: np.concatenate([getattr(one, each.name) for one in pointers])
        for each in fields(pointers[0])
        if each.name != "inputs"
    }
    state = replace(events[-1].state, assets={MINUTES: replace(pointers[0], **columns)})
    return Changes({MINUTES: columns["ordinals"]}, state)


@pytest.mark.bench
def test_a_plan_after_a_code_edit(record: Callable[[Figure], None]) -> None:
    medians: dict[str, float] = {}
    for named, minutes in (("1,000", 1_000), ("100,000", 100_000)):
        given = recorded(-(-minutes // 1440))
        live = LivePlanner(given.graph, given.state, given.codes, NOW)
        live.plan()
        found: list[float] = []
        for number in range(15):
            codes, changes = given.edited(number)
            began = time.process_time()
            live.redefine(given.graph, codes, changes)
            made = live.plan()
            found.append(time.process_time() - began)
        assert [step.certainty for step in made.steps] == ["will", "may", "may"]
        medians[named] = statistics.median(found) * 1e3
        record(Figure(f"plan after a code edit, {named} partitions", "ms", medians[named], 50))
    record(
        Figure(
            "plan after a code edit, 100,000 against 1,000 partitions", "x", medians["100,000"] / medians["1,000"], 2
        )
    )
