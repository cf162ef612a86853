"""Histories as data: what is declared and what happens to it, so that one that breaks a rule can be kept and replayed.

A rule is a function ``rule(timeline, **arguments)`` that raises where it does not hold. ``holds`` writes the timeline
that breaks one to a file, the smallest one last, and ``tests/property/test_replays.py`` runs such files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import assetflow
from tests.property.oracle import Listed

T = TypeVar("T")
Operation = Sequence[Any]
"""What happened, then to what; all of it can be written as JSON."""

KEPT = Path(__file__).parent / "replays"
"""Timelines that once broke a rule."""
BROKEN = Path(__file__).parents[2] / ".hypothesis" / "timelines"
"""Those of the last failures here."""
_NAMES = {name: getattr(assetflow, name) for name in assetflow.__all__} | {"Listed": Listed}


@dataclass(frozen=True)
class Read:
    """One upstream; the mapping as an expression, None for the default one."""

    upstream: str
    mapping: str | None = None
    missing: str | None = None
    loaded: bool = False
    late_tolerance: str | None = None


@dataclass(frozen=True)
class Declared:
    """A ``source``, a computation of ``one`` asset, or of ``two``: ``name_x`` and ``name_y``."""

    name: str
    kind: str
    partitions: str | None = None
    reads: tuple[Read, ...] = ()
    checked: bool = False
    """Whether a blocking check looks at the last output."""
    policy: str | None = None
    batched: bool = False
    """Whether one call makes several partitions; then nothing is loaded."""

    @property
    def outputs(self) -> list[str]:
        return [f"{self.name}_x", f"{self.name}_y"] if self.kind == "two" else [self.name]


@dataclass(frozen=True)
class Timeline:
    """Declarations, upstreams first, and what happened then."""

    assets: tuple[Declared, ...]
    operations: tuple[Operation, ...] = ()

    def to_json(self, rule: str, arguments: Mapping[str, Any]) -> str:
        """The file that replays this."""
        lines = {
            "rule": rule,
            "arguments": arguments,
            "assets": [asdict(each) for each in self.assets],
            "operations": self.operations,
        }
        return json.dumps(lines, indent=1, default=asdict) + "\n"

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Timeline:
        """The timeline of such a file."""
        return cls(tuple(map(declared_from, document["assets"])), tuple(document["operations"]))


def declared_from(fields: Mapping[str, Any]) -> Declared:
    """A declaration that was written as JSON."""
    reads = tuple(Read(**each) for each in fields["reads"])
    return Declared(**{**fields, "reads": reads})


def value_of(expression: str | None) -> Any:
    """What an expression of a timeline stands for."""
    return None if expression is None else eval(expression, dict(_NAMES))


def expression_of(value: object) -> str | None:
    """The expression for a definition, a mapping or a policy."""
    return None if value is None else repr(value)


def holds(rule: Callable[..., T], timeline: Timeline, **arguments: Any) -> T:
    """Check a rule, and give what it gives; a timeline that breaks it is left as a file.

    ``arguments`` can be written as JSON.
    """
    try:
        return rule(timeline, **arguments)
    except Exception as error:
        BROKEN.mkdir(parents=True, exist_ok=True)
        name = f"{rule.__module__}:{rule.__name__}"
        path = BROKEN / f"{rule.__name__}.json"
        path.write_text(timeline.to_json(name, arguments))
        error.add_note(f"kept as {path}; pytest tests/property/test_replays.py runs it again")
        raise


def replay(path: Path) -> None:
    """Check the rule of a file on its timeline."""
    document = json.loads(path.read_text())
    module, _, name = document["rule"].partition(":")
    getattr(import_module(module), name)(Timeline.from_document(document), **document["arguments"])
