"""A process that is killed while it publishes leaves every acknowledged group, and no group in part."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading

from assetflow.store.opening import open_store

PROGRAM = """
import sys
from dataclasses import replace
from assetflow.store.opening import open_store
from tests.contract.store_records import Filler

store = open_store(sys.argv[1])
fill = Filler(store)
base = store.reader.generation() * 3
template = [fill.publication("daily", place, inputs=[fill.read("orders")]) for place in range(3)]
while True:
    tickets = []
    for _ in range(5):
        moves = []
        for number, version in zip(range(3), store.writer.reserve_versions(3)):
            record = replace(template[number].version, version=version, ordinal=base + number)
            moves.append(replace(template[number], version=record, ordinal=base + number))
        tickets.append((fill.commit(*moves), base))
        base += 3
    for ticket, first in tickets:
        print(ticket.result(), first, flush=True)
"""


def acknowledged(url: str, after: int, pause: float) -> list[tuple[int, int]]:
    """Run the program, kill it a little after it has said ``after`` lines, and give all that it said."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        killer = threading.Timer(pause, process.send_signal, [signal.SIGKILL])
        for line in process.stdout:
            lines.append(line)
            if len(lines) == after:
                killer.start()
        killer.join()
    assert process.returncode == -signal.SIGKILL
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(int(words[0]), int(words[1])) for words in whole if len(words) == 2]


def test_a_kill_loses_nothing_that_was_acknowledged(store_url: str) -> None:
    url = store_url
    chance = random.Random(7)
    told: dict[int, int] = {}
    for _ in range(8):
        told.update(acknowledged(url, chance.randrange(1, 40), chance.uniform(0, 0.02)))
        store = open_store(url)
        assert store.reader.integrity() == []
        pointers = store.reader.pointers(1, store.reader.uids()["daily"])
        found: dict[int, list[int]] = {}
        for generation, ordinal in zip(pointers.generation.tolist(), pointers.ordinals.tolist(), strict=True):
            found.setdefault(generation, []).append(ordinal)
        store.close()
        assert all(len(group) == 3 for group in found.values())
        assert sorted(found) == list(range(1, len(found) + 1))
        assert {generation: found[generation] for generation in told} == {
            generation: [first, first + 1, first + 2] for generation, first in told.items()
        }
