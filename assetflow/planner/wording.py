"""The words of causes: partitions as a few ranges, lists of names, and parts of the code as people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spaces import PartitionSpace

SHOWN = 3
"""How many ranges or names a sentence lists."""


def ranges_of(space: PartitionSpace, partitions: PartitionSet) -> tuple[str, ...]:
    """The first few ranges of partitions, and how many more there are."""
    if space.grain == "none":
        return ()
    shown, hidden = space.first_ranges(partitions, SHOWN)
    ranges = [first if first == last else f"{first}...{last}" for first, last in shown]
    return (*ranges, f"+{hidden} more") if hidden else tuple(ranges)


def listed(texts: Sequence[str]) -> str:
    """The first few texts in one, and how many more there are.

    >>> listed(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    if len(texts) <= SHOWN:
        return ", ".join(texts)
    return f"{', '.join(texts[:SHOWN])} and {len(texts) - SHOWN} more"


def component_changes(earlier: Mapping[str, str], present: Mapping[str, str]) -> dict[str, str]:
    """How each part of the code differs: ``added``, ``removed`` or ``changed``."""
    changes = dict.fromkeys(present.keys() - earlier.keys(), "added")
    changes |= dict.fromkeys(earlier.keys() - present.keys(), "removed")
    # Windows of UTC, which begin where their name says, go without saying.
    changes |= dict.fromkeys(changes.keys() & {"option:windows:partitions"}, "changed")
    return changes | {name: "changed" for name in present.keys() & earlier.keys() if present[name] != earlier[name]}


def component_name(component: str) -> str:
    """A part of the code as people call it.

    >>> component_name("shop.helpers.clean"), component_name("option:missing:orders"), component_name("schema:items")
    ('shop.helpers.clean', 'missing of orders', 'schema of items')
    """
    parts = component.removeprefix("option:").split(":", 1)
    return component if len(parts) == 1 and parts[0] == component else " of ".join(parts)


def changed_components(changes: Iterable[tuple[str, str]]) -> list[str]:
    """What happened to parts of the code, each that people call by one name told once.

    A mapping that a user wrote is two parts: what the edge says, and the source of the class.

    >>> changed_components([("mapping:orders", "removed"), ("option:mapping:orders", "changed"), ("shop.a", "added")])
    ['mapping of orders changed', 'shop.a added']
    """
    told: dict[str, str] = {}
    for component, change in changes:
        name = component_name(component)
        told[name] = change if told.get(name, change) == change else "changed"
    return [f"{name} {change}" for name, change in told.items()]
