"""Whether assets are as fresh as their policies ask for, and what is in the way of those that are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from assetflow.definitions.freshness import FreshnessPolicy
from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import covered
from assetflow.partitions.ticks import last_tick, next_tick
from assetflow.planner.data_times import ALWAYS, NEVER, DataTimes, outputs_times, settled
from assetflow.planner.facts import Facts
from assetflow.planner.moments import datetime_of, micros
from assetflow.planner.plan import Partitions
from assetflow.planner.scans import traced
from assetflow.planner.spans import Flags, Integers
from assetflow.planner.staleness import Assessment
from assetflow.planner.targets import Condition
from assetflow.planner.windows import Windows

FreshnessState = Literal["pass", "warn", "fail", "none"]

END = datetime.max.replace(tzinfo=UTC)
"""The moment that stands for data that nothing can be newer than."""
_MOST_TICKS = 100_000
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Freshness:
    """One asset. ``none``: it has no policy.

    ``as_of`` is the moment up to which its data is: the watermark of time partitions, else the oldest data of any
    partition; None where there is none. ``deadline`` is when the state is the next to become worse, if nothing is done;
    ``upstream`` the assets in which the lateness began, apart from itself.
    """

    state: FreshnessState
    as_of: datetime | None = None
    lag: timedelta | None = None
    deadline: datetime | None = None
    upstream: tuple[AssetKey, ...] = ()
    late: Partitions | None = None
    """The partitions that make it late: windows that should be published by now, else what is missing or too old."""

    @property
    def due(self) -> bool:
        """Whether something is to be done about it."""
        return self.state in ("warn", "fail")

    def to_dict(self) -> dict[str, object]:
        """The entry as in the status document."""
        return {
            "state": self.state,
            "lag_seconds": self.lag.total_seconds() if self.lag is not None else None,
            "deadline": self.deadline.isoformat() if self.deadline else None,
            "late": self.late.to_dict() if self.late else None,
            "upstream": list(self.upstream),
        }


def freshness_of(assessment: Assessment, key: AssetKey, times: DataTimes) -> Freshness:
    """How fresh an asset is as of the assessment's ``now``."""
    world = assessment.world
    policy, now = world.graph.specs[key].freshness_policy, world.now
    if policy is None:
        return Freshness("none")
    facts = assessment.facts[world.graph.owner[key]]
    if not len(facts.ordinals):
        # Neither windows nor keys yet: nothing can be late.
        return Freshness("pass")
    windows = times.windows(facts)
    as_of = datetime_of_oldest(times.of(key)) if windows is None else windows.reached(facts, key)
    if windows is not None and (as_of is None or windows.complete(facts, key)):
        # Nothing that could be there is missing: either no window has ended yet, or no other will come.
        return Freshness("pass", as_of and now, as_of and timedelta(0))
    if as_of == END:
        return Freshness("pass", now, timedelta(0))
    if as_of is None:
        return Freshness("fail", upstream=_in_the_way(assessment, key, times), late=_late(assessment, key, times))
    since = as_of if policy.cron is None else _unmet_tick(policy, facts, windows, key, as_of)
    deadlines = [] if since is None else sorted({since + policy.due_after, since + policy.limit})
    state: FreshnessState = "pass"
    if deadlines and deadlines[-1] <= now:
        state = "fail"
    elif deadlines and deadlines[0] <= now:
        state = "warn"
    coming = next((each for each in deadlines if each > now), None)
    blamed = _in_the_way(assessment, key, times) if state != "pass" else ()
    late = _late(assessment, key, times) if state == "fail" else None
    return Freshness(state, as_of, max(now - as_of, timedelta(0)), coming, blamed, late)


def conditions_of(assessment: Assessment) -> Callable[[AssetKey], frozenset[Condition]]:
    """Gives, for an asset, the states that any of its partitions has, and ``late`` if that is what it is."""
    times = DataTimes(assessment)

    def conditions(key: AssetKey) -> frozenset[Condition]:
        late = freshness_of(assessment, key, times).state == "fail"
        return assessment.states_of(key) | (frozenset[Condition](("late",)) if late else frozenset[Condition]())

    return conditions


def needed_as_of(policy: FreshnessPolicy, now: datetime) -> datetime:
    """The moment as of which data must be, or later, for a policy to be met at ``now`` without a warning."""
    return _needed_after(policy, policy.due_after, now)


def _needed_after(policy: FreshnessPolicy, lag: timedelta, now: datetime) -> datetime:
    if policy.cron is None:
        return now - lag + timedelta(microseconds=1)
    return last_tick(policy.cron, now - lag, policy.timezone)


def needed_rows(facts: Facts, windows: Windows, key: AssetKey, policy: FreshnessPolicy, moment: datetime) -> Flags:
    """The missing partitions that bring the watermark to where data is as of a moment, as far as it can go."""
    if policy.cron is not None:
        stop = len(windows.space.existing(moment))
    else:
        _, ends = windows.space.boundaries(windows.ordinals)
        stop = int(ends.searchsorted(micros(moment) / 1_000_000)) + 1
    return ~facts.output(key).versioned & windows.before(stop)


def _late(assessment: Assessment, key: AssetKey, times: DataTimes) -> Partitions:
    """The partitions that make an asset late."""
    world = assessment.world
    policy, facts = world.graph.specs[key].freshness_policy, assessment.facts[world.graph.owner[key]]
    assert policy is not None
    moment, windows = _needed_after(policy, policy.limit, world.now), times.windows(facts)
    rows = times.of(key) < micros(moment) if windows is None else needed_rows(facts, windows, key, policy, moment)
    ordinals = PartitionSet.from_ordinals(facts.ordinals[rows])
    ranges = None if facts.space.grain == "none" else tuple(facts.space.ranges_of_keys(ordinals))
    return Partitions(ordinals, ranges)


def late_notes(found: Mapping[AssetKey, Freshness]) -> list[str]:
    """For each asset that is late because of others, a sentence that names them."""
    notes: list[str] = []
    for key, each in found.items():
        if each.due and each.upstream:
            more = f" and {len(each.upstream) - _SHOWN} more" if len(each.upstream) > _SHOWN else ""
            word = "late" if each.state == "fail" else "about to be late"
            notes.append(f"{key} is {word} because of what is upstream: {', '.join(each.upstream[:_SHOWN])}{more}")
    return notes


def datetime_of_oldest(times: Integers) -> datetime | None:
    """The least of the times; None where one is missing or there is none, ``END`` where nothing can be newer."""
    oldest = int(times.min(initial=ALWAYS))
    if oldest == ALWAYS:
        return END if len(times) else None
    return None if oldest == NEVER else datetime_of(oldest)


def _unmet_tick(
    policy: FreshnessPolicy, facts: Facts, windows: Windows | None, key: AssetKey, as_of: datetime
) -> datetime | None:
    """The first tick as of which the data is not there."""
    assert policy.cron is not None
    if windows is None:
        return next_tick(policy.cron, as_of, policy.timezone)
    published = windows.first_missing(facts, key)
    last = max(published - 1, 0)
    begins, ends = windows.space.boundaries(windows.ordinals[last : last + 1])
    # The window that is missing exists once it has ended, apart from end_offset.
    length = timedelta(seconds=int(ends[0] - begins[0]))
    early = max(windows.space.definition.end_offset, 0) + 1
    tick = last_tick(policy.cron, as_of - early * length, policy.timezone)
    for _ in range(_MOST_TICKS):
        if len(windows.space.existing(tick)) > published:
            return tick
        following = next_tick(policy.cron, tick, policy.timezone)
        if following is None:
            return None
        tick = following
    return None


def _in_the_way(assessment: Assessment, key: AssetKey, times: DataTimes) -> tuple[AssetKey, ...]:
    """The assets further up in which lateness began: what is missing, stale or too old there, and has a way down."""
    world, all_facts = assessment.world, assessment.facts
    name = world.graph.owner[key]
    policy = world.graph.specs[key].freshness_policy
    assert policy is not None
    facts = all_facts[name]
    windows = times.windows(facts)
    cut = micros(needed_as_of(policy, world.now))
    if windows is not None:
        rows = windows.at(windows.first_missing(facts, key)) & ~facts.output(key).versioned
        cut = NEVER
    else:
        rows = times.of(key) < cut
    involved: dict[str, Flags] = {name: rows}
    found: set[AssetKey] = set()
    for each in reversed(list(all_facts)):
        if each not in involved:
            continue
        began = True
        own = all_facts[each].own
        if own is not None:
            late = ~settled(assessment, each) | (outputs_times(times, all_facts[each]) < cut)
            involved[each] = traced(own, involved[each], late)
        for edge in all_facts[each].edges:
            if edge.edge.own:
                continue
            upstream = all_facts[edge.upstream]
            asked = covered(involved[each], edge.spans, len(upstream.ordinals))
            behind = asked & (~settled(assessment, edge.upstream) | (times.of(edge.edge.upstream) < cut))
            if behind.any():
                began = False
                involved[edge.upstream] = involved.get(edge.upstream, behind) | behind
        if began and each != name:
            found.update(all_facts[each].node.outputs)
    return tuple(each for each in world.graph.owner if each in found)
