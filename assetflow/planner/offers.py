"""What earlier work offers a partition: failed tries, check results, and versions that could be published again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assetflow.graph import AssetGraph, Node
from assetflow.keys import AssetKey
from assetflow.planner.decide import derivations_of, tries_of
from assetflow.planner.plan import Reuse
from assetflow.planner.spans import Flags, Integers, Lanes, members
from assetflow.planner.state import AssetState, Codes, Retained, State


@dataclass(frozen=True, slots=True, eq=False)
class CheckFacts:
    """One check by row: where the current version has no result yet, and where it blocks and failed."""

    name: str
    due: Flags
    changed: Flags
    """Of the due rows, those whose version an earlier form of the check has seen."""
    failed: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """Versions with the present derivation key, by output; ``place`` is -1 at rows that have none.

    A version on which a blocking check has failed is not offered as ``retained``: publishing it would make bad data
    visible that is known to be bad.

    ``reusable`` and ``checkable`` are the rows where every output has a retained version, or a quarantined candidate.
    """

    reusable: Flags
    checkable: Flags
    retained: Mapping[AssetKey, Integers]
    candidates: Mapping[AssetKey, Integers]


def failed_tries(
    graph: AssetGraph,
    state: State,
    codes: Codes,
    node: Node,
    key: AssetKey,
    ordinals: Integers,
    sums: Mapping[str, Lanes],
) -> Flags | None:
    """Rows whose last try failed under the present try key; None for none."""
    failures = state.failures.get(key)
    if failures is None or not len(failures.ordinals) or not len(ordinals):
        return None
    inside = members(failures.ordinals, ordinals)
    rows = np.searchsorted(ordinals, failures.ordinals[inside])
    derivations = derivations_of(codes.computations[node.name].version, len(rows), _at(sums, rows))
    same = (tries_of(derivations, graph, node, codes.checks) == failures.keys[inside]).all(axis=1)
    if not same.any():
        return None
    failed = np.zeros(len(ordinals), np.bool_)
    failed[rows[same]] = True
    return failed


def check_facts(
    graph: AssetGraph, state: State, key: AssetKey, pointers: AssetState, places: Integers | slice, size: int
) -> tuple[CheckFacts, ...]:
    """The checks of one asset that are due or failed on current versions; empty versions are not checked."""
    found: list[CheckFacts] = []
    for check in graph.checks.get(key, ()):
        due, changed, failed = (np.zeros(size, np.bool_) for _ in range(3))
        results = state.checks.get((key, check.name))
        version = pointers.version
        if results is None:
            due[places] = ~pointers.empty
        else:
            refused = members(version, results.failed)
            due[places] = ~pointers.empty & ~refused & ~members(version, results.passed)
            changed[places] = members(version, results.earlier)
            failed[places] = refused & ~pointers.empty & check.blocking
        if due.any() or failed.any():
            found.append(CheckFacts(check.name, due, changed & due, failed))
    return tuple(found)


def offers_of(
    graph: AssetGraph, state: State, codes: Codes, node: Node, ordinals: Integers, sums: Mapping[str, Lanes]
) -> Offers | None:
    """What could be published again without computing; None when nothing is retained or quarantined."""
    if not any(len(offered) for key in node.outputs for offered in _offered(state, key)):
        return None
    retained = {
        key: _fitting(state.retained.get(key), codes, node, ordinals, sums, _refused(graph, state, key))
        for key in node.outputs
    }
    candidates = {key: _fitting(state.candidates.get(key), codes, node, ordinals, sums) for key in node.outputs}
    return Offers(_everywhere(retained), _everywhere(candidates), retained, candidates)


def reuse_of(offered: Retained, ordinals: Integers, places: Integers) -> Reuse:
    """The versions at ``places`` in what is offered, for the partitions ``ordinals``."""
    return Reuse(ordinals, offered.version[places], offered.derivation[places])


def _offered(state: State, key: AssetKey) -> list[Integers]:
    return [each.ordinals for each in (state.retained.get(key), state.candidates.get(key)) if each is not None]


def _fitting(
    offered: Retained | None,
    codes: Codes,
    node: Node,
    ordinals: Integers,
    sums: Mapping[str, Lanes],
    refused: Integers | None = None,
) -> Integers:
    """By row, the place of the newest version that fits and is not among the ``refused``; -1 for none."""
    place = np.full(len(ordinals), -1, np.int64)
    if offered is None or not len(offered.ordinals) or not len(ordinals):
        return place
    inside = np.flatnonzero(members(offered.ordinals, ordinals))
    rows = np.searchsorted(ordinals, offered.ordinals[inside])
    present = derivations_of(codes.computations[node.name].version, len(rows), _at(sums, rows))
    fits = (present == offered.keys[inside]).all(axis=1)
    if refused is not None:
        fits &= ~np.isin(offered.version[inside], refused)
    # The newest comes last within an ordinal, and of repeated places the last assignment holds.
    place[rows[fits]] = inside[fits]
    return place


def _refused(graph: AssetGraph, state: State, key: AssetKey) -> Integers | None:
    """Versions on which a blocking check of the asset, in its present form, has failed."""
    results = [state.checks.get((key, check.name)) for check in graph.checks.get(key, ()) if check.blocking]
    failed = [each.failed for each in results if each is not None and len(each.failed)]
    return np.concatenate(failed) if failed else None


def _everywhere(places: Mapping[AssetKey, Integers]) -> Flags:
    return np.logical_and.reduce([place >= 0 for place in places.values()])


def _at(sums: Mapping[str, Lanes], rows: Integers) -> dict[str, Lanes]:
    return {parameter: lanes[rows] for parameter, lanes in sums.items()}
