from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from assetflow.documents import dumps


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        ([1.5, float("nan")], [1.5, None]),
        (datetime(2024, 1, 31, 12, tzinfo=UTC), "2024-01-31T12:00:00+00:00"),
        (date(2024, 1, 31), "2024-01-31"),
        (timedelta(minutes=1), 60.0),
        (b"\x01", "01"),
        (np.int64(3), 3),
        (np.float64("nan"), None),
        (np.bool_(True), True),
        ({1: (2, 3)}, {"1": [2, 3]}),
        (frozenset({1}), [1]),
        (Decimal("1.5"), "1.5"),
        (Path("a/b"), "a/b"),
        ("\ud800", "\ud800"),
        ("Zürich \N{GRINNING FACE}", "Zürich \N{GRINNING FACE}"),
    ],
)
def test_every_value_has_a_form_in_strict_json(value: object, expected: object) -> None:
    def refuse(constant: str) -> object:
        raise AssertionError(constant)

    text = dumps({"value": value})
    assert text.isascii()
    assert json.loads(text, parse_constant=refuse) == {"value": expected}
