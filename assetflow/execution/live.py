"""What is published while a run goes on: the state it began with, and what it has enqueued since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import AssetKey, DataHash, VersionId
from assetflow.planner.signatures import hash_lanes
from assetflow.planner.spans import Lanes, members
from assetflow.planner.state import AssetState, State
from assetflow.store.records import Ticket

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Move:
    """A pointer that this run has moved; the commit may still be on its way."""

    ordinal: int
    version: VersionId
    data_hash: DataHash
    empty: bool
    ticket: Ticket


@dataclass(slots=True)
class LiveAsset:
    """The pointers of one asset as this run sees them; arrays aligned, ``ordinals`` ascending.

    ``sequence`` is 0 for pointers that were committed before, else the place of this run's commit in
    ``LiveState.tickets``.
    """

    ordinals: Integers
    version: Integers
    hashes: NDArray[np.uint64]
    empty: Flags
    generation: Integers
    sequence: Integers
    unavailable: Integers
    """Ordinals that failed, were quarantined, blocked or canceled in this run."""


class LiveState:
    """The live assets of one run, without partitions that do not exist; only the run loop changes it."""

    def __init__(self, state: State, existing: Callable[[AssetKey], Integers]) -> None:
        self._state = state
        self._existing = existing
        self._assets: dict[AssetKey, LiveAsset] = {}
        # Moves are merged into the arrays when somebody reads them, so that n commits do not copy them n times.
        self._moved: dict[AssetKey, dict[int, tuple[Move, int]]] = {}
        self._lost: dict[AssetKey, list[int]] = {}
        self.tickets: list[Ticket] = []
        self._none = np.empty(0, np.int64)
        self._no_hashes = np.empty((0, 2), np.uint64)
        self._no_flags = np.empty(0, np.bool_)

    def asset(self, key: AssetKey) -> LiveAsset:
        """The live pointers of an asset."""
        live = self._assets.get(key)
        if live is None:
            recorded = self._state.assets.get(key)
            live = self._assets[key] = self._nothing() if recorded is None else self._recorded(key, recorded)
        if moved := self._moved.pop(key, None):
            live = self._assets[key] = self._merged(live, [moved[ordinal] for ordinal in sorted(moved)])
        if lost := self._lost.pop(key, None):
            live.unavailable = np.union1d(live.unavailable, np.array(lost, np.int64))
        return live

    def _recorded(self, key: AssetKey, recorded: AssetState) -> LiveAsset:
        if not len(recorded.ordinals):
            return self._nothing()
        return _from_state(recorded, members(recorded.ordinals, self._existing(key)))

    def _nothing(self) -> LiveAsset:
        none = self._none
        return LiveAsset(none, none, self._no_hashes, self._no_flags, none, none, none)

    def move(self, key: AssetKey, moves: Sequence[Move]) -> None:
        """Take in the pointers that were enqueued for an asset."""
        moved = self._moved.setdefault(key, {})
        for move in moves:
            if not self.tickets or self.tickets[-1] is not move.ticket:
                self.tickets.append(move.ticket)
            moved[move.ordinal] = (move, len(self.tickets))

    def repoint(
        self, key: AssetKey, ordinals: Integers, version: Integers, hashes: Lanes, empty: Flags, ticket: Ticket
    ) -> None:
        """Take in pointers of one asset, ascending, that one commit moves."""
        if not self.tickets or self.tickets[-1] is not ticket:
            self.tickets.append(ticket)
        live = self.asset(key)
        none = np.zeros(len(ordinals), np.int64)
        added = LiveAsset(ordinals, version, hashes, empty, none, none + len(self.tickets), live.unavailable)
        self._assets[key] = _joined(live, added)

    def is_last(self, ticket: Ticket) -> bool:
        """Whether ``ticket`` is that of the last commit that was taken in."""
        return bool(self.tickets) and self.tickets[-1] is ticket

    def withdraw(self, key: AssetKey, ordinals: Integers) -> None:
        """Take out pointers that go away."""
        live = self.asset(key)
        kept = ~members(live.ordinals, ordinals)
        self._assets[key] = LiveAsset(
            live.ordinals[kept],
            live.version[kept],
            live.hashes[kept],
            live.empty[kept],
            live.generation[kept],
            live.sequence[kept],
            live.unavailable,
        )

    def _merged(self, live: LiveAsset, moved: Sequence[tuple[Move, int]]) -> LiveAsset:
        moves = [move for move, _ in moved]
        ordinals = np.array([move.ordinal for move in moves], np.int64)
        version = np.array([move.version for move in moves], np.int64)
        hashes = np.array([hash_lanes(move.data_hash) for move in moves], np.uint64).reshape(-1, 2)
        empty = np.array([move.empty for move in moves], np.bool_)
        generation, sequence = np.zeros(len(moves), np.int64), np.array([place for _, place in moved], np.int64)
        return _joined(live, LiveAsset(ordinals, version, hashes, empty, generation, sequence, live.unavailable))

    def lost(self) -> dict[AssetKey, Integers]:
        """By asset: what this run could not make."""
        found = {key: self.asset(key).unavailable for key in {*self._assets, *self._lost}}
        return {key: ordinals for key, ordinals in found.items() if len(ordinals)}

    def lose(self, key: AssetKey, ordinals: Sequence[int]) -> None:
        """Note partitions that this run could not make."""
        if ordinals:
            self._lost.setdefault(key, []).extend(ordinals)

    def awaited(self, live: LiveAsset, positions: slice | Integers) -> tuple[Ticket, ...]:
        """The commits of this run that wrote the pointers at ``positions``."""
        sequence: list[int] = live.sequence[positions].tolist()
        return tuple(self.tickets[place - 1] for place in sorted(set(sequence)) if place)

    def as_of(self, live: LiveAsset, positions: slice | Integers) -> int | Ticket:
        """The commit as of which pointers were read: the last ticket of this run, else what the run began with."""
        sequence = live.sequence[positions]
        if len(sequence) and (last := int(sequence.max())):
            return self.tickets[last - 1]
        return self._state.generation


def _joined(live: LiveAsset, moved: LiveAsset) -> LiveAsset:
    """The pointers with those that were moved in their place."""
    if not len(live.ordinals):
        return moved
    kept = ~members(live.ordinals, moved.ordinals)
    every = np.concatenate((live.ordinals[kept], moved.ordinals))
    order = np.argsort(every, kind="stable")
    return LiveAsset(
        ordinals=every[order],
        version=np.concatenate((live.version[kept], moved.version))[order],
        hashes=np.concatenate((live.hashes[kept], moved.hashes))[order],
        empty=np.concatenate((live.empty[kept], moved.empty))[order],
        generation=np.concatenate((live.generation[kept], moved.generation))[order],
        sequence=np.concatenate((live.sequence[kept], moved.sequence))[order],
        unavailable=live.unavailable,
    )


def _from_state(state: AssetState, kept: Flags) -> LiveAsset:
    return LiveAsset(
        state.ordinals[kept],
        state.version[kept],
        state.hashes[kept],
        state.empty[kept],
        state.generation[kept],
        np.zeros(int(kept.sum()), np.int64),
        np.empty(0, np.int64),
    )
