"""``FreshnessPolicy``: how late the data of an asset may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import available_timezones

from assetflow.definitions.durations import parse_duration
from assetflow.definitions.problems import Problem
from assetflow.errors import DefinitionError
from assetflow.keys import nearest_names
from assetflow.partitions.cron_expressions import parse_cron
from assetflow.partitions.zones import known_zone


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """How late data may be, for ``freshness_policy=``.

    With ``max_lag`` alone, the data is never older than that. With ``cron`` (five fields, in ``timezone``), the data as
    of each tick is there by the tick, or ``max_lag`` after it. After ``warn_lag``, which is shorter than ``max_lag``,
    the asset is due but not late. What is wrong is found when the definitions are loaded.

    >>> FreshnessPolicy(max_lag="36h").limit
    datetime.timedelta(days=1, seconds=43200)
    """

    max_lag: str | timedelta | None = None
    cron: str | None = None
    timezone: str = "UTC"
    warn_lag: str | timedelta | None = None

    @property
    def limit(self) -> timedelta:
        """``max_lag`` as a time span; none at all with ``cron`` alone. Raises DefinitionError."""
        return timedelta(0) if self.max_lag is None else parse_duration(self.max_lag)

    @property
    def due_after(self) -> timedelta:
        """The shorter one of ``warn_lag`` and ``max_lag``: from then on something is to be done."""
        return self.limit if self.warn_lag is None else parse_duration(self.warn_lag)


def policy_problems(policy: FreshnessPolicy) -> list[Problem]:
    """What is wrong with a policy and what to do about it."""
    problems: list[Problem] = []
    if policy.max_lag is None and policy.cron is None:
        problems.append(
            Problem("FreshnessPolicy() has neither max_lag nor cron", 'write FreshnessPolicy(max_lag="36h")')
        )
    for name in ("max_lag", "warn_lag"):
        value = getattr(policy, name)
        try:
            _ = parse_duration(value) if value is not None else None
        except DefinitionError as error:
            problems.append(Problem(f"FreshnessPolicy({name}=): {error.message}", error.hint or ""))
    if not known_zone(policy.timezone):
        near = nearest_names(str(policy.timezone), available_timezones())
        problems.append(
            Problem(
                f"FreshnessPolicy(timezone={policy.timezone!r}) is no time zone",
                near or "write a name such as Europe/Berlin",
            )
        )
    if policy.cron is not None:
        problems += _cron_problems(policy.cron)
    return problems or _lag_problems(policy)


def _cron_problems(cron: object) -> list[Problem]:
    hint = 'write five fields, minute hour day month weekday: "0 6 * * mon-fri"'
    if not isinstance(cron, str):
        return [Problem(f"FreshnessPolicy(cron={cron!r}) is no cron expression", hint)]
    try:
        parse_cron(cron)
    except ValueError as error:
        return [Problem(f"FreshnessPolicy(cron={cron!r}): {error}", hint)]
    return []


def _lag_problems(policy: FreshnessPolicy) -> list[Problem]:
    if policy.cron is None and not policy.limit:
        return [Problem(f"FreshnessPolicy(max_lag={policy.max_lag!r}) can never be met", 'write max_lag="1h" or more')]
    if policy.warn_lag is None:
        return []
    if policy.max_lag is None:
        return [Problem("FreshnessPolicy(warn_lag=) needs max_lag=", "add max_lag=, longer than warn_lag")]
    if policy.due_after >= policy.limit:
        return [
            Problem(
                f"FreshnessPolicy(warn_lag={policy.warn_lag!r}) is not shorter than max_lag={policy.max_lag!r}",
                "warn earlier, or allow more",
            )
        ]
    return []
