"""Two runs side by side: which partitions ran in one of them only, and what made the difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assetflow.catalog.evidence import StoreEvidence
from assetflow.catalog.fates import FATES, RAN, Fate, RecordedRun
from assetflow.definitions.inputs import AssetRef
from assetflow.keys import AssetKey, VersionId
from assetflow.partitions.ordinal_spaces import WHOLE, space_words
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import ordinal_of
from assetflow.planner.evidence import Era, Integers, Moves
from assetflow.planner.former import former_words
from assetflow.planner.recounting import Told, add_told, differing, reason_of
from assetflow.planner.trace import Reason, few
from assetflow.publish.setting import Setting

Component = Literal[
    "code",
    "input",
    "missing",
    "selection",
    "existence",
    "partitions",
    "failure",
    "force",
    "freshness",
    "check",
    "reuse",
    "upstream",
    "canceled",
    "unknown",
]
"""What made a partition run in one run and not in the other."""

_OF_FATE: dict[Fate, Component] = {
    "not_selected": "selection",
    "not_asked": "selection",
    "nonexistent": "existence",
    "repartitioned": "partitions",
    "failed_before": "failure",
    "not_due": "freshness",
    "blocked": "upstream",
    "waiting": "upstream",
    "canceled": "canceled",
    "left": "input",
    "reused": "reuse",
    "checked": "check",
}
_OF_REASON: dict[str, Component] = {
    "forced": "force",
    "expired": "freshness",
    "missing": "missing",
    "code_changed": "code",
    "schema_changed": "code",
    "input_changed": "input",
    "upstream_stale": "input",
    "failed": "failure",
    "check_failed": "check",
}
_EXAMINED = 200
"""The reasons of so many partitions with one fate are looked up one by one."""


@dataclass(frozen=True, slots=True)
class Side:
    """One run's part: what became of the partitions, and if they ran or were refused, why they were to run.

    ``detail`` says the same in words; ``version`` and ``made_in`` are what was published then, of a single partition.
    """

    fate: Fate
    ran: bool
    detail: str
    reasons: tuple[Reason, ...] = ()
    version: VersionId | None = None
    made_in: str | None = None

    def to_dict(self) -> dict[str, object]:
        """The side as in the document."""
        return {
            "fate": self.fate,
            "ran": self.ran,
            "detail": self.detail,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "version": self.version,
            "made_in": self.made_in,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Partitions of an asset that fared alike in both runs; ``components`` is empty where both or neither ran.

    ``former`` says how the asset was partitioned then, where it is partitioned otherwise now.
    """

    partitions: tuple[str, ...]
    count: int
    components: tuple[Component, ...]
    first: Side
    second: Side
    unexamined: int = 0
    former: str | None = None

    def to_dict(self) -> dict[str, object]:
        """The group as in the document."""
        return {
            "partitions": list(self.partitions),
            "count": self.count,
            "components": list(self.components),
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "unexamined": self.unexamined,
            "former": self.former,
        }


@dataclass(frozen=True, slots=True)
class AssetComparison:
    """One asset: in how many partitions it ran in both runs and in neither, and the groups that are told."""

    asset: AssetKey
    both: int
    neither: int
    groups: tuple[Group, ...]

    def to_dict(self) -> dict[str, object]:
        """The asset as in the document."""
        return {
            "asset": self.asset,
            "both": self.both,
            "neither": self.neither,
            "groups": [group.to_dict() for group in self.groups],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side, in the order of the graph."""

    first: str
    second: str
    assets: tuple[AssetComparison, ...]

    def to_dict(self) -> dict[str, object]:
        """The comparison as a JSON document."""
        return {"first": self.first, "second": self.second, "assets": [each.to_dict() for each in self.assets]}


def compare_runs(
    setting: Setting, first: str, second: str, asset: AssetRef | None = None, partition: str | None = None
) -> Comparison:
    """Why partitions ran in one of two runs and not in the other.

    With ``asset`` (and ``partition``), what ran in both and in neither is told as well. Raises UsageError for a run
    that cannot be read, UnknownAsset and InvalidPartition.
    """
    runs = RecordedRun.read(setting, first), RecordedRun.read(setting, second)
    evidence = StoreEvidence(setting)
    mentioned = dict.fromkeys((*runs[0].assets(), *runs[1].assets()))
    if asset is None:
        order = {key: place for place, key in enumerate(setting.graph.owner)}
        assets = sorted(mentioned, key=lambda key: order.get(key, len(order)))
        compared = [_asset(evidence, runs, key, _mentioned(evidence, runs, key), whole=False) for key in assets]
        return Comparison(first, second, tuple(each for each in compared if each.groups or each.both))
    declared_no_more = isinstance(asset, str) and asset in mentioned and asset not in setting.graph.owner
    key = AssetKey(str(asset)) if declared_no_more and partition is None else setting.graph.require(asset)
    compared_in = _mentioned(evidence, runs, key)
    if partition is not None:
        space = setting.spaces[setting.graph.owner[key]]
        compared_in = {evidence.present(key): np.array([ordinal_of(space, key, partition)], np.int64)}
    elif not any(map(len, compared_in.values())) and setting.graph.node_of(key).partitions is None:
        compared_in = {evidence.present(key): np.zeros(1, np.int64)}
    return Comparison(first, second, (_asset(evidence, runs, key, compared_in, whole=True),))


def _mentioned(evidence: StoreEvidence, runs: tuple[RecordedRun, RecordedRun], asset: AssetKey) -> dict[Era, Integers]:
    """The partitions that had a step or waited, by how the asset was partitioned then."""
    found: dict[Era, PartitionSet] = {}
    known = [space for run in runs if (space := run.space(asset)) is not None]
    for run in runs:
        space = run.space(asset) or next(iter(known), None)
        era = evidence.present(asset) if space is None else Era(asset, space)
        found[era] = found.get(era, PartitionSet.empty()) | run.mentioned(asset)
    return {era: partitions.array() for era, partitions in found.items()}


def _asset(
    evidence: StoreEvidence,
    runs: tuple[RecordedRun, RecordedRun],
    asset: AssetKey,
    compared_in: Mapping[Era, Integers],
    *,
    whole: bool,
) -> AssetComparison:
    counts = {"both": 0, "neither": 0}
    groups: list[Group] = []
    for era, ordinals in compared_in.items():
        groups += _groups(evidence, runs, era, ordinals, counts, whole=whole)
    return AssetComparison(asset, counts["both"], counts["neither"], tuple(groups))


def _groups(
    evidence: StoreEvidence,
    runs: tuple[RecordedRun, RecordedRun],
    era: Era,
    ordinals: Integers,
    counts: dict[str, int],
    *,
    whole: bool,
) -> Iterator[Group]:
    """The groups to be told of; the partitions of all are added to ``counts``."""
    codes = [run.fate_codes(era, ordinals).astype(np.int64) for run in runs]
    names: list[Fate] = list(FATES)
    pairs, where = np.unique(codes[0] * len(names) + codes[1], return_inverse=True)
    numbers: list[int] = pairs.tolist()
    for place, pair in enumerate(numbers):
        fates = names[pair // len(names)], names[pair % len(names)]
        ran = fates[0] in RAN, fates[1] in RAN
        chosen = ordinals[where == place]
        if ran[0] == ran[1]:
            counts["both" if ran[0] else "neither"] += len(chosen)
        if whole or ran[0] != ran[1]:
            yield _group(evidence, runs, era, chosen, fates)


def _group(
    evidence: StoreEvidence,
    runs: tuple[RecordedRun, RecordedRun],
    era: Era,
    ordinals: Integers,
    fates: tuple[Fate, Fate],
) -> Group:
    examined = ordinals[:_EXAMINED]
    moves = evidence.moves(era, examined)
    sides = [_side(evidence, run, era.asset, examined, fate, moves) for run, fate in zip(runs, fates, strict=True)]
    first, second = sides
    components: tuple[Component, ...] = ()
    if first.ran != second.ran:
        ran, other = (first, second) if first.ran else (second, first)
        components = _components(ran, other.fate)
    partitions = PartitionSet.from_ordinals(ordinals)
    shown = few(evidence.ranges(era, partitions))
    unexamined, former = len(ordinals) - len(examined), former_words(evidence, era)
    return Group(shown, len(ordinals), components, first, second, unexamined, former)


def _components(ran: Side, fate: Fate) -> tuple[Component, ...]:
    if fate in _OF_FATE:
        return (_OF_FATE[fate],)
    return tuple(dict.fromkeys(_OF_REASON.get(reason.kind, "unknown") for reason in ran.reasons)) or ("unknown",)


def _side(
    evidence: StoreEvidence, run: RecordedRun, asset: AssetKey, ordinals: Integers, fate: Fate, moves: Moves
) -> Side:
    ran = fate in RAN
    detail = FATES[fate]
    if fate == "nonexistent":
        detail += f", as of {run.plan.as_of:%Y-%m-%d %H:%M:%S%z}"
    if fate == "repartitioned":
        detail = f"was {space_words(run.space(asset) or WHOLE)}"
    if fate == "not_asked" and run.plan.asked.retry_of:
        detail = f"was not left to do by run {run.plan.asked.retry_of}, which was tried again"
    if fate == "up_to_date" and asset not in run.setting.graph.owner:
        detail = "had no step: it was up to date, or not declared"
    version, made_in = None, None
    if not ran and fate != "repartitioned" and len(ordinals) == 1:
        before, _ = _around(moves, run, int(ordinals[0]))
        if before is not None:
            version = VersionId(int(moves.version[before]))
            made = evidence.made([int(moves.derivation[before])])
            made_in = next(iter(made.values())).run_id if made else None
    return Side(fate, ran, detail, _why(evidence, run, asset, ordinals, moves) if ran else (), version, made_in)


def _around(moves: Moves, run: RecordedRun, ordinal: int) -> tuple[int | None, list[int]]:
    """Where a partition pointed when the run was planned, as a place in ``moves``, and the places of later moves."""
    rows = np.flatnonzero(moves.ordinals == ordinal)
    earlier = rows[moves.generation[rows] <= run.plan.generation]
    later: list[int] = rows[moves.generation[rows] > run.plan.generation].tolist()
    before = int(earlier[-1]) if len(earlier) and moves.version[earlier[-1]] else None
    return before, later


def _why(
    evidence: StoreEvidence, run: RecordedRun, asset: AssetKey, ordinals: Integers, moves: Moves
) -> tuple[Reason, ...]:
    """Why the partitions were to run: what differed from what was published then."""
    places = [_around(moves, run, ordinal) for ordinal in ordinals.tolist()]
    derivations = {
        int(moves.derivation[row]) for before, later in places for row in (before, *later) if row is not None
    }
    made = evidence.made(derivations)
    pairs: list[tuple[int, int]] = []
    for before, later in places:
        own = [int(moves.derivation[row]) for row in later]
        after = next((each for each in own if each in made and made[each].run_id == run.run.run_id), 0)
        pairs.append((0 if before is None else int(moves.derivation[before]), after))
    reads = evidence.reads({each for pair in pairs for each in pair if each})
    planned = run.computation(asset)
    told: dict[object, Told] = {}
    for ordinal, pair in zip(ordinals.tolist(), pairs, strict=True):
        if run.plan.forced:
            found = [Told("forced", "it was forced")]
        elif planned is not None and ordinal in planned.expired:
            found = [Told("expired", "its data was older than a freshness policy allowed")]
        elif not pair[0]:
            found = [Told("missing", "it had no version")]
        else:
            found = differing(evidence, pair, made, reads) if pair[1] else []
            before = made.get(pair[0])
            if not pair[1] and planned is not None and before is not None and before.code != planned.code:
                found = [Told("code_changed", "", codes=(before.code, planned.code))]
            if not found or found[0].kind == "computed_again":
                found = _as_planned(run, asset, ordinal) or found
        for each in found:
            add_told(told, each, ordinal)
    return tuple(reason_of(evidence, each) for each in told.values())


def _as_planned(run: RecordedRun, asset: AssetKey, ordinal: int) -> Sequence[Told]:
    """The causes that the plan gave, where the log of what was published does not tell."""
    return [Told(cause["kind"], cause["detail"]) for cause in run.causes(asset, ordinal)]
