"""How what is published came to be what it is: from a change of versions, back to the code or source that began it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.differences import (
    Replaced,
    code_changes,
    read_of,
    repartitioned,
    replaced,
    shown_changes,
    verb_of,
)
from assetflow.planner.evidence import Era, Evidence, Made, Moves, Read
from assetflow.planner.former import former_words, otherwise
from assetflow.planner.trace import Link, Reason, ReasonKind, few
from assetflow.planner.wording import changed_components

SHOWN = 3
"""How many versions a reason lists."""

_EXAMINED = 200
"""So many changed partitions of one asset are looked at one by one."""

_MOST_STEPS = 1_000
"""Through an asset that reads itself, so many changes are followed."""

_MOST_VISITS = 20
"""Assets of one computation that read each other are come back to so many times."""

_REPUBLISHED: Mapping[str, tuple[ReasonKind, str]] = {
    "rollback": ("rolled_back", "an older version was published again"),
    "accept": ("accepted", "what was published was accepted as it is"),
}

Changes = dict[Era, set[Replaced]]


@dataclass(slots=True)
class Told:
    """What some partitions share."""

    kind: ReasonKind
    detail: str
    count: int = 0
    parameter: str | None = None
    upstream: Era | None = None
    changes: set[Replaced] = field(default_factory=set[Replaced])
    codes: tuple[CodeVersion | None, CodeVersion | None] = (None, None)
    ordinals: set[int] = field(default_factory=set[int])


def recount(
    evidence: Evidence, changes: Mapping[Era, set[Replaced]], order: Mapping[AssetKey, int], shown: int = SHOWN
) -> list[Link]:
    """A link for each asset of which versions were replaced, back to the roots; ``order`` is that of the graph."""
    pending: Changes = {era: set(found) for era, found in changes.items()}
    seen: Changes = {}
    visits: Counter[Era] = Counter()
    links: list[Link] = []
    while pending:
        era = max(pending, key=lambda each: order.get(each.asset, -1))
        known = seen.setdefault(era, set())
        fresh = sorted(pending.pop(era) - known)
        known.update(fresh)
        visits[era] += 1
        if not fresh or visits[era] > _MOST_VISITS:
            continue
        link, further = _link(evidence, era, fresh, shown)
        links.append(link)
        for upstream, found in further.items():
            pending.setdefault(upstream, set()).update(found)
    return links


def _link(evidence: Evidence, era: Era, changes: list[Replaced], shown: int) -> tuple[Link, Changes]:
    """What these changes of one asset have come from, and what that leads on to.

    Partitions that read others of the same asset are followed from one to the next, and share the link.
    """
    told: dict[object, Told] = {}
    makers: list[Made] = []
    known, fresh = set(changes), changes
    room, unexamined = _EXAMINED, 0
    while fresh:
        unexamined += max(len(fresh) - room, 0)
        made, own = _examined(evidence, era, fresh[:room], told)
        makers += made
        fresh = sorted(own - known)
        known |= own
        room = max(_MOST_STEPS - len(known), 0)
    further: Changes = {}
    for each in told.values():
        if each.upstream is not None and each.upstream != era:
            further.setdefault(each.upstream, set()).update(each.changes)
    partitions = PartitionSet.from_ordinals([each.ordinal for each in known])
    reasons = [reason_of(evidence, each, shown) for each in told.values()]
    if any(each.upstream == era for each in told.values()):
        reasons = [
            _placed(evidence, era, each, reason, len(partitions), shown)
            for each, reason in zip(told.values(), reasons, strict=True)
        ]
    link = Link(
        era.asset,
        False,
        few(evidence.ranges(era, partitions), shown),
        len(partitions),
        tuple(reasons),
        unexamined=unexamined,
        runs=few(list(dict.fromkeys(each.run_id for each in makers if each.run_id))),
        at=max((each.at for each in makers), default=None),
        former=former_words(evidence, era),
    )
    return link, further


def _examined(
    evidence: Evidence, era: Era, changes: list[Replaced], told: dict[object, Told]
) -> tuple[list[Made], set[Replaced]]:
    """Tell what each change has come from; gives how the versions were made, and what changed of the same asset."""
    moves = evidence.moves(era, np.array([each.ordinal for each in changes], np.int64))
    pairs = [_derivations(moves, each) for each in changes]
    derivations = {derivation for pair in pairs for derivation in pair if derivation}
    made, reads = evidence.made(derivations), evidence.reads(derivations)
    own: set[Replaced] = set()
    for each, (before, after) in zip(changes, pairs, strict=True):
        if not each.before or not each.after:
            add_told(told, _appeared(each, made.get(after)), each.ordinal)
            continue
        for found in differing(evidence, (before, after), made, reads):
            add_told(told, found, each.ordinal)
            if found.upstream == era:
                own |= found.changes
    return [made[after] for _, after in pairs if after in made], own


def _placed(evidence: Evidence, era: Era, told: Told, reason: Reason, count: int, shown: int) -> Reason:
    """The reason with the partitions that it is for, where it is not for all of them."""
    if len(told.ordinals) == count:
        return reason
    return replace(reason, partitions=few(evidence.ranges(era, PartitionSet.from_ordinals(told.ordinals)), shown))


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
    if after.kind == "tolerated":
        return [Told("tolerated", "late data was left out")]
    late = before.kind == "tolerated"
    found: list[Told] = []
    if before.code != after.code:
        found.append(Told("code_changed", "", codes=(before.code, after.code)))
    old, new = reads.get(pair[0], {}), reads.get(pair[1], {})
    for parameter in dict.fromkeys((*old, *new)):
        upstream = (new if parameter in new else old)[parameter].upstream
        former = repartitioned(old.get(parameter), upstream)
        if former:
            detail = otherwise(upstream.asset, upstream.space, former)
            found.append(Told("input_changed", detail, parameter=parameter))
            continue
        asset = upstream.asset
        changes = replaced(evidence, read_of(old, parameter, asset), read_of(new, parameter, asset))
        if changes:
            detail = "late data had been left out until then" if late else ""
            found.append(Told("input_changed", detail, parameter=parameter, upstream=upstream, changes=changes))
    return found or [Told("computed_again", "computed again, from the same code and inputs")]


def _appeared(change: Replaced, made: Made | None) -> Told:
    if not change.after:
        return Told("withdrawn", "is not there any more")
    if made is not None and made.kind == "observed":
        return Told("observed", "observed for the first time")
    return Told("first_built", "was not there before")


def add_told(told: dict[object, Told], found: Told, ordinal: int) -> None:
    """Take in what holds for one more partition."""
    each = told.setdefault((found.kind, found.detail, found.parameter, found.upstream, found.codes), found)
    each.count += 1
    each.ordinals.add(ordinal)
    each.changes |= found.changes


def reason_of(evidence: Evidence, told: Told, shown: int = SHOWN) -> Reason:
    """What some partitions share, as a reason."""
    before, after = told.codes
    match told.kind:
        case "code_changed":
            return changed_code(evidence, before, after, told.count)
        case "input_changed" if told.upstream is not None:
            reason = changed_input(evidence, told.upstream, told.parameter, told.changes, told.count, shown)
            return replace(reason, detail="; ".join(filter(None, (reason.detail, told.detail))))
        case _:
            return Reason(told.kind, told.detail, told.count, told.parameter)


def changed_code(evidence: Evidence, before: CodeVersion | None, after: CodeVersion | None, count: int) -> Reason:
    """The reason that code was another one."""
    code = code_changes(evidence, before, after)
    named = few(changed_components((each.component, each.kind) for each in code))
    return Reason("code_changed", ", ".join(named) or "the code changed", count, code=code)


def changed_input(
    evidence: Evidence,
    upstream: Era,
    parameter: str | None,
    changes: set[Replaced],
    count: int,
    shown: int = SHOWN,
) -> Reason:
    """The reason that versions of an upstream were replaced."""
    partitions = PartitionSet.from_ordinals([each.ordinal for each in changes])
    ranges = ", ".join(few(evidence.ranges(upstream, partitions), shown))
    versions = shown_changes(evidence, upstream, changes, shown)
    former = former_words(evidence, upstream)
    words = (upstream.asset, ranges, f"({former})" if former else "", verb_of(changes))
    return Reason(
        "input_changed",
        " ".join([part for part in words if part]),
        count,
        parameter,
        upstream.asset,
        versions,
        len(changes),
        former=former,
    )
