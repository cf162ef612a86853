from __future__ import annotations

import pickle

import pytest

from assetflow.partitions.dictionary import KeyDictionary


def test_extending_keeps_old_ordinals_and_numbers_new_keys_in_order() -> None:
    first = KeyDictionary().extended(["b", "a"])
    second = first.extended(["c", "a", "d", "c"])
    assert [second.ordinal(key) for key in "bacd"] == [1, 2, 3, 4]
    assert second.key(3) == "c"
    assert len(first) == 2


def test_new_ordinals_follow_the_largest_one() -> None:
    assert KeyDictionary({"a": 7}).extended(["b"]).ordinal("b") == 8


def test_missing_keys_are_named_once() -> None:
    assert KeyDictionary({"a": 1}).missing(["x", "a", "x", "y"]) == ["x", "y"]


def test_an_unknown_key_or_ordinal_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        KeyDictionary({"a": 1}).ordinal("b")
    with pytest.raises(KeyError):
        KeyDictionary({"a": 1}).key(2)


def test_ordinals_are_unique_and_start_at_1() -> None:
    with pytest.raises(ValueError, match="same ordinal"):
        KeyDictionary({"a": 1, "b": 1})
    with pytest.raises(ValueError, match="start at 1"):
        KeyDictionary({"a": 0})


def test_it_is_a_value() -> None:
    source = {"a": 1}
    keys = KeyDictionary(source)
    source["b"] = 2
    assert keys == KeyDictionary({"a": 1})
    assert pickle.loads(pickle.dumps(keys)).key(1) == "a"
