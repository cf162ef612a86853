"""Slots of pools for the steps of a run: asked for before a step starts, given back when it is settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from assetflow.errors import LeaseLost
from assetflow.execution.task import Task
from assetflow.keys import format_address
from assetflow.publish.leasing import Hold, growing_pauses
from assetflow.publish.setting import Setting
from assetflow.store.pools import SlotAsk


@dataclass(slots=True)
class _Asked:
    slot: int
    pool: str
    granted: bool


class Slots:
    """The slots of one lease. A step that has to wait for one keeps no other from starting."""

    def __init__(self, setting: Setting, hold: Hold, priority: int, now: Callable[[], float]) -> None:
        self._setting = setting
        self._hold = hold
        self._priority = priority
        self._now = now
        self._asked: dict[int, _Asked] = {}
        self._pauses: Iterator[float] = growing_pauses()
        self.look_at: float | None = None
        """When it is worth asking again, while steps wait."""

    def enter(self, task: Task) -> bool:
        """Whether a step may start now; otherwise it stands in line from the first time on that it asks."""
        pool = self._setting.graph.nodes[task.computation].pool
        limit = None if pool is None else self._setting.limits.of(pool[0])
        if pool is None or limit is None:
            return True
        asked = self._asked.get(id(task))
        try:
            if asked is None:
                keys = [each.key for each in task.partitions]
                more = f" (+{len(keys) - 1} more)" if len(keys) > 1 else ""
                step = format_address(task.computation, keys[0]) + more
                asks = [SlotAsk(pool[0], step, pool[1], self._priority)]
                (slot,) = self._setting.writer.ask_slots(self._hold.fence, asks, {pool[0]: limit})
                asked = self._asked[id(task)] = _Asked(slot.id, pool[0], slot.granted_at is not None)
                if not asked.granted:
                    self._begin_looking()
            elif not asked.granted and self._is_time():
                self._look()
        except LeaseLost:
            self._hold.lost = True
            return False
        return asked.granted

    def leave(self, task: Task) -> None:
        """A step is settled: its slot is free."""
        asked = self._asked.pop(id(task), None)
        if asked is not None:
            self._setting.writer.release_slots(self._hold.fence, [asked.slot], self._limits({asked.pool}))
            if self._waiting():
                self._begin_looking()

    def _look(self) -> None:
        waiting = self._waiting()
        limits = self._limits(waiting.values())
        granted = self._setting.writer.granted_slots(self._hold.fence, waiting.keys(), limits)
        for asked in self._asked.values():
            asked.granted = asked.granted or asked.slot in granted
        self.look_at = self._now() + next(self._pauses) if self._waiting() else None
        if granted:
            self._pauses = growing_pauses()

    def _begin_looking(self) -> None:
        self._pauses = growing_pauses()
        self.look_at = self._now()

    def _is_time(self) -> bool:
        return self.look_at is not None and self.look_at <= self._now()

    def _waiting(self) -> dict[int, str]:
        return {asked.slot: asked.pool for asked in self._asked.values() if not asked.granted}

    def _limits(self, pools: Iterable[str]) -> Mapping[str, int]:
        known = self._setting.limits
        return {pool: limit for pool in pools if (limit := known.of(pool)) is not None}
