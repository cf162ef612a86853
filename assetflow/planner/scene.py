"""What is told of one plan, or of the state of things: facts, and what flows over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assetflow.planner.evidence import Evidence
from assetflow.planner.facts import Facts, World
from assetflow.planner.flow import Flow
from assetflow.planner.spans import Flags


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What reasons are read from: facts, and the flow of one plan over them."""

    world: World
    facts: Mapping[str, Facts]
    flows: Mapping[str, Flow]
    forced: bool = False
    expired: Mapping[str, Flags] = field(default_factory=dict[str, Flags])
    evidence: Evidence | None = None
    """Where what was read is looked up; None: nowhere."""
