"""From an assessment and a request to a plan."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from typing import cast

import numpy as np

from assetflow.errors import InvalidPartition, UsageError
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey, parse_range
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import KeyedMapping
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace
from assetflow.planner.due import Due, due_of
from assetflow.planner.facts import FAILED, STALE_ROOTS, EdgeFacts, Facts
from assetflow.planner.flow import CANDIDATE, CERTAINTIES, REUSE, Flow, Request, flows_of
from assetflow.planner.freshness import conditions_of, late_notes
from assetflow.planner.inherited import inherited_causes
from assetflow.planner.key_notes import strange_keys, without_keys
from assetflow.planner.offers import reuse_of
from assetflow.planner.plan import Asked, Certainty, Partitions, Plan, Reuse, Step, Tolerated, Waiting
from assetflow.planner.reasons import own_causes
from assetflow.planner.rows import Range, selected_rows, stale_outside
from assetflow.planner.scene import Scene
from assetflow.planner.selection import Selection, parse_selection
from assetflow.planner.spans import Flags, picked
from assetflow.planner.staleness import Assessment, assess
from assetflow.planner.state import Codes, State
from assetflow.planner.targets import choose
from assetflow.planner.waiting import lacking_addresses, mapping_problems


def plan(
    graph: AssetGraph,
    state: State,
    codes: Codes,
    now: datetime,
    *,
    selection: str | Selection = "*",
    partitions: str | Sequence[str | Range] = (),
    force: bool = False,
    retry_failed: bool = True,
    due: bool = False,
    include_late: bool = False,
) -> Plan:
    """What would run for a selection, why, and in which order; :func:`assess` says what the first four are.

    ``partitions`` are keys (also coarser time keys), ranges ``A...B`` or pairs of keys; with several, all of them.
    ``force`` computes even what is up to date. Without ``retry_failed``, a partition whose last try failed under the
    present key gets no step. ``due`` makes the least plan that meets the freshness policies of what is selected.
    ``include_late`` takes in the data that edges tolerate to be late. Raises InvalidSelection, UnknownAsset and
    InvalidPartition, and UsageError for ``force`` with ``due``.
    """
    parsed = selection if isinstance(selection, Selection) else parse_selection(selection)
    only = None if parsed.needs_states else choose(parsed, graph, {}).every
    assessment = assess(graph, state, codes, now, only=only, include_late=include_late)
    return plan_from(
        assessment, selection=parsed, partitions=partitions, force=force, retry_failed=retry_failed, due=due
    )


def plan_from(
    assessment: Assessment,
    *,
    selection: str | Selection = "*",
    partitions: str | Sequence[str | Range] = (),
    force: bool = False,
    retry_failed: bool = True,
    due: bool = False,
    notes: Sequence[str] = (),
) -> Plan:
    """The plan that :func:`plan` makes, from an assessment of everything selected; ``notes`` are added to its own."""
    if due and force:
        raise UsageError("force computes everything, due only what is needed", hint="leave one of them out")
    parsed = selection if isinstance(selection, Selection) else parse_selection(selection)
    facts = assessment.facts
    chosen = choose(parsed, assessment.world.graph, conditions_of(assessment))
    ranges = _ranges(partitions)
    rows = selected_rows(facts, chosen, ranges)
    everything = not ranges and chosen.targets.issuperset(assessment.world.graph.nodes)
    scope = None if everything else {name: _members(facts[name], flags) for name, flags in rows.items()}
    needed = due_of(assessment, chosen.selected) if due else Due()
    if due:
        rows = {name: flags & needed.rows[name] for name, flags in rows.items() if name in needed.rows}
    full = not ranges and not force and not due and retry_failed and chosen.targets.issuperset(facts)
    made = plan_rows(
        assessment,
        rows,
        Asked(parsed.text, tuple(ranges), retry_failed, scope),
        force=force,
        expired=needed.expired,
        flows=assessment.flows if full else None,
        notes=notes,
    )
    made = replace(made, notes=(*without_keys(assessment.world, chosen.selected), *made.notes))
    if not due:
        return made
    helped = {output for step in made.steps for output in step.outputs}
    late = late_notes({key: each for key, each in needed.freshness.items() if key not in helped})
    own, given = made.notes[: len(made.notes) - len(notes)], made.notes[len(made.notes) - len(notes) :]
    return replace(made, notes=(*own, *late, *given), due=True, next_deadline=needed.deadline)


def plan_of_all(assessment: Assessment, *, retry_failed: bool = True) -> Plan:
    """The plan of everything, from an assessment that may leave out partitions that are up to date.

    It must hold every partition with something to do or to wait for, and of those that such a partition reads the ones
    that are not up to date or were published after it. Without a scene, for that would leave them out too.
    """
    rows = {
        name: np.ones(len(each.ordinals), np.bool_)
        for name, each in assessment.facts.items()
        if each.node.kind != "source" and len(each.ordinals)
    }
    flows = assessment.flows if retry_failed else None
    made = plan_rows(assessment, rows, Asked("*", (), retry_failed, None), flows=flows)
    notes = (*without_keys(assessment.world, assessment.world.graph.nodes), *made.notes)
    return replace(made, notes=notes, scene=None)


def plan_rows(
    assessment: Assessment,
    rows: Mapping[str, Flags],
    asked: Asked,
    *,
    force: bool = False,
    expired: Mapping[str, Flags] | None = None,
    flows: Mapping[str, Flow] | None = None,
    notes: Sequence[str] = (),
) -> Plan:
    """The plan of these rows by computation, in the order of the graph and without sources.

    ``expired`` are the rows that are computed although nothing has changed; ``flows`` those of just this request, if
    they are known.
    """
    world, facts = assessment.world, assessment.facts
    expired = expired or {}
    if flows is None:
        flows = flows_of(facts, Request(rows, force, asked.retry_failed, expired))
    scene = Scene(world, facts, flows, force, expired)
    steps: list[Step] = []
    waiting: list[Waiting] = []
    tolerated: list[Tolerated] = []
    own_notes: list[str] = []
    for name, chosen in rows.items():
        steps += _steps(scene, name)
        tolerated += _tolerated(scene, name, chosen)
        waiting += _waiting(assessment, scene, name, chosen)
        own_notes += _notes(scene, name)
    moves = {name: flow.moves for name, flow in assessment.flows.items()}
    outside = stale_outside(world.graph, facts, rows, moves)
    return Plan(
        plan_id=_plan_id(scene, steps, waiting, outside),
        as_of=world.now,
        generation=world.state.generation,
        steps=tuple(steps),
        waiting=tuple(waiting),
        outside=outside,
        forced=force,
        notes=(*own_notes, *notes),
        totals={"steps": len(steps), "partitions": sum(step.asset_partitions for step in steps), "seconds": None},
        asked=asked,
        scene=scene,
        tolerated=tuple(tolerated),
        include_late=world.include_late,
    )


def _ranges(partitions: str | Sequence[str | Range]) -> list[Range]:
    asked: object = [partitions] if isinstance(partitions, str) else partitions
    if isinstance(asked, list | tuple):
        return [_range(each) for each in cast("Sequence[object]", asked)]
    raise _no_range(asked)


def _range(asked: object) -> Range:
    match asked:
        case str():
            return parse_range(asked)
        case (str(first), str(last)):
            return first, last
        case _:
            raise _no_range(asked)


def _no_range(asked: object) -> InvalidPartition:
    return InvalidPartition(f"{asked!r} is no partition or range", hint="write KEY, FIRST...LAST, or a list of them")


def _steps(scene: Scene, name: str) -> list[Step]:
    facts, flow = scene.facts[name], scene.flows[name]
    if flow.certainty is None:
        return []
    steps: list[Step] = []
    there = set(np.unique(flow.certainty).tolist())
    for certainty, codes in CERTAINTIES.items():
        found = [flow.certainty == code for code in codes if code in there]
        if not found:
            continue
        rows = np.logical_or.reduce(found) if len(found) > 1 else found[0]
        step = Step(
            computation=name,
            outputs=facts.node.outputs,
            certainty=certainty,
            partitions=_partitions(facts, rows),
            causes=own_causes(scene, name, rows),
            inherited=inherited_causes(scene, name, rows),
            reuse=_reuse(scene, facts, flow, certainty),
            expired=_expired(scene, name, rows),
            publish_group=facts.node.publish_group,
        )
        steps.append(step)
    return steps


def _members(facts: Facts, rows: Flags) -> PartitionSet:
    return PartitionSet.from_ascending(picked(facts.ordinals, rows))


def _partitions(facts: Facts, rows: Flags) -> Partitions:
    ordinals = _members(facts, rows)
    ranges = None if facts.space.grain == "none" else tuple(facts.space.ranges_of_keys(ordinals))
    return Partitions(ordinals, ranges)


def _expired(scene: Scene, name: str, rows: Flags) -> PartitionSet:
    if name not in scene.expired:
        return PartitionSet.empty()
    return PartitionSet.from_ordinals(scene.facts[name].ordinals[rows & scene.expired[name]])


def _reuse(scene: Scene, facts: Facts, flow: Flow, certainty: Certainty) -> Mapping[AssetKey, Reuse]:
    """The retained versions of a ``reuse`` step, or the candidates of a ``check`` step."""
    if facts.offers is None or certainty not in ("reuse", "check"):
        return {}
    reusing = certainty == "reuse"
    rows = flow.certainty == (REUSE if reusing else CANDIDATE)
    if not np.any(rows):
        return {}
    offered = scene.world.state.retained if reusing else scene.world.state.candidates
    places = facts.offers.retained if reusing else facts.offers.candidates
    return {key: reuse_of(offered[key], facts.ordinals[rows], places[key][rows]) for key in facts.node.outputs}


def _waiting(assessment: Assessment, scene: Scene, name: str, asked: Flags) -> list[Waiting]:
    facts, flow = scene.facts[name], scene.flows[name]
    if flow.lacks is None:
        return []
    full = assessment.flows[name].lacks
    due = (facts.bits & (STALE_ROOTS | FAILED)) != 0
    if scene.forced:
        due = asked
    for flags in (*flow.pending, full):
        if flags is not None:
            due = due | flags
    rows = asked & flow.lacks & due
    if not rows.any():
        return []
    lacking = tuple(address for _, address in lacking_addresses(scene, name, rows))
    return [Waiting(name, facts.node.outputs, _partitions(facts, rows), lacking)]


def _tolerated(scene: Scene, name: str, asked: Flags) -> list[Tolerated]:
    """The rows that leave late data out and are neither computed nor wait."""
    facts, flow = scene.facts[name], scene.flows[name]
    late = facts.late
    if late is None:
        return []
    rows = asked & late
    for flags in (flow.moves, flow.lacks):
        rows = rows if flags is None else rows & ~flags
    return [Tolerated(name, facts.node.outputs, _partitions(facts, rows))] if rows.any() else []


def _notes(scene: Scene, name: str) -> list[str]:
    """What mappings fail to say, and what the steps ask for in vain or not at all."""
    facts, flow = scene.facts[name], scene.flows[name]
    notes = [] if flow.lacks is None else mapping_problems(facts, flow.lacks)
    notes += strange_keys(scene.world, facts)
    if flow.moves is None or facts.settled is not None:
        return notes
    ordinals = picked(facts.ordinals, flow.moves)
    for edge in facts.edges:
        if edge.edge.own:
            continue  # the first partition has none before it: that is no news
        space = scene.facts[edge.upstream].space
        notes += _reading_nothing(facts, edge, space, flow.moves)
        asking = PartitionSet.from_ordinals(ordinals[edge.edge.mapping.nonexistent(facts.space, ordinals, space)])
        if asking and space.definition is not None:
            shown = ", ".join(facts.space.describe(asking, 3)) or name
            described = space.definition.describe()
            notes.append(
                f"{name} {shown}: asks for partitions that {edge.edge.upstream} ({described}) cannot have; "
                "it is built from those that it can"
            )
    return notes


def _reading_nothing(facts: Facts, edge: EdgeFacts, space: PartitionSpace, rows: Flags) -> list[str]:
    """A note about the rows to which a mapping by key gives nothing of the upstream."""
    if not isinstance(edge.edge.mapping, KeyedMapping | DimensionMapping):
        return []
    nothing = rows & (edge.spans.lo == edge.spans.hi)
    if isinstance(edge.edge.mapping, DimensionMapping) and nothing.any():
        asked = edge.edge.mapping.asking(facts.space, facts.ordinals, space)
        nothing &= ~asked & ~edge.edge.mapping.nonexistent(facts.space, facts.ordinals, space)
    if not nothing.any():
        return []
    shown = ", ".join(facts.space.describe(PartitionSet.from_ordinals(facts.ordinals[nothing]), 3))
    mapping = type(edge.edge.mapping).__name__
    return [
        f"{facts.node.name} {shown}: reads nothing of {edge.edge.upstream}, for the {mapping} gives it no partition"
    ]


def _plan_id(scene: Scene, steps: Sequence[Step], waiting: Sequence[Waiting], outside: Sequence[AssetKey]) -> str:
    """A hash of what would be done, from which code and inputs; not of when it was asked."""
    digest = blake2b(digest_size=8)
    rest = {"waiting": [each.to_dict() for each in waiting], "outside": outside, "forced": scene.forced}
    digest.update(json.dumps(rest, sort_keys=True).encode())
    for step in steps:
        facts = scene.facts[step.computation]
        code = scene.world.codes.computations[step.computation].version
        digest.update(json.dumps([step.computation, step.outputs, step.certainty, code]).encode())
        ordinals = step.partitions.ordinals
        every = len(ordinals) == len(facts.ordinals)
        rows = slice(None) if every else np.searchsorted(facts.ordinals, ordinals.array())
        digest.update(ordinals.to_text().encode())
        for edge in facts.edges:
            digest.update(edge.signature.sums[rows].tobytes())
    return f"p-{digest.hexdigest()}"
