"""Leases: who may publish which asset partitions, until when, and under which fence.

A lease is one row with a fence of its own, a number that rises at each claim and is never given out again. What it is
about are its claims: of each asset a set of partitions, in no other live lease. All of it happens inside the writer's
transactions, which exclude each other, and time is what the database's clock says in them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from assetflow.errors import LeaseLost
from assetflow.partitions.sets import PartitionSet
from assetflow.store.connection import Connection, Statement
from assetflow.store.encoding import from_micros
from assetflow.store.names import marks, pieces
from assetflow.store.records import ProcessRecord

Ticks = Callable[[Connection], int]
"""What time it is, in microseconds since 1970 UTC."""

Gone = Callable[[ProcessRecord], bool]
"""Whether a process is known to have ended."""

_REMEMBERED = 10_000
"""How many claims are kept as sets: only what changed is read from its bytes again."""

# A Julian day is a double: enough for milliseconds, which is all that SQLite knows of the time.
NOW = Statement(
    "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000",
    postgres="SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
)
LEASES = """
SELECT fence, run_id, environment, host, boot_id, pid, process_started, claimed_at, expires_at
FROM leases ORDER BY fence
"""
CLAIMS = "SELECT fence, environment, asset, ordinals FROM claims ORDER BY fence, environment, asset"
CLAIMS_OF = "SELECT asset, ordinals FROM claims WHERE fence = ? AND environment = ? AND asset IN"
EXPIRY = "SELECT expires_at FROM leases WHERE fence = ?"
FENCE = "SELECT fence FROM counters WHERE id = 1"
NEXT_FENCE = "UPDATE counters SET fence = fence + 1 WHERE id = 1"
INSERT_LEASE = """
INSERT INTO leases (fence, run_id, environment, host, boot_id, pid, process_started, claimed_at, expires_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_CLAIM = "INSERT INTO claims (fence, environment, asset, ordinals) VALUES (?, ?, ?, ?)"
SET_CLAIM = "UPDATE claims SET ordinals = ? WHERE fence = ? AND environment = ? AND asset = ?"
RENEW = "UPDATE leases SET expires_at = ? WHERE fence = ?"
REMOVALS = (
    "DELETE FROM leases WHERE fence = ?",
    "DELETE FROM claims WHERE fence = ?",
    "DELETE FROM pool_slots WHERE fence = ?",
)

_LOST_HINT = (
    "its process stood still for longer than `lease_seconds`, or the clock jumped; run it again: it is planned anew"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """Asset partitions that are claimed as one: of each of the assets, by uid, the same partitions."""

    uids: tuple[int, ...]
    ordinals: PartitionSet


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a run, or (with ``run_id`` "") something else that publishes, asks to hold for ``seconds`` from now on.

    ``whole``: all of it or nothing. ``taking_over``: what others hold, too; they cannot publish it any more.
    """

    run_id: str
    environment: int
    units: tuple[Unit, ...]
    process: ProcessRecord
    seconds: float
    whole: bool = False
    taking_over: bool = False


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """One lease with its claims by uid; ``live`` unless it had expired, by the database's clock, when it was read."""

    fence: int
    run_id: str
    environment: int
    process: ProcessRecord
    claimed_at: datetime
    expires_at: datetime
    claims: Mapping[int, PartitionSet] = field(default_factory=dict[int, PartitionSet])
    live: bool = True

    @property
    def holder(self) -> str:
        """Who holds it, for messages."""
        return f"run {self.run_id}" if self.run_id else f"process {self.process.pid} on {self.process.host}"


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a request: what was granted, by uid, under which fence, and what others hold of the rest.

    Without a fence nothing was granted. The claims of ``held`` are those among what was asked for.
    """

    fence: int | None
    granted: Mapping[int, PartitionSet]
    held: tuple[LeaseRecord, ...] = ()


class Leases:
    """The leases of a store, seen from within its write transactions; :meth:`begin` with each of them."""

    def __init__(self, connection: Connection, ticks: Ticks, gone: Gone) -> None:
        self._connection = connection
        self._ticks = ticks
        self._gone = gone
        self._known: dict[tuple[int, int, int], tuple[bytes, PartitionSet]] = {}
        self._now: int | None = None
        self._standing: dict[tuple[int, int, int], PartitionSet] = {}
        self._valid: set[int] = set()
        self._done: dict[tuple[int, int, int], list[int]] = {}

    def begin(self) -> None:
        """Forget what the transaction before saw."""
        self._now = None
        self._done = {}
        self._changed()

    @property
    def now(self) -> int:
        """The moment of this transaction."""
        if self._now is None:
            self._now = self._ticks(self._connection)
        return self._now

    def claim(self, request: ClaimRequest) -> Claim:
        """Grant what nobody else holds; leases that expired, and those of processes that are gone, are in no way."""
        self.sweep()
        wanted = _wanted(request.units)
        taken = overlaps(read_leases(self._connection, self.now, self._known), request.environment, wanted)
        if request.taking_over:
            self._take_over(taken)
            taken = ()
        granted = _free(request.units, taken) if taken else wanted
        if request.whole and taken:
            granted = {}
        if not any(granted.values()):
            return Claim(None, {}, taken)
        self._connection.execute(NEXT_FENCE)
        fence: int = self._connection.execute(FENCE).fetchone()[0]
        process = request.process
        row = (fence, request.run_id, request.environment, process.host, process.boot_id, process.pid, process.started)
        self._connection.execute(INSERT_LEASE, (*row, self.now, self._until(request.seconds)))
        rows = [(fence, request.environment, uid, partitions.to_bytes()) for uid, partitions in granted.items()]
        self._connection.executemany(INSERT_CLAIM, rows)
        return Claim(fence, granted, taken)

    def renew(self, fence: int, seconds: float) -> int:
        """Let a lease that has not expired last for ``seconds`` from now on; gives until when. Raises LeaseLost."""
        if not self._is_live(fence):
            raise LeaseLost("the lease of this run expired before it could be renewed", hint=_LOST_HINT)
        until = self._until(seconds)
        self._connection.execute(RENEW, (until, fence))
        return until

    def release(self, fences: Collection[int]) -> int:
        """Remove leases with their claims and slots; gives how many were to be removed."""
        for statement in REMOVALS:
            self._connection.executemany(statement, [(fence,) for fence in fences])
        self._changed()
        return len(fences)

    def sweep(self) -> int:
        """Remove the leases that expired and those of processes that are known to be gone; gives how many."""
        found = _without_claims(self._connection, self.now)
        over = [lease.fence for lease in found if not lease.live or self._gone(lease.process)]
        return self.release(over) if over else 0

    def verify(self, fence: int, moves: Iterable[tuple[int, int, int]], place: str) -> None:
        """Make sure that a lease is there, has not expired, and holds all that moves: environment, uid, ordinal.

        ``place`` is for the message. Raises LeaseLost.
        """
        if fence not in self._valid:
            if not self._is_live(fence):
                raise LeaseLost(f"{place}: not published, because the lease of its run had expired", hint=_LOST_HINT)
            self._valid.add(fence)
        by_asset: dict[tuple[int, int, int], list[int]] = {}
        for environment, uid, ordinal in moves:
            by_asset.setdefault((fence, environment, uid), []).append(ordinal)
        self._look_up([key for key in by_asset if key not in self._standing])
        for key, ordinals in by_asset.items():
            held = self._standing.get(key)
            if held is None or not all(ordinal in held for ordinal in ordinals):
                raise LeaseLost(
                    f"{place}: not published, because somebody else has claimed it meanwhile",
                    hint="run it again: it is planned anew",
                )

    def give_back(self, fence: int, moves: Iterable[tuple[int, int, int]]) -> None:
        """What was published is done: others may have it once this transaction is :meth:`written <write>`."""
        for environment, uid, ordinal in moves:
            self._done.setdefault((fence, environment, uid), []).append(ordinal)

    def write(self) -> None:
        """Write down what was given back."""
        self._look_up([key for key in self._done if key not in self._standing])
        rows: list[tuple[object, ...]] = []
        for key, ordinals in self._done.items():
            if key in self._standing:
                rows.append(((self._standing[key] - PartitionSet.from_ordinals(ordinals)).to_bytes(), *key))
        if rows:
            self._connection.executemany(SET_CLAIM, rows)
        self._done = {}

    def _is_live(self, fence: int) -> bool:
        row = self._connection.execute(EXPIRY, (fence,)).fetchone()
        return row is not None and row[0] > self.now

    def _look_up(self, keys: Sequence[tuple[int, int, int]]) -> None:
        by_lease: dict[tuple[int, int], list[int]] = {}
        for fence, environment, uid in keys:
            by_lease.setdefault((fence, environment), []).append(uid)
        for (fence, environment), uids in by_lease.items():
            for some in pieces(uids):
                query = f"{CLAIMS_OF} ({marks(some)})"
                for uid, ordinals in self._connection.execute(query, (fence, environment, *some)):
                    key = (fence, environment, uid)
                    self._standing[key] = _as_set(self._known, key, ordinals)

    def _take_over(self, taken: Sequence[LeaseRecord]) -> None:
        for lease in taken:
            for uid, partitions in lease.claims.items():
                key = (lease.fence, lease.environment, uid)
                query = "SELECT ordinals FROM claims WHERE fence = ? AND environment = ? AND asset = ?"
                held = PartitionSet.from_bytes(self._connection.execute(query, key).fetchone()[0])
                self._connection.execute(SET_CLAIM, ((held - partitions).to_bytes(), *key))
        self._changed()

    def _until(self, seconds: float) -> int:
        return self.now + round(seconds * 1_000_000)

    def _changed(self) -> None:
        self._standing.clear()
        self._valid.clear()


def database_clock(connection: Connection) -> int:
    """What the database's own clock says, in microseconds since 1970 UTC."""
    return connection.execute(NOW).fetchone()[0]


def read_leases(
    connection: Connection,
    now: int,
    known: dict[tuple[int, int, int], tuple[bytes, PartitionSet]] | None = None,
) -> list[LeaseRecord]:
    """All leases with their claims, by fence; what is ``known`` need not be read from its bytes."""
    found = _without_claims(connection, now)
    if not found:
        return []
    known = {} if known is None else known
    claims: dict[int, dict[int, PartitionSet]] = {}
    for fence, environment, uid, ordinals in connection.execute(CLAIMS):
        claims.setdefault(fence, {})[uid] = _as_set(known, (fence, environment, uid), ordinals)
    return [replace(lease, claims=claims.get(lease.fence, {})) for lease in found]


def _without_claims(connection: Connection, now: int) -> list[LeaseRecord]:
    return [
        LeaseRecord(
            fence,
            run_id,
            environment,
            ProcessRecord(host, boot_id, pid, started),
            from_micros(claimed_at),
            from_micros(expires_at),
            live=expires_at > now,
        )
        for fence, run_id, environment, host, boot_id, pid, started, claimed_at, expires_at in connection.execute(
            LEASES
        ).fetchall()
    ]


def _as_set(
    known: dict[tuple[int, int, int], tuple[bytes, PartitionSet]], key: tuple[int, int, int], ordinals: bytes
) -> PartitionSet:
    found = known.get(key)
    if found is None or found[0] != ordinals:
        if len(known) >= _REMEMBERED:
            known.clear()
        found = known[key] = (ordinals, PartitionSet.from_bytes(ordinals))
    return found[1]


def _wanted(units: Iterable[Unit]) -> dict[int, PartitionSet]:
    wanted: dict[int, PartitionSet] = {}
    for unit in units:
        for uid in unit.uids:
            wanted[uid] = wanted[uid] | unit.ordinals if uid in wanted else unit.ordinals
    return {uid: partitions for uid, partitions in wanted.items() if partitions}


def overlaps(
    leases: Iterable[LeaseRecord], environment: int, wanted: Mapping[int, PartitionSet]
) -> tuple[LeaseRecord, ...]:
    """Those of the leases that hold something of it, with just that as their claims."""
    found: list[LeaseRecord] = []
    for lease in leases:
        if lease.environment != environment:
            continue
        both = {uid: held & wanted[uid] for uid, held in lease.claims.items() if uid in wanted}
        if any(both.values()):
            claims = {uid: partitions for uid, partitions in both.items() if partitions}
            found.append(replace(lease, claims=claims))
    return tuple(found)


def _free(units: Iterable[Unit], taken: Iterable[LeaseRecord]) -> dict[int, PartitionSet]:
    """By uid, the partitions of which no member of the unit is taken."""
    held: dict[int, PartitionSet] = {}
    for lease in taken:
        for uid, partitions in lease.claims.items():
            held[uid] = held[uid] | partitions if uid in held else partitions
    free: list[Unit] = []
    for unit in units:
        ordinals = unit.ordinals
        for uid in unit.uids:
            if uid in held:
                ordinals = ordinals - held[uid]
        free.append(Unit(unit.uids, ordinals))
    return _wanted(free)
