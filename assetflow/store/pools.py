"""Pools: named limits on what runs at once, over all runs of a store.

A slot is a row of the step that asked for it, with its weight; it waits until it is granted, and counts until it is
given back or the lease that it belongs to is gone. Who is next is decided by the row alone, and nobody is passed over:
the first in line waits for room, and all others behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assetflow.store.connection import Connection
from assetflow.store.encoding import from_micros, to_micros
from assetflow.store.leases import Leases

MINUTE = 60_000_000
"""What one of priority is worth in microseconds of waiting."""

SLOTS = "SELECT id, pool, fence, step, weight, priority, asked_at, granted_at FROM pool_slots"
LAST_SLOT = "SELECT coalesce(max(id), 0) FROM pool_slots"
INSERT_SLOT = """
INSERT INTO pool_slots (id, pool, fence, step, weight, priority, asked_at, granted_at)
VALUES (?, ?, ?, ?, ?, ?, ?, NULL)
"""
GRANT_SLOT = "UPDATE pool_slots SET granted_at = ? WHERE id = ?"
DROP_SLOT = "DELETE FROM pool_slots WHERE id = ? AND fence = ?"


@dataclass(frozen=True, slots=True)
class SlotAsk:
    """What a step asks of a pool; ``step`` is for people."""

    pool: str
    step: str
    weight: int = 1
    priority: int = 0


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """A slot that is held, or (without ``granted_at``) waited for."""

    id: int
    pool: str
    fence: int
    step: str
    weight: int
    priority: int
    asked_at: datetime
    granted_at: datetime | None


class Pools:
    """The pools of a store, seen from within its write transactions. ``limits`` are those of whoever asks, by pool."""

    def __init__(self, connection: Connection, leases: Leases) -> None:
        self._connection = connection
        self._leases = leases

    def ask(self, fence: int, asks: Sequence[SlotAsk], limits: Mapping[str, int]) -> list[SlotRecord]:
        """Stand in line for slots; gives them, some perhaps granted already. Raises LeaseLost."""
        self._verify(fence)
        last: int = self._connection.execute(LAST_SLOT).fetchone()[0]
        now = self._leases.now
        rows = [
            (id_, ask.pool, fence, ask.step, ask.weight, ask.priority, now) for id_, ask in enumerate(asks, last + 1)
        ]
        self._connection.executemany(INSERT_SLOT, rows)
        self._grant({ask.pool: limits[ask.pool] for ask in asks})
        return [slot for slot in read_slots(self._connection, limits) if slot.id > last]

    def granted(self, fence: int, ids: Collection[int], limits: Mapping[str, int]) -> set[int]:
        """Those of the slots that are granted by now. Raises LeaseLost."""
        self._verify(fence)
        self._grant(limits)
        held = (slot for slot in read_slots(self._connection, limits) if slot.fence == fence)
        return {slot.id for slot in held if slot.granted_at is not None and slot.id in ids}

    def release(self, fence: int, ids: Collection[int], limits: Mapping[str, int]) -> int:
        """Give slots back, and those that are next their turn; gives how many were to be given back."""
        self._connection.executemany(DROP_SLOT, [(id_, fence) for id_ in ids])
        self._grant(limits)
        return len(ids)

    def _verify(self, fence: int) -> None:
        self._leases.verify(fence, (), "a slot of a pool")

    def _grant(self, limits: Mapping[str, int]) -> None:
        self._leases.sweep()
        by_pool: dict[str, list[SlotRecord]] = {}
        for slot in read_slots(self._connection, limits):
            by_pool.setdefault(slot.pool, []).append(slot)
        for pool, slots in by_pool.items():
            rows = [(self._leases.now, slot.id) for slot in turns(slots, limits[pool])]
            self._connection.executemany(GRANT_SLOT, rows)


def turns(slots: Iterable[SlotRecord], limit: int) -> list[SlotRecord]:
    """Those of a pool's waiting slots whose turn it is.

    The first is the one that asked first; one of priority is worth a minute, so that whoever waits is passed over only
    for a time. Where the first does not fit, it keeps the room that becomes free: nobody behind it is served.
    What is heavier than the limit is left to those who know of another.
    """
    known = list(slots)
    used = sum(slot.weight for slot in known if slot.granted_at is not None)
    waiting = [slot for slot in known if slot.granted_at is None and slot.weight <= limit]
    waiting.sort(key=lambda slot: (to_micros(slot.asked_at) - slot.priority * MINUTE, slot.id))
    chosen: list[SlotRecord] = []
    for slot in waiting:
        used += slot.weight
        if used > limit:
            break
        chosen.append(slot)
    return chosen


def read_slots(connection: Connection, pools: Collection[str] | None = None) -> list[SlotRecord]:
    """The slots of some pools (None: of all), in the order in which they were asked for."""
    rows = connection.execute(SLOTS + " ORDER BY id").fetchall()
    return [
        SlotRecord(
            id_,
            pool,
            fence,
            step,
            weight,
            priority,
            from_micros(asked_at),
            None if granted_at is None else from_micros(granted_at),
        )
        for id_, pool, fence, step, weight, priority, asked_at, granted_at in rows
        if pools is None or pool in pools
    ]
