"""After any history of writes, an earlier state with what changed since is the state read anew."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.planner.changes import applied
from assetflow.store.opening import open_store
from tests.contract.store_records import Filler
from tests.postgres_server import Server
from tests.property.store_histories import Asked, Writing, differences, questions


@given(st.data())
@settings(max_examples=80)
def test_a_state_and_its_changes_are_the_state_read_anew(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        hold(f"sqlite:///{Path(folder) / 'store.db'}", data)


@given(st.data())
@settings(max_examples=20)
def test_they_are_on_postgres(postgres: Server, data: st.DataObject) -> None:
    hold(postgres.fresh(), data)


def hold(url: str, data: st.DataObject) -> None:
    """Both ways give the same in a new store."""
    store = open_store(url)
    try:
        fill = Filler(store)
        writing = Writing(fill, store.writer.open_environment("dev"), data.draw)
        asked: Asked = data.draw(questions())
        writing.many(8)
        state = asked.state(store, fill.environment)
        for _ in range(3):
            writing.many(2)
            earlier = asked.codes
            if not data.draw(st.integers(0, 3)):
                asked = data.draw(questions())
            changes = store.reader.changes_since(
                state,
                fill.environment,
                asked.assets,
                asked.codes,
                sources=asked.sources,
                verified=asked.verified,
                earlier=earlier,
            )
            state = applied(state, changes)
            fresh = open_store(url)
            try:
                found = differences(state, asked.state(fresh, fill.environment))
                assert not found, "\n".join(found)
            finally:
                fresh.close()
    finally:
        store.close()
