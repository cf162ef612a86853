"""The scheduling rule: nothing before what it reads, never more than there are slots, the longest chain first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assetflow.execution.scheduling import Schedule, urgencies


def order(schedule: Schedule, tasks: list[int]) -> list[int]:
    """The units that finish, if each has so many tasks, one slot and no waiting."""
    finished: list[int] = []
    while not schedule.done:
        unit = schedule.next()
        assert unit is not None
        if tasks[unit]:
            tasks[unit] -= 1
            schedule.began(unit)
            schedule.ended(unit)
        else:
            schedule.finished(unit)
            finished.append(unit)
    return finished


def test_with_one_slot_units_come_in_topological_order_whatever_is_urgent() -> None:
    schedule = Schedule([(), (), (0,), (1,)], 1, [1.0, 9.0, 1.0, 8.0])
    assert order(schedule, [1, 1, 1, 1]) == [0, 1, 2, 3]


def test_with_several_slots_what_the_rest_waits_for_longest_comes_first() -> None:
    needs = [(), (), (1,)]
    schedule = Schedule(needs, 2, urgencies(needs, [5.0, 1.0, 10.0]))
    assert schedule.next() == 1
    schedule.began(1)
    schedule.dry(1)
    assert schedule.next() == 0


def test_equally_urgent_units_come_in_topological_order() -> None:
    schedule = Schedule([(), (), ()], 2, [1.0, 1.0, 1.0])
    assert order(schedule, [0, 0, 0]) == [0, 1, 2]


def test_a_unit_with_many_tasks_takes_all_slots_and_no_more() -> None:
    schedule = Schedule([(), ()], 2)
    for _ in range(2):
        assert schedule.next() == 0
        schedule.began(0)
    assert schedule.next() is None
    schedule.ended(0)
    assert schedule.next() == 0


def test_a_unit_that_waits_lets_others_go_ahead_until_it_is_woken() -> None:
    schedule = Schedule([(), ()], 1)
    schedule.dry(0)
    assert schedule.next() == 1
    schedule.wake(0)
    schedule.wake(0)
    assert schedule.next() == 0


@st.composite
def graphs(draw: st.DrawFn) -> list[set[int]]:
    count = draw(st.integers(0, 8))
    return [draw(st.sets(st.integers(0, unit - 1))) if unit else set() for unit in range(count)]


@given(needs=graphs(), slots=st.integers(1, 4), data=st.data())
def test_every_task_runs_once_after_what_its_unit_reads_and_within_the_slots(
    needs: list[set[int]], slots: int, data: st.DataObject
) -> None:
    tasks = [data.draw(st.integers(0, 3)) for _ in needs]
    urgency = urgencies(needs, [data.draw(st.floats(0, 10)) for _ in needs])
    schedule = Schedule(needs, slots, urgency)
    left, begun, finished = [*tasks], [0] * len(needs), set[int]()
    running: list[int] = []
    while not schedule.done:
        assert len(running) <= slots
        unit = schedule.next()
        if unit is None or (running and data.draw(st.booleans())):
            assert running, "nothing runs, and nothing can be started"
            schedule.ended(running.pop(data.draw(st.integers(0, len(running) - 1))))
            continue
        assert needs[unit] <= finished
        startable = [each for each in range(len(needs)) if each not in finished and needs[each] <= finished]
        if slots > 1:
            able = [each for each in startable if left[each] or each not in running]
            assert all(urgency[unit] >= urgency[each] for each in able)
        if left[unit]:
            left[unit] -= 1
            begun[unit] += 1
            schedule.began(unit)
            running.append(unit)
        elif unit in running:
            schedule.dry(unit)
        else:
            schedule.finished(unit)
            finished.add(unit)
    assert begun == tasks
    assert not running


@given(needs=graphs(), data=st.data())
def test_urgency_is_the_longest_chain_that_begins_with_a_unit(needs: list[set[int]], data: st.DataObject) -> None:
    seconds = [float(data.draw(st.integers(0, 9))) for _ in needs]

    def longest(unit: int) -> float:
        return seconds[unit] + max((longest(n) for n, before in enumerate(needs) if unit in before), default=0.0)

    assert urgencies(needs, seconds) == [longest(unit) for unit in range(len(needs))]
