"""Limits of memory: how they are written, and what is no size."""

from __future__ import annotations

import pytest

from assetflow import asset
from assetflow.definitions.references import definition_of
from assetflow.definitions.sizes import parse_size
from assetflow.errors import DefinitionError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("2GB", 2 * 10**9),
        ("2 gb", 2 * 10**9),
        ("1.5MB", 1_500_000),
        ("512MiB", 512 * 2**20),
        ("1TiB", 2**40),
        (123, 123),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2", "GB", "-1GB", "0GB", "2GBs", "1e9B", 0, -5, 1.5, True, None, [], "9" * 50])
def test_what_is_no_size(text: object) -> None:
    with pytest.raises(DefinitionError) as raised:
        parse_size(text)
    assert raised.value.message == f"{text!r} is no size"
    assert raised.value.hint == 'write "500MB", "2GB", "1GiB", or a number of bytes'


def test_the_keywords_of_an_asset() -> None:
    @asset(max_memory="2GB", isolated=True)
    def big() -> int:
        return 1

    found = definition_of(big)
    assert (found.max_memory, found.isolated, found.problems) == (2_000_000_000, True, ())  # type: ignore[union-attr]


def test_mistakes_are_noted() -> None:
    @asset(max_memory="much", isolated="yes")  # type: ignore[arg-type]
    def big() -> int:
        return 1

    assert [problem.message for problem in definition_of(big).problems] == [  # type: ignore[union-attr]
        "max_memory: 'much' is no size",
        "isolated='yes' is neither True nor False",
    ]
