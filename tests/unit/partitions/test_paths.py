from __future__ import annotations

import re

import pytest

from assetflow.partitions.paths import path_component

AWKWARD = [
    "../../etc/passwd",
    "x" * 500,
    "🙂🙃",
    "a|b",
    'say "hi"',
    "'; drop table versions; --",
    "..",
    ".",
    "_current.json",
    "v-12",
    "/v-12",
    "a b",
    "a\nb",
    "a~b",
    "é",
    "%2E%2E",
    "x" * 81,
    "2013-11-03T01:00-04:00",
    "\x00",
    "_" * 100,
]


@pytest.mark.parametrize("key", ["2013-01-31", "2013-01", "north", "a=b", "x" * 80, ".hidden", "V-1", "a..b"])
def test_harmless_keys_are_their_own_folder_names(key: str) -> None:
    assert path_component(key) == key


@pytest.mark.parametrize("key", AWKWARD)
def test_awkward_keys_get_a_safe_name(key: str) -> None:
    name = path_component(key)
    assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]{0,39})?~[0-9a-f]{16}", name)
    assert not name.startswith("v-")


def test_awkward_keys_get_different_names() -> None:
    assert len({path_component(key) for key in AWKWARD}) == len(AWKWARD)
    assert path_component("a|b") != path_component("a/b")


def test_a_case_clash_takes_the_hash() -> None:
    names = [path_component(key, clashes=True) for key in ("Abc", "abc")]
    assert names[0].casefold() != names[1].casefold()
    assert names[0].startswith("Abc~")
