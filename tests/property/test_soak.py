"""Ten thousand timelines, other ones each time, unlike the suite's steady ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import test_due, test_late, test_planner, test_root_causes, test_runs, test_traced_reasons
from tests.property.timelines import Timeline, holds

CONTENTS = st.sampled_from([None, "one", "two"])


def soak(timelines: int) -> settings:
    return settings(max_examples=timelines, derandomize=False, print_blob=True)


@pytest.mark.soak
@given(test_planner.timelines())
@soak(3_000)
def test_the_full_plan(timeline: Timeline) -> None:
    holds(test_planner.the_full_plan, timeline)


@pytest.mark.soak
@given(test_planner.timelines(), st.data())
@soak(1_500)
def test_plans_of_a_part(timeline: Timeline, data: st.DataObject) -> None:
    test_planner.test_plans_of_a_part_are_those_of_the_slow_model.hypothesis.inner_test(timeline, data)


@pytest.mark.soak
@given(test_planner.timelines(), CONTENTS)
@soak(1_000)
def test_nothing_is_left(timeline: Timeline, content: str | None) -> None:
    holds(test_planner.nothing_is_left, timeline, content=content)


@pytest.mark.soak
@given(test_late.timelines())
@soak(1_000)
def test_late_data(timeline: Timeline) -> None:
    holds(test_late.told_from_other_changes, timeline)
    holds(test_late.nothing_left_out, timeline)


@pytest.mark.soak
@given(test_planner.timelines(test_due.POLICIES), CONTENTS)
@soak(1_000)
def test_what_is_due(timeline: Timeline, content: str | None) -> None:
    holds(test_due.what_is_due, timeline)
    holds(test_due.nothing_is_due_again, timeline, content=content)
    holds(test_due.the_deadline, timeline)


@pytest.mark.soak
@given(test_runs.eventful())
@soak(3_000)
def test_what_really_ran(timeline: Timeline) -> None:
    holds(test_runs.what_really_ran, timeline)


@pytest.mark.soak
@given(test_root_causes.disturbances())
@soak(500)
def test_undone_roots(timeline: Timeline) -> None:
    holds(test_root_causes.undone_roots, timeline)


@pytest.mark.soak
@given(test_root_causes.various())
@soak(1_500)
def test_needed_causes(timeline: Timeline) -> None:
    holds(test_root_causes.needed_causes, timeline)


@pytest.mark.soak
@given(test_planner.timelines(), st.data())
@soak(500)
def test_traced_causes(timeline: Timeline, data: st.DataObject) -> None:
    test_traced_reasons.test_undoing_the_reported_roots_takes_the_partition_out_of_the_plan.hypothesis.inner_test(
        timeline, data
    )


@pytest.mark.soak
@given(test_planner.timelines())
@soak(500)
def test_traced_ways(timeline: Timeline) -> None:
    holds(test_traced_reasons.ways_end_at_roots, timeline)
