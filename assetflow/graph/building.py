"""``build_graph``: from what was declared to a graph that holds together, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from assetflow.definitions.annotations import ANY, NOTHING, Annotations, Arrival
from assetflow.definitions.collect import Definitions
from assetflow.definitions.computations import AssetSpec, Computation
from assetflow.definitions.functions import Parameters, parameters_of
from assetflow.definitions.validation import computation_errors, schema_errors
from assetflow.errors import DefinitionError, DefinitionErrors
from assetflow.graph.checks import settle_checks
from assetflow.graph.edges import Upstream, Upstreams, wire
from assetflow.graph.model import AssetGraph, Edge, Node
from assetflow.graph.ordering import cycle_error, cycles, topological_order
from assetflow.graph.publish_groups import group_errors, grouped_order, publish_groups
from assetflow.keys import AssetKey, nearest_names
from assetflow.partitions.definitions import MultiPartitions, TimePartitions


def build_graph(definitions: Definitions) -> AssetGraph:
    """Validate what was declared and connect it. Raises DefinitionErrors with every mistake, in order of place."""
    errors = list(definitions.problems)
    computations = definitions.computations
    owner = _owners(computations, errors)
    unsound = _unsound_partitions(computations, errors)
    drafts = [_drafted(computation, errors) for computation in computations]
    _check_schemas(drafts, errors)
    upstreams = _upstreams(drafts, owner, unsound)
    nodes: dict[str, Node] = {}
    for draft in drafts:
        node = _node(draft, upstreams, errors)
        nodes.setdefault(node.name, node)
    order = _order(nodes, owner, errors)
    checks, check_errors = settle_checks(definitions.checks, upstreams)
    errors += check_errors
    if errors:
        raise DefinitionErrors(sorted(errors, key=_place))
    specs = {spec.key: spec for name in order for spec in nodes[name].specs}
    downstream: dict[AssetKey, list[Edge]] = {key: [] for key in specs}
    groups = publish_groups({name: nodes[name] for name in order})
    for name in order:
        for edge in nodes[name].edges:
            downstream[edge.upstream].append(edge)
    return AssetGraph(
        {name: nodes[name] for name in order},
        {key: owner[key].name for key in specs},
        specs,
        checks,
        {key: tuple(edges) for key, edges in downstream.items()},
        {group: tuple(node.name for node in members) for group, members in groups.items()},
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A computation with what its function says: its parameters, its annotations, its outputs with their schemas."""

    computation: Computation
    parameters: Parameters
    annotations: Annotations
    returns: Arrival
    specs: tuple[AssetSpec, ...]
    output_returns: tuple[Arrival, ...]


def _place(error: DefinitionError) -> tuple[bool, str, int]:
    where = error.location
    return (where is None, where.path if where else "", where.line if where else 0)


def _error(computation: Computation, message: str, hint: str | None) -> DefinitionError:
    return DefinitionError(f"{computation.name}: {message}", hint=hint, location=computation.location)


def _owners(computations: Sequence[Computation], errors: list[DefinitionError]) -> dict[AssetKey, Computation]:
    """Which computation gives each asset; where several do, the first."""
    owner: dict[AssetKey, Computation] = {}
    named: dict[str, Computation] = {}
    for computation in computations:
        earlier = {spec.key: owner.setdefault(spec.key, computation) for spec in computation.outputs}
        taken = {key: other for key, other in earlier.items() if other is not computation}
        same_name = named.setdefault(computation.name, computation)
        if same_name is not computation and not taken:
            taken = {AssetKey(computation.name): same_name}
        for key, other in taken.items():
            errors.append(
                DefinitionError(
                    f"{key}: declared twice, first at {other.location}",
                    hint="rename one of the two functions, or give one another name=",
                    location=computation.location,
                )
            )
    return owner


def _unsound_partitions(computations: Sequence[Computation], errors: list[DefinitionError]) -> frozenset[int]:
    """The partition definitions with mistakes, by identity; each is reported once, where it is first used."""
    first_use = {id(each.partitions): each for each in reversed(computations) if each.partitions is not None}
    unsound: set[int] = set()
    for identity, computation in first_use.items():
        problems = computation.partitions.problems() if computation.partitions is not None else []
        errors += [_error(computation, f"partitions: {problem}", None) for problem in problems]
        if problems:
            unsound.add(identity)
    return frozenset(unsound)


def _drafted(computation: Computation, errors: list[DefinitionError]) -> _Draft:
    annotations = Annotations(computation.function)
    parameters = parameters_of(computation.function)
    errors += computation_errors(computation, parameters)
    returns, outputs = ANY, (ANY,) * len(computation.outputs)
    batch = computation.batch is not None
    try:
        if computation.multiple:
            outputs = annotations.returned_outputs([spec.key for spec in computation.outputs], batch=batch)
            returns = NOTHING if all(each is NOTHING for each in outputs) else ANY
        elif computation.kind == "asset":
            returns = annotations.returns(batch=batch)
            outputs = (returns,)
    except DefinitionError as error:
        errors.append(_error(computation, error.message, error.hint))
    pairs = list(zip(computation.outputs, outputs, strict=True))
    if any(spec.freshness_policy for spec in computation.outputs) and (times := _dimensions_of_time(computation)):
        message = f"freshness_policy needs one dimension of time to tell how old data is; it has {', '.join(times)}"
        errors.append(_error(computation, message, "give the policy to what is made from it"))
    for spec, arrival in pairs:
        if spec.schema and arrival.schema and spec.schema is not arrival.schema:
            names = f"{spec.schema.__name__} and {arrival.schema.__name__}"
            errors.append(_error(computation, f"it has two schemas, {names}", "keep one of them"))
    specs = tuple(replace(spec, schema=arrival.schema) if arrival.schema else spec for spec, arrival in pairs)
    return _Draft(computation, parameters, annotations, returns, specs, outputs)


def _dimensions_of_time(computation: Computation) -> list[str]:
    """The names of the dimensions of time, where there are several."""
    if not isinstance(computation.partitions, MultiPartitions):
        return []
    names = [name for name, each in computation.partitions.pairs if isinstance(each, TimePartitions)]
    return names if len(names) > 1 else []


def _check_schemas(drafts: Sequence[_Draft], errors: list[DefinitionError]) -> None:
    """Each schema is reported once, where it is first used."""
    seen: set[type] = set()
    for draft in drafts:
        for spec, arrival in zip(draft.specs, draft.output_returns, strict=True):
            if spec.schema is None:
                continue
            if arrival.container == "none" or arrival.type == "value":
                message = f"the schema {spec.schema.__name__} is for a table, and what it returns is none"
                hint = "annotate the return value as a table, such as pd.DataFrame, or remove the schema"
                errors.append(_error(draft.computation, message, hint))
            if spec.schema not in seen:
                seen.add(spec.schema)
                errors += schema_errors(spec.schema, draft.computation)


def _upstreams(drafts: Sequence[_Draft], owner: dict[AssetKey, Computation], unsound: frozenset[int]) -> Upstreams:
    by_key = {
        spec.key: Upstream(draft.computation, spec, arrival, id(draft.computation.partitions) not in unsound)
        for draft in drafts
        for spec, arrival in zip(draft.specs, draft.output_returns, strict=True)
        if owner[spec.key] is draft.computation
    }

    @cache
    def nearest(name: str) -> str | None:
        return nearest_names(name, by_key)

    return Upstreams(by_key, nearest)


def _node(draft: _Draft, upstreams: Upstreams, errors: list[DefinitionError]) -> Node:
    computation = draft.computation
    edges, problems = wire(computation, draft.parameters, draft.annotations, upstreams)
    errors += [problem.error(computation.name, computation.location) for problem in problems]
    return Node(
        computation.name,
        computation.kind,
        tuple(spec.key for spec in draft.specs),
        draft.specs,
        computation.partitions,
        edges,
        computation.batch,
        computation,
        "context" in draft.parameters.names,
        draft.returns,
        draft.output_returns,
    )


def _order(nodes: dict[str, Node], owner: dict[AssetKey, Computation], errors: list[DefinitionError]) -> list[str]:
    first = {key: each.name for key, each in owner.items() if nodes[each.name].computation is each}
    links = {
        name: [first[edge.upstream] for edge in node.edges if edge.upstream in first and not edge.own]
        for name, node in nodes.items()
    }
    order = topological_order(links)
    if len(order) < len(nodes):
        errors += [cycle_error([nodes[name] for name in cycle]) for cycle in cycles(links)]
        return order
    errors += group_errors(nodes, links, lambda key: first.get(AssetKey(key)))
    return grouped_order(nodes, links, order)
