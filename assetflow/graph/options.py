"""Semantic options: what is declared beside the code and decides what a computation produces.

They are components of the code version. Bounds of partition definitions and the size of a batch are not among them, so
that moving a start or changing a batch makes nothing stale. The time zone and the offset of windows are: another one
means other windows under the same keys.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, cast

from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.schema import canonical
from assetflow.graph.model import Node
from assetflow.partitions.bounds import time_offset
from assetflow.partitions.definitions import (
    DailyPartitions,
    HourlyPartitions,
    MonthlyPartitions,
    PartitionsDefinition,
    WeeklyPartitions,
)
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import KeyedMapping, PartitionMapping
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.multi_partitions import MultiPartitions
from assetflow.partitions.zones import UTC_NAMES


def semantic_options(node: Node) -> dict[str, str]:
    """By component name: ``option:type:<parameter>``, ``option:mapping:...``, ``schema:<asset>`` and so on."""
    options = {"option:returns": ", ".join(str(arrival) for arrival in node.output_returns)}
    if node.computation.multiple:
        options["option:outs"] = ", ".join(node.outputs)
    if node.batch:
        options["option:batch"] = node.batch.column
    windows = _windows_text(node.partitions)
    if windows:
        options["option:windows:partitions"] = windows
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
    objects: dict[str, object] = {}
    for edge in node.edges:
        name = f"mapping:{edge.parameter}"
        if isinstance(edge.mapping, PartitionMapping):
            objects[name] = edge.mapping
        elif isinstance(edge.mapping, DimensionMapping):
            pairs = ((f"{name}:{down or 'partitions'}", each) for down, _, each in edge.mapping.pairs)
            objects |= {place: each for place, each in pairs if isinstance(each, PartitionMapping)}
    return objects


def check_options(check: CheckSpec) -> dict[str, str]:
    """The same for a check: the form in which the asset's value arrives."""
    return {f"option:type:{check.parameter}": str(check.arrival)} if check.parameter else {}


def _windows_text(definition: PartitionsDefinition | None) -> str:
    """Where windows of the same names may lie differently; empty for those of UTC that begin where their name says."""
    match definition:
        case MultiPartitions():
            texts = {name: _windows_text(each) for name, each in definition.pairs}
            return "; ".join(f"{name}: {text}" for name, text in texts.items() if text)
        case DailyPartitions() | HourlyPartitions() | WeeklyPartitions() | MonthlyPartitions():
            zone = "" if definition.timezone in UTC_NAMES else definition.timezone
            offset = time_offset(definition)
            return " ".join([zone, f"+{offset}"] if offset else [zone]).strip()
        case _:
            return ""


def _mapping_text(mapping: EdgeMapping) -> str:
    if isinstance(mapping, KeyedMapping):
        # What it gives is in the signatures of the inputs, partition by partition; a user's class is in the code.
        return type(mapping).__name__
    if isinstance(mapping, DimensionMapping):
        pairs = (f"{down!r}: {up!r} {_mapping_text(each)}" for down, up, each in mapping.pairs if each is not None)
        return f"DimensionMapping({', '.join(sorted(pairs))})"
    # Only what differs from the defaults, so that a field added later changes no text.
    found = fields(cast("Any", mapping)) if is_dataclass(mapping) else ()
    said = [(each.name, getattr(mapping, each.name)) for each in found if getattr(mapping, each.name) != each.default]
    return f"{type(mapping).__name__}({', '.join(f'{name}={value!r}' for name, value in said)})"
