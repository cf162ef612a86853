"""How long leases last, and how much of each pool there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assetflow.errors import DefinitionError, DefinitionErrors, UsageError
from assetflow.keys import nearest_names

if TYPE_CHECKING:
    from assetflow.graph import AssetGraph

DEFAULT_POOL = "default"
"""Stands for the pools that are not named."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What runs are held to. Without ``pools`` there are no limits; with them, each pool needs one, or the default.

    >>> Limits(pools={"warehouse": 4, "default": 8}).of("api"), Limits().of("api")
    (8, None)
    """

    lease_seconds: float = 15.0
    """How long a claim is good for without a heartbeat; one comes each third of it."""
    pools: Mapping[str, int] | None = None

    def of(self, pool: str) -> int | None:
        """The limit of a pool; None for no limit."""
        return None if self.pools is None else self.pools.get(pool, self.pools.get(DEFAULT_POOL))


NORMAL = Limits()
"""Where nothing is said."""


def is_lease(seconds: object) -> bool:
    """Whether leases can last so long.

    >>> is_lease(15), is_lease(0.5), is_lease("15s")
    (True, False, False)
    """
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 1 <= seconds <= 3600


def is_limit(limit: object) -> bool:
    """Whether a pool can have such a limit."""
    return isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1


def limits_of(lease_seconds: float, pools: Mapping[str, int] | None) -> Limits:
    """The limits that a program gives. Raises UsageError."""
    if not is_lease(lease_seconds):
        raise UsageError(
            f"lease_seconds={lease_seconds!r} cannot be used", hint="give a number of seconds from 1 to 3600"
        )
    for name, limit in (pools or {}).items():
        if not is_limit(limit):
            raise UsageError(f"pools: {name!r} has no limit {limit!r}", hint="give a whole number from 1")
    return Limits(float(lease_seconds), pools)


def checked_priority(priority: int) -> int:
    """The same priority. Raises UsageError for one that would keep others waiting for hours."""
    if isinstance(priority, bool) or not -100 <= priority <= 100:
        raise UsageError(f"priority={priority!r} cannot be used", hint="give a whole number from -100 to 100")
    return priority


def check_pools(graph: AssetGraph, limits: Limits) -> None:
    """Refuse pools without a limit where others have one, and steps that never fit. Raises DefinitionErrors."""
    errors: list[DefinitionError] = []
    for node in graph.nodes.values():
        if node.pool is None or limits.pools is None:
            continue
        pool, weight = node.pool
        limit = limits.of(pool)
        if limit is None:
            hint = (
                nearest_names(pool, limits.pools)
                or f"write {pool} = 4 there, or default = 8 for all that are not named"
            )
            errors.append(
                DefinitionError(
                    f"{node.name}: pool {pool!r} has no limit in [tool.assetflow.pools]",
                    hint=hint,
                    location=node.computation.location,
                )
            )
        elif weight > limit:
            errors.append(
                DefinitionError(
                    f"{node.name}: its weight of {weight} in pool {pool!r} is more than all of it ({limit})",
                    hint="it would wait for ever: lower the weight, or raise the limit in [tool.assetflow.pools]",
                    location=node.computation.location,
                )
            )
    if errors:
        raise DefinitionErrors(errors)
