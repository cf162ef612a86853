"""Partitions whose keys are added and removed while the project lives."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Self, cast

from assetflow.errors import InvalidPartition, UsageError
from assetflow.keys import nearest_names
from assetflow.partitions.dictionary import key_problem


@dataclass(frozen=True, slots=True)
class DynamicPartitions:
    """A set of keys that is kept in the metadata store under ``name``; it begins empty.

    Keys are added with ``Project.add_partitions``, ``context.add_partitions`` or ``assetflow partitions add``. Two
    definitions of one name are the same set. The order of ranges such as ``acme...zenith`` is that of addition.

    >>> DynamicPartitions("customers").describe()
    "the dynamic partitions 'customers'"
    >>> DynamicPartitions("").problems()
    ["name '' is no name for a set of keys: write a text such as 'customers'"]
    """

    name: str
    keys: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)
    """The keys that are there now, for a ``PartitionMapping``; empty in a declaration."""

    @property
    def grain(self) -> Literal["dynamic"]:
        """These partitions have no length."""
        return "dynamic"

    def problems(self) -> list[str]:
        """What is wrong with this definition and what to do about it, one text per mistake."""
        given = cast("object", self.name)
        if isinstance(given, str) and given.isprintable() and given and given == given.strip():
            return []
        return [f"name {given!r} is no name for a set of keys: write a text such as 'customers'"]

    def describe(self) -> str:
        """One line for people."""
        return f"the dynamic partitions {self.name!r}"

    def signature(self) -> tuple[Hashable, ...]:
        """A value that is equal for definitions with the same partitions, in every process."""
        return ("dynamic", str(self.name))

    def holding(self, keys: Iterable[str]) -> Self:
        """This definition with the keys that it has at a moment."""
        made = type(self)(self.name)
        object.__setattr__(made, "keys", tuple(keys))
        return made


def require_set(name: object, known: Collection[str]) -> str:
    """The name of dynamic partitions that somebody declares. Raises UsageError with the nearest names.

    >>> require_set("customers", ["customers"])
    'customers'
    """
    if isinstance(name, str) and name in known:
        return name
    declared = f"declared are {', '.join(map(repr, sorted(known)))}" if known else "no asset declares any"
    raise UsageError(f"there are no dynamic partitions {name!r}", hint=nearest_names(str(name), known) or declared)


def require_keys(name: str, keys: object) -> list[str]:
    """The keys that are meant for dynamic partitions, each once, in the order given. Raises InvalidPartition.

    >>> require_keys("customers", ["acme", "zenith", "acme"])
    ['acme', 'zenith']
    """
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        wanted = f"[{keys!r}]" if isinstance(keys, str) else "a list of texts"
        raise InvalidPartition(f"{name}: keys is {keys!r}, not a list of keys", hint=f"write {wanted}")
    found = list(dict.fromkeys(cast("Iterable[str]", keys)))
    for key in found:
        if problem := key_problem(key):
            raise InvalidPartition(f"{name}: {problem}")
    return found
