"""Which assets a selection means in a graph: those it names, and those it reaches from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from assetflow.errors import InvalidSelection, UnknownAsset
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey, nearest_names
from assetflow.planner.causes import PartitionState
from assetflow.planner.selection import Atom, Both, Either, Expression, Not, Selection

Condition = PartitionState | Literal["late"]
StatesOf = Callable[[AssetKey], Set[Condition]] | Mapping[AssetKey, Set[Condition]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Computations by name: ``selected`` is all that is selected, ``targets`` the part that was named without ``+``.

    ``above`` and ``below`` are the named ones whose up- and downstream was asked for: partitions are mapped from these.
    """

    selected: frozenset[str]
    targets: frozenset[str]
    above: frozenset[str]
    below: frozenset[str]

    @property
    def every(self) -> frozenset[str]:
        """All that was selected or named."""
        return self.selected | self.above | self.below


def choose(selection: Selection, graph: AssetGraph, states_of: StatesOf) -> Chosen:
    """The computations that a selection means; one output of a computation, or of a publish group, means all of it.

    ``states_of`` gives the states that any partition of an asset has, and ``late``; it is asked for ``status:`` only.
    Raises UnknownAsset with the nearest names, and InvalidSelection where nothing has the group, tag, owner or kind.
    """
    atoms = selection.atoms()
    named = {atom: graph.with_mates(_named(atom, selection, graph, states_of)) for atom in atoms}
    reached = {atom: _reached(atom, named[atom], graph) for atom in atoms}

    everything = frozenset(graph.nodes)
    selected = _evaluate(selection.expression, reached, everything)
    targets = _evaluate(selection.expression, named, everything) & selected
    above = frozenset[str]().union(*(named[atom] for atom in atoms if atom.up != 0))
    below = frozenset[str]().union(*(named[atom] for atom in atoms if atom.down != 0))
    return Chosen(selected, targets, above, below)


def targets(selection: Selection, graph: AssetGraph, states_of: StatesOf) -> frozenset[AssetKey]:
    """The asset keys that a selection names without ``+``. Raises as :func:`choose`."""
    chosen = choose(selection, graph, states_of).targets
    return frozenset(key for name in chosen for key in graph.nodes[name].outputs)


def _evaluate(
    expression: Expression, sets: Mapping[Atom, frozenset[str]], everything: frozenset[str]
) -> frozenset[str]:
    match expression:
        case Atom():
            return sets[expression]
        case Not(operand):
            return everything - _evaluate(operand, sets, everything)
        case Both(operands):
            return everything.intersection(*(_evaluate(operand, sets, everything) for operand in operands))
        case Either(operands):
            return frozenset[str]().union(*(_evaluate(operand, sets, everything) for operand in operands))


def _reached(atom: Atom, names: frozenset[str], graph: AssetGraph) -> frozenset[str]:
    reached = names
    if atom.up != 0:
        reached |= frozenset(graph.ancestors(names, atom.up))
    if atom.down != 0:
        reached |= frozenset(graph.descendants(names, atom.down))
    return graph.with_mates(reached)


def _named(atom: Atom, selection: Selection, graph: AssetGraph, states_of: StatesOf) -> frozenset[str]:
    match atom.kind:
        case "all":
            return frozenset(graph.nodes)
        case "name":
            return frozenset((graph.owner[graph.require(AssetKey(atom.value))],))
        case "glob":
            keys = [key for key in graph.owner if fnmatchcase(key, atom.value)]
            if not keys:
                hint = nearest_names(atom.value, graph.owner) or "list the assets with: assetflow list"
                raise UnknownAsset(f"no asset matches {atom.value!r}", hint=hint)
        case "status":
            asked = states_of if callable(states_of) else states_of.__getitem__
            keys = [key for key in graph.owner if atom.value in asked(key)]
        case "group" | "owner" | "kind" | "tag":
            keys = [key for key in graph.owner if atom.value in _attributes(key, atom.kind, graph)]
            if not keys:
                raise _nothing_has(atom, selection, graph)
    return frozenset(graph.owner[key] for key in keys)


def _attributes(key: AssetKey, kind: str, graph: AssetGraph) -> list[str]:
    spec = graph.specs[key]
    match kind:
        case "group":
            return [spec.group] if spec.group else []
        case "owner":
            return list(spec.owners)
        case "kind":
            return list(spec.kinds)
        case _:
            return [f"{name}={value}" for name, value in spec.tags.items()]


def _nothing_has(atom: Atom, selection: Selection, graph: AssetGraph) -> InvalidSelection:
    known = sorted({value for key in graph.owner for value in _attributes(key, atom.kind, graph)})
    shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
    hint = nearest_names(atom.value, known) or (f"there is {shown}" if known else f"no asset has a {atom.kind}")
    return InvalidSelection(f"no asset has {atom.kind}:{atom.value} (in the selection {selection.text!r})", hint=hint)
