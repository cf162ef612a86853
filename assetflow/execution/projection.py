"""Keeping ``_current.json`` up to date while a run goes on: at most once a second, and at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping

from assetflow.keys import AssetKey, VersionId
from assetflow.publish.projection import has_projection, project_current
from assetflow.publish.setting import Setting
from assetflow.store.records import VersionRecord

_SECONDS = 1.0


class CurrentFiles:
    """The assets whose projection lags behind, and when projections were last written."""

    def __init__(self, setting: Setting, known: Mapping[VersionId, VersionRecord]) -> None:
        self._setting = setting
        self._known = known
        self._lagging: set[AssetKey] = set()
        self._settled: set[AssetKey] = set()
        self._folders = setting.storage.folders()
        self._written = time.monotonic()

    def moved(self, asset: AssetKey, *, with_files: bool) -> None:
        """A pointer of the asset has moved; values without files need a projection only where there is one."""
        if asset in self._lagging or (not with_files and asset in self._settled):
            return
        if with_files:
            self._lagging.add(asset)
            self._folders.add(asset.partition("/")[0])
        elif asset.partition("/")[0] in self._folders and has_projection(self._setting, asset):
            self._lagging.add(asset)
        else:
            self._settled.add(asset)

    def tick(self) -> None:
        """Write what lags, if the last time is a second ago. Raises StorageError."""
        if self._lagging and time.monotonic() - self._written >= _SECONDS:
            self.refresh()

    def refresh(self) -> None:
        """Write what lags. Raises StorageError."""
        setting = self._setting
        for asset in sorted(self._lagging):
            project_current(setting, asset, self._known)
        self._lagging.clear()
        self._written = time.monotonic()
