"""Semantic options: what is declared beside the code and decides what a computation produces.

They are components of the code version. Bounds of partition definitions and the size of a batch are not among them, so
that moving a start or changing a batch makes nothing stale.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, cast

from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.schema import canonical
from assetflow.graph.model import Node
from assetflow.partitions.keyed import KeyedMapping, PartitionMapping
from assetflow.partitions.mappings import EdgeMapping


def semantic_options(node: Node) -> dict[str, str]:
    """By component name: ``option:type:<parameter>``, ``option:mapping:...``, ``schema:<asset>`` and so on."""
    options = {"option:returns": ", ".join(str(arrival) for arrival in node.output_returns)}
    if node.computation.multiple:
        options["option:outs"] = ", ".join(node.outputs)
    if node.batch:
        options["option:batch"] = node.batch.column
    for edge in node.edges:
        if edge.arrival:
            options[f"option:type:{edge.parameter}"] = str(edge.arrival)
        if edge.columns is not None:
            options[f"option:columns:{edge.parameter}"] = ", ".join(map(repr, edge.columns))
        options[f"option:mapping:{edge.parameter}"] = _mapping_text(edge.mapping)
        options[f"option:missing:{edge.parameter}"] = edge.missing
    for spec in node.specs:
        if spec.hashing:
            options[f"option:hashing:{spec.key}"] = spec.hashing
        if spec.schema:
            options[f"schema:{spec.key}"] = canonical(spec.schema)
    return options


def written_objects(node: Node) -> dict[str, object]:
    """By component name: objects of classes that users write, whose source counts for the code version."""
    return {
        f"mapping:{edge.parameter}": edge.mapping for edge in node.edges if isinstance(edge.mapping, PartitionMapping)
    }


def check_options(check: CheckSpec) -> dict[str, str]:
    """The same for a check: the form in which the asset's value arrives."""
    return {f"option:type:{check.parameter}": str(check.arrival)} if check.parameter else {}


def _mapping_text(mapping: EdgeMapping) -> str:
    if isinstance(mapping, KeyedMapping):
        # What it gives is in the signatures of the inputs, partition by partition; a user's class is in the code.
        return type(mapping).__name__
    # Only what differs from the defaults, so that a field added later changes no text.
    found = fields(cast("Any", mapping)) if is_dataclass(mapping) else ()
    said = [(each.name, getattr(mapping, each.name)) for each in found if getattr(mapping, each.name) != each.default]
    return f"{type(mapping).__name__}({', '.join(f'{name}={value!r}' for name, value in said)})"
