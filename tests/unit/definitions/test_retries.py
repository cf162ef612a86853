"""``retry_policy`` and ``timeout``: what is refused, in so many words, and that neither is part of the code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from assetflow import Project, RetryPolicy, asset
from assetflow.errors import DefinitionErrors

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"retry_policy": 3}, "orders: retry_policy=3 is no RetryPolicy"),
    ({"retry_policy": RetryPolicy(-1)}, "orders: retry_policy: max_retries=-1 is no number of retries"),
    ({"retry_policy": RetryPolicy(True)}, "orders: retry_policy: max_retries=True is no number of retries"),
    ({"retry_policy": RetryPolicy(1, delay="soon")}, "orders: retry_policy: delay: 'soon' is no duration"),
    ({"retry_policy": RetryPolicy(1, backoff=0.5)}, "orders: retry_policy: backoff=0.5 is no factor"),
    ({"retry_policy": RetryPolicy(1, backoff=float("inf"))}, "orders: retry_policy: backoff=inf is no factor"),
    ({"retry_policy": RetryPolicy(1, jitter=1.5)}, "orders: retry_policy: jitter=1.5 is no share"),
    ({"retry_policy": RetryPolicy(1, retry_on=())}, "orders: retry_policy: retry_on=() is not a tuple of exception"),
    (
        {"retry_policy": RetryPolicy(1, retry_on=("ValueError",))},  # type: ignore[arg-type]
        "orders: retry_policy: retry_on=('ValueError',) is not a tuple of exception classes",
    ),
    ({"timeout": "10"}, "orders: timeout: '10' is no duration"),
    ({"timeout": 10}, "orders: timeout: 10 is no duration"),
    ({"timeout": "0s"}, "orders: timeout='0s' leaves no time"),
    ({"timeout": timedelta(seconds=-1)}, "orders: timeout: datetime.timedelta(days=-1, seconds=86399) is no duration"),
]


@pytest.mark.parametrize(("keywords", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_makes_no_sense_is_refused(keywords: dict[str, Any], said: str) -> None:
    @asset(**keywords)
    def orders() -> int:
        return 1

    with pytest.raises(DefinitionErrors) as raised:
        Project([orders])
    [error] = raised.value.errors
    assert error.message.startswith(said)
    assert error.hint


def test_all_that_is_wrong_with_a_policy_is_told_at_once() -> None:
    @asset(retry_policy=RetryPolicy(-1, delay="soon", backoff=0, jitter=2, retry_on=()))
    def orders() -> int:
        return 1

    with pytest.raises(DefinitionErrors) as raised:
        Project([orders])
    assert len(raised.value.errors) == 5


def test_neither_is_part_of_the_code_version() -> None:
    versions: set[str] = set()
    for keywords in ({}, {"retry_policy": RetryPolicy(3)}, {"timeout": "1h"}):
        with Project([_declared(keywords)]) as project:
            versions.add(project.setting.codes.computations["orders"].version)
    assert len(versions) == 1


def _declared(keywords: dict[str, Any]) -> Any:
    def orders() -> int:
        return 1

    return asset(**keywords)(orders)
