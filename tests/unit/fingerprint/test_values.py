from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from assetflow.fingerprint.values import encode


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


def test_plain_values_differ_by_kind_and_content() -> None:
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    values: list[object] = [
        None, True, 1, 1.0, "1", b"1", Decimal(1), Decimal("1.0"), [1], {1}, {1: 1}, Path("1"), Colour.RED, Colour.BLUE,
        Level.LOW, moment, moment.replace(tzinfo=None), moment.astimezone(ZoneInfo("Europe/London")), moment.date(),
        moment.time(), dt.timedelta(days=1), dt.timedelta(seconds=1), [[1]], [1, 1], -1, 10**30, float("inf"),
    ]  # fmt: skip
    encoded = [encode(value) for value in values]
    assert None not in encoded
    assert len(set(encoded)) == len(values)


def test_what_does_not_count() -> None:
    for one, two in [
        ((1, 2), [1, 2]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({3, 1, 2}, frozenset({1, 2, 3})),
        (0.0, -0.0),
        (float("nan"), -float("nan")),
        (Path("a/b"), PurePosixPath("a/b")),
    ]:
        assert encode(one) == encode(two)


def test_other_values_are_not_plain() -> None:
    class Text(str):
        __slots__ = ()

    looped: list[object] = []
    looped.append(looped)
    for value in [object(), Text("a"), [object()], {"a": object()}, {object(): 1}, len, int, looped]:
        assert encode(value) is None
