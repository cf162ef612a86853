"""A saved state is never told from the tables: whatever was written since, and whatever befell the file."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assetflow.keys import AssetKey
from assetflow.planner.state import CodeRecord, Codes, State
from assetflow.store import answers, snapshot
from assetflow.store.interface import Store
from assetflow.store.opening import SCHEMA, open_store
from tests.contract.store_records import CODE, NEWER_CODE, Filler
from tests.property.store_histories import Asked, Writing, differences, questions


@pytest.fixture(autouse=True, scope="module")
def every_state_is_saved() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answers, "LARGE", 0)
        yield


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


def saved(folder: Path) -> Path:
    return folder / "store.db-snapshot-1"


def loaded(folder: Path, *, schema: int = SCHEMA, environment: int = 1) -> snapshot.Saved | None:
    """What the file says to a store that is still the same."""
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        return snapshot.load(saved(folder), schema, lambda mark: answers.witness(connection, mark), environment)


def read_anew(folder: Path, asked: Asked) -> State:
    """The state as the tables have it: of a copy of the store, without what is saved beside it."""
    with TemporaryDirectory() as other:
        for path in folder.glob("store.db*"):
            if "snapshot" not in path.name:
                shutil.copy(path, other)
        return read(Path(other), asked)


def read(folder: Path, asked: Asked) -> State:
    store = open_store(url(folder))
    try:
        return asked.state(store, 1)
    finally:
        store.close()


def same(folder: Path, asked: Asked) -> None:
    found = differences(read(folder, asked), read_anew(folder, asked))
    assert not found, "\n".join(found)


@given(st.data())
@settings(max_examples=40)
def test_a_saved_state_with_its_tail_is_the_state_in_the_tables(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = open_store(url(folder))
        try:
            fill = Filler(store)
            writing = Writing(fill, store.writer.open_environment("dev"), data.draw)
            asked: Asked = data.draw(questions(roles=True))
            for _ in range(3):
                writing.many(4)
                same(folder, asked)
                # The reader that stays open brings its own answer up to date.
                found = differences(asked.state(store, 1), read_anew(folder, asked))
                assert not found, "\n".join(found)
                if not data.draw(st.integers(0, 2)):
                    asked = data.draw(questions(roles=True))
        finally:
            store.close()


DAILY, ORDERS, SUMMARY = AssetKey("daily"), AssetKey("orders"), AssetKey("summary")
EVERYTHING = Asked(
    (ORDERS, DAILY, SUMMARY),
    Codes({"daily": CodeRecord(CODE, {})}, {(DAILY, "positive"): CODE}),
    frozenset([ORDERS]),
    frozenset([ORDERS, DAILY]),
)


def filled(store: Store) -> Filler:
    """Something of everything that a state has."""
    fill = Filler(store)
    fill.observe("orders", {1: 10, 2: 20})
    for ordinal in (1, 2, 3):
        version = fill.version("daily", ordinal)
        fill.publish(
            "daily", ordinal, version=version, inputs=[fill.read("orders", ordinal)], checks=[fill.check(version)]
        )
    fill.publish("daily", 1, 7, expected=None, key=6, code=NEWER_CODE)
    candidate = fill.version("summary", 0)
    store.writer.fail(fill.failure("summary", 0, candidate=candidate)).result()
    store.writer.intern_keys(["north", "süd"])
    return fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = open_store(url(tmp_path))
    filled(store)
    store.close()
    read(tmp_path, EVERYTHING)
    assert saved(tmp_path).exists()
    return tmp_path


def test_the_saved_state_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> State:
        raise AssertionError("read from the tables")

    expected = read_anew(folder, EVERYTHING)
    monkeypatch.setattr(answers, "read_state", refuse)
    assert differences(read(folder, EVERYTHING), expected) == []


def test_every_flipped_octet_is_noticed(folder: Path) -> None:
    """None of them changes the state, and the file is replaced by a good one."""
    expected, whole = read_anew(folder, EVERYTHING), saved(folder).read_bytes()
    assert loaded(folder) is not None
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        saved(folder).write_bytes(broken)
        assert loaded(folder) is None
        if place % 97 == 0:
            assert differences(read(folder, EVERYTHING), expected) == []
            assert saved(folder).read_bytes() == whole


def test_every_shorter_file_is_noticed(folder: Path) -> None:
    expected, whole = read_anew(folder, EVERYTHING), saved(folder).read_bytes()
    for size in (*range(0, len(whole), 53), len(whole) - 1):
        saved(folder).write_bytes(whole[:size])
        assert differences(read(folder, EVERYTHING), expected) == []
        assert saved(folder).read_bytes() == whole
    saved(folder).write_bytes(whole + b"\x00")
    assert differences(read(folder, EVERYTHING), expected) == []


def test_a_store_restored_from_a_backup_is_not_mixed_with_what_came_after_it(folder: Path) -> None:
    backup = (folder / "store.db").read_bytes()
    for content in (5, 6):
        # Two futures of one past, with the same numbers.
        (folder / "store.db").write_bytes(backup)
        store = open_store(url(folder))
        fill = Filler(store)
        fill.publish("summary", 1, content)
        store.writer.fail(fill.failure("daily", content)).result()
        store.close()
        same(folder, EVERYTHING)


def test_a_failure_in_another_future_is_noticed(folder: Path) -> None:
    backup = (folder / "store.db").read_bytes()
    for ordinal in (8, 9):
        (folder / "store.db").write_bytes(backup)
        store = open_store(url(folder))
        store.writer.fail(Filler(store).failure("daily", ordinal)).result()
        store.close()
        same(folder, EVERYTHING)


def test_keys_of_another_future_are_not_taken_over(folder: Path) -> None:
    backup = (folder / "store.db").read_bytes()
    for key in ("east", "west"):
        (folder / "store.db").write_bytes(backup)
        store = open_store(url(folder))
        store.writer.intern_keys([key])
        store.close()
        if key == "east":
            saved(folder).unlink()
        same(folder, EVERYTHING)
        assert read(folder, EVERYTHING).keys.key(3) == key


def test_another_store_in_its_place_is_not_taken_for_it(folder: Path) -> None:
    (folder / "store.db").unlink()
    store = open_store(url(folder))
    fill = Filler(store)
    fill.publish("daily", 4, 9)
    store.close()
    same(folder, EVERYTHING)


def test_a_snapshot_of_another_environment_or_schema_is_not_used(folder: Path) -> None:
    path = saved(folder)
    store = open_store(url(folder))
    store.writer.open_environment("dev")
    store.close()
    shutil.copy(path, folder / "store.db-snapshot-2")
    assert loaded(folder) is not None
    assert loaded(folder, schema=SCHEMA + 1) is None
    assert loaded(folder, environment=2) is None
    store = open_store(url(folder))
    try:
        assert len(EVERYTHING.state(store, 2).assets[DAILY].ordinals) == 0
    finally:
        store.close()


def test_a_folder_that_may_not_be_written_to_does_no_harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(folder).unlink()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    same_as = read(folder, EVERYTHING)
    monkeypatch.undo()
    assert not saved(folder).exists()
    assert differences(same_as, read_anew(folder, EVERYTHING)) == []


def test_a_file_that_a_killed_process_left_is_taken_away_in_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(folder).unlink()
    unfinished = saved(folder).with_name(saved(folder).name + ".new")
    unfinished.write_bytes(b"half")
    read(folder, EVERYTHING)
    assert not saved(folder).exists()
    monkeypatch.setattr(snapshot, "ABANDONED", -1.0)
    read(folder, EVERYTHING)
    assert saved(folder).exists()
    assert not unfinished.exists()


def test_a_directory_in_its_place_does_no_harm(folder: Path) -> None:
    saved(folder).unlink()
    saved(folder).mkdir()
    same(folder, EVERYTHING)
