"""The planner against its slow model, for minutes: other histories each time, unlike the suite's steady ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import test_planner as short

_TIMELINES = 3_000


@pytest.mark.soak
@given(short.histories())
@settings(max_examples=_TIMELINES, derandomize=False, print_blob=True)
def test_states_and_the_full_plan(pair: short.Pair) -> None:
    short.test_states_and_the_full_plan_are_those_of_the_slow_model.hypothesis.inner_test(pair)


@pytest.mark.soak
@given(short.histories(), st.data())
@settings(max_examples=_TIMELINES, derandomize=False, print_blob=True)
def test_plans_of_a_part(pair: short.Pair, data: st.DataObject) -> None:
    short.test_plans_of_a_part_are_those_of_the_slow_model.hypothesis.inner_test(pair, data)


@pytest.mark.soak
@given(short.histories(), st.sampled_from(["one", "two"]))
@settings(max_examples=_TIMELINES, derandomize=False, print_blob=True)
def test_nothing_is_left(pair: short.Pair, content: str) -> None:
    short.test_nothing_is_left_after_a_plan_was_carried_out.hypothesis.inner_test(pair, content)
