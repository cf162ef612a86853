"""Large states of a Postgres store are saved in a folder of the reader's, and proved before they are used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assetflow.keys import AssetKey
from assetflow.planner.state import CodeRecord, Codes, State
from assetflow.store import answers
from assetflow.store.interface import Store
from assetflow.store.opening import open_store
from tests.contract.store_records import CODE, Filler

if TYPE_CHECKING:
    from tests.postgres_server import Server

DAILY = AssetKey("daily")


def asked(store: Store) -> State:
    return store.reader.read_state(1, [DAILY], Codes({"daily": CodeRecord(CODE, {})}))


@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_a_saved_state_is_taken_up(
    postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    monkeypatch.setattr(answers, "LARGE", 3)
    url = postgres.fresh()
    store = open_store(url, folder=tmp_path)
    fill = Filler(store)
    for number in range(40):
        fill.commit(fill.publication("daily", number))
    store.writer.flush()
    assert len(asked(store).assets[DAILY].ordinals) == 40
    (saved,) = tmp_path.iterdir()
    assert saved.name.startswith("postgres-")
    assert saved.name.endswith("-snapshot-1")
    fill.publish("daily", 40)
    store.close()
    if lost:
        saved.write_bytes(saved.read_bytes()[:-1])

    read: list[object] = []
    read_state = answers.read_state
    monkeypatch.setattr(answers, "read_state", lambda *told: read.append(told) or read_state(*told))
    store = open_store(url, folder=tmp_path)
    assert asked(store).assets[DAILY].ordinals.tolist() == list(range(41))
    assert bool(read) == lost
    store.close()


def test_the_same_question_has_the_same_answer_until_anybody_writes(postgres: Server) -> None:
    url = postgres.fresh()
    store = open_store(url)
    other = Filler(open_store(url))
    other.publish("daily", 1)
    codes = Codes({"daily": CodeRecord(CODE, {})})

    def ask() -> State:
        return store.reader.read_state(1, [DAILY], codes)

    assert ask() is ask()
    other.store.writer.fail(other.failure("daily", 2)).result()
    assert DAILY in ask().failures
    other.publish("daily", 2)
    assert len(ask().assets[DAILY].ordinals) == 2
    other.store.close()
    store.close()
