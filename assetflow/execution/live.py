"""What is published while a run goes on: the state it began with, and what it has enqueued since."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import AssetKey, DataHash, VersionId
from assetflow.planner.signatures import hash_lanes
from assetflow.planner.spans import members
from assetflow.planner.state import AssetState, State, empty_asset_state
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
        self.tickets: list[Ticket] = []

    def asset(self, key: AssetKey) -> LiveAsset:
        """The live pointers of an asset."""
        live = self._assets.get(key)
        if live is None:
            recorded = self._state.assets.get(key) or empty_asset_state()
            live = self._assets[key] = _from_state(recorded, members(recorded.ordinals, self._existing(key)))
        return live

    def move(self, key: AssetKey, moves: Sequence[Move]) -> None:
        """Take in the pointers that were enqueued for an asset."""
        if not moves:
            return
        live = self.asset(key)
        by_ordinal = {move.ordinal: move for move in moves}
        ordinals = np.fromiter(sorted(by_ordinal), np.int64, len(by_ordinal))
        ordered = [by_ordinal[int(ordinal)] for ordinal in ordinals]
        lanes = np.array([hash_lanes(move.data_hash) for move in ordered], np.uint64).reshape(-1, 2)
        kept = ~np.isin(live.ordinals, ordinals, assume_unique=True)
        order = np.argsort(np.concatenate((live.ordinals[kept], ordinals)), kind="stable")

        self._assets[key] = LiveAsset(
            ordinals=np.concatenate((live.ordinals[kept], ordinals))[order],
            version=np.concatenate((live.version[kept], np.array([move.version for move in ordered], np.int64)))[order],
            hashes=np.concatenate((live.hashes[kept], lanes))[order],
            empty=np.concatenate((live.empty[kept], np.array([move.empty for move in ordered], np.bool_)))[order],
            generation=np.concatenate((live.generation[kept], np.zeros(len(ordered), np.int64)))[order],
            sequence=np.concatenate((live.sequence[kept], self._sequences(ordered)))[order],
            unavailable=live.unavailable,
        )

    def lose(self, key: AssetKey, ordinals: Sequence[int]) -> None:
        """Note partitions that this run could not make."""
        if ordinals:
            live = self.asset(key)
            live.unavailable = np.union1d(live.unavailable, np.array(ordinals, np.int64))

    def _sequences(self, moves: Sequence[Move]) -> Integers:
        known: dict[int, int] = {}
        sequences = np.empty(len(moves), np.int64)
        for n, move in enumerate(moves):
            place = known.get(id(move.ticket))
            if place is None:
                self.tickets.append(move.ticket)
                place = known[id(move.ticket)] = len(self.tickets)
            sequences[n] = place
        return sequences

    def awaited(self, live: LiveAsset, positions: slice) -> tuple[Ticket, ...]:
        """The commits of this run that wrote the pointers at ``positions``."""
        sequence = live.sequence[positions]
        return tuple(self.tickets[int(place) - 1] for place in np.unique(sequence[sequence > 0]))

    def as_of(self, live: LiveAsset, positions: slice) -> int | Ticket:
        """The commit as of which pointers were read: the last ticket of this run, else the greatest generation."""
        sequence = live.sequence[positions]
        if len(sequence) and (last := int(sequence.max())):
            return self.tickets[last - 1]
        generation = live.generation[positions]
        return int(generation.max()) if len(generation) else 0


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
