"""What doctor learns from the store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from assetflow.store.opening import open_store
from tests.contract.store_records import Filler


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (
            "DELETE FROM versions WHERE id = 1",
            "1 pointers lead to a version that is not recorded (the first is version 1)",
        ),
        ("DELETE FROM derivations WHERE id = 2", "1 versions have no derivation (the first is version 2)"),
        ("DELETE FROM derivations WHERE id = 2", "1 pointers have no derivation (the first leads to version 2)"),
        ("UPDATE versions SET state = 'quarantined'", "2 pointers lead to a quarantined version"),
        ("DELETE FROM pointer_log", "2 pointers disagree with the last entry of their log"),
        ("DELETE FROM assets WHERE uid = 1", "2 versions belong to an asset that is not recorded"),
        ("DELETE FROM derivations WHERE id = 1", "1 inputs belong to a derivation that is not recorded"),
        ("DELETE FROM versions WHERE id = 1", "1 check results are of a version that is not recorded"),
        ("UPDATE counters SET generation = 1", "1 pointers are newer than the last generation"),
    ],
)
def test_what_does_not_fit_is_found(tmp_path: Path, harm: str, found: str) -> None:
    path = tmp_path / "store.db"
    fill = Filler(open_store(f"sqlite:///{path}"))
    version = fill.version("daily", 1)
    fill.publish("daily", 1, version=version, inputs=[fill.read("orders")], checks=[fill.check(version)])
    fill.publish("daily", 2)
    assert fill.store.reader.integrity() == []
    with sqlite3.connect(path) as connection:
        connection.execute(harm)
    connection.close()
    assert any(found in sentence for sentence in fill.store.reader.integrity())
    fill.store.close()


def test_a_damaged_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    fill = Filler(open_store(f"sqlite:///{path}"))
    fill.publish("daily", 1)
    fill.store.close()
    with sqlite3.connect(path) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'versions_by_partition'"
        page = connection.execute(query).fetchone()[0]
    connection.close()
    content = bytearray(path.read_bytes())
    start = 4096 * (page - 1)
    content[start + 8 : start + 12] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    store = open_store(f"sqlite:///{path}")
    (sentence,) = store.reader.integrity()
    assert sentence.startswith("the database is damaged: ")
    store.close()


@pytest.mark.parametrize(("version", "told"), [((3, 51, 2), True), ((3, 51, 3), False), ((3, 60, 0), False)])
def test_an_old_library_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], told: bool
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    sentences = store.reader.advice()
    assert [("WAL-reset bug" in sentence) for sentence in sentences] == ([True] if told else [])
    store.close()
