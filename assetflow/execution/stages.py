"""Version ids and stage intents of one computation's rows: announced before the first byte, settled at the end."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assetflow.errors import StorageError
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.setting import Setting
from assetflow.store.records import StageIntent

_ANNOUNCED_AT_ONCE = 256


class VersionIds:
    """Fresh version ids, reserved in blocks."""

    def __init__(self, setting: Setting, expected: int) -> None:
        self._setting = setting
        self._block = max(1, expected)
        self._ids: Iterator[int] = iter(())

    def take(self) -> VersionId:
        """The next id."""
        for number in self._ids:
            return VersionId(number)
        self._ids = iter(self._setting.writer.reserve_versions(self._block))
        self._block = min(self._block, 1024)
        return self.take()


@dataclass(frozen=True, slots=True)
class Stage:
    """A version that may be written: where it would lie."""

    asset: AssetKey
    ordinal: int
    version: VersionId
    location: str


class Stages:
    """The stages of some rows of one computation in one run."""

    def __init__(self, setting: Setting, run_id: str, stages: Sequence[Stage]) -> None:
        self._setting = setting
        self._run_id = run_id
        self._stages: list[Stage] = []
        self._places: dict[VersionId, int] = {}
        self._announced: set[VersionId] = set()
        self._open: set[VersionId] = set()
        self._written: set[VersionId] = set()
        self.add(stages)

    @property
    def versions(self) -> Collection[VersionId]:
        """Whatever may be staged."""
        return self._places.keys()

    def add(self, stages: Sequence[Stage]) -> None:
        """More that may be staged: another attempt has places of its own."""
        for stage in stages:
            self._places[stage.version] = len(self._stages)
            self._stages.append(stage)

    def announce(self, versions: Iterable[VersionId], *, elsewhere: bool = False) -> None:
        """See to it that durable intents name these; ``elsewhere``: another process is going to write them."""
        for version in versions:
            if version not in self._announced:
                place = self._places[version]
                ahead = self._stages[place : place + _ANNOUNCED_AT_ONCE]
                self._announce([stage for stage in ahead if stage.version not in self._announced])
            if elsewhere:
                self._written.add(version)

    def open_folder(self, version: VersionId) -> Path:
        """Create the folder of a version; a durable intent names it before."""
        self.announce((version,))
        self._written.add(version)
        try:
            return self._setting.storage.create(self._stages[self._places[version]].location)
        except StorageError:
            self._written.discard(version)
            raise

    def finish(self, version: VersionId) -> tuple[VersionId, ...]:
        """The intents that the commit of this version settles."""
        if version not in self._open:
            return ()
        self._open.discard(version)
        return (version,)

    def close(self) -> None:
        """Settle the intents that nothing came of."""
        left = sorted(self._open)
        for version in left:
            if version in self._written:
                self._setting.storage.discard(self._stages[self._places[version]].location)
        if left:
            self._setting.writer.settle(left)
        self._open.clear()

    def _announce(self, stages: Sequence[Stage]) -> None:
        now = self._setting.clock()
        uids, storage = self._setting.uids, self._setting.storage
        intents = [
            StageIntent(stage.version, uids[stage.asset], stage.ordinal, self._run_id, stage.location, now)
            for stage in stages
            # What another store has put there is not ours to delete.
            if not os.path.lexists(storage.folder(stage.location))
        ]
        self._setting.writer.announce(intents).result()
        self._announced.update(stage.version for stage in stages)
        self._open.update(intent.version for intent in intents)


class Desk:
    """Where the executor of a run asks for folders: it knows which stages a version is one of."""

    def __init__(self) -> None:
        self._stages: dict[VersionId, Stages] = {}

    def take(self, stages: Stages) -> None:
        """Know these from now on."""
        self._stages.update(dict.fromkeys(stages.versions, stages))

    def forget(self, stages: Stages) -> None:
        """They are closed."""
        for version in stages.versions:
            del self._stages[version]

    def open_folder(self, version: VersionId) -> Path:
        """Create the folder of a version, which was announced before."""
        return self._stages[version].open_folder(version)
