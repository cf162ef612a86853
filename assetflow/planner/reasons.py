"""Causes in words: why the rows of a computation have the steps and states that they have."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from assetflow.keys import format_address
from assetflow.planner.causes import Cause, CauseKind
from assetflow.planner.changed_inputs import input_causes
from assetflow.planner.facts import CODE, FAILED, MISSING, SCHEMA, Facts, World
from assetflow.planner.flow import CANDIDATE, CHECK
from assetflow.planner.former import formerly
from assetflow.planner.scene import Scene
from assetflow.planner.spans import Flags, distinct, picked
from assetflow.planner.wording import changed_components, component_changes, listed


def own_causes(scene: Scene, name: str, rows: Flags) -> tuple[Cause, ...]:
    """The causes that began at these rows of a computation."""
    facts = scene.facts[name]
    if facts.seen == 0 and not scene.forced and name not in scene.expired:
        return ()
    own = facts.node.outputs
    forced = int(np.count_nonzero(rows)) if scene.forced else 0
    expired = int(np.count_nonzero(rows & scene.expired[name])) if name in scene.expired else 0
    return (
        *_missing(scene.world, facts, rows),
        *_code(scene.world, facts, rows),
        *(cause for edge in facts.edges for cause in input_causes(scene, facts, edge, rows)),
        *([Cause("forced", forced, "forced", own)] if forced else []),
        *([Cause("expired", expired, "its data is older than a freshness policy allows", own)] if expired else []),
        *_failed(scene.world, facts, rows),
        *_check_failed(facts, rows),
        *_check_due(scene, facts, rows),
    )


def _missing(world: World, facts: Facts, rows: Flags) -> list[Cause]:
    missing = rows & ((facts.bits & MISSING) != 0)
    if not missing.any():
        return []
    if all(not output.versioned[missing].any() for output in facts.outputs):
        detail = f"never built{formerly(world, facts)}"
        return [Cause("missing", int(np.count_nonzero(missing)), detail, facts.node.outputs)]
    found = ((output.key, int(np.count_nonzero(missing & ~output.versioned))) for output in facts.outputs)
    return [Cause("missing", count, f"{key} was never built", (key,)) for key, count in found if count]


def _code(world: World, facts: Facts, rows: Flags) -> list[Cause]:
    kinds: tuple[tuple[CauseKind, int], ...] = (("code_changed", CODE), ("schema_changed", SCHEMA))
    return [
        _changed_code(world, facts, kind, changed)
        for kind, bit in kinds
        if (changed := rows & ((facts.bits & bit) != 0)).any()
    ]


def _changed_code(world: World, facts: Facts, kind: CauseKind, rows: Flags) -> Cause:
    present = world.codes.computations[facts.node.name].components
    changes: dict[str, str] = {}
    for output in facts.outputs:
        for number in distinct(picked(output.pointers.code, rows[output.places])):
            earlier = world.state.codes.get(number)
            if earlier is not None:
                changes.update(component_changes(earlier.components, present))
    names = sorted(changes)
    sentence = listed(changed_components((name, changes[name]) for name in names)) or "the code changed"
    return Cause(kind, int(np.count_nonzero(rows)), sentence, facts.node.outputs, components=tuple(names))


def _failed(world: World, facts: Facts, rows: Flags) -> list[Cause]:
    failed = rows & ((facts.bits & FAILED) != 0)
    if not failed.any():
        return []
    stories: dict[tuple[str, str], str] = {}
    for output in facts.outputs:
        failures = world.state.failures.get(output.key)
        if output.failed is None or failures is None:
            continue
        ordinals = facts.ordinals[output.failed & failed]
        places: list[int] = np.searchsorted(failures.ordinals, ordinals).tolist()
        for place, key in zip(places, facts.space.keys(ordinals), strict=True):
            error = failures.errors[place]
            # Errors that differ in nothing but the address that they begin with are one.
            stories.setdefault((failures.runs[place], error.removeprefix(format_address(output.key, key))), error)
    (run, _), error = next(iter(stories.items()))
    others = len(stories) - 1
    more = f", and {others} other {'error' if others == 1 else 'errors'}" if others else ""
    detail = f"failed in run {run}: {error}{more}"
    return [Cause("failed", int(np.count_nonzero(failed)), detail, facts.node.outputs)]


def _check_failed(facts: Facts, rows: Flags) -> list[Cause]:
    return [
        Cause("check_failed", count, f"check {check.name} failed", (output.key,))
        for output in facts.outputs
        for check in output.checks
        if (count := int(np.count_nonzero(rows & check.failed)))
    ]


def _check_due(scene: Scene, facts: Facts, rows: Flags) -> Iterable[Cause]:
    """Why checks would run: on current versions, or on candidates that only the checks kept back."""
    certainty = scene.flows[facts.node.name].certainty
    if certainty is None:
        return
    current, candidate = rows & (certainty == CHECK), rows & (certainty == CANDIDATE)
    for output in facts.outputs:
        for check in output.checks:
            changed = int(np.count_nonzero(current & check.changed))
            fresh = int(np.count_nonzero(current & check.due & ~check.changed))
            if changed:
                yield Cause("code_changed", changed, f"check {check.name} changed", (output.key,))
            if fresh:
                yield Cause("missing", fresh, f"check {check.name} has not run on this version", (output.key,))
    if candidate.any():
        yield from _mended(scene.world, facts, candidate)


def _mended(world: World, facts: Facts, rows: Flags) -> Iterable[Cause]:
    assert facts.offers is not None
    found = False
    for output in facts.outputs:
        versions = world.state.candidates[output.key].version[facts.offers.candidates[output.key][rows]]
        for check in world.graph.checks.get(output.key, ()):
            results = world.state.checks.get((output.key, check.name))
            seen = 0 if results is None else int(np.count_nonzero(np.isin(versions, results.earlier)))
            if seen:
                found = True
                yield Cause("code_changed", seen, f"check {check.name} changed", (output.key,))
    if not found:
        yield Cause("code_changed", int(np.count_nonzero(rows)), "the checks changed", facts.node.outputs)
