"""Publish groups in a plan: where one member of a group cannot be built, the others are not either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from assetflow.planner.facts import Facts
from assetflow.planner.spans import Flags


def grouped(facts: Mapping[str, Facts]) -> Iterator[tuple[str, ...]]:
    """The computations in their order, those of one publish group together."""
    group: list[str] = []
    for name, each in facts.items():
        if group and each.node.publish_group != facts[group[0]].node.publish_group:
            yield tuple(group)
            group = []
        if each.node.publish_group is None:
            yield (name,)
        else:
            group.append(name)
    if group:
        yield tuple(group)


def held_back(wanted: Sequence[Flags], moves: Sequence[Flags | None]) -> Flags | None:
    """The rows at which some member is ``wanted`` and does not move although another would; None for no row.

    Both are given by member.
    """
    moving = [each for each in moves if each is not None]
    if not moving:
        return None
    stuck = [each if moved is None else each & ~moved for each, moved in zip(wanted, moves, strict=True)]
    held = np.logical_or.reduce(stuck) & np.logical_or.reduce(moving)
    return held if held.any() else None
