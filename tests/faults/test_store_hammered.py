"""Two processes that write to one store as fast as they can: each gets its turns, and none is told of a lock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assetflow.keys import AssetKey
from assetflow.store.opening import open_store

NAMES = ("first", "second")

PROGRAM = """
import sys, time
from dataclasses import replace
from assetflow.errors import StoreError
from assetflow.keys import AssetKey
from assetflow.store.opening import open_store

NAMES = ("first", "second")
from tests.contract.store_records import Filler

url, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
fill = Filler(open_store(url))
template = fill.publication(name, 0, inputs=[fill.read("orders")])
done, longest, end = 0, 0.0, time.monotonic() + seconds
while time.monotonic() < end:
    began = time.monotonic()
    versions = fill.store.writer.reserve_versions(4)
    moves = [
        replace(template, ordinal=number, version=replace(template.version, version=version, ordinal=number))
        for number, version in enumerate(versions, done)
    ]
    tickets = [fill.commit(*moves[:2]), fill.commit(moves[2]), fill.commit(moves[3])]
    fill.store.writer.announce([])
    assert [ticket.result() for ticket in tickets] == sorted({ticket.result() for ticket in tickets})
    assert fill.store.reader.generation() >= tickets[-1].result()
    done += 4
    longest = max(longest, time.monotonic() - began)
fill.store.close()
print(done, longest)
"""


def hammered(url: str, seconds: float) -> None:
    open_store(url).close()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, url, name, str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in NAMES
    ]
    ended = [process.communicate(timeout=seconds + 60) for process in running]
    assert [err for _, err in ended] == ["", ""]
    done = [int(out.split()[0]) for out, _ in ended]
    assert min(done) >= 8, done
    store = open_store(url)
    assert store.reader.generation() == sum(done) * 3 // 4
    assert [len(store.reader.pointers(1, store.reader.uids()[AssetKey(name)]).ordinals) for name in NAMES] == done
    assert store.reader.integrity() == []
    store.close()


def test_two_processes_for_a_moment(store_url: str) -> None:
    hammered(store_url, 2.0)


@pytest.mark.soak
def test_two_processes_for_long(store_url: str) -> None:
    hammered(store_url, 20.0)
