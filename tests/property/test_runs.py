"""What really ran, through the whole run loop and a store on disk, against the slow run."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.keys import AssetKey
from tests.postgres_server import Server
from tests.property.laboratory import Laboratory
from tests.property.pairs import NOW, Pair
from tests.property.run_oracle import Behaviour, Running
from tests.property.test_planner import CONTENTS, compare, elsewhere, first_keys, graphs
from tests.property.timelines import Operation, Timeline, holds
from tests.unit.planner.building import assessment_state

OPTIONS = {"force": False, "retry_failed": True, "include_late": False}


def behaviour_of(told: dict[str, Any]) -> Behaviour:
    rows = {name: frozenset((each, key) for each, key in told.get(name, ())) for name in ("failing", "refused")}
    return Behaviour(told["content"], dict(told.get("others", {})), **rows)


def what_really_ran(timeline: Timeline, store: str | None = None) -> None:
    """Every run calls what the oracle requires and nothing that it does not permit; at last nothing is left to do."""
    with tempfile.TemporaryDirectory() as folder, closing(Laboratory(timeline, Path(folder), store)) as laboratory:
        for operation in (*timeline.operations, ("run", {"content": "one"})):
            if operation[0] == "run":
                run_once(laboratory, operation[1])
            else:
                laboratory.apply(operation)
        everything_is_done(laboratory)


def run_once(laboratory: Laboratory, told: dict[str, Any]) -> None:
    model, behaviour = laboratory.model, behaviour_of(told)
    options = {name: told.get(name, default) for name, default in OPTIONS.items()}
    selection, ranges, chosen = chosen_by(laboratory, told)
    laboratory.observe()
    made = laboratory.project.plan(selection, ranges, observe=False, **options)
    decision = compare(laboratory, made, chosen, **options)
    waiting = model.waiting(
        decision, {name: keys for name, keys in chosen.items() if name in laboratory.codes}, force=options["force"]
    )
    ran = Running(model, decision, behaviour, options["force"]).carry_out()
    result = laboratory.run(behaviour, selection, partitions=ranges, **options)

    called = [row for row, _ in laboratory.calls]
    steps = decision.steps.items()
    required = {(name, key) for name, kinds in steps for key in kinds.get("will", ())}
    permitted = required | {(name, key) for name, kinds in steps for key in kinds.get("may", ())}
    spared = ran.lost | {row for row in required if nothing_to_load(laboratory, ran.calls, row)}
    # What has other code and inputs that are yet to change may turn out to be as it was once.
    spared |= {
        (laboratory.project.graph.owner[asset], key)
        for (asset, key), is_so in ran.outcomes.items()
        if is_so == "reused"
    }
    assert required - spared <= set(called) <= permitted
    assert Counter(called) == Counter(list(ran.calls)), "each once"
    assert dict(laboratory.calls) == ran.calls, "what the functions were given"

    outputs = laboratory.project.graph.nodes
    counts = ran.counts + Counter(waiting=sum(len(keys) * len(outputs[name].outputs) for name, keys in waiting.items()))
    assert {kind: number for kind, number in result.counts.items() if number} == dict(counts)
    failed = counts["failed"] + counts["quarantined"] + counts["blocked"]
    assert result.status == ("failed" if failed else "success")
    assert (result.run_id is None) == (not made.steps)
    assert {(each.asset, each.partition) for each in result.failures} == {
        row for row, outcome in ran.outcomes.items() if outcome in ("failed", "quarantined")
    }
    assert states(laboratory) == {asset: model.states(asset) for asset in laboratory.project.graph.owner}
    assert left_out(laboratory) == {asset: model.ignoring(asset) for asset in laboratory.project.graph.owner}


def nothing_to_load(laboratory: Laboratory, calls: Any, row: tuple[str, Any]) -> bool:
    """Whether a partition may be published as empty without a call."""
    return row not in calls and any(edge.loaded for edge in laboratory.project.graph.nodes[row[0]].edges)


def chosen_by(laboratory: Laboratory, told: dict[str, Any]) -> tuple[str, Any, dict[str, set[Any]]]:
    """The selection of a run, its partitions, and what the model makes of them."""
    model = laboratory.model
    name, keys = told.get("name"), told.get("keys", ())
    keys = [key for key in keys if key in model.existing(name)]
    if name is None or not keys:
        return "*", None, {name: set(model.existing(name)) for name in model.graph.nodes}
    ranges = None if None in keys else [(key, key) for key in keys]
    asset = model.graph.nodes[name].outputs[0]
    if told.get("above"):
        return f"+{asset}", ranges, model.above(name, set(keys))
    return asset, ranges, {name: set(keys)}


def states(laboratory: Laboratory) -> dict[str, dict[Any, str]]:
    """The state of every existing partition."""
    assessment = laboratory.project._workspace.assessed("*", None)
    found: dict[str, dict[Any, str]] = {}
    for asset, name in laboratory.project.graph.owner.items():
        space = laboratory.project.setting.spaces[name]
        ordinals = assessment.ordinals(AssetKey(asset)).tolist()
        found[asset] = {space.key(each): assessment_state(assessment, asset, n) for n, each in enumerate(ordinals)}
    return found


def left_out(laboratory: Laboratory) -> dict[str, int]:
    """How many partitions of each asset leave late data out."""
    assessment = laboratory.project._workspace.assessed("*", None)
    return {asset: assessment.tolerated(asset) for asset in laboratory.project.graph.owner}


def everything_is_done(laboratory: Laboratory) -> None:
    """Planning right after materializing everything gives an empty plan, and what is published is what was made."""
    project, model = laboratory.project, laboratory.model
    plan = project.plan()
    assert plan.steps == ()
    waiting = {
        (entry.computation, project.setting.spaces[entry.computation].key(ordinal))
        for entry in plan.waiting
        for ordinal in entry.partitions.ordinals
    }
    laboratory.calls.clear()
    assert project.materialize().run_id is None
    assert laboratory.calls == []
    left = states(laboratory)
    for name in laboratory.codes:
        for asset in model.graph.nodes[name].outputs:
            for key, state in left[asset].items():
                # What failed before it had to wait is still what failed.
                assert state in ({"waiting", "failed"} if (name, key) in waiting else {"up_to_date"}), (asset, key)
            for key, content in model.content(asset).items():
                if key in model.existing(name) and content is not None:
                    assert project.load(asset, key) == content


@st.composite
def eventful(draw: st.DrawFn) -> Timeline:
    """Runs of everything and of parts, in which functions fail and checks refuse, between edits and observations."""
    assets = draw(graphs())
    waits = draw(st.lists(st.sampled_from([1, 24, 30]), max_size=2))
    now = Pair(assets, NOW - timedelta(hours=sum(waits)))
    operations = draw(first_keys(now))
    for _ in range(draw(st.integers(1, 8))):
        operations += draw(happenings(now))
        operations += draw(elsewhere(now, waits))
    operations += [("wait", each) for each in waits]
    return Timeline(assets, tuple(operations))


@st.composite
def happenings(draw: st.DrawFn, now: Pair) -> list[Operation]:
    """One thing that happens, which may be several operations."""
    asked = list(now.model.checks)
    events = ["run"] * 4 + (["observe", "observe", "withdraw"] if now.sources else [])
    events += ["edit", "edit", "rebuilt", "reverted"] if now.computations else []
    events += ["mend"] if asked else []
    event = draw(st.sampled_from(events))
    if event == "run":
        return [draw_run(draw, now)]
    if event == "mend":
        return [("mend", draw(st.sampled_from(asked)))]
    if event in ("edit", "rebuilt", "reverted"):
        name, code = draw(st.sampled_from(now.computations)), draw(st.sampled_from("123"))
        plain = ("run", {"content": draw(CONTENTS)})
        return {
            "edit": [("edit", name, code)],
            "rebuilt": [plain, ("edit", name, code), plain],
            "reverted": [("edit", name, code), plain, ("edit", name, "4"), draw_run(draw, now), ("edit", name, code)],
        }[event]
    name = draw(st.sampled_from(now.sources))
    existing = now.model.existing(name)
    if not existing or (event == "withdraw" and None in existing):
        return []
    keys = draw(st.lists(st.sampled_from(existing), min_size=1, max_size=4))
    return [("observe", name, key, draw(CONTENTS)) if event == "observe" else (event, name, key) for key in keys]


def draw_run(draw: st.DrawFn, now: Pair) -> Operation:
    """A run: what it is asked for, and what user code does in it."""
    rows = [(name, key) for name in now.computations for key in now.model.existing(name)[:4]]
    checked = [
        (asset, key)
        for asset in now.model.checks
        for key in now.model.existing(now.world.graph.owner[AssetKey(asset)])[:4]
    ]
    told: dict[str, Any] = {"content": draw(CONTENTS)}
    if now.computations:
        told["others"] = draw(st.dictionaries(st.sampled_from(now.computations), CONTENTS, max_size=2))
    for what, among in (("failing", rows), ("refused", checked)):
        if among and draw(st.booleans()):
            told[what] = [list(row) for row in draw(st.lists(st.sampled_from(among), max_size=4, unique=True))]
    told["force"] = draw(st.integers(0, 4)) == 4
    told["retry_failed"] = draw(st.integers(0, 3)) != 3
    told["include_late"] = draw(st.integers(0, 3)) == 3
    name = draw(st.sampled_from(list(now.world.graph.nodes)))
    if draw(st.booleans()) and now.model.existing(name):
        told["name"], told["above"] = name, draw(st.booleans())
        told["keys"] = draw(st.lists(st.sampled_from(now.model.existing(name)), min_size=1, max_size=3, unique=True))
    return ("run", told)


@given(eventful())
@settings(max_examples=60)
def test_what_really_ran_is_what_the_slow_run_does(timeline: Timeline) -> None:
    holds(what_really_ran, timeline)


@given(timeline=eventful())
@settings(max_examples=10)
def test_so_it_is_on_postgres(postgres: Server, timeline: Timeline) -> None:
    what_really_ran(timeline, postgres.fresh())
