from __future__ import annotations

import json
import math
from enum import IntEnum

import pytest
from assetflow_io.json_values import JsonIOManager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assetflow.errors import DataUnreadable, InputError, OutputError
from assetflow.io import INLINE_LIMIT, StoredPartition, json_problem
from assetflow.keys import VersionId
from tests.contract.io_manager_contract import ORDERS, Shelf, load

JSON = JsonIOManager()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Colour(IntEnum):
    RED = 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PLAIN)
def test_plain_values_come_back_exactly(shelf: Shelf, value: object) -> None:
    if json_problem(value) is None:
        assert repr(load(JSON, shelf.put(JSON, value))) == repr(value)


def test_numbers_that_json_lacks_come_back(shelf: Shelf) -> None:
    nan, inf, zero = load(JSON, shelf.put(JSON, [math.nan, -math.inf, -0.0]))
    assert math.isnan(nan)
    assert inf == -math.inf
    assert math.copysign(1, zero) == -1


def test_small_values_are_inline_and_larger_ones_a_file(shelf: Shelf) -> None:
    fits = shelf.put(JSON, "x" * (INLINE_LIMIT - 2))
    assert fits.inline is not None
    assert not fits.files
    larger = shelf.put(JSON, "x" * (INLINE_LIMIT - 1))
    assert larger.inline is None
    assert json.loads(larger.file().path.read_bytes()) == "x" * (INLINE_LIMIT - 1)


def test_the_limit_counts_bytes_not_letters(shelf: Shelf) -> None:
    assert shelf.put(JSON, "ä" * (INLINE_LIMIT - 10)).inline is None


CYCLE: list[object] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [(1, 2)]}, "['a'][0] is a tuple"),
        ({1: "a"}, "it has the key 1, a int"),
        ({"colour": Colour.RED}, "['colour'] is a Colour"),
        ({"a", "b"}, "it is a set"),
        (b"bytes", "it is a bytes"),
        ("\ud800", "it is a text with half a surrogate pair"),
        ({"\ud800": 1}, "the key '\\ud800' of it is a text with half a surrogate pair"),
        ([10**5000], "[0] is too long an integer"),
        (CYCLE, f"{'[0]' * 13}[... is nested more than 100 levels deep"),
    ],
)
def test_what_json_would_change_is_refused(shelf: Shelf, value: object, problem: str) -> None:
    with pytest.raises(OutputError) as caught:
        shelf.put(JSON, value)
    assert caught.value.message == (
        f"raw/orders@2024-01-01: the value does not come back unchanged from JSON: {problem}"
    )
    assert caught.value.hint == "return plain values, or use io_manager='pickle'"


def test_a_file_that_was_changed_is_unreadable(shelf: Shelf) -> None:
    stored = shelf.put(JSON, ["x" * 20_000])
    stored.file().path.write_text("[1,")
    with pytest.raises(DataUnreadable, match=r"the file .*value\.json is not what version 1 recorded"):
        load(JSON, stored)


def test_a_record_that_is_not_json_is_unreadable() -> None:
    stored = StoredPartition(ORDERS, None, VersionId(3), inline="{")
    with pytest.raises(DataUnreadable, match="raw/orders: version 3 is not valid JSON in its record"):
        load(JSON, stored)


def test_a_folder_in_place_of_the_file_is_unreadable(shelf: Shelf) -> None:
    stored = shelf.put(JSON, "x" * 20_000)
    path = stored.file().path
    path.unlink()
    path.mkdir()
    with pytest.raises(DataUnreadable, match="of version 1 cannot be read: Is a directory"):
        load(JSON, stored)


def test_another_type_than_expected_is_refused(shelf: Shelf) -> None:
    with pytest.raises(InputError, match="raw/orders@2024-01-01: holds a str, which cannot arrive as dict"):
        load(JSON, shelf.put(JSON, "text"), expected=dict)
