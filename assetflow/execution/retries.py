"""When a failed attempt is followed by another, after how long, and with which partitions in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assetflow.definitions.durations import parse_duration
from assetflow.definitions.retries import RetryPolicy
from assetflow.errors import AssetflowError, class_names


def may_retry(policy: RetryPolicy | None, error: AssetflowError, attempt: int) -> bool:
    """Whether there is another attempt after the one of this number, which ended with ``error``."""
    if policy is None or attempt > policy.max_retries:
        return False
    names = error.raised or class_names(type(error))
    return any(class_names(wanted)[0] in names for wanted in policy.retry_on)


def seconds_before(policy: RetryPolicy, attempt: int, chance: Callable[[], float]) -> float:
    """How long to wait before the attempt of this number; ``chance`` gives numbers from 0 to 1.

    >>> policy = RetryPolicy(max_retries=3, delay="10s", backoff=2.0, jitter=0.1)
    >>> [seconds_before(policy, attempt, lambda: 0.5) for attempt in (2, 3, 4)]
    [10.0, 20.0, 40.0]
    >>> seconds_before(policy, 2, lambda: 1.0)
    11.0
    """
    seconds = parse_duration(policy.delay).total_seconds() * policy.backoff ** (attempt - 2)
    return seconds * (1 + policy.jitter * (2 * chance() - 1)) if policy.jitter else seconds


def smaller_calls(rows: Sequence[int], *, halved: bool) -> list[Sequence[int]]:
    """The calls in which rows that failed together are tried again.

    >>> smaller_calls([1, 2, 3], halved=True), smaller_calls([1, 2, 3], halved=False), smaller_calls([1], halved=True)
    ([[1, 2], [3]], [[1, 2, 3]], [[1]])
    """
    if not halved or len(rows) < 2:
        return [rows]
    middle = (len(rows) + 1) // 2
    return [rows[:middle], rows[middle:]]
