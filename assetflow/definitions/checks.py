"""Checks: functions that look at an asset's output before it is published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assetflow.definitions.annotations import Arrival
from assetflow.definitions.problems import Problem
from assetflow.errors import SourceLocation
from assetflow.keys import AssetKey

Severity = Literal["error", "warn"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found; a check may also return just ``True`` or ``False``.

    ``severity`` None is the check's own. A blocking check that fails with ``"warn"`` is recorded and blocks nothing.

    >>> CheckResult(passed=True, metadata={"rows": 3}).passed
    True
    """

    passed: bool
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    severity: Severity | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CheckSpec:
    """One declared check of one asset.

    ``parameter`` takes the asset's value (None: the check reads nothing), in the form of ``arrival``; both, and
    ``takes_context``, are settled when the graph is built. ``parameters`` are all that the function has.
    """

    name: str
    asset: AssetKey
    blocking: bool
    severity: Severity
    function: Callable[..., Any]
    parameters: tuple[str, ...] = ()
    description: str | None = None
    code_version: str | None = None
    location: SourceLocation | None = None
    problems: tuple[Problem, ...] = ()
    parameter: str | None = None
    arrival: Arrival | None = None
    takes_context: bool = False
