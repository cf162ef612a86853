"""From a computation's parameters and deps to edges: what each reads, how partitions map, in which form it arrives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, get_origin

from assetflow.definitions.annotations import Annotations, Arrival, type_text
from assetflow.definitions.computations import AssetSpec, Computation
from assetflow.definitions.functions import Parameters
from assetflow.definitions.inputs import Input
from assetflow.definitions.problems import Problem
from assetflow.definitions.schema import schema_columns, schema_problems
from assetflow.errors import DefinitionError
from assetflow.graph.model import Edge
from assetflow.keys import AssetKey, nearest_names
from assetflow.partitions.defaults import (
    backward_problem,
    default_mapping,
    joinable_dimensions,
    mapping_problem,
    settled_mapping,
)
from assetflow.partitions.definitions import PartitionsDefinition, TimePartitions
from assetflow.partitions.mappings import AllPartitions, EdgeMapping, Identity, LastN, TimeWindow, WholeUpstream
from assetflow.partitions.multi_partitions import MultiPartitions


@dataclass(frozen=True, slots=True)
class Upstream:
    """What the readers of an asset need to know about it; ``sound`` is whether its partitions are."""

    computation: Computation
    spec: AssetSpec
    returns: Arrival
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Upstreams:
    """All assets by key, and which names are near a wrong one."""

    by_key: Mapping[AssetKey, Upstream]
    nearest: Callable[[str], str | None]

    def get(self, key: str) -> Upstream | None:
        """The asset, if there is one."""
        return self.by_key.get(AssetKey(key))


Note = Callable[[str, str | None], None]


def wire(
    computation: Computation, parameters: Parameters, annotations: Annotations, upstreams: Upstreams
) -> tuple[tuple[Edge, ...], list[Problem]]:
    """The edges of one computation, and what is wrong with its parameters, inputs and deps."""
    problems: list[Problem] = []

    def note(message: str, hint: str | None) -> None:
        problems.append(Problem(message, hint))

    edges: list[Edge] = []
    for parameter, given in _read_by_parameters(computation, parameters, upstreams, note):
        edge = _edge(computation, parameter, given, upstreams, note)
        upstream = upstreams.get(given.asset) if isinstance(given.asset, str) else None
        if edge and upstream:
            edge = _loaded(edge, upstream, annotations, note)
            edges.append(edge)
    for given in computation.deps:
        edge = _edge(computation, f"deps:{given.asset}", given, upstreams, note)
        if edge and edge.columns is not None:
            note(f"deps: columns= of {edge.upstream!r} has no effect, for deps are not loaded", "remove columns=")
        if edge:
            edges.append(edge)
    return tuple(edges), problems


def _read_by_parameters(
    computation: Computation, parameters: Parameters, upstreams: Upstreams, note: Note
) -> Iterator[tuple[str, Input]]:
    for name in parameters.names:
        given = computation.inputs.get(name)
        if name == "context":
            if given:
                note("inputs['context']: this parameter holds the AssetContext", "rename the parameter")
        elif computation.kind == "source":
            if name not in parameters.optional:
                note(f"the parameter {name!r}: a source reads no assets", "remove the parameter, or give it a default")
        elif given:
            yield name, given
        elif upstreams.get(name):
            yield name, Input(name)
        elif name not in parameters.optional:
            note(
                f"nobody provides the parameter {name!r}: no asset has this name, and it is not context or a resource",
                _how_to_provide(name, upstreams),
            )
    for name in computation.inputs:
        if name not in parameters.names:
            hint = (
                nearest_names(name, parameters.names) or f"its parameters are: {', '.join(parameters.names) or 'none'}"
            )
            note(f"inputs[{name!r}]: the function has no parameter of this name", hint)


def _how_to_provide(name: str, upstreams: Upstreams) -> str:
    nested = [key for key in upstreams.by_key if key.rpartition("/")[2] == name]
    if nested:
        return f"did you mean inputs={{{name!r}: Input({nested[0]!r})}}?"
    context = "; if it is the AssetContext, call it context" if name in ("ctx", "ctxt", "cx") else ""
    near = upstreams.nearest(name)
    return f"{near or 'declare the asset, or give the parameter a default'}{context}"


def _edge(computation: Computation, parameter: str, given: Input, upstreams: Upstreams, note: Note) -> Edge | None:
    key = AssetKey(str(given.asset))
    upstream = upstreams.get(key)
    dependency = parameter.startswith("deps:")
    if upstream is None:
        if key:
            place = "deps" if dependency else f"inputs[{parameter!r}]"
            near = upstreams.nearest(key) or "declare it, or add it to the Definitions"
            note(f"{place} names {key!r}, which no asset has", near)
        return None
    place = f"deps: {key!r}" if dependency else f"parameter {parameter!r}"
    placed = partial(_at, note, place)
    itself = upstream.computation is computation
    mapping = (_own_mapping if itself else _mapping)(computation, upstream, given, placed)
    if mapping is None:
        return None
    missing = given.missing or ("allow" if isinstance(mapping, AllPartitions | LastN) else "wait")
    columns = None if given.columns is None else tuple(given.columns)
    return Edge(
        computation.name,
        parameter,
        key,
        mapping,
        missing,
        loaded=not dependency,
        columns=columns,
        own=itself,
        late_tolerance=_tolerance(given, upstream, placed, itself=itself),
        dimensions=_dimensions(upstream.computation.partitions),
    )


def _dimensions(partitions: PartitionsDefinition | None) -> int:
    return len(partitions.names) if isinstance(partitions, MultiPartitions) else 1


def _tolerance(given: Input, upstream: Upstream, note: Note, *, itself: bool) -> timedelta | None:
    if not isinstance(given.late_tolerance, timedelta):
        return None
    partitions = upstream.computation.partitions
    if itself:
        note("late_tolerance= is for what others publish, and this is the asset itself", "remove late_tolerance=")
    elif upstream.sound and not isinstance(partitions, TimePartitions):
        described = "no partitions" if partitions is None else partitions.describe()
        note(
            f"late_tolerance= needs an upstream with time partitions, but it has {described}", "remove late_tolerance="
        )
    return given.late_tolerance


def _at(note: Note, place: str, message: str, hint: str | None) -> None:
    note(f"{place}: {message}", hint)


def _mapping(computation: Computation, upstream: Upstream, given: Input, note: Note) -> EdgeMapping | None:
    down, up = computation.partitions, upstream.computation.partitions
    mapping: Any = given.mapping
    if mapping is not None and not isinstance(mapping, EdgeMapping):
        hint = (
            "write Identity(), TimeWindow(), LastN(n), AllPartitions(), StaticMapping({...}), DimensionMapping({...}) "
            "or a PartitionMapping"
        )
        is_class = isinstance(mapping, type) and issubclass(mapping, EdgeMapping)
        note(f"mapping={mapping!r} is no mapping", f"write {mapping.__name__}(...)" if is_class else hint)
        return None
    if not upstream.sound:
        return WholeUpstream() if mapping is None else mapping
    if mapping is None:
        return _inferred(computation, upstream, note)
    problem = mapping_problem(mapping, down, up)
    if problem:
        note(problem, None)
        return None
    return settled_mapping(mapping, down, up)


def _own_mapping(computation: Computation, upstream: Upstream, given: Input, note: Note) -> EdgeMapping | None:
    """The mapping by which a computation reads earlier partitions of its own outputs."""
    if computation.batch is not None:
        note("an asset that reads itself is built one partition after the other, so it cannot batch", "remove batch=")
    stated = _mapping(computation, upstream, given, note) if given.mapping is not None else None
    if not upstream.sound or (given.mapping is not None and stated is None):
        return stated
    problem = backward_problem(stated, computation.partitions)
    if problem is not None:
        hint = None
        if stated is None and computation.partitions is not None:
            name = upstream.spec.key
            hint = f'write inputs={{"{name.rpartition("/")[2]}": Input("{name}", <the mapping>)}}'
        note(problem, hint)
        return None
    return stated


def _inferred(computation: Computation, upstream: Upstream, note: Note) -> EdgeMapping | None:
    down, up = computation.partitions, upstream.computation.partitions
    mapping = default_mapping(down, up)
    if mapping is None:
        sides = [f"partitions ({each.describe()})" if each else "no partitions" for each in (down, up)]
        key = upstream.spec.key
        joined = joinable_dimensions(down, up)
        fitting = [f"DimensionMapping({joined})"] if joined else []
        stated = " or ".join(f"Input({key!r}, mapping={each})" for each in (*fitting, "AllPartitions()"))
        note(
            f"no mapping follows, for {computation.name!r} has {sides[0]} and its upstream {sides[1]}",
            f"state one: {stated}, in inputs= or deps=",
        )
        return None
    # The same calendar with other bounds maps key to key too; saying so keeps the code version when a start moves.
    same_calendar = mapping == TimeWindow() and mapping_problem(Identity(), down, up) is None
    return Identity() if same_calendar else mapping


def _loaded(edge: Edge, upstream: Upstream, annotations: Annotations, note: Note) -> Edge:
    parameter, key = edge.parameter, edge.upstream
    if upstream.computation.kind == "source":
        note(f"parameter {parameter!r} loads {key!r}, a source, which has no stored value", f"write deps=[{key!r}]")
        return edge
    if upstream.returns.container == "none":
        note(
            f"parameter {parameter!r} loads {key!r}, which returns None: it has no value",
            f"write deps=[{key!r}], or let it return a value",
        )
        return edge
    try:
        arrival = _form(annotations.parameter(parameter), edge, upstream)
    except DefinitionError as error:
        note(error.message, error.hint)
        return edge
    if edge.columns is not None:
        _check_columns(edge.columns, arrival, edge, upstream, note)
    return replace(edge, arrival=arrival)


def _form(arrival: Arrival, edge: Edge, upstream: Upstream) -> Arrival:
    """A dict is by partition key only where there are partitions; elsewhere it is a value like any other."""
    if arrival.container != "dict":
        return arrival
    whole = Arrival("one", "value", dict)
    if isinstance(edge.mapping, WholeUpstream):
        return whole
    each, returned = _outer(arrival.python), _outer(upstream.returns.python)
    if returned is not dict or each in (dict, None) or arrival.type == "any":
        return arrival
    if edge.single:
        return whole
    text = type_text(arrival.python)
    raise DefinitionError(
        f"parameter {edge.parameter!r}: dict[str, {text}] asks for one {text} by partition key, "
        f"but each partition of {edge.upstream!r} is a dict",
        hint=f"annotate dict[str, {type_text(upstream.returns.python)}]",
    )


def _outer(kind: Any) -> object:
    origin = get_origin(kind) or kind
    return dict if origin is Mapping else origin


def _check_columns(columns: Collection[str], arrival: Arrival, edge: Edge, upstream: Upstream, note: Note) -> None:
    place = f"parameter {edge.parameter!r}"
    if arrival.container == "paths" or arrival.type == "value":
        shown = "list[Path]" if arrival.container == "paths" else type_text(arrival.python)
        note(f"{place}: columns= is for tables, and {shown} is none", "remove columns=, or annotate a table")
        return
    schema = upstream.spec.schema
    if schema is None or schema_problems(schema):
        return
    known = [column.name for column in schema_columns(schema)]
    for column in columns:
        if column not in known:
            hint = nearest_names(column, known) or f"its schema has: {', '.join(known)}"
            note(f"{place}: {edge.upstream!r} has no column {column!r}", hint)
