"""Keeping ``_current.json`` up to date while a run goes on: at most once a second, and at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping

from assetflow.keys import AssetKey, VersionId
from assetflow.publish.projection import has_projection, project_current
from assetflow.publish.setting import Setting
from assetflow.store.records import Ticket, VersionRecord

_SECONDS = 1.0


class CurrentFiles:
    """The assets whose projection lags behind, and when projections were last written."""

    def __init__(self, setting: Setting, known: Mapping[VersionId, VersionRecord]) -> None:
        self._setting = setting
        self._known = known
        # By asset, the last commit that moves one of its pointers.
        self._lagging: dict[AssetKey, Ticket] = {}
        self._settled: set[AssetKey] = set()
        self._folders = setting.storage.folders()
        self._written = time.monotonic()

    def moved(self, asset: AssetKey, ticket: Ticket, *, with_files: bool) -> None:
        """A commit moves pointers of the asset; values without files need a projection only where there is one."""
        if asset in self._lagging or with_files or self._is_projected(asset):
            self._lagging[asset] = ticket
        if with_files:
            self._folders.add(asset.partition("/")[0])

    def _is_projected(self, asset: AssetKey) -> bool:
        if asset in self._settled:
            return False
        if asset.partition("/")[0] in self._folders and has_projection(self._setting, asset):
            return True
        self._settled.add(asset)
        return False

    def tick(self) -> None:
        """Write what lags, if the last time is a second ago. Raises StorageError."""
        if self._lagging and time.monotonic() - self._written >= _SECONDS:
            self.refresh()

    def refresh(self) -> None:
        """Write what lags; what is not committed yet lags on. Raises StorageError."""
        for asset, ticket in sorted(self._lagging.items()):
            committed = ticket.done()
            project_current(self._setting, asset, self._known)
            if committed:
                del self._lagging[asset]
        self._written = time.monotonic()
