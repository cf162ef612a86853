"""How what is published came to be what it is: from a change of versions, back to the code or source that began it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.differences import (
    Replaced,
    code_changes,
    partitioned_otherwise,
    read_of,
    replaced,
    shown_changes,
)
from assetflow.planner.evidence import Evidence, Made, Moves, Read
from assetflow.planner.reasons import component_name
from assetflow.planner.trace import Link, Reason, ReasonKind, few

SHOWN = 3
"""How many versions a reason lists."""

_EXAMINED = 200
"""So many changed partitions of one asset are looked at one by one."""

_MOST_VISITS = 20
"""An asset that reads itself is followed so many steps back."""

_REPUBLISHED: Mapping[str, tuple[ReasonKind, str]] = {
    "rollback": ("rolled_back", "an older version was published again"),
    "accept": ("accepted", "what was published was accepted as it is"),
}

Changes = dict[AssetKey, set[Replaced]]


@dataclass(slots=True)
class Told:
    """What some partitions share."""

    kind: ReasonKind
    detail: str
    count: int = 0
    parameter: str | None = None
    upstream: AssetKey | None = None
    changes: set[Replaced] = field(default_factory=set[Replaced])
    codes: tuple[CodeVersion | None, CodeVersion | None] = (None, None)


def recount(
    evidence: Evidence, changes: Mapping[AssetKey, set[Replaced]], order: Mapping[AssetKey, int], shown: int = SHOWN
) -> list[Link]:
    """A link for each asset of which versions were replaced, back to the roots; ``order`` is that of the graph."""
    pending: Changes = {key: set(found) for key, found in changes.items()}
    seen: Changes = {}
    visits: Counter[AssetKey] = Counter()
    links: list[Link] = []
    while pending:
        asset = max(pending, key=lambda key: order.get(key, -1))
        known = seen.setdefault(asset, set())
        fresh = sorted(pending.pop(asset) - known)
        known.update(fresh)
        visits[asset] += 1
        if not fresh or visits[asset] > _MOST_VISITS:
            continue
        link, further = _link(evidence, asset, fresh, shown)
        links.append(link)
        for upstream, found in further.items():
            pending.setdefault(upstream, set()).update(found)
    return links


def _link(evidence: Evidence, asset: AssetKey, changes: list[Replaced], shown: int) -> tuple[Link, Changes]:
    examined = changes[:_EXAMINED]
    moves = evidence.moves(asset, np.array([each.ordinal for each in examined], np.int64))
    pairs = [_derivations(moves, each) for each in examined]
    known = {derivation for pair in pairs for derivation in pair if derivation}
    made, reads = evidence.made(known), evidence.reads(known)
    told: dict[object, Told] = {}
    for each, (before, after) in zip(examined, pairs, strict=True):
        if not each.before or not each.after:
            _appeared(told, each, made.get(after))
        else:
            for found in differing(evidence, (before, after), made, reads):
                add_told(told, found)
    further: Changes = {}
    for each in told.values():
        if each.upstream is not None:
            further.setdefault(each.upstream, set()).update(each.changes)
    partitions = PartitionSet.from_ordinals([each.ordinal for each in changes])
    ranges = few(evidence.ranges(asset, partitions), shown)
    reasons = tuple(reason_of(evidence, each, shown) for each in told.values())
    makers = [made[after] for _, after in pairs if after in made]
    link = Link(
        asset,
        False,
        ranges,
        len(partitions),
        reasons,
        unexamined=len(changes) - len(examined),
        runs=few(list(dict.fromkeys(each.run_id for each in makers if each.run_id))),
        at=max((each.at for each in makers), default=None),
    )
    return link, further


def _derivations(moves: Moves, change: Replaced) -> tuple[int, int]:
    """The last derivation of the version before, and the first one of the version after it; 0 where there is none."""
    rows = np.flatnonzero(moves.ordinals == change.ordinal)
    versions: list[int] = moves.version[rows].tolist()
    derivations: list[int] = moves.derivation[rows].tolist()
    after = next((place for place in reversed(range(len(versions))) if versions[place] == change.after), None)
    if after is None:
        return 0, 0
    before = next((place for place in reversed(range(after)) if versions[place] == change.before), None)
    if before is None:  # the older one was published later too: go by what is there
        before = versions.index(change.before) if change.before in versions else None
    else:
        after = versions.index(change.after, before)
    return (0 if before is None else derivations[before]), derivations[after]


def differing(
    evidence: Evidence,
    pair: tuple[int, int],
    made: Mapping[int, Made],
    reads: Mapping[int, Mapping[str, Read]],
) -> list[Told]:
    """What differs between two derivations of one partition."""
    before, after = made.get(pair[0]), made.get(pair[1])
    if before is None or after is None:
        return [Told("computed_again", "how it was made is not recorded any more")]
    if after.kind == "observed":
        return [Told("observed", "observed anew")]
    if after.kind in _REPUBLISHED:
        kind, detail = _REPUBLISHED[after.kind]
        return [Told(kind, f"{detail}: {after.reason}" if after.reason else detail)]
    found: list[Told] = []
    if before.code != after.code:
        found.append(Told("code_changed", "", codes=(before.code, after.code)))
    old, new = reads.get(pair[0], {}), reads.get(pair[1], {})
    for parameter in dict.fromkeys((*old, *new)):
        upstream = new[parameter].upstream if parameter in new else old[parameter].upstream
        if partitioned_otherwise(old, parameter) or partitioned_otherwise(new, parameter):
            found.append(Told("input_changed", f"{upstream} was partitioned otherwise then"))
            continue
        changes = replaced(evidence, read_of(old, parameter, upstream), read_of(new, parameter, upstream))
        if changes:
            found.append(Told("input_changed", "", parameter=parameter, upstream=upstream, changes=changes))
    return found or [Told("computed_again", "computed again, from the same code and inputs")]


def _appeared(told: dict[object, Told], change: Replaced, made: Made | None) -> None:
    if not change.after:
        add_told(told, Told("withdrawn", "is not there any more"))
    elif made is not None and made.kind == "observed":
        add_told(told, Told("observed", "observed for the first time"))
    else:
        add_told(told, Told("first_built", "was not there before"))


def add_told(told: dict[object, Told], found: Told) -> None:
    """Take in what holds for one more partition."""
    each = told.setdefault((found.kind, found.detail, found.parameter, found.upstream, found.codes), found)
    each.count += 1
    each.changes |= found.changes


def reason_of(evidence: Evidence, told: Told, shown: int = SHOWN) -> Reason:
    """What some partitions share, as a reason."""
    before, after = told.codes
    match told.kind:
        case "code_changed":
            return changed_code(evidence, before, after, told.count)
        case "input_changed" if told.upstream is not None:
            return changed_input(evidence, told.upstream, told.parameter, told.changes, told.count, shown)
        case _:
            return Reason(told.kind, told.detail, told.count)


def changed_code(evidence: Evidence, before: CodeVersion | None, after: CodeVersion | None, count: int) -> Reason:
    """The reason that code was another one."""
    code = code_changes(evidence, before, after)
    named = few([f"{component_name(each.component)} {each.kind}" for each in code])
    return Reason("code_changed", ", ".join(named) or "the code changed", count, code=code)


def changed_input(
    evidence: Evidence,
    upstream: AssetKey,
    parameter: str | None,
    changes: set[Replaced],
    count: int,
    shown: int = SHOWN,
) -> Reason:
    """The reason that versions of an upstream were replaced."""
    partitions = PartitionSet.from_ordinals([each.ordinal for each in changes])
    ranges = ", ".join(few(evidence.ranges(upstream, partitions), shown))
    versions = shown_changes(evidence, upstream, changes, shown)
    verb = "changed"
    if all(not each.after for each in changes):
        verb = "went away"
    elif all(not each.before for each in changes):
        verb = "came"
    return Reason(
        "input_changed",
        " ".join([part for part in (upstream, ranges, verb) if part]),
        count,
        parameter,
        upstream,
        versions,
        len(changes),
    )
