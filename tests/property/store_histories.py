"""Histories of writes to a store, drawn one write at a time, and the comparison of two states field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from assetflow.keys import AssetKey, VersionId
from assetflow.planner.state import CodeRecord, Codes, State
from assetflow.store.interface import Store
from assetflow.store.records import CheckRecord, CodeSource, Group, ObservationRecord, Withdrawal
from tests.contract.store_records import CODE, NEWER_CODE, NOON, Filler

BUILT = ("daily", "summary")
SOURCES = ("orders", "rates")
CHECKS = ("positive", "unique")
VERSIONS = (CODE, NEWER_CODE)


@dataclass(frozen=True)
class Asked:
    """What a state is asked for."""

    assets: tuple[AssetKey, ...]
    codes: Codes
    sources: frozenset[AssetKey]
    verified: frozenset[AssetKey]

    def state(self, store: Store, environment: int) -> State:
        """The answer."""
        return store.reader.read_state(
            environment, self.assets, self.codes, sources=self.sources, verified=self.verified
        )


@dataclass
class Writing:
    """Everything that a run, an observation or a user may write, drawn at random; two environments."""

    fill: Filler
    dev: int
    draw: Any
    ordinals: int = 2
    _moments: int = 0
    _made: list[tuple[str, int, VersionId]] = field(default_factory=list[Any])
    _quarantined: list[tuple[str, int, VersionId]] = field(default_factory=list[Any])

    def write(self) -> None:
        """One write, and wait until it is committed."""
        self._moments += 1
        often = [self.publish, self.publish, self.again, self.group, self.fail, self.release]
        rarely = [self.check, self.observe, self.withdraw, self.asked, self.code, self.key]
        self.draw(st.sampled_from([*often, *rarely]))()

    def many(self, most: int) -> None:
        """Up to so many writes."""
        for _ in range(self.draw(st.integers(1, most))):
            self.write()

    def publish(self) -> None:
        """A new version, with any edges and check results."""
        asset, ordinal, environment = self._place()
        version = self.fill.version(asset, ordinal, self._number())
        reads = [self.fill.read(name, self._number()) for name in ("orders", "rates") if self.draw(st.booleans())]
        checks = [self._result(version, name) for name in CHECKS if self.draw(st.booleans())]
        self._move(asset, ordinal, environment, version=version, inputs=reads, checks=checks)
        self._made.append((asset, ordinal, version.version))

    def again(self) -> None:
        """An earlier version: found equal, gone back to, or taken over by the other environment."""
        if self._made:
            asset, ordinal, version = self.draw(st.sampled_from(self._made))
            kind = self.draw(st.sampled_from(["unchanged", "rollback", "reused"]))
            environment = self.draw(st.sampled_from([self.fill.environment, self.dev]))
            self._move(asset, ordinal, environment, version=version, kind=kind, held=kind == "rollback")

    def group(self) -> None:
        """Several partitions at once."""
        for asset in BUILT:
            moves = [
                self.fill.publication(asset, ordinal, self._number(), expected=None, code=self._code())
                for ordinal in range(self.ordinals)
                if self.draw(st.booleans())
            ]
            if moves:
                self.fill.commit(*moves).result()

    def fail(self) -> None:
        """A failed try, perhaps with a candidate and its check results."""
        asset, ordinal, environment = self._place()
        failure = replace(self.fill.failure(asset, ordinal, key=self._number()), environment=environment)
        if self.draw(st.booleans()):
            made = replace(self.fill.version(asset, ordinal, self._number()), state="quarantined")
            failed = self._result(made, CHECKS[0])
            failure = replace(
                self.fill.failure(asset, ordinal, candidate=made), environment=environment, checks=(failed,)
            )
            self._quarantined.append((asset, ordinal, made.version))
        self.fill.store.writer.fail(replace(failure, code=self._code())).result()

    def release(self) -> None:
        """A quarantined candidate is published after all."""
        if self._quarantined:
            asset, ordinal, version = self._quarantined.pop()
            self._move(asset, ordinal, self.fill.environment, version=version)
            self._made.append((asset, ordinal, version))

    def check(self) -> None:
        """A check is run on a version that the store has."""
        if self._made:
            asset, ordinal, number = self.draw(st.sampled_from(self._made))
            version = replace(self.fill.version(asset, ordinal), version=number)
            result = self._result(version, self.draw(st.sampled_from(CHECKS)))
            self.fill.store.writer.record_checks([result]).result()

    def observe(self) -> None:
        """A source gives versions."""
        source = self.draw(st.sampled_from(SOURCES))
        self.fill.observe(source, {self._ordinal(): self._number(), self._ordinal(): self._number()})

    def withdraw(self) -> None:
        """A source no longer has a partition, and another asset's is published with that."""
        source, ordinal = self.draw(st.sampled_from(SOURCES)), self._ordinal()
        gone = Withdrawal(0, AssetKey(source), self.fill.uid(source), ordinal, "r1", NOON)
        self.fill.store.writer.publish(Group((), (gone,))).result()

    def asked(self) -> None:
        """A source was asked, and perhaps it answered."""
        source = self.draw(st.sampled_from(SOURCES))
        error = self.draw(st.sampled_from([None, "down"]))
        seen = ObservationRecord(AssetKey(source), self.fill.uid(source), self._moment(), error=error)
        self.fill.store.writer.record_observations([seen]).result()

    def code(self) -> None:
        """A code version is written down."""
        source = CodeSource(self._code(), {"shop.daily": "aa"}, {"shop.daily": "def daily(): ..."})
        self.fill.store.writer.save_code([source]).result()

    def key(self) -> None:
        """A static key gets its ordinal."""
        self.fill.store.writer.intern_keys([self.draw(st.sampled_from(["a", "b", "ä\x00", "c" * 50]))])

    def _move(self, asset: str, ordinal: int, environment: int, **changes: Any) -> None:
        move = self.fill.publication(
            asset, ordinal, self._number(), expected=None, environment=environment, code=self._code(), **changes
        )
        self.fill.commit(replace(move, created_at=self._moment())).result()

    def _result(self, version: Any, name: str) -> CheckRecord:
        return self.fill.check(version, name, passed=self.draw(st.booleans()), code=self._code())

    def _place(self) -> tuple[str, int, int]:
        environment = self.draw(st.sampled_from([self.fill.environment, self.fill.environment, self.dev]))
        return self.draw(st.sampled_from(BUILT)), self._ordinal(), environment

    def _moment(self) -> Any:
        return NOON + timedelta(minutes=self._moments)

    def _ordinal(self) -> int:
        return self.draw(st.integers(0, self.ordinals - 1))

    def _number(self) -> int:
        return self.draw(st.integers(1, 5))

    def _code(self) -> Any:
        return self.draw(st.sampled_from(VERSIONS))


@st.composite
def questions(draw: st.DrawFn, *, roles: bool = False) -> Asked:
    """Any assets, under any code, with any checks; with ``roles``, which are sources and have times differs too."""
    every = (*BUILT, *SOURCES, "never")
    names = every if draw(st.integers(0, 3)) else [name for name in every if draw(st.booleans())]
    keys = tuple(AssetKey(name) for name in names)
    sources = frozenset(AssetKey(name) for name in SOURCES if not roles or draw(st.integers(0, 5)))
    verified = frozenset(AssetKey(name) for name in ("daily", "orders") if not roles or draw(st.booleans()))
    computations = {name: CodeRecord(draw(st.sampled_from(VERSIONS)), {}) for name in BUILT}
    checks = {
        (AssetKey(asset), name): draw(st.sampled_from(VERSIONS))
        for asset in BUILT
        for name in CHECKS
        if draw(st.integers(0, 3))
    }
    return Asked(keys, Codes(computations, checks), sources, verified)


def differences(found: State, expected: State) -> list[str]:
    """The fields in which two states differ; ``found`` may know of more code versions."""
    known = {number: record for number, record in found.codes.items() if number in expected.codes}
    return list(_differences(replace(found, codes=known), expected, "state"))


def _differences(found: Any, expected: Any, place: str) -> Iterable[str]:
    if isinstance(expected, np.ndarray):
        if found.dtype != expected.dtype or found.tolist() != expected.tolist():
            yield f"{place}: {found.tolist()} is not {expected.tolist()}"
    elif isinstance(expected, Mapping):
        if found.keys() != expected.keys():
            yield f"{place}: {sorted(map(str, found))} is not {sorted(map(str, expected))}"
        else:
            for key in expected:
                yield from _differences(found[key], expected[key], f"{place}[{key}]")
    elif is_dataclass(expected) and type(found) is type(expected) and not hasattr(expected, "extended"):
        for part in fields(expected):
            yield from _differences(getattr(found, part.name), getattr(expected, part.name), f"{place}.{part.name}")
    elif found != expected:
        yield f"{place}: {found} is not {expected}"
