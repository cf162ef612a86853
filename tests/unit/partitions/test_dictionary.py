from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.text(max_size=3), unique=True, max_size=12), st.data())
def test_many_keys_are_found_as_in_a_dict(keys: list[str], data: st.DataObject) -> None:
    ordinals = sorted(data.draw(st.sets(st.integers(1, 40), min_size=len(keys), max_size=len(keys))))
    known = dict(zip(keys, ordinals, strict=True))
    dictionary = KeyDictionary(known)
    asked = data.draw(st.lists(st.one_of(st.text(max_size=3), *([st.sampled_from(keys)] if keys else []))))
    assert dictionary.find(asked).tolist() == [known.get(key, 0) for key in asked]
    assert dictionary.find(keys).tolist() == ordinals
    assert dictionary.ordinals == known
    assert [dictionary.key(ordinal) for ordinal in ordinals] == keys
    assert KeyDictionary().extended(keys) == KeyDictionary({key: place + 1 for place, key in enumerate(keys)})


def test_runs_of_keys_are_found_without_a_dict_of_all() -> None:
    keys = [f"key_{number}" for number in range(5_000)]
    dictionary = KeyDictionary().extended(keys)
    asked = [*keys[2_000:], "never", *keys[5:1_000]]
    found = dictionary.find(asked)
    assert found.tolist() == [*range(2_001, 5_001), 0, *range(6, 1_001)]
    assert dictionary._found is None
    assert dictionary.find(keys[::-1]).tolist() == list(range(5_000, 0, -1))


def test_columns_that_do_not_fit_are_refused() -> None:
    text, ends, numbers = b"ab", np.array([1, 2]), np.array([1, 2])
    assert KeyDictionary.from_columns(text, ends, numbers) == KeyDictionary({"a": 1, "b": 2})
    for columns in ((text[:1], ends, numbers), (text, ends, numbers[:1]), (text, ends[:1], numbers)):
        with pytest.raises(ValueError, match="do not fit together"):
            KeyDictionary.from_columns(*columns)


def test_dictionaries_with_equal_keys_are_equal() -> None:
    one, two = KeyDictionary({"ab": 1, "c": 2}), KeyDictionary({"a": 1, "bc": 2})
    assert one != two
    assert hash(one) == hash(KeyDictionary({"c": 2, "ab": 1}))
    assert one != {"ab": 1, "c": 2}
    assert repr(one) == "KeyDictionary(2 keys)"
