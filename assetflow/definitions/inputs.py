"""``Input`` and ``Out``: what a computation reads and what it produces, where the defaults do not say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from assetflow.definitions.freshness import FreshnessPolicy
from assetflow.definitions.schema import Schema

if TYPE_CHECKING:
    from assetflow.partitions.mappings import EdgeMapping

AssetRef = str | Callable[..., Any]
"""An asset where one is named: its key, or the decorated function."""

Hashing = Literal["ordered", "rows", "none"]


@dataclass(frozen=True, slots=True)
class Input:
    """One upstream of a computation, for ``inputs={"parameter": Input(...)}`` or ``deps=[Input(...)]``.

    ``mapping`` says which upstream partitions a partition reads; None: the default for the two definitions.
    ``columns`` loads only those columns of a table. ``missing``: ``"wait"`` for every expected upstream partition, or
    ``"allow"`` what is there; None: ``"allow"`` for ``AllPartitions`` and ``LastN``, otherwise ``"wait"``.
    ``late_tolerance``, such as ``"3d"``: what is published of an upstream window later than that after its end makes
    nothing stale that is built already.

    >>> Input("orders", columns=["price"]).columns
    ['price']
    """

    asset: AssetRef
    mapping: EdgeMapping | None = None
    schema: type[Schema] | None = None
    columns: Sequence[str] | None = None
    missing: Literal["wait", "allow"] | None = None
    late_tolerance: str | timedelta | None = None


@dataclass(frozen=True, slots=True)
class Out:
    """One output of a ``@multi_asset``; what is not said here is as the decorator says it for all.

    >>> Out(description="One row per order.").description
    'One row per order.'
    """

    schema: type[Schema] | None = None
    io_manager: str | None = None
    description: str | None = None
    hashing: Hashing | None = None
    group: str | None = None
    owners: Sequence[str] | None = None
    tags: Mapping[str, str] | None = None
    kinds: Sequence[str] | None = None
    metadata: Mapping[str, object] | None = None
    freshness_policy: FreshnessPolicy | None = None
