"""What a decorator records: one computation, with its outputs and inputs as they were declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from assetflow.definitions.batch import Batch
from assetflow.definitions.freshness import FreshnessPolicy
from assetflow.definitions.inputs import Hashing, Input
from assetflow.definitions.problems import Problem
from assetflow.definitions.retries import RetryPolicy
from assetflow.definitions.schema import Schema
from assetflow.errors import SourceLocation
from assetflow.keys import AssetKey

if TYPE_CHECKING:
    from assetflow.partitions.definitions import PartitionsDefinition

ATTRIBUTE = "__assetflow__"
"""Under this name a decorated function carries its declaration."""

REPLACES = "__assetflow_replaces__"
"""Under this name it carries the declaration of an earlier function that its own name had in the same file."""


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """What is declared of one asset. ``schema`` counts the return annotation's only once the graph is built."""

    key: AssetKey
    description: str | None = None
    group: str | None = None
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    kinds: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    io_manager: str | None = None
    schema: type[Schema] | None = None
    hashing: Hashing | None = None
    freshness_policy: FreshnessPolicy | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Computation:
    """One declared function: the unit of execution. Inputs name their asset by key.

    ``multiple`` distinguishes a ``@multi_asset`` (also one with a single output). ``unsupported`` lists keywords of
    features that this version does not have, ``problems`` what else was found wrong while declaring.
    """

    name: str
    function: Callable[..., Any]
    kind: Literal["asset", "source"]
    outputs: tuple[AssetSpec, ...]
    inputs: Mapping[str, Input] = field(default_factory=dict[str, Input])
    deps: tuple[Input, ...] = ()
    partitions: PartitionsDefinition | None = None
    batch: Batch | None = None
    code_version: str | None = None
    publish_group: str | None = None
    retry_policy: RetryPolicy | None = None
    timeout: timedelta | None = None
    """Of one call."""
    pool: tuple[str, int] | None = None
    max_memory: int | None = None
    """Bytes that a process which carries out a call may take."""
    isolated: bool = False
    """Whether each call gets a process of its own, where calls have processes."""
    min_interval: timedelta | None = None
    multiple: bool = False
    location: SourceLocation | None = None
    unsupported: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
