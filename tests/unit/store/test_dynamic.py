"""Sets of keys in the store: append-only, in the order of addition, the same for every process."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assetflow.errors import PublishConflict
from assetflow.store.interface import Store
from assetflow.store.opening import open_store
from assetflow.store.records import Group, KeyAddition
from tests.contract.store_records import Filler


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


def keys(store: Store, name: str = "customers") -> list[str]:
    ordinals = store.reader.dynamic()[name]
    return [*map(store.reader.keys().key, ordinals.tolist())]


def test_keys_are_added_once_in_order(store: Store) -> None:
    assert store.reader.dynamic() == {}
    assert store.writer.add_partitions("customers", ["zoe", "acme", "zoe"]) == ["zoe", "acme"]
    assert store.writer.add_partitions("customers", ["acme", "bert"]) == ["bert"]
    assert store.writer.add_partitions("customers", ["acme"]) == []
    assert store.writer.add_partitions("files", ["acme"]) == ["acme"]
    assert (keys(store), keys(store, "files")) == (["zoe", "acme", "bert"], ["acme"])
    assert store.reader.dynamic()["files"].tolist() == [store.reader.keys().ordinal("acme")]


def test_keys_of_any_shape_are_kept(store: Store) -> None:
    hell = ["../../etc/passwd", "x" * 500, "🦊", "a|b", "'; drop table dynamic_keys; --", "A", "a", " ", "\x00", "a\nb"]
    store.writer.intern_keys(["a"])
    assert store.writer.add_partitions("customers", hell) == hell
    assert keys(store) == hell


def test_a_removed_key_keeps_its_ordinal(store: Store) -> None:
    store.writer.add_partitions("customers", ["zoe", "acme", "bert"])
    before = store.reader.dynamic()["customers"].tolist()
    assert store.writer.remove_partitions("customers", ["acme", "never", "acme"]) == ["acme"]
    assert store.writer.remove_partitions("customers", ["acme"]) == []
    assert store.writer.remove_partitions("nobody", ["acme"]) == []
    assert keys(store) == ["zoe", "bert"]
    assert store.reader.removed_partitions("customers") == ["acme"]
    assert store.writer.add_partitions("customers", ["acme"]) == ["acme"]
    assert keys(store) == ["zoe", "acme", "bert"]
    assert store.reader.dynamic()["customers"].tolist() == before
    assert store.reader.removed_partitions("customers") == []
    store.writer.remove_partitions("customers", ["acme", "zoe"])
    assert store.reader.removed_partitions("customers") == ["zoe", "acme"]
    assert store.reader.integrity() == []


def test_what_changes_takes_a_generation_and_is_told(store: Store) -> None:
    store.writer.add_partitions("customers", ["zoe"])
    store.writer.add_partitions("customers", ["zoe"])
    assert store.reader.generation() == 1
    store.writer.remove_partitions("customers", ["zoe"])
    assert store.reader.generation() == 2
    store.writer.add_partitions("customers", [f"k{number}" for number in range(150)])
    told = [(row.event.kind, row.event.payload) for row in store.reader.events_since(0)]
    assert told[:2] == [
        ("partitions_added", {"name": "customers", "count": 1, "keys": ["zoe"]}),
        ("partitions_removed", {"name": "customers", "count": 1, "keys": ["zoe"]}),
    ]
    assert told[2][1]["count"] == 150
    assert told[2][1]["keys"] == [f"k{number}" for number in range(100)]


def test_a_reader_sees_what_others_change(url: str, store: Store) -> None:
    other = open_store(url)
    store.writer.add_partitions("customers", ["a", "b"])
    known = other.reader.dynamic()["customers"]
    assert other.reader.dynamic()["customers"] is known
    store.writer.add_partitions("customers", ["c"])
    assert keys(other) == ["a", "b", "c"]
    store.writer.remove_partitions("customers", ["a"])
    store.writer.add_partitions("customers", ["d", "a"])
    assert keys(other) == ["a", "b", "c", "d"]
    other.close()


def test_keys_come_with_a_publication_or_not_at_all(store: Store) -> None:
    fill = Filler(store)
    added = (KeyAddition("customers", ("zoe",), "r1"), KeyAddition("files", ("a", "b"), "r1"))
    store.writer.publish(Group((fill.publication("inbox"),), added=added)).result()
    assert (keys(store), keys(store, "files")) == (["zoe"], ["a", "b"])
    assert {row.event.run_id for row in store.reader.events_since(0)} == {"r1"}
    late = Group((fill.publication("inbox", expected=0),), added=(KeyAddition("customers", ("late",)),))
    with pytest.raises(PublishConflict):
        store.writer.publish(late).result()
    assert keys(store) == ["zoe"]


def test_keys_of_a_quarantined_version_come_when_it_is_published(store: Store) -> None:
    fill = Filler(store)
    candidate = fill.version("inbox", state="quarantined")
    failure = fill.failure("inbox", candidate=candidate)
    added = (KeyAddition("customers", ("zoe", "a|b"), "r1"),)
    failed = type(failure)(**{each: getattr(failure, each) for each in failure.__slots__} | {"added": added})
    store.writer.fail(failed).result()
    assert store.reader.dynamic() == {}
    fill.commit(fill.publication("inbox", version=candidate.version)).result()
    assert keys(store) == ["zoe", "a|b"]


def test_processes_add_at_once(url: str, store: Store) -> None:
    program = (
        "import sys\n"
        "from assetflow.store.opening import open_store\n"
        f"store = open_store({url!r})\n"
        "added = 0\n"
        "for number in range(40):\n"
        "    added += len(store.writer.add_partitions('customers', [f'own {sys.argv[1]} {number}', f'all {number}']))\n"
        "print(added)\n"
        "store.close()\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(3)
    ]
    said = [int(process.communicate(timeout=60)[0]) for process in running]
    assert sum(said) == 4 * 40
    found = keys(store)
    assert len(found) == len(set(found)) == 4 * 40
    assert store.reader.integrity() == []


def test_many_keys_are_added_together(store: Store) -> None:
    many = [f"customer {number}" for number in range(20_000)]
    assert store.writer.add_partitions("customers", many) == many
    assert store.writer.add_partitions("customers", [*many, "one more"]) == ["one more"]
    assert store.writer.remove_partitions("customers", many[::2]) == many[::2]
    assert keys(store) == [*many[1::2], "one more"]


def test_a_key_without_a_text_is_found(tmp_path: Path, store: Store) -> None:
    store.writer.add_partitions("customers", ["zoe", "acme"])
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DELETE FROM partition_keys WHERE ordinal = 2")
    connection.close()
    sentence = "1 keys of dynamic partitions are not in the dictionary of keys (the first is 2)"
    assert store.reader.integrity() == [sentence]
