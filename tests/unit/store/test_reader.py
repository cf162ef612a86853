"""A question that is asked again is answered from memory, until something was written, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assetflow.keys import AssetKey
from assetflow.planner.state import CodeRecord, Codes, State
from assetflow.store.opening import open_store
from tests.contract.store_records import CODE, Filler

DAILY = AssetKey("daily")


@pytest.fixture
def fill(tmp_path: Path) -> Iterator[Filler]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    yield Filler(store)
    store.close()


@pytest.fixture
def ask(fill: Filler) -> Callable[..., State]:
    codes = Codes({"daily": CodeRecord(CODE, {})})
    return lambda *others: fill.store.reader.read_state(fill.environment, [DAILY, *others], codes)


def test_the_same_question_has_the_same_answer(fill: Filler, ask: Callable[..., State]) -> None:
    fill.publish("daily")
    assert ask() is ask()
    assert ask(AssetKey("orders")) is not ask()


def test_what_was_published_since_is_seen(fill: Filler, ask: Callable[..., State]) -> None:
    fill.publish("daily", 1)
    assert ask().assets[DAILY].ordinals.tolist() == [1]
    fill.publish("daily", 2)
    assert ask().assets[DAILY].ordinals.tolist() == [1, 2]


def test_a_failure_is_seen_though_it_has_no_generation(fill: Filler, ask: Callable[..., State]) -> None:
    fill.publish("daily", 1)
    before = ask()
    fill.store.writer.fail(fill.failure("daily", 2)).result()
    after = ask()
    assert before.generation == after.generation
    assert (DAILY in before.failures, DAILY in after.failures) == (False, True)


def test_what_another_process_wrote_is_seen(fill: Filler, ask: Callable[..., State], tmp_path: Path) -> None:
    fill.publish("daily", 1)
    assert len(ask().assets[DAILY].ordinals) == 1
    other = open_store(f"sqlite:///{tmp_path}/store.db")
    try:
        Filler(other).publish("daily", 2)
    finally:
        other.close()
    assert len(ask().assets[DAILY].ordinals) == 2
