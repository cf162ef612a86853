"""What the pieces of one run share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from assetflow.execution.journal import Entry, Journal
from assetflow.execution.live import LiveState
from assetflow.execution.projection import CurrentFiles
from assetflow.execution.stages import Desk, VersionIds
from assetflow.execution.task import (
    CurrentVersion,
)
from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.planner.spans import Flags, Integers, members
from assetflow.planner.state import State
from assetflow.publish.key_room import KeyRoom
from assetflow.publish.leasing import Hold
from assetflow.publish.setting import Setting
from assetflow.publish.stored import StoredInput, stored_input, stored_partition
from assetflow.store.records import VersionRecord


@dataclass(frozen=True, slots=True)
class RunParts:
    """One run: where it takes place, what was recorded before, what it has done since."""

    run_id: str
    setting: Setting
    state: State
    live: LiveState
    journal: Journal
    ids: VersionIds
    existing: Callable[[str], Integers]
    """The existing ordinals of a computation, as of the plan."""
    as_of: datetime
    """The ``now`` of the plan."""
    include_late: bool
    projection: CurrentFiles
    note: Callable[[Entry], None]
    """Told of every asset partition that is done."""
    versions: dict[VersionId, VersionRecord]
    """Versions met so far; those that this run published are here before they are in the store."""
    room: KeyRoom
    """For keys that its attempts add to dynamic partitions."""
    desk: Desk = field(default_factory=Desk)
    """Where executors ask for folders."""
    deferred: bool = False
    """Whether tasks run elsewhere."""
    chance: Callable[[], float] = lambda: 0.5
    """Gives numbers from 0 to 1, for the jitter of retries."""
    lease: Hold | None = None
    """What this run may publish; None: what nobody else can."""

    @property
    def fence(self) -> int | None:
        """That of the lease, for publications."""
        return None if self.lease is None else self.lease.fence

    def version(self, version: VersionId) -> VersionRecord:
        """One version, fetched if it has to be. Raises UnknownVersion."""
        if version not in self.versions:
            self.versions[version] = self.setting.reader.version(version)
        return self.versions[version]

    def fetch(self, versions: Iterable[int]) -> None:
        """Make sure that these versions are in :attr:`versions`."""
        missing = {VersionId(version) for version in versions if version not in self.versions}
        if missing:
            self.versions.update(self.setting.reader.versions(missing))

    def pointed(self, key: AssetKey, ordinals: Integers) -> tuple[Flags, Integers, Integers]:
        """Of an asset's partitions: which are published, as which version, by which generation (0 where not)."""
        live = self.live.asset(key)
        if not len(live.ordinals):
            nothing = np.zeros(len(ordinals), np.int64)
            return np.zeros(len(ordinals), np.bool_), nothing, nothing
        present = members(ordinals, live.ordinals)
        places = np.minimum(live.ordinals.searchsorted(ordinals), len(live.ordinals) - 1)
        return present, np.where(present, live.version[places], 0), np.where(present, live.generation[places], 0)

    def stored_input(self, version: VersionId, key: str | None) -> StoredInput:
        """A fetched version as an attempt reads it."""
        return stored_input(self.version(version), self.setting.storage, key)

    def current_version(self, version: VersionId, key: str | None) -> CurrentVersion:
        """A fetched version as what is published now, or as a candidate."""
        record = self.version(version)
        checked: set[CodeVersion] = set()
        for check in self.setting.graph.checks.get(record.asset, ()):
            results = self.state.checks.get((record.asset, check.name))
            one = np.array([version], np.int64)
            if results is None:
                continue
            if members(one, results.passed)[0] or (not check.blocking and members(one, results.failed)[0]):
                checked.add(self.setting.codes.checks[record.asset, check.name])
        return CurrentVersion(
            version,
            record.data_hash,
            record.empty,
            record.schema,
            record.storage,
            record.io_manager,
            stored_partition(record, self.setting.storage, key),
            frozenset(checked),
        )
