"""Publish groups: assets whose partitions are published together, all of a partition or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from assetflow.errors import DefinitionError
from assetflow.graph.model import Node
from assetflow.graph.ordering import Links, cycles, topological_order
from assetflow.partitions.mappings import Identity, WholeUpstream

Owner = Callable[[str], str | None]
"""The computation that gives an asset."""


def publish_groups(nodes: Mapping[str, Node]) -> dict[str, list[Node]]:
    """The members of each group, in the order of ``nodes``."""
    groups: dict[str, list[Node]] = {}
    for node in nodes.values():
        if node.publish_group is not None:
            groups.setdefault(node.publish_group, []).append(node)
    return groups


def grouped_order(nodes: Mapping[str, Node], links: Links, order: Sequence[str]) -> list[str]:
    """A topological ``order`` rearranged so that the members of each group stand together.

    A group takes the place of one computation. Where something lies between its members, the order stays as it is:
    :func:`group_errors` reports that.
    """
    groups = publish_groups(nodes)
    if not groups:
        return list(order)
    place = {name: position for position, name in enumerate(order)}
    contracted = _contracted(nodes, {name: links[name] for name in order})
    members = {f"group {group}": [node.name for node in found] for group, found in groups.items()}
    found: list[str] = []
    for unit in topological_order(contracted):
        found += sorted(members[unit], key=place.__getitem__) if unit in members else [unit]
    return found if len(found) == len(order) else list(order)


def group_errors(nodes: Mapping[str, Node], links: Links, owner: Owner) -> list[DefinitionError]:
    """What is wrong with the publish groups of a graph without cycles."""
    errors: list[DefinitionError] = []
    for group, members in publish_groups(nodes).items():
        errors += _differing_partitions(group, members)
        errors += _differing_reads(group, members, owner)
    by_unit = _contracted(nodes, links)
    for cycle in cycles(by_unit):
        errors += _between(nodes, links, cycle)
    return errors


def _unit(node: Node) -> str:
    # No computation's name has a space in it.
    return node.name if node.publish_group is None else f"group {node.publish_group}"


def _contracted(nodes: Mapping[str, Node], links: Links) -> dict[str, list[str]]:
    """The links with every group as one, in the order of its first member."""
    units: dict[str, list[str]] = {}
    for name, read in links.items():
        unit = _unit(nodes[name])
        upstream = units.setdefault(unit, [])
        upstream += [each for each in (_unit(nodes[one]) for one in read if one in links) if each != unit]
    return units


def _error(node: Node, message: str, hint: str) -> DefinitionError:
    return DefinitionError(
        f"{node.name}: publish_group {node.publish_group!r}: {message}", hint=hint, location=node.computation.location
    )


def _differing_partitions(group: str, members: Sequence[Node]) -> list[DefinitionError]:
    first = members[0]
    return [
        _error(
            node,
            f"its partitions are not those of {first.name}",
            "give all assets of a publish group the same partitions",
        )
        for node in members[1:]
        if node.partitions != first.partitions
    ]


def _differing_reads(group: str, members: Sequence[Node], owner: Owner) -> list[DefinitionError]:
    names = {node.name for node in members}
    return [
        _error(
            node,
            f"it reads {edge.upstream} of the same group by {type(edge.mapping).__name__}",
            "assets of a publish group read each other partition by partition; take one of them out of the group",
        )
        for node in members
        for edge in node.edges
        if owner(edge.upstream) in names
        and (owner(edge.upstream) == node.name or not isinstance(edge.mapping, Identity | WholeUpstream))
    ]


def _between(nodes: Mapping[str, Node], links: Links, cycle: Sequence[str]) -> list[DefinitionError]:
    """One error for a cycle through groups: what lies between the members of one of them."""
    units: dict[str, list[str]] = {}
    for name in links:
        units.setdefault(_unit(nodes[name]), []).append(name)
    for unit, following in pairwise([*cycle, cycle[0]]):
        if not unit.startswith("group "):
            continue
        reader = next((n for n in units[following] if any(one in units[unit] for one in links[n])), None)
        if reader is None:
            continue
        node = nodes[units[unit][0]]
        return [
            _error(
                node,
                f"{reader} reads an asset of the group, and another asset of the group needs {reader}",
                f"give {reader} the same publish_group, or take one of the assets out of it",
            )
        ]
    return []
