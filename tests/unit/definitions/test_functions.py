from __future__ import annotations

import functools
from typing import Any

import pytest

from assetflow.definitions.functions import Parameters, name_of, not_plain, parameters_of


def every_kind(a: int, /, b: int, c: int = 3, *rest: int, d: int, e: int = 5, **more: int) -> None:
    local = a
    del local


def test_parameters_are_those_that_can_be_passed_by_name() -> None:
    assert parameters_of(every_kind) == Parameters(
        ("b", "c", "d", "e"), frozenset({"c", "e"}), ("a, /", "*rest", "**more")
    )


def test_a_partial_lacks_what_it_was_given() -> None:
    def scaled(factor: int, orders: int, limit: int = 3) -> None: ...

    assert parameters_of(functools.partial(scaled, 2)) == Parameters(("orders", "limit"), frozenset({"limit"}))


def test_what_cannot_be_inspected_is_refused() -> None:
    assert parameters_of(type).refused == ("unknown parameters",)


def test_a_loop_of_wrappers_ends() -> None:
    def function(orders: int) -> None: ...

    wrapped: Any = function
    wrapped.__wrapped__ = wrapped
    assert parameters_of(wrapped).names == ("orders",)


async def coroutine() -> None: ...


async def async_rows() -> Any:
    yield 1


def rows() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (coroutine, "an async function"),
        (async_rows, "an async function"),
        (rows, "a generator function"),
        (every_kind, None),
    ],
)
def test_functions_that_give_no_value_when_called(function: Any, kind: str | None) -> None:
    assert not_plain(function) == kind


def test_the_name_of_what_has_none_is_its_types() -> None:
    assert name_of(functools.partial(rows)) == "partial"
