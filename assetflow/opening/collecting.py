"""The document of ``gc``."""

from __future__ import annotations

from assetflow.catalog.naming import partition_names
from assetflow.publish.collecting import Expired, collect, expired_of
from assetflow.publish.resolving import integers
from assetflow.publish.retention import Retention
from assetflow.publish.setting import Setting


def collected(setting: Setting, retention: Retention | None, *, apply: bool) -> dict[str, object]:
    """Collect, and tell of it by asset and by version. Raises UsageError, StoreError and StorageError."""
    found = collect(setting, retention or Retention(), apply=apply)
    names = partition_names(setting.graph, setting.spaces, setting.uids, setting.reader)
    assets: list[dict[str, object]] = []
    versions: list[dict[str, object]] = []
    for asset, expired in expired_of(found):
        due = [each for each in expired if (each.deleted if apply else each.due_at <= found.now)]
        waiting = [each for each in expired if each not in due]
        assets.append(
            {
                "asset": asset,
                "due": len(due),
                "due_bytes": sum(each.byte_count for each in due),
                "waiting": len(waiting),
                "waiting_bytes": sum(each.byte_count for each in waiting),
            }
        )
        keys: dict[int, str | None] = {}
        for uid in {each.uid for each in expired}:
            of = [each for each in expired if each.uid == uid]
            keyed = names.keys(asset, integers(each.ordinal for each in of), uid)
            keys.update(zip((each.version for each in of), keyed, strict=True))
        versions += [_version(each, keys[each.version]) for each in expired]
    return {
        "applied": found.applied,
        "kept": found.kept,
        "bytes": found.byte_count,
        "assets": assets,
        "versions": versions,
        "folders": [{"location": location, "bytes": count} for location, count in found.strays],
        "others": found.others,
        "events": found.events,
        "steps": found.steps,
    }


def _version(each: Expired, partition: str | None) -> dict[str, object]:
    return {
        "version": each.version,
        "asset": each.asset,
        "partition": partition,
        "bytes": each.byte_count,
        "due_at": each.due_at.isoformat(),
        "deleted": each.deleted,
    }
