"""``RetryPolicy``: how often and when a computation that failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Any

from assetflow.definitions.durations import parse_duration
from assetflow.definitions.problems import Problem
from assetflow.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """After a failed attempt, up to ``max_retries`` others follow.

    The first comes after ``delay``, each further one after ``backoff`` times the wait of the one before; ``jitter``
    varies each wait at random by up to this share of it. Only errors of the classes in ``retry_on`` are tried again:
    what the function raised, or what assetflow found wrong (``assetflow.errors``). A failed check is none.

    >>> RetryPolicy(max_retries=3, delay="10s", backoff=2.0)
    RetryPolicy(max_retries=3, delay='10s', backoff=2.0, jitter=0.0, retry_on=(<class 'Exception'>,))
    """

    max_retries: int = 0
    delay: str | timedelta = "0s"
    backoff: float = 1.0
    jitter: float = 0.0
    retry_on: tuple[type[BaseException], ...] = (Exception,)


def retry_problems(policy: RetryPolicy) -> tuple[Problem, ...]:
    """What is wrong with a policy, as it was written."""
    found: list[Problem] = []
    retries: Any = policy.max_retries
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        found.append(Problem(f"max_retries={retries!r} is no number of retries", "write a whole number from 0"))
    try:
        parse_duration(policy.delay)
    except DefinitionError as error:
        found.append(Problem(f"delay: {error.message}", error.hint or ""))
    if not _is_number(policy.backoff) or policy.backoff < 1:
        found.append(Problem(f"backoff={policy.backoff!r} is no factor", "write a number from 1, such as 2.0"))
    if not _is_number(policy.jitter) or not 0 <= policy.jitter <= 1:
        found.append(Problem(f"jitter={policy.jitter!r} is no share", "write a number from 0 to 1, such as 0.2"))
    classes: Any = policy.retry_on
    kinds: list[Any] = [*classes] if isinstance(classes, tuple | list) else []
    if not kinds or not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        found.append(
            Problem(f"retry_on={classes!r} is not a tuple of exception classes", "write retry_on=(ConnectionError,)")
        )
    return tuple(found)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
