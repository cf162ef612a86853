"""The critical path of a run: the chain of attempts that decided how long it took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from assetflow.catalog.timeline import critical_path
from assetflow.keys import AssetKey
from assetflow.store.records import StepRecord

NOON = datetime(2024, 2, 10, 12, tzinfo=UTC)
READS = {"total": {"orders", "rates"}, "balance": {"balance"}, "last": {"total"}}


def step(asset: str, started: float, ended: float, **changes: Any) -> StepRecord:
    fields: dict[str, Any] = {"uid": 1, "ordinal": 0, "attempt": 1, "status": "materialized", "call_size": 1}
    times = [NOON + timedelta(seconds=seconds) for seconds in (0, started, ended)]
    return StepRecord(
        "run", AssetKey(asset), queued_at=times[0], started_at=times[1], ended_at=times[2], **fields | changes
    )


def path(*steps: StepRecord) -> list[int]:
    return critical_path(steps, lambda asset: {AssetKey(each) for each in READS.get(asset, set())})


def test_it_goes_back_through_the_upstream_that_ended_last() -> None:
    assert path(step("orders", 0, 5), step("rates", 0, 9), step("total", 9, 10), step("other", 0, 8)) == [1, 2]


def test_an_upstream_that_ended_later_than_the_step_began_did_not_hold_it_up() -> None:
    assert path(step("orders", 0, 5), step("rates", 0, 9, ordinal=1), step("total", 6, 10)) == [0, 2]


def test_it_goes_through_the_attempt_before() -> None:
    first = step("orders", 0, 4, status="failed")
    assert path(first, step("rates", 0, 1), step("orders", 5, 6, attempt=2), step("total", 6, 7)) == [0, 2, 3]


def test_it_goes_through_earlier_partitions_of_what_reads_itself() -> None:
    steps = [step("balance", n, n + 1, ordinal=n) for n in range(3)]
    assert path(*steps) == [0, 1, 2]


def test_what_called_nothing_is_not_on_it() -> None:
    blocked = step("last", 20, 20, status="blocked", call_size=None)
    assert path(step("orders", 0, 1), blocked) == [0]
    assert path(blocked) == []


def test_steps_of_no_length_at_one_moment_end_somewhere() -> None:
    assert path(*(step("balance", 0, 0, ordinal=n) for n in range(3))) != []
