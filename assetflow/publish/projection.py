"""Bringing an asset's ``_current.json`` up to the pointers of the store."""

from __future__ import annotations

import os
from collections.abc import Mapping

from assetflow.keys import AssetKey, VersionId
from assetflow.partitions.definitions import dynamic_names
from assetflow.partitions.spaces import bind
from assetflow.publish.current import CurrentEntry, write_current
from assetflow.publish.setting import Setting
from assetflow.store.records import (
    VersionRecord,
)

_ASKED = 1_000
"""Versions that the store is asked about at once: mostly, the first ones have files, or none has."""


def project_current(setting: Setting, asset: AssetKey, known: Mapping[VersionId, VersionRecord]) -> None:
    """Write the projection of one asset.

    ``known`` saves reading version records that the caller has. Partitions that the definition no longer has are left
    out. Raises StorageError and StoreError.
    """
    reader, name = setting.reader, setting.graph.owner[asset]
    space, least = setting.spaces[name], 0
    if dynamic_names(space.definition):
        # The keys as they are now, not as a run found them; a set that changes moves no pointer.
        least = reader.generation()
        present = reader.dynamic()
        space = bind(space.definition, reader.keys(), present)
    pointers = reader.pointers(setting.environment, setting.uids[asset])
    versions = [VersionId(version) for version in pointers.version.tolist()]
    files = reader.files_of([version for version in versions if version not in known])
    generation = max(least, int(pointers.generation.max())) if versions else reader.generation()
    kept = space.has(pointers.ordinals)
    keys = space.keys(pointers.ordinals[kept])
    entries: list[CurrentEntry] = []
    for key, number, made in zip(
        keys, pointers.version[kept].tolist(), pointers.generation[kept].tolist(), strict=True
    ):
        version = VersionId(number)
        if version in known:
            record = known[version]
            entries.append(CurrentEntry(key, version, made, record.location, tuple(file.name for file in record.files)))
        else:
            location, names = files.get(version, (None, ()))
            entries.append(CurrentEntry(key, version, made, location, tuple(name for name, _ in names)))
    write_current(setting.storage, asset, setting.suffix, entries, generation)


def project_all(setting: Setting) -> None:
    """Write the projection of every asset that has published files, or has a projection. Raises StorageError."""
    for asset, name in setting.graph.owner.items():
        if setting.graph.nodes[name].kind == "source":
            continue
        if has_projection(setting, asset) or _has_files(setting, asset):
            project_current(setting, asset, {})


def _has_files(setting: Setting, asset: AssetKey) -> bool:
    versions = setting.reader.pointers(setting.environment, setting.uids[asset]).version.tolist()
    pieces = (versions[first : first + _ASKED] for first in range(0, len(versions), _ASKED))
    return any(setting.reader.files_of(piece) for piece in pieces)


def has_projection(setting: Setting, asset: AssetKey) -> bool:
    """Whether the asset has a projection, which must then follow its pointers."""
    name = "_current.json" if setting.suffix is None else f"_current.{setting.suffix}.json"
    return os.path.exists(f"{setting.storage.folder(asset)}/{name}")
