"""Windows, keys and mappings against a slow model that looks at the clock of a zone minute by minute."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.partitions import (
    AllPartitions,
    CronPartitions,
    DailyPartitions,
    HourlyPartitions,
    LastN,
    MonthlyPartitions,
    MultiPartitions,
    StaticMapping,
    StaticPartitions,
    TimeWindow,
    WeeklyPartitions,
)
from assetflow.partitions.calendars import WEEKDAYS, Calendar
from assetflow.partitions.cron_calendar import CronCalendar
from assetflow.partitions.cron_expressions import parse_cron
from assetflow.partitions.definitions import TimePartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.paths import path_component
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import bind
from assetflow.partitions.time_space import TimeSpace
from assetflow.partitions.zones import transitions_between
from tests.property.oracle import Listed

ZONES = [
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "America/Caracas",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Kwajalein",
]
BEGIN, END = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (1975, 2040))
MINUTE, HOUR, DAY = 60, 3600, 86400
UNIX_MINUTE = (datetime(1970, 1, 1) - datetime(1, 1, 1)) // timedelta(minutes=1)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1)


@st.composite
def zones_and_instants(draw: st.DrawFn) -> tuple[str, int]:
    """A zone and a whole hour (UTC seconds), often close to a change of the clock."""
    zone = draw(st.sampled_from(ZONES))
    changes = transitions_between(zone, BEGIN, END).instants
    changes = changes[(changes > BEGIN) & (changes < END)]
    if changes.size and draw(st.integers(0, 3)):
        instant = int(changes[draw(st.integers(0, changes.size - 1))]) + draw(st.integers(-30, 30)) * HOUR
    else:
        instant = draw(st.integers(BEGIN, END))
    return zone, instant // HOUR * HOUR


def clock(zone: ZoneInfo, instant: int) -> datetime:
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None)


def hour_starts(zone: ZoneInfo, begin: int, end: int) -> list[int]:
    """The first instant of each UTC hour at which the clock strikes a full hour or jumps over one."""
    found: dict[int, int] = {}
    for instant in range(begin, end, MINUTE):
        before, after = clock(zone, instant - MINUTE), clock(zone, instant)
        struck = after.minute == 0
        skipped = after - before > timedelta(minutes=1) and (after.minute * MINUTE < (after - before).total_seconds())
        if struck or skipped:
            found.setdefault(instant // HOUR, instant)
    return list(found.values())


def day_starts(zone: ZoneInfo, begin: int, end: int) -> dict[str, int]:
    """The first instant at which the clock shows each date or a later one."""
    found: dict[str, int] = {}
    latest = clock(zone, begin).date()
    for instant in range(begin, end, MINUTE):
        today = clock(zone, instant).date()
        while latest < today:
            latest += timedelta(days=1)
            found[latest.isoformat()] = instant
    return found


@given(zones_and_instants())
@settings(max_examples=120)
def test_hours_begin_where_the_clock_says(place: tuple[str, int]) -> None:
    name, instant = place
    calendar = Calendar("hour", name)
    begin, end = instant - 4 * HOUR, instant + 4 * HOUR
    expected = hour_starts(ZoneInfo(name), begin, end)
    ordinals = calendar.at(np.array(expected))
    assert calendar.starts(ordinals).tolist() == expected
    assert calendar.starts(calendar.shift(ordinals, 1))[:-1].tolist() == expected[1:]
    moments = np.arange(expected[0], end, 7 * MINUTE)
    holders = calendar.starts(calendar.at(moments))
    assert holders.tolist() == [max(start for start in expected if start <= moment) for moment in moments.tolist()]


@given(zones_and_instants())
@settings(max_examples=60)
def test_days_begin_where_the_clock_says(place: tuple[str, int]) -> None:
    name, instant = place
    calendar = Calendar("day", name)
    expected = day_starts(ZoneInfo(name), instant - 2 * DAY, instant + 2 * DAY)
    starts = np.array(list(expected.values()))
    first = int(calendar.at(starts[:1])[0])
    ordinals = np.arange(first, first + len(expected))
    if calendar.is_hole(ordinals - 1)[0] and calendar.starts(ordinals - 1)[0] == starts[0]:
        ordinals -= 1
    assert dict(zip(calendar.keys(ordinals), calendar.starts(ordinals).tolist(), strict=True)) == expected
    moments = np.arange(int(starts[0]), int(starts[-1]), 7 * MINUTE)
    assert (calendar.starts(calendar.at(moments)) <= moments).all()
    assert (calendar.starts(calendar.at(moments) + 1) > moments).all()
    skipped = [key for (key, begin), (_, end) in pairwise(expected.items()) if begin == end]
    assert calendar.keys(calendar.holes(int(ordinals[0]), int(ordinals[-1]))) == skipped


@given(zones_and_instants(), st.integers(0, 27), st.integers(0, 23), st.integers(0, 59))
@settings(max_examples=60)
def test_windows_begin_as_much_later_as_their_offset_says(
    place: tuple[str, int], days: int, hours: int, minutes: int
) -> None:
    name, instant = place
    zone, begin, end = ZoneInfo(name), instant - 3 * DAY, instant + 3 * DAY
    later = timedelta(hours=hours, minutes=minutes)
    plain, shifted = Calendar("day", name), Calendar("day", name, offset=int(later.total_seconds()))
    expected: dict[str, int] = {}
    shown: set[str] = set()
    latest = clock(zone, begin)
    for moment in range(begin, end, MINUTE):
        now = clock(zone, moment)
        shown.add(now.date().isoformat())
        while latest < now:
            latest += timedelta(minutes=1)
            if latest.time() == (datetime.min + later).time():
                expected[latest.date().isoformat()] = moment
    expected = {key: start for key, start in expected.items() if key in shown}
    ordinals = shifted.at(np.array(list(expected.values())))
    assert dict(zip(shifted.keys(ordinals), shifted.starts(ordinals).tolist(), strict=True)) == expected
    assert plain.keys(ordinals) == list(expected)
    assert shifted.starts(shifted.shift(ordinals, 1))[:-1].tolist() == list(expected.values())[1:]
    moments = np.arange(min(expected.values()), end, 7 * MINUTE)
    holders = shifted.starts(shifted.at(moments))
    assert holders.tolist() == [max(s for s in expected.values() if s <= each) for each in moments.tolist()]
    span = (int(ordinals[0]), int(ordinals[-1]) + 1)
    assert shifted.holes(*span).tolist() == plain.holes(*span).tolist()

    hourly, on_the_hour = Calendar("hour", name, offset=minutes * MINUTE), Calendar("hour", name)
    hours_of_day = on_the_hour.windows(*on_the_hour.at(np.array([begin, end])).tolist()).array()
    assert hourly.windows(*on_the_hour.at(np.array([begin, end])).tolist()).array().tolist() == hours_of_day.tolist()
    assert (hourly.starts(hours_of_day) - on_the_hour.starts(hours_of_day) == minutes * MINUTE).all()
    assert hourly.keys(hours_of_day) == on_the_hour.keys(hours_of_day)
    assert hourly.at(hourly.starts(hours_of_day)).tolist() == hours_of_day.tolist()
    assert hourly.at(hourly.starts(hours_of_day + 1) - 1).tolist() == hours_of_day.tolist()

    monthly = Calendar("month", name, offset=days * DAY + int(later.total_seconds()))
    month = monthly.at(np.array([instant]))
    first = datetime.fromisoformat(f"{monthly.keys(month)[0]}-01") + timedelta(days=days) + later
    assert clock(zone, int(monthly.starts(month)[0])) >= first
    assert clock(zone, int(monthly.starts(month)[0]) - MINUTE) < first
    assert monthly.starts(month)[0] <= instant < monthly.starts(month + 1)[0]


def field(draw: st.DrawFn, low: int, high: int) -> tuple[str, set[int]]:
    """A field of a cron expression, and the values that it means."""
    some = st.integers(low, high)
    match draw(st.sampled_from("**nrsl")):
        case "*":
            return "*", set(range(low, high + 1))
        case "n":
            value = draw(some)
            return str(value), {value}
        case "r":
            first, last = sorted((draw(some), draw(some)))
            return f"{first}-{last}", set(range(first, last + 1))
        case "s":
            step = draw(st.integers(1, high))
            return f"*/{step}", set(range(low, high + 1, step))
        case _:
            values = draw(st.lists(some, min_size=1, max_size=4))
            return ",".join(map(str, values)), set(values)


@given(zones_and_instants(), st.data())
@settings(max_examples=120)
def test_cron_ticks_when_the_clock_says(place: tuple[str, int], data: st.DataObject) -> None:
    name, instant = place
    zone, begin, end = ZoneInfo(name), instant - 2 * DAY, instant + 2 * DAY
    fields = [data.draw(st.composite(field)(*bounds)) for bounds in ((0, 59), (0, 23), (1, 31), (0, 6))]
    (minute, minutes), (hour, hours), (day, days), (weekday, weekdays) = fields
    either = len(days) < 31 and len(weekdays) < 7

    def ticks_at(shown: datetime) -> bool:
        on_day, on_weekday = shown.day in days, shown.isoweekday() % 7 in weekdays
        due = (on_day or on_weekday) if either else (on_day and on_weekday)
        return due and shown.minute in minutes and shown.hour in hours

    expected: list[int] = []
    latest = clock(zone, begin - MINUTE)
    for moment in range(begin, end, MINUTE):
        shown = clock(zone, moment)
        if minute[0] == "*" or hour[0] == "*":
            ticked = ticks_at(shown)
        else:
            passed = [
                latest + timedelta(minutes=count + 1) for count in range((shown - latest) // timedelta(minutes=1))
            ]
            ticked = any(map(ticks_at, passed))
        latest = max(latest, shown)
        if ticked:
            expected.append(moment)

    calendar = CronCalendar(parse_cron(f"{minute} {hour} {day} * {weekday}"), name)
    span = calendar.beginning_within(begin, end)
    ordinals = calendar.windows(span.start, span.stop).array()
    assert calendar.starts(ordinals).tolist() == expected
    assert ordinals.tolist() == [UNIX_MINUTE + moment // MINUTE for moment in expected]
    if expected:
        assert calendar.at(ordinals[:0]).size == 0
        moments = np.arange(expected[0], end, 7 * MINUTE)
        holders = calendar.starts(calendar.at(moments))
        assert holders.tolist() == [max(start for start in expected if start <= each) for each in moments.tolist()]
        assert calendar.shift(ordinals[:1], len(expected) - 1).tolist() == ordinals[-1:].tolist()
        assert calendar.shift(ordinals[-1:], 1 - len(expected)).tolist() == ordinals[:1].tolist()


@st.composite
def definitions(draw: st.DrawFn, grains: str = "hdwmc") -> TimePartitions:
    """A definition of up to a few hundred partitions that begins on some day, in any zone."""
    zone, instant = draw(zones_and_instants())
    day = clock(ZoneInfo(zone), instant).date()
    offset = draw(st.integers(-2, 2))
    later: dict[str, int] = {}
    if draw(st.booleans()):
        later = {"hour_offset": draw(st.integers(0, 23)), "minute_offset": draw(st.integers(0, 59))}
    match draw(st.sampled_from(grains)):
        case "h":
            end = day + timedelta(days=draw(st.integers(1, 6)))
            minutes = later.get("minute_offset", 0)
            return HourlyPartitions(day, end=end, timezone=zone, end_offset=offset, minute_offset=minutes)
        case "d":
            end = day + timedelta(days=draw(st.integers(2, 80)))
            return DailyPartitions(day, end=end, timezone=zone, end_offset=offset, **later)
        case "c":
            end = day + timedelta(days=draw(st.integers(9, 40)))
            cron = draw(st.sampled_from(["*/45 6-9 * * *", "0 2 * * *", "30 1,23 * * mon-fri", "0 */5 * * *"]))
            closed = [day + timedelta(days=after) for after in draw(st.sets(st.integers(0, 8), max_size=4))]
            return CronPartitions(cron, day, end, timezone=zone, exclude=closed, end_offset=offset)
        case "w":
            end = day + timedelta(days=draw(st.integers(14, 120)))
            start_day = draw(st.sampled_from(WEEKDAYS))
            return WeeklyPartitions(day, end=end, timezone=zone, end_offset=offset, week_start=start_day, **later)
        case _:
            first = day.replace(day=1)
            end = (first + timedelta(days=draw(st.integers(31, 300)))).replace(day=1)
            days = draw(st.integers(0, 27)) if later else 0
            return MonthlyPartitions(first, end=end, timezone=zone, end_offset=offset, day_offset=days, **later)


def space_of(definition: TimePartitions) -> TimeSpace:
    space = bind(definition, KeyDictionary())
    assert isinstance(space, TimeSpace)
    return space


def everything(space: TimeSpace) -> PartitionSet:
    return space.existing(datetime(2100, 1, 1, tzinfo=UTC))


@given(definitions())
def test_keys_windows_and_folders_round_trip(definition: TimePartitions) -> None:
    assert definition.problems() == []
    space = space_of(definition)
    ordinals = everything(space).array()
    keys = [key for key in space.keys(ordinals) if key is not None]
    assert len(set(keys)) == ordinals.size > 0
    assert space.ordinals(keys).tolist() == ordinals.tolist()
    assert [space.ordinal(key) for key in keys[:5]] == ordinals[:5].tolist()
    starts, ends = space.boundaries(ordinals)
    assert (starts < ends).all()
    assert starts[1:].tolist() == ends[:-1].tolist()
    assert space.containing(starts).tolist() == space.containing(ends - 1).tolist() == ordinals.tolist()
    assert len({space.path_component(ordinal) for ordinal in ordinals[:20].tolist()}) == min(20, ordinals.size)
    assert space.ranges_of_keys(everything(space)) == [(keys[0], keys[-1])]
    assert space.between(keys[0], keys[-1]) == everything(space)


@given(definitions(), st.data())
def test_a_partition_exists_once_its_window_has_ended(definition: TimePartitions, data: st.DataObject) -> None:
    space = space_of(definition)
    ordinals = everything(space).array()
    ends = space.boundaries(ordinals)[1]
    index = data.draw(st.integers(0, ordinals.size - 1))
    for now, ended in ((int(ends[index]), index + 1), (int(ends[index]) - 1, index)):
        # Windows outside the bounds count for the offset too, so it only ever runs into the bounds.
        count = min(max(ended + definition.end_offset, 0), ordinals.size)
        assert space.existing(datetime.fromtimestamp(now, UTC)).array().tolist() == ordinals[:count].tolist()


@given(definitions(), st.sets(st.integers(0, 400)), st.integers(0, 400))
def test_watermark_and_gaps_count_from_the_first_partition(
    definition: TimePartitions, indexes: set[int], upto: int
) -> None:
    space = space_of(definition)
    now = datetime(2100, 1, 1, tzinfo=UTC)
    ordinals = everything(space).array()
    chosen = {index for index in indexes | set(range(upto)) if index < ordinals.size}
    done = PartitionSet.from_ordinals([int(ordinals[index]) for index in chosen])
    prefix = 0
    while prefix in chosen:
        prefix += 1
    watermark = space.watermark(done, now)
    if prefix == 0:
        assert watermark is None
    else:
        assert watermark is not None
        assert watermark.timestamp() == space.boundaries(ordinals[prefix - 1 : prefix])[1][0]
    holes = {index for index in range(max(chosen, default=0)) if index not in chosen}
    assert space.gaps(done, now) == PartitionSet.from_ordinals([int(ordinals[index]) for index in holes])


def windows_read(mapping: EdgeMapping, down: TimeSpace, up: TimeSpace, days: int = 400) -> dict[int, set[int]]:
    """What each downstream partition reads, window by window of those up to ``days`` around."""
    reach = days * DAY
    uppers = everything(up).array()
    begin, end = int(up.boundaries(uppers[:1])[0][0]), int(up.boundaries(uppers[-1:])[1][0])
    ordinals = everything(down).array()
    starts, ends = down.boundaries(ordinals)
    low = min(int(starts[0]), begin) - reach
    high = max(int(ends[-1]), end) + reach
    sequence = up.calendar.windows(*up.containing(np.array([low, high])).tolist()).array()
    windows = list(zip(*(bound.tolist() for bound in up.boundaries(sequence)), strict=True))
    members = set(uppers.tolist())
    read: dict[int, set[int]] = {}
    for ordinal, start, stop in zip(ordinals.tolist(), starts.tolist(), ends.tolist(), strict=True):
        match mapping:
            case TimeWindow():
                overlapping = [index for index, window in enumerate(windows) if window[0] < stop and start < window[1]]
                chosen = range(overlapping[0] + mapping.start_offset, overlapping[-1] + mapping.end_offset + 1)
                read[ordinal] = {int(sequence[index]) for index in chosen} & members
            case LastN():
                ended = [index for index, window in enumerate(windows) if window[1] <= stop]
                candidates = [int(sequence[index]) for index in ended if int(sequence[index]) in members]
                read[ordinal] = set(candidates[-mapping.n :])
            case _:
                read[ordinal] = members
    return read


@st.composite
def edges(draw: st.DrawFn) -> tuple[TimePartitions, TimePartitions]:
    """Two definitions that begin close to each other, of any grains and zones."""
    down = draw(definitions("dwmc"))
    up = draw(definitions("dwmc"))
    if not isinstance(up, MonthlyPartitions) and not isinstance(down.start, str) and not isinstance(up.start, str):
        length = timedelta(days=60)
        start = down.start + timedelta(days=draw(st.integers(-20, 20)))
        up = replace(up, start=start, end=start + length)
    return down, up


@given(
    edges(),
    st.one_of(
        st.builds(TimeWindow, st.integers(-3, 2), st.integers(-2, 3)),
        st.builds(LastN, st.integers(1, 9)),
        st.just(AllPartitions()),
    ),
)
def test_mappings_read_what_the_windows_say(edge: tuple[TimePartitions, TimePartitions], mapping: EdgeMapping) -> None:
    down, up = map(space_of, edge)
    existing_down, existing_up = everything(down), everything(up)
    expected = windows_read(mapping, down, up)
    for ordinal, read in expected.items():
        one = PartitionSet.from_ordinals([ordinal])
        image = mapping.upstream(one, down, up, existing_up)
        assert image == PartitionSet.from_ordinals(read)
        back = mapping.downstream(image, down, up, existing_down, existing_up)
        assert (ordinal in back) == bool(image)
    whole = mapping.upstream(existing_down, down, up, existing_up)
    assert whole == PartitionSet.from_ordinals(set().union(*expected.values()))
    for upper in existing_up.array()[:5].tolist():
        readers = mapping.downstream(PartitionSet.from_ordinals([upper]), down, up, existing_down, existing_up)
        assert readers == PartitionSet.from_ordinals([ordinal for ordinal, read in expected.items() if upper in read])


@given(definitions("h"), st.data(), st.builds(TimeWindow, st.integers(-3, 2), st.integers(-2, 3)))
@settings(max_examples=40)
def test_hours_are_read_and_read_as_the_windows_say(
    hours: TimePartitions, data: st.DataObject, mapping: TimeWindow
) -> None:
    assert isinstance(hours.start, date)
    others = data.draw(definitions("hd"))
    length = timedelta(days=data.draw(st.integers(1, 4)))
    start = hours.start + timedelta(days=data.draw(st.integers(-2, 2)))
    days = replace(others, start=start, end=start + length)
    down, up = data.draw(st.permutations([space_of(hours), space_of(days)]))
    existing_down, existing_up = everything(down), everything(up)
    expected = windows_read(mapping, down, up, days=12)
    for ordinal, read in expected.items():
        image = mapping.upstream(PartitionSet.from_ordinals([ordinal]), down, up, existing_up)
        assert image == PartitionSet.from_ordinals(read)
        assert image.issubset(existing_up)
        assert (ordinal in mapping.downstream(image, down, up, existing_down, existing_up)) == bool(read)


LETTERS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8, unique=True)


@given(LETTERS, LETTERS, st.data())
def test_mappings_by_key_read_what_their_tables_say(readers: list[str], read: list[str], data: st.DataObject) -> None:
    keys = KeyDictionary().extended(data.draw(st.permutations("abcdefgh")))
    down, up = bind(StaticPartitions(readers), keys), bind(StaticPartitions(read), keys)
    some_readers, some_read = (st.lists(st.sampled_from(each), max_size=9) for each in (readers, read))
    pairs: dict[str, list[str]]
    mapping: StaticMapping | Listed
    if data.draw(st.booleans()):
        table = data.draw(st.dictionaries(st.sampled_from(read), some_readers))
        mapping = StaticMapping(table)
        pairs = {key: [each for each in table if key in table[each]] for key in readers}
    else:
        refused = data.draw(st.frozensets(st.sampled_from(readers)))
        pairs = data.draw(st.dictionaries(st.sampled_from(readers), some_read))
        mapping = Listed(pairs, refused)
        pairs = {key: [] if key in refused else pairs.get(key, []) for key in readers}

    now = datetime(2024, 1, 1, tzinfo=UTC)
    existing_down, existing_up = down.existing(now), up.existing(now)
    for key in readers:
        one = PartitionSet.from_ordinals([down.ordinal(key)])
        image = mapping.upstream(one, down, up, existing_up)
        assert image == PartitionSet.from_ordinals(up.ordinals(pairs[key]))
        back = mapping.downstream(image, down, up, existing_down, existing_up)
        assert one.issubset(back) == bool(image)
    for each in read:
        one = PartitionSet.from_ordinals([up.ordinal(each)])
        found = mapping.downstream(one, down, up, existing_down, existing_up)
        assert found == PartitionSet.from_ordinals(down.ordinals([key for key in readers if each in pairs[key]]))


@given(edges(), st.builds(TimeWindow, st.integers(-2, 1), st.integers(-1, 2)), st.integers(-5, 60))
def test_a_partition_waits_exactly_for_windows_that_will_exist(
    edge: tuple[TimePartitions, TimePartitions], mapping: TimeWindow, days: int
) -> None:
    down, up = map(space_of, edge)
    ordinals = everything(down).array()
    now = datetime.fromtimestamp(int(down.boundaries(ordinals[:1])[0][0]), UTC) + timedelta(days=days, hours=7)
    existing = up.existing(now)
    expected = mapping.expected(down, ordinals, up, now)
    for ordinal, ready in zip(ordinals.tolist(), expected.tolist(), strict=True):
        one = PartitionSet.from_ordinals([ordinal])
        missing = mapping.upstream(one, down, up, everything(up)) - existing
        assert mapping.awaited(one, down, up, now) == missing
        assert ready == (not missing)


@given(st.lists(TEXTS, min_size=1, unique=True))
def test_static_keys_round_trip_and_never_share_a_folder(keys: list[str]) -> None:
    definition = StaticPartitions(keys)
    assert definition.problems() == []
    space = bind(definition, KeyDictionary().extended(reversed(keys)))
    ordinals = space.ordinals(keys)
    assert space.keys(ordinals) == keys
    assert space.ordered(np.sort(ordinals)).tolist() == ordinals.tolist()
    folders = [space.path_component(ordinal) for ordinal in ordinals.tolist()]
    assert len({folder.casefold() for folder in folders}) == len(keys)
    assert all("/" not in folder and folder not in ("", ".", "..") and len(folder) <= 80 for folder in folders)


def spelled(text: str) -> str:
    """A dimension's key without its escapes, read from left to right."""
    key = ""
    while text:
        code = {"%7c": "|", "%25": "%"}.get(text[:3].lower())
        key, text = (key + code, text[3:]) if code else (key + text[0], text[1:])
    return key


@given(st.data(), st.integers(1, 3))
@settings(max_examples=60)
def test_dimensions_are_the_product_of_their_partitions(data: st.DataObject, count: int) -> None:
    awkward = st.text(st.sampled_from("ab|%72C5"), min_size=1, max_size=4)
    keys = data.draw(st.lists(st.lists(awkward, min_size=1, max_size=4, unique=True), min_size=count, max_size=count))
    dimensions: dict[str, TimePartitions | StaticPartitions] = {
        f"d{index}": StaticPartitions(some) for index, some in enumerate(keys)
    }
    if count < 3:
        dimensions["time"] = data.draw(definitions("dwm"))
    definition = MultiPartitions(dimensions)
    assert definition.problems() == []
    dictionary = KeyDictionary().extended(data.draw(st.permutations([key for some in keys for key in some])))
    space = bind(definition, dictionary)
    singles = [bind(each, dictionary) for each in dimensions.values()]
    now = datetime(2100, 1, 1, tzinfo=UTC)
    sides = [single.keys(single.ordered(single.existing(now).array())) for single in singles]
    expected = list(product(*sides))

    existing = space.existing(now)
    ordered = space.ordered(existing.array())
    texts = [str(key) for key in space.keys(ordered)]
    assert [tuple(map(spelled, text.split("|"))) for text in texts] == expected
    assert len(set(texts)) == len(texts)
    assert space.ordinals(texts).tolist() == ordered.tolist()
    assert [space.ordinal(text) for text in texts[:9]] == ordered[:9].tolist()
    assert space.ranges_of_keys(existing) == [(texts[0], texts[-1])]

    some = PartitionSet.from_ordinals(data.draw(st.lists(st.sampled_from(ordered.tolist()), max_size=40)))
    boxes = [space.between(first, last) for first, last in space.ranges_of_keys(some)]
    assert sum(len(box) for box in boxes if box is not None) == len(some)
    together = PartitionSet.empty()
    for box in boxes:
        assert box is not None
        together |= box
    assert together == some


@given(TEXTS)
def test_folder_names_are_never_ours(key: str) -> None:
    assert not path_component(key).startswith(("_", "v-"))


@given(st.sets(st.integers(0, 2**40)), st.sets(st.integers(0, 300)), st.integers(0, 300), st.integers(0, 300))
def test_partition_sets_behave_like_sets(some: set[int], other: set[int], first: int, stop: int) -> None:
    a = PartitionSet.from_ordinals(some)
    b = PartitionSet.from_ordinals(other) | PartitionSet.from_range(first, stop)
    model = other | set(range(first, stop))
    assert set(a & b) == some & model
    assert set(a | b) == some | model
    assert set(a - b) == some - model
    assert a.isdisjoint(b) == some.isdisjoint(model)
    assert b.array().tolist() == sorted(model)
    assert [ordinal for low, high in b.ranges() for ordinal in range(low, high + 1)] == sorted(model)
    assert all(nearby[0] > before[1] + 1 for before, nearby in pairwise(b.ranges()))
    assert b == PartitionSet.from_ordinals(model)
    assert hash(b) == hash(PartitionSet.from_ordinals(model))
