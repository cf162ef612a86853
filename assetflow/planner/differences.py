"""What differs between two derivations, or between one and the present: versions that were read, and code."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff

import numpy as np

from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.planner.evidence import Era, Evidence, Integers, Read, Written
from assetflow.planner.trace import ChangeKind, CodeChange, VersionChange

_CONTEXT = 1
_LONGEST = 400
"""Lines of a diff that are kept."""


@dataclass(frozen=True, slots=True, order=True)
class Replaced:
    """One partition of an upstream asset as it was read and as it is, by version; 0 where there was or is none."""

    ordinal: int
    before: int
    after: int


def replaced(evidence: Evidence, before: tuple[Integers, Integers], after: tuple[Integers, Integers]) -> set[Replaced]:
    """What differs between two readings of one asset, each ordinals and versions; equal data is no difference."""
    ordinals = np.union1d(before[0], after[0])
    was, now = _aligned(ordinals, *before), _aligned(ordinals, *after)
    differ = np.flatnonzero(was != now)
    pairs: list[tuple[int, int, int]] = list(
        zip(ordinals[differ].tolist(), was[differ].tolist(), now[differ].tolist(), strict=True)
    )
    hashes = evidence.hashes({VersionId(each) for _, *pair in pairs for each in pair if each})

    def same(first: int, second: int) -> bool:
        found = hashes.get(VersionId(first))
        return found is not None and found == hashes.get(VersionId(second))

    return {Replaced(ordinal, first, second) for ordinal, first, second in pairs if not same(first, second)}


def _aligned(ordinals: Integers, known: Integers, versions: Integers) -> Integers:
    found = np.zeros(len(ordinals), np.int64)
    found[np.searchsorted(ordinals, known)] = versions
    return found


def read_of(reads: Mapping[str, Read], parameter: str, upstream: AssetKey) -> tuple[Integers, Integers]:
    """What a derivation read of an asset through a parameter; nothing where it read another asset, or none."""
    read = reads.get(parameter)
    if read is None or read.upstream.asset != upstream:
        nothing = np.empty(0, np.int64)
        return nothing, nothing
    return read.ordinals, read.version


def repartitioned(read: Read | None, now: Era) -> str:
    """The space of what was read, where that is the same asset when it was partitioned otherwise; empty otherwise.

    What read nothing has nothing of then.
    """
    if read is None or not len(read.ordinals) or read.upstream.asset != now.asset or read.upstream == now:
        return ""
    return read.upstream.space


def verb_of(changes: Collection[Replaced]) -> str:
    """What happened to all of these: they ``changed``, or all ``came`` or ``went away``."""
    if all(not each.after for each in changes):
        return "went away"
    return "came" if all(not each.before for each in changes) else "changed"


def shown_changes(evidence: Evidence, era: Era, changes: Iterable[Replaced], shown: int) -> tuple[VersionChange, ...]:
    """The first few changes, with partition keys."""
    first = sorted(changes)[:shown]
    keys = evidence.keys(era, np.array([each.ordinal for each in first], np.int64))
    return tuple(
        VersionChange(key, VersionId(each.before) or None, VersionId(each.after) or None)
        for key, each in zip(keys, first, strict=True)
    )


def code_changes(
    evidence: Evidence, before: CodeVersion | None, after: CodeVersion | None, only: Sequence[str] = ()
) -> tuple[CodeChange, ...]:
    """The components that differ between two code versions, with diffs of their sources where these were kept.

    Of the first one, or of both, nothing may be known any more; then the components ``only`` are named.
    """
    old = evidence.code(before) if before else None
    new = evidence.code(after) if after else None
    if old is None or new is None:
        return tuple(CodeChange(name, "changed") for name in only)
    changes: list[CodeChange] = []
    for name in sorted(old.components.keys() | new.components.keys()):
        if old.components.get(name) != new.components.get(name):
            kind: ChangeKind = "changed"
            if name not in old.components or name not in new.components:
                kind = "removed" if name in old.components else "added"
            changes.append(CodeChange(name, kind, _diff(old, new, name)))
    return tuple(changes)


def _diff(old: Written, new: Written, name: str) -> tuple[str, ...]:
    before, after = old.sources.get(name, ""), new.sources.get(name, "")
    lines = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=_CONTEXT)
    told = [line for place, line in enumerate(lines) if place > 1 and not line.startswith("@@")]
    return tuple(told) if len(told) <= _LONGEST else (*told[:_LONGEST], f"+{len(told) - _LONGEST:,} more lines")
