"""Bringing an asset's ``_current.json`` up to the pointers of the store."""

from __future__ import annotations

import os
from collections.abc import Mapping

from assetflow.keys import AssetKey, VersionId
from assetflow.partitions.spaces import PartitionSpace
from assetflow.publish.current import CurrentEntry, write_current
from assetflow.publish.folders import Storage
from assetflow.store.interface import StoreReader
from assetflow.store.records import (
    VersionRecord,
)


def project_current(
    storage: Storage,
    reader: StoreReader,
    *,
    asset: AssetKey,
    uid: int,
    space: PartitionSpace,
    environment: int,
    suffix: str | None,
    known: Mapping[VersionId, VersionRecord],
) -> None:
    """Write the projection of one asset; ``suffix`` is the environment's name, None for the default one.

    ``known`` saves reading version records that the caller has. Partitions that the definition no longer has are left
    out. Raises StorageError and StoreError.
    """
    pointers = reader.pointers(environment, uid)
    versions = [VersionId(version) for version in pointers.version.tolist()]
    missing = [version for version in versions if version not in known]
    records = {**known, **reader.versions(missing)} if missing else known
    generation = int(pointers.generation.max()) if versions else reader.generation()
    entries: list[CurrentEntry] = []
    for ordinal, version, number in zip(
        pointers.ordinals.tolist(), versions, pointers.generation.tolist(), strict=True
    ):
        try:
            key = space.key(ordinal)
        except (KeyError, ValueError):
            continue
        record = records[version]
        files = tuple(file.name for file in record.files)
        entries.append(CurrentEntry(key, version, number, record.location, files))
    write_current(storage, asset, suffix, entries, generation)


def project_all(
    storage: Storage,
    reader: StoreReader,
    *,
    uids: Mapping[AssetKey, int],
    spaces: Mapping[AssetKey, PartitionSpace],
    environment: int,
    suffix: str | None,
) -> None:
    """Write the projection of every asset that has published files, or has a projection. Raises StorageError."""
    for asset, space in spaces.items():
        pointers = reader.pointers(environment, uids[asset])
        known = reader.versions([VersionId(version) for version in pointers.version.tolist()])
        if any(record.location for record in known.values()) or has_projection(storage, asset, suffix):
            project_current(
                storage,
                reader,
                asset=asset,
                uid=uids[asset],
                space=space,
                environment=environment,
                suffix=suffix,
                known=known,
            )


def has_projection(storage: Storage, asset: AssetKey, suffix: str | None) -> bool:
    """Whether the asset has a projection, which must then follow its pointers."""
    name = "_current.json" if suffix is None else f"_current.{suffix}.json"
    return os.path.exists(f"{storage.folder(asset)}/{name}")
