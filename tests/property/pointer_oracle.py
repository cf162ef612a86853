"""A slow and obvious model of pointers: what every partition was at every generation, and what is to be kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from assetflow.publish.retention import Retention

Current = dict[str, int]
"""By partition key, the version that is current."""


@dataclass
class PointerOracle:
    """Every generation in full, with the time of its commit."""

    states: dict[int, Current] = field(default_factory=lambda: {0: {}})
    times: dict[int, datetime] = field(default_factory=dict[int, datetime])
    pinned_versions: dict[str, int] = field(default_factory=dict[str, int])
    pinned_generations: dict[str, int] = field(default_factory=dict[str, int])
    marked: dict[int, datetime] = field(default_factory=dict[int, datetime])
    deleted: set[int] = field(default_factory=set[int])

    @property
    def last(self) -> int:
        return max(self.states)

    @property
    def now(self) -> Current:
        return self.states[self.last]

    def commit(self, generation: int, changed: Mapping[str, int | None], at: datetime) -> None:
        """A commit that sets partitions, None for nothing; generations in between changed nothing here."""
        state = {**self.now, **{key: version for key, version in changed.items() if version is not None}}
        for key, version in changed.items():
            if version is None:
                state.pop(key, None)
        for between in range(self.last + 1, generation):
            self.states[between] = self.now
            self.times[between] = at
        self.states[generation] = state
        self.times[generation] = at

    def differs(self, key: str, generation: int) -> bool:
        return self.states[generation].get(key) != self.now.get(key)

    def generation_at(self, moment: datetime) -> int:
        return max((g for g, at in self.times.items() if at <= moment), default=0)

    def live(self, now: datetime, rules: Retention) -> set[int]:
        """What has to stay."""
        kept = set(self.now.values()) | set(self.pinned_versions.values())
        for generation in self.pinned_generations.values():
            kept |= set(self.states[generation].values())
        for key in {key for state in self.states.values() for key in state}:
            recent: list[int] = []
            for generation in range(self.last, 0, -1):
                version = self.states[generation].get(key)
                if version is None:
                    continue
                if version not in recent:
                    recent.append(version)
                # It was current until the next generation began.
                until = self.times.get(generation + 1, now)
                if generation == self.last or until > now - rules.keep_for:
                    kept.add(version)
            kept |= set(recent[: rules.keep_versions])
        return kept

    def collect(self, every: set[int], now: datetime, rules: Retention) -> set[int]:
        """What a gc deletes now; keeps the marks."""
        dead = every - self.deleted - self.live(now, rules)
        self.marked = {version: self.marked.get(version, now) for version in dead}
        gone = {version for version, at in self.marked.items() if at + rules.grace <= now}
        self.deleted |= gone
        self.marked = {version: at for version, at in self.marked.items() if version not in gone}
        return gone
