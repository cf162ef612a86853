"""SHAPE fill [COUNT] | SHAPE measure: a large project with everything published, and a plan of it.

``fill`` writes the project and its store into the working directory: rows as a run would leave them, written in bulk.
``measure`` prints, in seconds, how long it took to load the project (``load``: the graph, the code versions, the ids),
to make a first plan (``plan``), the same again (``warm``), one after an edit of the last code (``edited``), and one
after one in a hundred partitions changed, of the first asset (``changed``) and of each (``changed everywhere``), in a
process that has imported everything; and the most memory that the process had up to the first plan, in megabytes. What
ends in ``work`` is the processor's time, which other programs on the machine disturb less.
"""

from __future__ import annotations

import importlib
import json
import resource
import sqlite3
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from assetflow import Project
from assetflow.opening.workspace import Workspace
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.decide import derivations_of, edge_signatures, view_of
from assetflow.planner.facts import World, world_of
from assetflow.planner.plan import Plan
from assetflow.planner.planning import plan_from
from assetflow.planner.staleness import assess
from assetflow.planner.state import State
from assetflow.store.encoding import to_json

MODULES = [
    f"assetflow.{name}"
    for name in ("opening.code", "opening.setting", "planner.planning", "publish.folders", "store.opening")
]
SHAPES = {
    # 1,051,200 minutes, 17,520 hours, 730 days.
    "minutes": """
from assetflow import AssetContext, CronPartitions, DailyPartitions, Definitions, HourlyPartitions, asset
minutes = CronPartitions("* * * * *", "2022-01-01", end="2024-01-01")
@asset(partitions=minutes)
def ticks(context: AssetContext) -> int: return 1
@asset(partitions=HourlyPartitions("2022-01-01", end="2024-01-01"))
def hours(ticks: dict[str, int]) -> int: return 1
@asset(partitions=DailyPartitions("2022-01-01", end="2024-01-01"))
def days(hours: dict[str, int]) -> int: return 1
defs = Definitions(assets=[ticks, hours, days])
""",
    "keys": """
from assetflow import AssetContext, Definitions, StaticPartitions, asset
keys = StaticPartitions([f"key_{number:07d}" for number in range(COUNT)])
@asset(partitions=keys)
def first(context: AssetContext) -> int: return 1
@asset(partitions=keys)
def second(first: int) -> int: return 1
@asset(partitions=keys)
def third(second: int) -> int: return 1
defs = Definitions(assets=[first, second, third])
""",
    "reader": """
from assetflow import AssetContext, Definitions, StaticPartitions, asset
keys = StaticPartitions([f"key_{number:07d}" for number in range(COUNT)])
@asset(partitions=keys)
def first(context: AssetContext) -> int: return 1
@asset
def every(first: dict[str, int]) -> int: return 1
defs = Definitions(assets=[first, every])
""",
    "multi": """
from assetflow import AssetContext, DailyPartitions, Definitions, MultiPartitions, StaticPartitions, asset
cells = MultiPartitions({
    "day": DailyPartitions("2023-01-01", end="2024-01-01"),
    "site": StaticPartitions([f"site_{number}" for number in range(200)]),
    "kind": StaticPartitions([f"kind_{number}" for number in range(50)]),
})
@asset(partitions=cells)
def cell(context: AssetContext) -> int: return 1
defs = Definitions(assets=[cell])
""",
    "hundred": """
from assetflow import AssetContext, Definitions, HourlyPartitions, asset
hours = HourlyPartitions("2022-01-01", end="2023-02-21T16:00")
def one(number):
    above = f"layer_{number - 1}"
    if number == 0:
        @asset(name="layer_0", partitions=hours)
        def layer(context: AssetContext) -> int: return 1
    else:
        @asset(name=f"layer_{number}", partitions=hours, deps=[above])
        def layer(context: AssetContext) -> int: return 1
    return layer
defs = Definitions(assets=[one(number) for number in range(100)])
""",
    "assets": """
from assetflow import AssetContext, Definitions, asset
def one(number):
    above = sorted({number // 2, number // 3, number - 7} & set(range(number)))
    @asset(name=f"a{number}", deps=[f"a{each}" for each in above], code_version="1")
    def made(context: AssetContext) -> int: return 1
    return made
defs = Definitions(assets=[one(number) for number in range(COUNT)])
""",
    "chain": """
from assetflow import AssetContext, Definitions, asset
def one(number):
    @asset(name=f"a{number}", deps=[f"a{number - 1}"] if number else [], code_version="1")
    def made(context: AssetContext) -> int: return 1
    return made
defs = Definitions(assets=[one(number) for number in range(COUNT)])
""",
}


@dataclass
class Published:
    """What is published of an asset."""

    ordinals: np.ndarray
    hashes: np.ndarray


def declare(shape: str, count: str) -> None:
    """Write the project."""
    Path("scale.py").write_text(SHAPES[shape].replace("COUNT", count))
    Path("pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "scale:defs"\n')


def fill() -> None:
    """Publish every partition, in bulk."""
    with Project.open(".") as project:
        workspace: Workspace = project._workspace
        setting = workspace.setting
        world = world_of(workspace.graph, workspace.state(), setting.codes, workspace.clock())
        for source in setting.code_sources:
            setting.writer.save_code([source])
        setting.writer.flush()
    connection = sqlite3.connect(".assetflow/store.db")
    connection.execute("PRAGMA synchronous = OFF")
    codes = dict(connection.execute("SELECT version, id FROM code_versions"))
    published: dict[str, Published] = {}
    last = 0
    for name in world.graph.nodes:
        last = publish(connection, world, name, setting.environment, codes, published, last)
    connection.execute("UPDATE counters SET generation = ?, version = ?, derivation = ?", (last,) * 3)
    connection.commit()
    connection.close()


def publish(
    connection: sqlite3.Connection,
    world: World,
    name: str,
    environment: int,
    codes: dict[Any, int],
    published: dict[str, Published],
    last: int,
) -> int:
    """Publish one asset with numbers after ``last``; the last number then."""
    node, ordinals, code = world.graph.nodes[name], world.existing[name], world.codes.computations[name].version
    sums = {}
    for edge in node.edges:
        owner = world.graph.owner[edge.upstream]
        view = view_of(published[edge.upstream], world.existing[owner])
        spaces = world.spaces[name], world.spaces[owner]
        uid = world.state.uids[edge.upstream]
        sums[edge.parameter] = edge_signatures(edge, uid, spaces[0], ordinals, spaces[1], view).sums
    parameters = to_json(tuple(sums))
    connection.execute("INSERT OR IGNORE INTO edge_layouts (parameters) VALUES (?)", (parameters,))
    query = "SELECT id FROM edge_layouts WHERE parameters = ?"
    layout = connection.execute(query, (parameters,)).fetchone()[0]
    count = len(ordinals)
    keys = octets(derivations_of(code, count, sums))
    signatures = octets(np.concatenate([*sums.values()], axis=1)) if sums else [b""] * count
    hashes = np.random.default_rng(last).integers(0, 2**64, (count, 2), np.uint64)
    published[node.outputs[0]] = Published(ordinals, hashes)
    uid, numbers = world.state.uids[node.outputs[0]], range(last + 1, last + 1 + count)
    rows = list(zip(numbers, ordinals.tolist(), octets(hashes), keys, signatures, strict=True))
    connection.executemany(
        "INSERT INTO pointers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (environment, uid, at, number, number, number, codes[code], 0, layout, found, signature)
            for number, at, found, _, signature in rows
        ),
    )
    connection.executemany(
        "INSERT INTO versions (id, asset, ordinal, state, created_at, published_at, derivation, data_hash, empty) "
        "VALUES (?, ?, ?, 'published', 0, 0, ?, ?, 0)",
        ((number, uid, at, number, found) for number, at, found, _, _ in rows),
    )
    connection.executemany(
        "INSERT INTO derivations (id, version, asset, ordinal, environment, kind, code, key, created_at, committed_at, "
        "generation, retired) VALUES (?, ?, ?, ?, ?, 'computed', ?, ?, 0, 0, ?, 0)",
        ((number, number, uid, at, environment, codes[code], key, number) for number, at, _, key, _ in rows),
    )
    return last + count


def octets(lanes: np.ndarray) -> list[bytes]:
    """Each row of lanes as the store keeps it."""
    joined, wide = lanes.astype(">u8").tobytes(), lanes.shape[1] * 8
    return [joined[at : at + wide] for at in range(0, len(joined), wide)]


def edited(workspace: Workspace) -> Plan:
    """A plan after the code of the last computation was edited: the state is at hand, in an older form of the code."""
    setting = workspace.setting
    name = list(workspace.graph.nodes)[-1]
    record = setting.codes.computations[name]
    newer = replace(record, version=f"c1:{'e' * 32}", components={**record.components, "edited": "e"})
    codes = replace(setting.codes, computations={**setting.codes.computations, name: newer})
    state = setting.reader.read_state(setting.environment, list(workspace.graph.owner), codes)
    return plan_from(assess(workspace.graph, state, codes, workspace.clock()), selection="*", partitions=())


def changed(workspace: Workspace, assets: int) -> State:
    """The state after one in a hundred partitions of the first ``assets`` got other data."""
    state, generator = workspace.state(), np.random.default_rng(0)
    pointers = dict(state.assets)
    for key in list(pointers)[:assets]:
        before = pointers[key]
        rows = generator.permutation(len(before.ordinals))[: max(1, len(before.ordinals) // 100)]
        hashes, generation = before.hashes.copy(), before.generation.copy()
        hashes[rows] += np.uint64(1)
        generation[rows] = state.generation + 1
        pointers[key] = replace(before, hashes=hashes, generation=generation)
    return replace(state, assets=pointers, generation=state.generation + 1)


def plan_changed(workspace: Workspace, state: State) -> Plan:
    """A plan of a changed state."""
    made = plan_from(assess(workspace.graph, state, workspace.setting.codes, workspace.clock()))
    assert made.totals["partitions"] or len(workspace.graph.nodes) == 1
    return made


def measure() -> None:
    """Print the figures."""
    for module in MODULES:
        importlib.import_module(module)
    figures: dict[str, float] = {}
    with Project.open(".") as project:
        workspace: Workspace = project._workspace
        steps = {
            "load": lambda: workspace.setting,
            "plan": project.plan,
            "warm": project.plan,
            "edited": lambda: edited(workspace),
            "changed": lambda: plan_changed(workspace, one),
            "changed everywhere": lambda: plan_changed(workspace, every),
        }
        one = every = State(0, {}, KeyDictionary())
        for name, step in steps.items():
            if name == "changed":
                one, every = changed(workspace, 1), changed(workspace, len(workspace.graph.owner))
            began, worked = time.perf_counter(), time.process_time()
            made = step()
            figures[name] = time.perf_counter() - began
            figures[f"{name} work"] = time.process_time() - worked
            if name in {"plan", "warm"}:
                assert made.totals["partitions"] == 0
            if name == "plan":
                figures["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


shape, action, *more = sys.argv[1:]
if action == "fill":
    declare(shape, more[0] if more else "0")
    fill()
else:
    measure()
