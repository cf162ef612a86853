"""Retries, timeouts, ends before the end: what each attempt leaves behind, and that nothing else waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from assetflow import (
    AssetContext,
    Batch,
    Project,
    RetryPolicy,
    StaticPartitions,
    asset,
    asset_check,
)
from assetflow.errors import StepError, UsageError
from assetflow.store.records import StepRecord

Opened = Callable[..., Project]
TWICE = RetryPolicy(max_retries=2)


class Flaky:
    """Raises so many times, then answers."""

    def __init__(self, times: int, error: BaseException) -> None:
        self.left = times
        self.error = error

    def __call__(self) -> int:
        if self.left:
            self.left -= 1
            raise self.error
        return 7


def attempts(project: Project, run_id: str | None, name: str = "flaky") -> list[StepRecord]:
    assert run_id is not None
    return [step for step in project.store.reader.steps(run_id) if step.asset == name]


def flaky(trouble: Flaky, **keywords: Any) -> Any:
    @asset(code_version="1", **keywords)
    def flaky() -> int:
        return trouble()

    return flaky


def test_what_failed_is_tried_again_and_every_attempt_is_recorded(opened: Opened) -> None:
    with opened(flaky(Flaky(2, ValueError("not yet")), retry_policy=TWICE)) as project:
        result = project.materialize()
        assert (result.status, result.counts["materialized"], result.failures) == ("success", 1, ())
        assert project.load("flaky") == 7
        steps = attempts(project, result.run_id)
        assert [(step.attempt, step.status) for step in steps] == [(1, "failed"), (2, "failed"), (3, "materialized")]
        assert steps[0].error is not None
        assert steps[0].error["message"] == "flaky raised ValueError: not yet"
        assert project.plan().steps == ()


def test_a_failed_attempt_is_recorded_before_the_next_one_begins(opened: Opened) -> None:
    seen: list[list[str]] = []

    @asset(retry_policy=TWICE, code_version="1")
    def flaky(context: AssetContext) -> int:
        project.store.writer.flush()
        seen.append([step.status for step in attempts(project, context.run_id)])
        if context.attempt == 1:
            raise ValueError
        return 1

    with opened(flaky) as project:
        assert project.materialize().status == "success"
        assert seen == [[], ["failed"]]


def test_after_the_last_attempt_it_has_failed(opened: Opened) -> None:
    with opened(flaky(Flaky(9, ValueError("no")), retry_policy=TWICE)) as project:
        result = project.materialize()
        assert (result.status, result.counts["failed"], len(result.failures)) == ("failed", 1, 1)
        assert [step.attempt for step in attempts(project, result.run_id)] == [1, 2, 3]


def test_only_errors_of_the_named_classes_are_tried_again(opened: Opened) -> None:
    policy = RetryPolicy(max_retries=1, retry_on=(ConnectionError,))
    with opened(flaky(Flaky(1, ConnectionResetError("gone")), retry_policy=policy)) as project:
        assert project.materialize().status == "success"
        assert project.materialize(force=True).status == "success"
    with opened(flaky(Flaky(1, ValueError("wrong")), retry_policy=policy)) as project:
        result = project.materialize(force=True)
        assert [step.attempt for step in attempts(project, result.run_id)] == [1]


def test_sys_exit_is_no_exception_of_the_usual_kind(opened: Opened) -> None:
    with opened(flaky(Flaky(1, SystemExit(3)), retry_policy=TWICE)) as project:
        result = project.materialize()
        assert [step.status for step in attempts(project, result.run_id)] == ["failed"]


def test_a_function_knows_the_number_of_its_attempt(opened: Opened) -> None:
    @asset(retry_policy=TWICE)
    def numbered(context: AssetContext) -> int:
        if context.attempt < 3:
            raise ValueError(context.attempt)
        return context.attempt

    with opened(numbered) as project:
        project.materialize()
        assert project.load("numbered") == 3


def test_what_a_failed_attempt_has_staged_is_thrown_away(opened: Opened) -> None:
    @asset(retry_policy=TWICE, code_version="1")
    def things(context: AssetContext) -> object:
        return {1} if context.attempt == 3 else (each for each in "ab")

    with opened(things) as project:
        assert project.materialize().status == "success"
        assert len(list(project.storage.root.rglob("v-*"))) == 1
        assert project.store.reader.intents() == []


def test_a_batch_that_raises_is_halved_until_only_the_culprit_fails(opened: Opened) -> None:
    calls: list[list[str]] = []
    keys = StaticPartitions([*"abcdefgh"])

    @asset(partitions=keys, batch=Batch(max_partitions=8), retry_policy=RetryPolicy(max_retries=3), code_version="1")
    def batched(context: AssetContext) -> dict[str, int]:
        calls.append([*context.partition_keys])
        if "f" in context.partition_keys:
            raise ValueError("f is bad")
        return dict.fromkeys(context.partition_keys, 1)

    with opened(batched) as project:
        result = project.materialize()
        assert (result.counts["materialized"], result.counts["failed"]) == (7, 1)
        assert [failure.partition for failure in result.failures] == ["f"]
        assert calls == [[*"abcdefgh"], [*"abcd"], [*"efgh"], [*"ef"], [*"gh"], ["e"], ["f"]]
        (last,) = [step for step in attempts(project, result.run_id, "batched") if step.attempt == 4 and step.error]
        assert last.call_size == 1


def test_the_partitions_of_a_batch_that_fail_alone_are_tried_again_together(opened: Opened) -> None:
    calls: list[list[str]] = []

    @asset(partitions=StaticPartitions([*"abcd"]), batch=Batch(max_partitions=4), retry_policy=TWICE, code_version="1")
    def batched(context: AssetContext) -> dict[str, int]:
        calls.append([*context.partition_keys])
        absent = {"b", "c"} if context.attempt == 1 else set[str]()
        return {key: 1 for key in context.partition_keys if key not in absent}

    with opened(batched) as project:
        assert project.materialize().counts["materialized"] == 4
        assert calls == [[*"abcd"], ["b", "c"]]


def test_a_wait_between_attempts_holds_up_nothing_else(opened: Opened) -> None:
    order: list[str] = []

    @asset(retry_policy=RetryPolicy(max_retries=1, delay=timedelta(milliseconds=50)), code_version="1")
    def early(context: AssetContext) -> int:
        order.append(f"early {context.attempt}")
        if context.attempt == 1:
            raise ValueError
        return 1

    @asset(code_version="1")
    def other() -> int:
        order.append("other")
        return 1

    @asset(code_version="1")
    def later(early: int) -> int:
        order.append("later")
        return early

    with opened(early, other, later) as project:
        assert project.materialize().status == "success"
        assert order == ["early 1", "other", "early 2", "later"]


def test_a_failed_check_is_not_tried_again(opened: Opened) -> None:
    calls: list[int] = []

    @asset(retry_policy=TWICE, code_version="1")
    def checked() -> int:
        calls.append(1)
        return 1

    @asset_check(asset="checked", blocking=True)
    def never(checked: int) -> bool:
        return False

    with opened(checked, checks=[never]) as project:
        assert project.materialize().counts["quarantined"] == 1
        assert len(calls) == 1


def test_a_call_that_takes_too_long_is_ended_and_says_so(opened: Opened) -> None:
    @asset(timeout=timedelta(milliseconds=50), code_version="1")
    def slow() -> int:
        try:
            time.sleep(60)
        except Exception:
            return 1
        return 2

    @asset
    def other() -> int:
        return 1

    with opened(slow, other) as project:
        result = project.materialize()
        assert (result.counts["failed"], result.counts["materialized"]) == (1, 1)
        (failure,) = result.failures
        assert failure.error["type"] == "StepTimeout"
        assert failure.error["message"] == "slow: attempt 1 took longer than its timeout of 0.05 s, and was ended"
        assert project.store.reader.intents() == []


def test_a_timeout_is_tried_again(opened: Opened) -> None:
    @asset(timeout=timedelta(milliseconds=50), retry_policy=TWICE, code_version="1")
    def slow(context: AssetContext) -> int:
        if context.attempt == 1:
            time.sleep(60)
        return context.attempt

    with opened(slow) as project:
        assert project.materialize().status == "success"
        assert project.load("slow") == 2


def test_outside_the_main_thread_nothing_ends_a_call(opened: Opened) -> None:
    @asset(timeout=timedelta(milliseconds=1), code_version="1")
    def slow() -> int:
        time.sleep(0.01)
        return 1

    with opened(slow) as project:
        statuses: list[str] = []
        thread = threading.Thread(target=lambda: statuses.append(project.materialize().status))
        thread.start()
        thread.join()
        assert statuses == ["success"]


def test_after_the_first_failure_nothing_new_is_begun(opened: Opened) -> None:
    @asset(partitions=StaticPartitions([*"abc"]), code_version="1")
    def parts(context: AssetContext) -> str:
        if context.partition_key == "b":
            raise ValueError
        return context.partition_key

    @asset(code_version="1")
    def other() -> int:
        return 1

    with opened(parts, other) as project:
        result = project.materialize(fail_fast=True)
        counts = {outcome: number for outcome, number in result.counts.items() if number}
        assert (result.status, counts) == ("failed", {"materialized": 1, "failed": 1, "canceled": 2})
        assert project.materialize().counts["materialized"] == 2, "the rest is done by the next run"


def test_what_waits_for_another_attempt_has_failed_when_something_else_fails_fast(opened: Opened) -> None:
    @asset(retry_policy=RetryPolicy(max_retries=1, delay="1h"), code_version="1")
    def early() -> int:
        raise ValueError("early")

    @asset(code_version="1")
    def other() -> int:
        raise ValueError("other")

    with opened(early, other) as project:
        result = project.materialize(fail_fast=True)
        assert {failure.asset for failure in result.failures} == {"early", "other"}
        assert result.counts["failed"] == 2


def test_a_run_stops_when_it_is_asked_to(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    from assetflow.execution import driving

    monkeypatch.setattr(driving, "_LOOK_EVERY", 0.0)

    @asset(partitions=StaticPartitions([*"abcd"]), code_version="1")
    def parts(context: AssetContext) -> str:
        if context.partition_key == "b":
            with opened(parts) as other:
                other.cancel(context.run_id)
        return context.partition_key

    with opened(parts) as project:
        result = project.materialize()
        counts = {outcome: number for outcome, number in result.counts.items() if number}
        assert (result.status, counts) == ("canceled", {"materialized": 2, "canceled": 2})
        assert result.run_id is not None
        assert project.run(result.run_id)["status"] == "canceled"
        with pytest.raises(UsageError, match=f"run {result.run_id} has ended: canceled"):
            project.cancel(result.run_id)


def test_an_unknown_run_cannot_be_canceled(opened: Opened) -> None:
    with opened() as project, pytest.raises(UsageError, match="there is no run 'nope'"):
        project.cancel("nope")


def test_what_was_raised_is_told_across_processes() -> None:
    import pickle

    from assetflow.execution.retries import may_retry
    from assetflow.execution.tracebacks import user_error

    error = pickle.loads(pickle.dumps(user_error(FileNotFoundError("x"), "a")))
    assert isinstance(error, StepError)
    assert error.raised[:2] == ("builtins.FileNotFoundError", "builtins.OSError")
    assert may_retry(RetryPolicy(max_retries=1, retry_on=(OSError,)), error, 1)
    assert not may_retry(RetryPolicy(max_retries=1, retry_on=(OSError,)), error, 2)
    assert not may_retry(RetryPolicy(max_retries=1, retry_on=(KeyError,)), error, 1)
