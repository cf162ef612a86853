"""Pins of an opened project, and the keys of its assets."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from assetflow.errors import UnknownAsset, UsageError
from assetflow.keys import DEFAULT_ENVIRONMENT, AssetKey, VersionId, format_address, is_asset_key, nearest_names
from assetflow.partitions.ordinal_spaces import ordinal_space
from assetflow.partitions.spaces import ordinal_of
from assetflow.publish.liveness import this_user
from assetflow.publish.moments import AsOf, generation_of
from assetflow.publish.past import refuse_deleted
from assetflow.publish.projection import project_current
from assetflow.publish.setting import Setting
from assetflow.store.records import EventRecord
from assetflow.store.retention import PinRecord

if TYPE_CHECKING:
    from assetflow.opening.workspace import Workspace

_NAME = re.compile(r"[A-Za-z_][\w.-]{0,99}", re.ASCII)
_PROJECTION = re.compile(r"_current(\.[\w-]+)?\.json")


def pin(
    setting: Setting,
    name: str,
    asset: AssetKey | None,
    partition: str | None,
    *,
    version: int | None,
    as_of: AsOf | None,
    reason: str | None,
) -> dict[str, object]:
    """Keep the current version of an asset partition, a version, or everything as of a moment (default: now).

    Raises UsageError, UnknownVersion, InvalidPartition and VersionDeleted.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a pin", hint="letters, digits, '_', '.' and '-', the first a letter or '_'"
        )
    given = [what for what, value in (("an asset", asset), ("a version", version), ("a moment", as_of)) if value]
    if len(given) > 1:
        raise UsageError(f"pin {name}: both {given[0]} and {given[1]} are given", hint="give one of them, or none")
    now = setting.clock()
    generation: int | None = None
    pinned: VersionId | None = None
    if version is not None:
        record = setting.reader.version(VersionId(version))
        refuse_deleted(setting.reader, [record], [None])
        pinned = record.version
    elif asset is not None:
        pinned = _current(setting, asset, partition)
    elif as_of is not None:
        generation = generation_of(setting.reader, as_of, now)
    else:
        generation = setting.reader.generation()
    if generation is not None:
        _refuse_incomplete(setting, generation)
    made = PinRecord(name, setting.environment, now, pinned, generation, reason)
    told = {"name": name, "version": pinned, "generation": generation, "by": this_user(), "reason": reason}
    if not setting.writer.pin(made, EventRecord(now, "pinned", payload=told)):
        raise UsageError(f"there is a pin {name} already", hint=f"assetflow unpin {name}, or choose another name")
    return _document(made, setting)


def pins(setting: Setting) -> list[dict[str, object]]:
    """All pins, by name."""
    return [_document(each, setting) for each in setting.reader.pins()]


def unpin(setting: Setting, name: str) -> dict[str, object]:
    """Let go of a pin. Raises UsageError."""
    found = {each.name: each for each in setting.reader.pins()}
    event = EventRecord(setting.clock(), "unpinned", payload={"name": name, "by": this_user()})
    if name not in found or not setting.writer.unpin(name, event):
        raise UsageError(f"there is no pin {name}", hint=nearest_names(name, found) or "assetflow pins lists them")
    return _document(found[name], setting)


def _current(setting: Setting, asset: AssetKey, partition: str | None) -> VersionId:
    node = setting.graph.node_of(asset)
    space = setting.spaces[node.name]
    if partition is None and space.grain != "none":
        raise UsageError(
            f"{asset} has partitions, and a pin keeps one version or everything of a moment",
            hint=f"name a partition, as in {asset}@KEY, or leave the asset out",
        )
    ordinal = 0 if partition is None else ordinal_of(space, asset, partition)
    found = setting.reader.pointers(0 if node.kind == "source" else setting.environment, setting.uids[asset])
    at = found.ordinals == ordinal
    if not at.any():
        raise UsageError(
            f"{format_address(asset, partition)} has no version to pin", hint=f"assetflow materialize --select {asset}"
        )
    return VersionId(int(found.version[at][0]))


def _refuse_incomplete(setting: Setting, generation: int) -> None:
    """Refuse to promise a moment of which something is gone already."""
    reader = setting.reader
    kept = reader.kept_versions().version
    for asset, name in setting.graph.owner.items():
        if setting.graph.nodes[name].kind == "source":
            continue
        then = reader.pointers_as_of(setting.environment, setting.uids[asset], generation)
        gone = ~np.isin(then.version, kept)
        if gone.any():
            records = reader.versions([VersionId(version) for version in then.version[gone].tolist()])
            refuse_deleted(reader, list(records.values()), setting.spaces[name].keys(then.ordinals[gone]))


def _document(made: PinRecord, setting: Setting) -> dict[str, object]:
    names = {number: name for name, number in setting.reader.environments().items()}
    return {
        "name": made.name,
        "environment": names.get(made.environment),
        "version": made.version,
        "generation": made.generation,
        "reason": made.reason,
        "created_at": made.created_at.isoformat(),
    }


def rename(workspace: Workspace, old: str, new: str) -> dict[str, object]:
    """Call an asset by the key that the definitions give it now; all that is recorded stays with it.

    Raises UsageError and UnknownAsset.
    """
    setting = workspace.setting
    for text in (old, new):
        if not is_asset_key(text):
            raise UsageError(f"{text!r} is no asset key", hint="write assetflow mv OLD NEW")
    before, after = AssetKey(old), AssetKey(new)
    if after not in setting.graph.owner:
        near = nearest_names(new, setting.graph.owner) or "assetflow list shows all assets"
        raise UnknownAsset(f"no asset is called {new}: rename it in the code first, then here", hint=near)
    if before in setting.graph.owner:
        raise UsageError(f"{old} is still declared", hint=f"rename it to {new} in the code first, then here")
    recorded = setting.reader.uids()
    unfinished = before not in recorded and bool(_projections(setting, before))
    if before not in recorded and not unfinished:
        near = nearest_names(old, set(recorded) - set(setting.graph.owner)) or "write assetflow mv OLD NEW"
        raise UnknownAsset(f"nothing is recorded of an asset {old}", hint=near)
    if not unfinished:
        setting.writer.flush()
        told = {"from": old, "to": new, "by": this_user()}
        event = EventRecord(setting.clock(), "renamed", after, payload=told, uid=recorded[before])
        if not setting.writer.rename_asset(before, after, event):
            raise UsageError(
                f"{new} has versions of its own", hint="two histories cannot become one: choose another name"
            )
    _projected(setting, before, after)
    workspace.reopen()
    return {"from": old, "to": new}


def _projections(setting: Setting, asset: AssetKey) -> list[str]:
    try:
        return [name for name in os.listdir(setting.storage.folder(asset)) if _PROJECTION.fullmatch(name)]
    except OSError:
        return []


def _projected(setting: Setting, before: AssetKey, after: AssetKey) -> None:
    """Write the projections under the new key, then take the old ones away."""
    spaces = {after: ordinal_space(setting.graph.node_of(after).partitions)}
    uid = setting.reader.uids([after], spaces)[after]
    names = dict(setting.reader.environments())
    for file in _projections(setting, before):
        found = _PROJECTION.fullmatch(file)
        suffix = found[1][1:] if found and found[1] else None
        number = names.get(suffix or DEFAULT_ENVIRONMENT)
        if number is not None:
            here = replace(setting, environment=number, suffix=suffix, uids={**setting.uids, after: uid})
            project_current(here, after, {})
        (setting.storage.folder(before) / file).unlink(missing_ok=True)
