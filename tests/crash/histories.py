"""What a store went through, written down by the store itself, transaction by transaction, and judged afterwards.

Triggers note every lease, claim, slot and publication in the order of commits; nothing of assetflow's own code decides
what is noted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assetflow.partitions.sets import PartitionSet

TRIGGERS = """
CREATE TABLE history (
    seq INTEGER PRIMARY KEY, kind TEXT, fence, environment, asset, ordinals, run_id, pool, weight, at
);
CREATE TRIGGER h1 AFTER INSERT ON leases BEGIN
    INSERT INTO history (kind, fence, run_id, at) VALUES ('lease', NEW.fence, NEW.run_id, NEW.expires_at);
END;
CREATE TRIGGER h2 AFTER UPDATE ON leases BEGIN
    INSERT INTO history (kind, fence, at) VALUES ('renewed', NEW.fence, NEW.expires_at);
END;
CREATE TRIGGER h3 AFTER DELETE ON leases BEGIN
    INSERT INTO history (kind, fence) VALUES ('over', OLD.fence);
END;
CREATE TRIGGER h4 AFTER INSERT ON claims BEGIN
    INSERT INTO history (kind, fence, environment, asset, ordinals)
    VALUES ('claim', NEW.fence, NEW.environment, NEW.asset, NEW.ordinals);
END;
CREATE TRIGGER h5 AFTER UPDATE ON claims BEGIN
    INSERT INTO history (kind, fence, environment, asset, ordinals)
    VALUES ('claim', NEW.fence, NEW.environment, NEW.asset, NEW.ordinals);
END;
CREATE TRIGGER h6 AFTER UPDATE OF granted_at ON pool_slots BEGIN
    INSERT INTO history (kind, fence, pool, weight, at) VALUES ('slot', NEW.id, NEW.pool, NEW.weight, NEW.fence);
END;
CREATE TRIGGER h7 AFTER DELETE ON pool_slots BEGIN
    INSERT INTO history (kind, fence) VALUES ('free', OLD.id);
END;
CREATE TRIGGER h8 AFTER INSERT ON pointer_log WHEN NEW.derivation IS NOT NULL BEGIN
    INSERT INTO history (kind, environment, asset, ordinals, run_id, at)
    VALUES ('publish', NEW.environment, NEW.asset, NEW.ordinal,
        (SELECT run_id FROM derivations WHERE id = NEW.derivation), NEW.moved_at);
END;
"""

BEGUN = "INSERT INTO history (kind) VALUES ('begin')"
"""To be executed at the beginning of every write transaction."""

_TOLERANCE = 5_000
"""Microseconds between the clock of the records and that of the database."""

Place = tuple[int, int, int]
"""Environment, uid, ordinal."""


def watch(store: Path) -> None:
    """Let a new store write down its history from now on."""
    with sqlite3.connect(store) as connection:
        connection.executescript(TRIGGERS)
    connection.close()


@dataclass
class Lease:
    run_id: str
    until: int
    places: set[Place] = field(default_factory=set[Place])


@dataclass
class Judgement:
    """What a history amounts to; ``wrong`` says what must never be."""

    wrong: list[str]
    published: Counter[Place]
    leases: int
    expired: int
    most_used: Counter[str]
    """Of each pool, what was granted at most at once."""


def judge(store: Path, limits: dict[str, int]) -> Judgement:
    """Replay the history of a store."""
    with sqlite3.connect(store) as connection:
        rows = connection.execute(
            "SELECT kind, fence, environment, asset, ordinals, run_id, pool, weight, at FROM history ORDER BY seq"
        ).fetchall()
    connection.close()
    return _Replay(limits).of(rows)


class _Replay:
    def __init__(self, limits: dict[str, int]) -> None:
        self._limits = limits
        self._leases: dict[int, Lease] = {}
        self._before: dict[int, Lease] = {}
        self._slots: dict[int, tuple[str, int]] = {}
        self._last = 0
        self._told = Judgement([], Counter(), 0, 0, Counter())

    def of(self, rows: list[tuple[object, ...]]) -> Judgement:
        for transaction in _transactions(rows):
            self._before = {
                fence: Lease(lease.run_id, lease.until, set(lease.places)) for fence, lease in self._leases.items()
            }
            for row in transaction:
                self._step(row)
            self._look()
        return self._told

    def _step(self, row: tuple[object, ...]) -> None:
        told = self._told
        match row:
            case ("lease", int(fence), _, _, _, str(run_id), _, _, int(until)):
                if fence <= self._last:
                    told.wrong.append(f"fence {fence} was given out after {self._last}")
                self._last = fence
                self._leases[fence] = Lease(run_id, until)
                told.leases += 1
            case ("renewed", int(fence), _, _, _, _, _, _, int(until)):
                self._leases[fence].until = until
            case ("over", int(fence), *_):
                self._leases.pop(fence)
            case ("claim", int(fence), int(environment), int(asset), bytes(ordinals), *_):
                lease = self._leases[fence]
                lease.places = {place for place in lease.places if place[:2] != (environment, asset)}
                lease.places |= {(environment, asset, ordinal) for ordinal in PartitionSet.from_bytes(ordinals)}
            case ("slot", int(slot), _, _, _, _, str(pool), int(weight), _):
                self._slots[slot] = (pool, weight)
            case ("free", int(slot), *_):
                self._slots.pop(slot, None)
            case ("publish", _, int(environment), int(asset), int(ordinal), run_id, _, _, int(at)):
                place = (environment, asset, ordinal)
                told.published[place] += 1
                holders = [
                    lease
                    for leases in (self._before, self._leases)
                    for lease in leases.values()
                    if place in lease.places and lease.run_id == (run_id or "")
                ]
                if not holders:
                    told.wrong.append(f"{place} was published by {run_id!r}, which did not hold it")
                elif all(lease.until + _TOLERANCE < at for lease in holders):
                    told.wrong.append(f"{place} was published by {run_id!r}, whose lease had expired")
            case _:
                raise AssertionError(row)

    def _look(self) -> None:
        """What has to hold between any two transactions."""
        held: Counter[Place] = Counter(place for lease in self._leases.values() for place in lease.places)
        self._told.wrong += [f"{place} is held {number} times" for place, number in held.items() if number > 1]
        used: Counter[str] = Counter()
        for pool, weight in self._slots.values():
            used[pool] += weight
        for pool, weight in used.items():
            self._told.most_used[pool] = max(self._told.most_used[pool], weight)
            if weight > self._limits[pool]:
                self._told.wrong.append(f"pool {pool} was used {weight} of {self._limits[pool]}")


def _transactions(rows: list[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    """The rows between one beginning and the next."""
    transaction: list[tuple[object, ...]] = []
    for row in rows:
        if row[0] != "begin":
            transaction.append(row)
        elif transaction:
            yield transaction
            transaction = []
    yield transaction
