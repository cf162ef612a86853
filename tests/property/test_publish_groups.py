"""Publish groups: whatever fails, waits or is edited, nobody sees one member of a partition without the others."""

from __future__ import annotations

from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow import (
    AssetContext,
    CheckResult,
    Definitions,
    Input,
    Project,
    StaticPartitions,
    asset,
    asset_check,
    observable_source,
)
from assetflow.keys import AssetKey
from tests.postgres_server import Server

NOW = datetime(2024, 2, 1, tzinfo=UTC)
KEYS = ("north", "south", "west")
REGIONS = StaticPartitions(KEYS)
MEMBERS = ("first", "second", "third")
some_keys = st.frozensets(st.sampled_from(KEYS))


class Situation:
    """What the functions below do now."""

    def __init__(self) -> None:
        self.number = 0
        self.failing: dict[str, frozenset[str]] = {}
        self.refused: frozenset[str] = frozenset()
        self.observed: dict[str, str] = dict.fromkeys(KEYS, "1")


def assets(situation: Situation, reads: dict[str, tuple[str, ...]], version: int) -> Definitions:
    """A group of three, of which some read a source, and some each other; what they make says when it was made."""

    @observable_source(partitions=REGIONS)
    def source() -> dict[str, str]:
        return situation.observed

    def member(name: str) -> Any:
        def build(context: AssetContext) -> list[int]:
            if context.partition_key in situation.failing.get(name, ()):
                raise ValueError("cannot")
            return [situation.number]

        deps = [Input(upstream) for upstream in reads[name]]
        return asset(name=name, deps=deps, partitions=REGIONS, publish_group="g", code_version=str(version))(build)

    @asset_check(asset="second", blocking=True, code_version="1")
    def accepted(context: AssetContext, second: list[int]) -> CheckResult:
        return CheckResult(passed=context.partition_key not in situation.refused)

    return Definitions(assets=[source, *(member(name) for name in MEMBERS)], checks=[accepted])


@st.composite
def reading(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for place, name in enumerate(MEMBERS):
        possible = ["source", *MEMBERS[:place]]
        found[name] = tuple(draw(st.lists(st.sampled_from(possible), unique=True, max_size=2)))
    return found


rounds = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(MEMBERS), some_keys, max_size=2),
        some_keys,
        st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["1", "2", None]), max_size=2),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(reading(), rounds)
def test_no_partition_is_ever_published_in_part(reads: dict[str, tuple[str, ...]], history: list[Any]) -> None:
    hold(reads, history)


@settings(max_examples=10, deadline=None)
@given(reads=reading(), history=rounds)
def test_nor_is_it_on_postgres(postgres: Server, reads: dict[str, tuple[str, ...]], history: list[Any]) -> None:
    hold(reads, history, postgres.fresh())


def hold(reads: dict[str, tuple[str, ...]], history: list[Any], store: str | None = None) -> None:
    """Nothing of the history publishes a partition in part."""
    situation, version = Situation(), 1
    mended = ({}, frozenset[str](), dict.fromkeys(KEYS, "9"), True, True)
    with TemporaryDirectory() as folder:
        for failing, refused, seen, edited, retry in [*history, mended]:
            situation.number += 1
            situation.failing, situation.refused = failing, refused
            situation.observed |= seen
            situation.observed = {key: content for key, content in situation.observed.items() if content}
            version += edited
            with Project(
                assets(situation, reads, version),
                store=store or f"sqlite:///{folder}/store.db",
                storage=f"{folder}/data",
                clock=lambda: NOW,
            ) as project:
                before = generations(project)
                result = project.materialize(retry_failed=retry)
                outcomes = outcomes_of(project, result.run_id)
                after = generations(project)
                check_wholeness(before, after, outcomes)
        assert result.status == "success"
        assert {name: len(found) for name, found in after.items()} == dict.fromkeys(MEMBERS, len(KEYS))


def generations(project: Project) -> dict[str, dict[str, int]]:
    """By member and partition, the commit that it was last published by."""
    found: dict[str, dict[str, int]] = {}
    spaces = project.setting.spaces
    for name in MEMBERS:
        pointers = project.state().assets[AssetKey(name)]
        keys = spaces[name].keys(pointers.ordinals)
        found[name] = {str(key): at for key, at in zip(keys, pointers.generation.tolist(), strict=True)}
    return found


def outcomes_of(project: Project, run_id: str | None) -> dict[tuple[str, str], str]:
    """By partition and member, how it fared in the run; what waits is not among it."""
    steps: Any = project.run(run_id)["steps"] if run_id else []
    return {(step["partition"], step["asset"]): step["status"] for step in steps}


def check_wholeness(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]], outcomes: dict[tuple[str, str], str]
) -> None:
    for key in KEYS:
        fared = {name: outcomes[key, name] for name in MEMBERS if (key, name) in outcomes}
        moved = {name for name in MEMBERS if before[name].get(key) != after[name].get(key)}
        if set(fared.values()) & {"failed", "quarantined", "blocked"}:
            assert moved == set(), (key, fared)
        assert len({after[name][key] for name in moved}) <= 1, (key, moved)
        assert all(fared[name] == "unchanged" for name in fared.keys() - moved) or not moved, (key, fared, moved)
