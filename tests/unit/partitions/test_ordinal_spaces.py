from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from assetflow.partitions import (
    CronPartitions,
    DailyPartitions,
    HourlyPartitions,
    MonthlyPartitions,
    MultiPartitions,
    StaticPartitions,
    WeeklyPartitions,
)
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.ordinal_spaces import keys_in, ordinal_space, space_words
from assetflow.partitions.spaces import bind

KEYS = KeyDictionary().extended(["south", "a|b", "50%7C", "north"])
REGIONS = StaticPartitions(["north", "south", "a|b", "50%7C"])
LATER = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("definition", "space", "words"),
    [
        (None, "whole", "not partitioned"),
        (HourlyPartitions("2024-01-01", "2024-01-03", minute_offset=5), "hour", "partitioned by hour"),
        (DailyPartitions("2024-01-01", "2024-02-03", timezone="Asia/Tokyo"), "day", "partitioned by day"),
        (WeeklyPartitions("2024-01-01", "2024-03-01"), "week:monday", "partitioned by week (monday)"),
        (
            WeeklyPartitions("2024-01-01", "2024-03-01", week_start="sunday"),
            "week:sunday",
            "partitioned by week (sunday)",
        ),
        (MonthlyPartitions("2024-01", "2024-06"), "month", "partitioned by month"),
        (
            CronPartitions("*/7 3 * * *", "2024-01-01", "2024-01-05"),
            "cron",
            "partitioned by the ticks of a cron expression",
        ),
        (REGIONS, "keys", "partitioned by key"),
        (
            MultiPartitions({"region": REGIONS, "week": WeeklyPartitions("2024-01-01", "2024-02-01"), "more": REGIONS}),
            "multi(keys,week:monday,keys)",
            "partitioned by key and week (monday) and key",
        ),
        (MultiPartitions({"region": REGIONS}), "multi(keys)", "partitioned by key"),
    ],
)
def test_a_space_is_named_and_tells_the_keys_of_its_ordinals(definition: Any, space: str, words: str) -> None:
    assert (ordinal_space(definition), space_words(space)) == (space, words)
    bound = bind(definition, KEYS)
    ordinals = bound.existing(LATER).array()
    assert keys_in(space, ordinals, KEYS) == bound.keys(ordinals)
    assert keys_in(space, ordinals[:0], KEYS) == []


def test_what_was_never_a_key_is_called_by_its_ordinal() -> None:
    assert keys_in("keys", np.array([1, 99, 4]), KEYS) == ["south", "#99", "north"]
    assert keys_in("multi(keys,day)", np.array([(99 << 22) | 738_886]), KEYS) == ["#99|2024-01-01"]
    assert keys_in("from a later version", np.array([7]), KEYS) == ["#7"]
