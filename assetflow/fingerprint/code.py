"""Code versions: one hash for a computation's function, the helpers it reaches and its options.

>>> from assetflow.keys import nearest_names
>>> result = fingerprint(nearest_names, inside=lambda path: "assetflow" in path, options={"missing": "wait"},
...                      cache=SourceCache())
>>> sorted(result.components)
['assetflow.keys.nearest_names', 'option:missing']
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from types import FunctionType
from typing import Literal

from assetflow.errors import DefinitionError, SourceLocation
from assetflow.fingerprint.collect import Collector, unwrapped
from assetflow.fingerprint.linking import Linker
from assetflow.fingerprint.sources import ModulePlace, SourceReader, locate, read_source
from assetflow.keys import CodeVersion

_SCHEMA = "schema:"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A code version with what it was made of.

    ``components`` maps names (``shop.helpers.clean``, ``option:missing``) to 16 hex digits; ``sources`` maps the same
    names to the text; ``untracked`` says, one sentence each, what could change unseen.
    """

    version: CodeVersion
    components: dict[str, str]
    sources: dict[str, str]
    untracked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComponentChange:
    """One difference between two component maps."""

    name: str
    kind: Literal["added", "removed", "changed"]


@dataclass(slots=True)
class SourceCache:
    """The parsed sources of one load of a project; make a new one after an edit.

    ``read`` gives the text of a file, so that a snapshot can stand in for the folder.
    """

    read: Callable[[str], str] = read_source
    place: Callable[[str], ModulePlace | None] = locate
    _linkers: dict[tuple[object, object], Linker] = field(default_factory=dict[tuple[object, object], Linker])

    def linker(self, inside: Callable[[str], bool], skip: Callable[[object], bool]) -> Linker:
        """The links of the modules for which ``inside`` holds, kept for the next function."""
        key = (inside, skip)
        if key not in self._linkers:
            self._linkers[key] = Linker(SourceReader(self.read, self.place), inside, skip)
        return self._linkers[key]


def skip_nothing(value: object) -> bool:
    """The default of ``skip``: every class that an annotation names counts."""
    return False


def fingerprint(
    function: Callable[..., object],
    *,
    inside: Callable[[str], bool],
    options: Mapping[str, str],
    cache: SourceCache,
    skip: Callable[[object], bool] = skip_nothing,
    code_version: str | None = None,
    objects: Mapping[str, object] | None = None,
) -> Fingerprint:
    """The code version of a computation.

    ``inside`` says which files belong to the project; ``options`` are the semantic options, where keys that start with
    ``schema:`` stay apart from the others; ``skip`` says which classes named in annotations count by their options
    instead (schemas). ``objects`` count by the source of their class and by their attributes, under the names given.
    ``code_version`` replaces the function, its helpers and the objects. Raises DefinitionError if the source of
    ``function`` cannot be found and no ``code_version`` is given.
    """
    digests: dict[str, bytes] = {}
    sources: dict[str, str] = {}
    untracked: set[str] = set()
    if code_version is None:
        collector = Collector(cache.linker(inside, skip))
        if not collector.collect(function):
            raise _no_source(function)
        for name, value in (objects or {}).items():
            collector.collect_object(name, value)
        untracked = collector.untracked
        for name, parts in collector.parts.items():
            digests[name] = _digest(sorted(parts))
            sources[name] = "\n".join(piece.text for piece in parts.values())
    else:
        digests["code_version"] = _digest([code_version.encode()])
        sources["code_version"] = code_version
    for option, value in options.items():
        name = option if option.startswith(_SCHEMA) else f"option:{option}"
        digests[name] = _digest([value.encode()])
        sources[name] = value
    version = _digest(item for name in sorted(digests) for item in (name.encode(), digests[name]))
    components = {name: digest.hex()[:16] for name, digest in sorted(digests.items())}
    if code_version is not None:
        components["code_version"] = code_version
    prefix = "c1" if code_version is None else "u1"
    return Fingerprint(CodeVersion(f"{prefix}:{version.hex()}"), components, sources, tuple(sorted(untracked)))


def has_source(function: Callable[..., object]) -> bool:
    """Whether the function comes from a file that is there: cheap, and without parsing it."""
    innermost = unwrapped(function)[-1]
    return isinstance(innermost, FunctionType) and os.path.isfile(innermost.__code__.co_filename)


def diff(old: Mapping[str, str], new: Mapping[str, str]) -> list[ComponentChange]:
    """What differs between two component maps, by name.

    >>> diff({"shop.clean": "aa", "shop.old": "bb"}, {"shop.clean": "cc"})
    [ComponentChange(name='shop.clean', kind='changed'), ComponentChange(name='shop.old', kind='removed')]
    """
    changes: list[ComponentChange] = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            changes.append(ComponentChange(name, "added"))
        elif name not in new:
            changes.append(ComponentChange(name, "removed"))
        elif old[name] != new[name]:
            changes.append(ComponentChange(name, "changed"))
    return changes


def only_schema(changes: Iterable[ComponentChange]) -> bool:
    """Whether there are changes and all of them are of declared schemas.

    >>> only_schema([ComponentChange("schema:orders", "changed")]), only_schema([])
    (True, False)
    """
    names = [change.name for change in changes]
    return bool(names) and all(name.startswith(_SCHEMA) for name in names)


def _digest(items: Iterable[bytes]) -> bytes:
    state = blake2b(digest_size=16)
    for item in items:
        state.update(b"%d:" % len(item))
        state.update(item)
    return state.digest()


def _no_source(function: Callable[..., object]) -> DefinitionError:
    innermost = unwrapped(function)[-1]
    name = getattr(innermost, "__qualname__", None) or type(innermost).__qualname__
    location = None
    where = ""
    if isinstance(innermost, FunctionType):
        code = innermost.__code__
        location = SourceLocation(code.co_filename, code.co_firstlineno)
        where = f" in {code.co_filename}"
    return DefinitionError(
        f"the source of {name} cannot be found{where}, so its code version is unknown",
        hint='give it one: code_version="1", and change that when the function changes',
        location=location,
    )
