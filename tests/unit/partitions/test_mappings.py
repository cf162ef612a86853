from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from assetflow.partitions import (
    AllPartitions,
    DailyPartitions,
    HourlyPartitions,
    Identity,
    LastN,
    MonthlyPartitions,
    StaticPartitions,
    TimeWindow,
    WeeklyPartitions,
)
from assetflow.partitions.definitions import PartitionsDefinition
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.mappings import EdgeMapping, WholeUpstream
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace, bind

NEW_YORK = "America/New_York"
NOW = datetime(2013, 2, 1, tzinfo=UTC)
KEYS = KeyDictionary().extended(["c", "a", "x", "b"])

HOURS = HourlyPartitions("2013-01-01", end="2014-01-01", timezone=NEW_YORK)
DAYS = DailyPartitions("2013-01-01", end="2014-01-01", timezone=NEW_YORK)
UTC_DAYS = DailyPartitions("2013-01-01")
UTC_MONTHS = MonthlyPartitions("2013-01")
WEEKS = WeeklyPartitions("2012-12-31")
LETTERS = StaticPartitions(["a", "b", "c"])


class Edge:
    """An edge between two definitions at one time; partitions are named by their keys."""

    def __init__(
        self,
        mapping: EdgeMapping,
        down: PartitionsDefinition | None,
        up: PartitionsDefinition | None,
        now: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.mapping, self.now = mapping, now
        self.down, self.up = bind(down, KEYS), bind(up, KEYS)
        self.existing_down, self.existing_up = self.down.existing(now), self.up.existing(now)

    def reads(self, *keys: str) -> list[str]:
        asked = ordinals_of(self.down, *keys)
        image = self.mapping.upstream(PartitionSet.from_ordinals(asked), self.down, self.up, self.existing_up)
        spans = self.mapping.spans(self.down, asked, self.up, self.existing_up.array())
        read = [self.existing_up.array()[spans.positions(row)] for row in range(len(asked))]
        assert image == PartitionSet.from_ordinals(np.concatenate(read))
        return self.up.describe(image)

    def readers(self, *keys: str) -> list[str]:
        read = PartitionSet.from_ordinals(ordinals_of(self.up, *keys))
        return self.down.describe(
            self.mapping.downstream(read, self.down, self.up, self.existing_down, self.existing_up)
        )

    def is_expected(self, *keys: str) -> list[bool]:
        return self.mapping.expected(self.down, ordinals_of(self.down, *keys), self.up, self.now).tolist()

    def asks_too_much(self, *keys: str) -> list[bool]:
        return self.mapping.nonexistent(self.down, ordinals_of(self.down, *keys), self.up).tolist()

    def awaits(self, *keys: str) -> list[str]:
        asked = PartitionSet.from_ordinals(ordinals_of(self.down, *keys))
        return self.up.describe(self.mapping.awaited(asked, self.down, self.up, self.now))


def ordinals_of(space: PartitionSpace, *keys: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([space.ordinal(key) for key in keys] if keys else [0], np.int64)


def test_identity_reads_the_same_key() -> None:
    edge = Edge(Identity(), DAYS, DAYS)
    assert edge.reads("2013-01-05") == ["2013-01-05"]
    assert edge.readers("2013-01-05", "2013-01-07") == ["2013-01-05", "2013-01-07"]


def test_identity_of_static_keys_follows_the_key_not_the_order() -> None:
    edge = Edge(Identity(), LETTERS, StaticPartitions(["b", "c", "a", "x"]))
    assert edge.reads("c") == ["c"]
    assert edge.readers("a", "x") == ["a"]
    assert edge.is_expected("a", "b") == [True, True]
    assert edge.asks_too_much("a", "b") == [False, False]


def test_identity_outside_the_upstream_s_bounds_reads_nothing() -> None:
    edge = Edge(Identity(), UTC_DAYS, DailyPartitions("2013-02-01"))
    assert edge.reads("2013-01-31") == []
    assert edge.asks_too_much("2013-01-31", "2013-02-01") == [True, False]
    assert edge.is_expected("2013-01-31", "2013-02-01") == [True, True]


def test_a_local_day_reads_its_23_to_25_hours() -> None:
    edge = Edge(TimeWindow(), DAYS, HOURS)
    assert edge.reads("2013-03-10") == ["2013-03-10T00:00-05:00...2013-03-10T23:00-04:00"]
    ordinals = ordinals_of(edge.down, "2013-03-09", "2013-03-10", "2013-11-03")
    spans = edge.mapping.spans(edge.down, ordinals, edge.up, edge.existing_up.array())
    lo, hi = spans.lo, spans.hi
    assert (hi - lo).tolist() == [24, 23, 25]
    assert edge.readers("2013-11-03T01:00-05:00", "2013-11-04T00:00-05:00") == ["2013-11-03...2013-11-04"]


def test_windows_of_different_zones_overlap() -> None:
    edge = Edge(TimeWindow(), UTC_DAYS, DAYS)
    assert edge.reads("2013-01-05") == ["2013-01-04...2013-01-05"]
    assert edge.readers("2013-01-05") == ["2013-01-05...2013-01-06"]


def test_an_hour_reads_the_day_it_lies_in() -> None:
    edge = Edge(TimeWindow(), HOURS, DAYS)
    assert edge.reads("2013-11-03T01:00-05:00") == ["2013-11-03"]
    assert edge.readers("2013-03-10") == ["2013-03-10T00:00-05:00...2013-03-10T23:00-04:00"]


def test_a_month_waits_for_the_week_that_straddles_its_end() -> None:
    edge = Edge(TimeWindow(), UTC_MONTHS, WEEKS, NOW)
    assert edge.reads("2013-01") == ["2012-12-31...2013-01-21"]
    assert edge.is_expected("2013-01") == [False]
    assert edge.awaits("2013-01") == ["2013-01-28"]
    later = Edge(TimeWindow(), UTC_MONTHS, WEEKS, datetime(2013, 2, 4, tzinfo=UTC))
    assert later.reads("2013-01") == ["2012-12-31...2013-01-28"]
    assert later.is_expected("2013-01", "2013-02") == [True, False]
    assert later.awaits("2013-01") == []


def test_an_upstream_that_ends_early_is_not_waited_for() -> None:
    ending = WeeklyPartitions("2013-01-07", end="2013-01-28")
    edge = Edge(TimeWindow(), UTC_MONTHS, ending, NOW)
    assert edge.reads("2013-01") == ["2013-01-07...2013-01-21"]
    assert edge.is_expected("2013-01", "2013-02", "2013-03") == [True, True, True]
    assert edge.asks_too_much("2013-01", "2013-03") == [True, True]
    strict = Edge(TimeWindow(allow_nonexistent=False), UTC_MONTHS, ending, NOW)
    assert strict.is_expected("2013-01", "2013-02") == [False, False]


def test_an_upstream_s_end_offset_delays_what_it_expects() -> None:
    late = DailyPartitions("2013-01-01", end_offset=-1)
    edge = Edge(TimeWindow(), UTC_DAYS, late, NOW)
    assert edge.is_expected("2013-01-30", "2013-01-31") == [True, False]
    assert edge.awaits("2013-01-30", "2013-01-31") == ["2013-01-31"]


def test_offsets_count_upstream_windows() -> None:
    assert Edge(TimeWindow(-1, -1), UTC_DAYS, UTC_DAYS).reads("2013-01-05") == ["2013-01-04"]
    assert Edge(TimeWindow(-6, 0), UTC_DAYS, UTC_DAYS).reads("2013-01-10") == ["2013-01-04...2013-01-10"]
    assert Edge(TimeWindow(-1, 0), DAYS, HOURS).reads("2013-01-02") == [
        "2013-01-01T23:00-05:00...2013-01-02T23:00-05:00"
    ]
    week = Edge(TimeWindow(-6, 0), UTC_DAYS, UTC_DAYS)
    assert week.readers("2013-01-10") == ["2013-01-10...2013-01-16"]
    assert week.asks_too_much("2013-01-06", "2013-01-07") == [True, False]
    assert week.reads("2013-01-02") == ["2013-01-01...2013-01-02"]
    assert Edge(TimeWindow(0, 1), UTC_DAYS, UTC_DAYS, NOW).is_expected("2013-01-30", "2013-01-31") == [True, False]


def test_offsets_far_outside_the_upstream_read_nothing() -> None:
    edge = Edge(TimeWindow(0, 2), UTC_DAYS, DailyPartitions("2013-06-01"))
    assert edge.reads("2013-05-01") == []
    assert edge.reads("2013-05-30") == ["2013-06-01"]


def test_offsets_step_over_a_day_that_the_zone_skipped() -> None:
    samoa = DailyPartitions("2011-12-25", end="2012-01-05", timezone="Pacific/Apia")
    assert Edge(TimeWindow(-1, -1), samoa, samoa).reads("2011-12-31") == ["2011-12-29"]
    assert Edge(TimeWindow(1, 1), samoa, samoa).reads("2011-12-29") == ["2011-12-31"]
    month = MonthlyPartitions("2011-12", timezone="Pacific/Apia")
    over = Edge(TimeWindow(), month, samoa, datetime(2012, 1, 1, tzinfo=ZoneInfo("Pacific/Apia")))
    assert over.reads("2011-12") == ["2011-12-25...2011-12-31"]
    assert over.is_expected("2011-12") == [True]
    assert over.awaits("2011-12") == []


def test_only_days_that_the_zone_has_are_awaited() -> None:
    samoa = DailyPartitions("2011-12-28", timezone="Pacific/Apia")
    month = MonthlyPartitions("2011-12", timezone="Pacific/Apia")
    edge = Edge(TimeWindow(), month, samoa, datetime(2011, 12, 29, 12, tzinfo=UTC))
    awaited = edge.mapping.awaited(edge.down.within("2011-12") or PartitionSet.empty(), edge.down, edge.up, edge.now)
    assert edge.up.keys(awaited.array()) == ["2011-12-29", "2011-12-31"]


def test_a_window_that_ends_before_it_starts_is_empty() -> None:
    edge = Edge(TimeWindow(start_offset=30), DAYS, HOURS)
    spans = edge.mapping.spans(edge.down, ordinals_of(edge.down, "2013-01-05"), edge.up, edge.existing_up.array())
    lo, hi = spans.lo, spans.hi
    assert lo.tolist() == hi.tolist()
    assert edge.reads("2013-01-05") == []


def test_all_partitions_reads_what_exists() -> None:
    edge = Edge(AllPartitions(), None, UTC_DAYS, NOW)
    assert edge.reads() == ["2013-01-01...2013-01-31"]
    assert edge.is_expected() == [True]
    assert edge.asks_too_much() == [False]
    assert edge.mapping.downstream(
        PartitionSet.from_ordinals(ordinals_of(edge.up, "2013-01-05")),
        edge.down,
        edge.up,
        edge.existing_down,
        edge.existing_up,
    ) == PartitionSet.from_ordinals([0])
    assert Edge(AllPartitions(), LETTERS, UTC_DAYS, NOW).readers("2013-01-05") == ["a...c"]


def test_last_n_of_an_unpartitioned_asset_are_the_last_that_exist() -> None:
    assert Edge(LastN(3), None, UTC_DAYS, NOW).reads() == ["2013-01-29...2013-01-31"]
    assert Edge(LastN(99), None, UTC_DAYS, NOW).reads() == ["2013-01-01...2013-01-31"]
    assert Edge(LastN(1), LETTERS, UTC_DAYS, NOW).reads("a") == ["2013-01-31"]


def test_last_n_of_a_window_end_no_later_than_it() -> None:
    edge = Edge(LastN(2), UTC_MONTHS, WEEKS)
    assert edge.reads("2013-01") == ["2013-01-14...2013-01-21"]
    assert edge.readers("2013-01-28") == []
    assert Edge(LastN(3), UTC_DAYS, UTC_DAYS).reads("2013-01-10") == ["2013-01-08...2013-01-10"]
    assert Edge(LastN(3), UTC_DAYS, UTC_DAYS).reads("2013-01-02") == ["2013-01-01...2013-01-02"]
    assert Edge(LastN(3), UTC_DAYS, UTC_DAYS).asks_too_much("2013-01-02") == [False]


def test_last_n_of_an_upstream_that_ended_are_its_last() -> None:
    ended = DailyPartitions("2013-01-01", end="2013-01-11")
    edge = Edge(LastN(2), UTC_DAYS, ended)
    assert edge.reads("2013-05-05") == ["2013-01-09...2013-01-10"]
    assert Edge(LastN(2), UTC_DAYS, DailyPartitions("2013-06-01")).reads("2013-05-05") == []


def test_last_n_waits_for_windows_that_do_not_exist_yet() -> None:
    late = DailyPartitions("2013-01-01", end_offset=-2)
    edge = Edge(LastN(2), UTC_DAYS, late, NOW)
    assert edge.is_expected("2013-01-29", "2013-01-31") == [True, False]
    assert edge.awaits("2013-01-31") == ["2013-01-30...2013-01-31"]


@pytest.mark.parametrize("down", [None, UTC_DAYS, LETTERS])
def test_an_unpartitioned_upstream_is_read_whole(down: PartitionsDefinition | None) -> None:
    edge = Edge(WholeUpstream(), down, None, NOW)
    whole = PartitionSet.from_ordinals([0])
    assert edge.mapping.upstream(edge.existing_down, edge.down, edge.up, whole) == whole
    assert edge.mapping.downstream(whole, edge.down, edge.up, edge.existing_down, whole) == edge.existing_down
    assert edge.mapping.expected(edge.down, edge.existing_down.array(), edge.up, NOW).all()
    assert not edge.mapping.awaited(edge.existing_down, edge.down, edge.up, NOW)


@pytest.mark.parametrize("mapping", [Identity(), TimeWindow(), AllPartitions(), LastN(2)])
def test_without_partitions_images_are_empty(mapping: EdgeMapping) -> None:
    edge = Edge(mapping, UTC_DAYS, UTC_DAYS, datetime(2000, 1, 1, tzinfo=UTC))
    nothing = PartitionSet.empty()
    assert mapping.upstream(nothing, edge.down, edge.up, edge.existing_up) == nothing
    assert mapping.downstream(nothing, edge.down, edge.up, nothing, nothing) == nothing
    spans = mapping.spans(edge.down, ordinals_of(edge.down, "2013-01-01"), edge.up, nothing.array())
    lo, hi = spans.lo, spans.hi
    assert (lo.tolist(), hi.tolist()) == ([0], [0])


def test_windows_cannot_be_mapped_to_keys() -> None:
    with pytest.raises(TypeError, match="not static"):
        Edge(TimeWindow(), UTC_DAYS, LETTERS).reads("2013-01-01")
