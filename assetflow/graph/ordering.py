"""The order of computations, and the cycles that stand in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

from assetflow.errors import DefinitionError
from assetflow.graph.model import Node

Links = Mapping[str, Sequence[str]]


def topological_order(upstream: Links) -> list[str]:
    """Names with their upstreams first, otherwise as given; those on a cycle, or behind one, are left out.

    >>> topological_order({"totals": ["orders"], "orders": [], "loop": ["loop"]})
    ['orders', 'totals']
    """
    names = list(upstream)
    position = {name: index for index, name in enumerate(names)}
    awaited = {name: len(set(upstream[name])) for name in names}
    downstream = _reversed(upstream)
    ready = [position[name] for name in names if not awaited[name]]
    heapify(ready)
    order: list[str] = []
    while ready:
        name = names[heappop(ready)]
        order.append(name)
        for follower in downstream[name]:
            awaited[follower] -= 1
            if not awaited[follower]:
                heappush(ready, position[follower])
    return order


def cycles(upstream: Links) -> list[list[str]]:
    """One shortest cycle of each knot of names that all reach each other, each name followed by one that reads it.

    >>> cycles({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["a"]})
    [['a', 'b', 'c']]
    """
    ordered = set(topological_order(upstream))
    remaining = {name: [each for each in links if each not in ordered] for name, links in upstream.items()}
    remaining = {name: links for name, links in remaining.items() if name not in ordered}
    # What is left is on a cycle or behind one: taking away the latter leaves knots and what lies between them.
    behind = set(topological_order(_reversed(remaining)))
    knots = {name: [each for each in links if each not in behind] for name, links in remaining.items()}
    downstream = _reversed({name: links for name, links in knots.items() if name not in behind})
    found: list[list[str]] = []
    settled: set[str] = set()
    for name in downstream:
        cycle = [] if name in settled else _shortest_cycle(downstream, name)
        if cycle:
            found.append(cycle)
            settled |= _reach(downstream, name) & _reach(_reversed(downstream), name)
    return found


def cycle_error(cycle: Sequence[Node]) -> DefinitionError:
    """The mistake that a cycle is, drawn with the place and the parameter of each of its edges."""
    width = max(len(node.name) for node in cycle)
    lines: list[str] = []
    for position, node in enumerate(cycle):
        corner = "┌>" if position == 0 else "└─" if position == len(cycle) - 1 else "│ "
        read = cycle[position - 1]
        parameter = next(edge.parameter for edge in node.edges if edge.upstream in read.outputs)
        how = "in deps" if parameter.startswith("deps:") else f"as parameter {parameter!r}"
        lines.append(f"    {corner} {node.name:<{width}}  {node.computation.location}  reads {read.name} {how}")
    first = cycle[0]
    drawn = " -> ".join(node.name for node in (*cycle, first))
    return DefinitionError(
        f"{first.name}: these assets need each other: {drawn}\n" + "\n".join(lines),
        hint="remove one of these parameters or deps",
        location=first.computation.location,
    )


def _shortest_cycle(downstream: Links, start: str) -> list[str]:
    before = {start: start}
    frontier = [start]
    while frontier:
        found: list[str] = []
        for name in frontier:
            for follower in downstream[name]:
                if follower == start:
                    return _path_back(before, name, start)
                if follower not in before:
                    before[follower] = name
                    found.append(follower)
        frontier = found
    return []


def _path_back(before: Mapping[str, str], name: str, start: str) -> list[str]:
    path = [name]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


def _reach(links: Links, start: str) -> set[str]:
    reached = {start}
    frontier = [start]
    while frontier:
        frontier = [each for name in frontier for each in links[name] if each not in reached]
        reached.update(frontier)
    return reached


def _reversed(links: Links) -> dict[str, list[str]]:
    turned: dict[str, list[str]] = {name: [] for name in links}
    for name, targets in links.items():
        for target in dict.fromkeys(targets):
            turned[target].append(name)
    return turned
