from __future__ import annotations

import copy
import pickle
from datetime import timedelta

import pytest

from assetflow.definitions.durations import parse_duration
from assetflow.definitions.values import NO_DATA
from assetflow.errors import DefinitionError


def test_no_data_is_one_value() -> None:
    assert pickle.loads(pickle.dumps(NO_DATA)) is NO_DATA
    assert copy.deepcopy(NO_DATA) is NO_DATA
    assert repr(NO_DATA) == "NO_DATA"
    assert not NO_DATA


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("36h", timedelta(hours=36)),
        ("3d", timedelta(days=3)),
        ("0s", timedelta(0)),
        ("999999999d", timedelta.max - timedelta.max % timedelta(days=1)),
        (timedelta(hours=1), timedelta(hours=1)),
    ],
)
def test_durations(text: object, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["soon", "", "3", "3 d", "-3d", "1.5h", "3w", "1000000000d", "٣d", 3, None, timedelta(seconds=-1)]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(DefinitionError) as raised:
        parse_duration(text)
    assert raised.value.message == f"{text!r} is no duration"
    assert raised.value.hint == 'write "30s", "15m", "36h", "3d", or a timedelta that is not negative'
