from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NewType, Protocol, TypedDict

import numpy as np
import pytest

from assetflow.publish.matching import matches, without_numpy

Price = NewType("Price", float)


class Row(TypedDict):
    n: int


class Named(Protocol):
    name: str


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 1),
        (int, True),
        (float, 1),
        (Price, 1),
        (dict[str, int], {}),
        (Mapping[str, int], {}),
        (Sequence[int], [1]),
        (int | str, "x"),
        (Literal["a", "b"], "a"),
        (Row, {"n": 1}),
        (Named, 5),
        (Any, object()),
        (None, None),
        (Callable[[int], int], abs),
    ],
)
def test_values_of_their_type(kind: object, value: object) -> None:
    assert matches(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, 1.0),
        (float, "1"),
        (Price, "1"),
        (dict[str, int], []),
        (list, (1,)),
        (int | str, 1.5),
        (Literal["a", "b"], "c"),
        (Row, [1]),
        (None, 0),
    ],
)
def test_values_of_another_type(kind: object, value: object) -> None:
    assert not matches(kind, value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        ([np.int8(1), {"a": np.float64(2.5)}], [1, {"a": 2.5}]),
    ],
)
def test_numpys_numbers_become_plain(value: object, plain: object) -> None:
    result = without_numpy(value)
    assert repr(result) == repr(plain)


@pytest.mark.parametrize("value", [np.timedelta64(5, "s"), np.datetime64("2024-01-01"), np.complex128(1j)])
def test_what_plain_values_cannot_say_stays(value: object) -> None:
    assert without_numpy(value) is value


def test_a_value_without_numpys_numbers_stays_the_same_object() -> None:
    value = {"a": [1, 2]}
    assert without_numpy(value) is value


def test_a_value_that_holds_itself_is_left_alone() -> None:
    value: list[object] = [1]
    value.append(value)
    assert without_numpy(value) is value
