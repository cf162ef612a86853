"""``gc``: finds the versions that nothing keeps, marks them, and deletes them once their grace is over.

The store says first that a version is gone, and its files follow: a process that dies in between leaves files that the
next gc finds again, never a version without files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from assetflow.keys import DEFAULT_ENVIRONMENT, AssetKey, VersionId
from assetflow.planner.moments import micros
from assetflow.planner.state import Integers
from assetflow.publish.liveness import is_gone, this_user
from assetflow.publish.projection import project_all
from assetflow.publish.retention import Retention, live_versions, retention_of_assets
from assetflow.publish.setting import Setting
from assetflow.store.encoding import from_micros
from assetflow.store.records import EventRecord
from assetflow.store.retention import Doomed

_AT_ONCE = 500
"""Versions that are deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class Expired:
    """A version that nothing keeps; ``due_at`` is when its grace is over."""

    version: VersionId
    asset: AssetKey
    uid: int
    ordinal: int
    byte_count: int
    due_at: datetime
    deleted: bool


@dataclass(frozen=True, slots=True)
class Collected:
    """What gc found, and with ``applied`` did. ``strays`` are folders of versions that the store does not know."""

    applied: bool
    kept: int
    expired: tuple[Expired, ...]
    strays: tuple[tuple[str, int], ...]
    others: int
    """Folders that look like versions and were put there by others: they are left alone."""
    events: int
    steps: int
    now: datetime

    @property
    def due(self) -> tuple[Expired, ...]:
        """Those whose grace is over."""
        return tuple(each for each in self.expired if each.due_at <= self.now)

    @property
    def byte_count(self) -> int:
        """What is deleted, or would be."""
        chosen = [each for each in self.expired if each.deleted] if self.applied else self.due
        return sum(each.byte_count for each in chosen) + sum(size for _, size in self.strays)


def collect(setting: Setting, retention: Retention, *, apply: bool) -> Collected:
    """Look for what nothing keeps; with ``apply``, mark it, and delete what was marked long enough ago.

    Raises UsageError for what assets say of their retention, StoreError and StorageError.
    """
    reader, writer, now = setting.reader, setting.writer, setting.clock()
    if apply:
        _project(setting)
        _finish(setting)
    generation = reader.generation()
    pins = reader.pins()
    live = _live(setting, retention, now)
    kept = reader.kept_versions()
    dead = ~np.isin(kept.version, live)
    if apply:
        writer.mark_deletions(
            kept.version[dead & (kept.marked_at == 0)].tolist(), kept.version[~dead & (kept.marked_at > 0)].tolist()
        )
        _release(setting, now)
        writer.flush()
    marked = np.where(kept.marked_at > 0, kept.marked_at, micros(now))
    due_at = marked + retention.grace // timedelta(microseconds=1)
    due: Integers = kept.version[dead & (due_at <= micros(now))]
    gone: set[int] = set()
    if apply:
        names = tuple(pin.name for pin in pins)
        for first in range(0, len(due), _AT_ONCE):
            doomed = Doomed(tuple(due[first : first + _AT_ONCE].tolist()), generation, names)
            gone |= set(writer.delete_versions(doomed))
            _finish(setting)
    keys = {uid: asset for uid, (asset, _) in reader.spaces_of().items()}
    expired = tuple(
        Expired(VersionId(version), keys[uid], uid, ordinal, size, from_micros(at), deleted=version in gone)
        for version, uid, ordinal, size, at in zip(
            *(column[dead].tolist() for column in (kept.version, kept.uid, kept.ordinals, kept.byte_count, due_at)),
            strict=True,
        )
    )
    strays, others = _strays(setting, now - retention.grace, apply=apply)
    events, steps = _history(setting, retention, now, apply=apply)
    found = Collected(apply, len(kept.version) - int(dead.sum()), expired, strays, others, events, steps, now)
    if gone or (apply and strays):
        payload: dict[str, object] = {"versions": len(gone), "folders": len(strays), "bytes": found.byte_count}
        writer.record_steps([], [EventRecord(now, "deleted", payload={**payload, "by": this_user()})])
        writer.flush()
    return found


def _live(setting: Setting, retention: Retention, now: datetime) -> Integers:
    reader = setting.reader
    rules = retention_of_assets(setting.graph, retention)
    by_uid = {uid: rules[asset] for uid, (asset, _) in reader.spaces_of().items() if asset in rules}
    running = [run.started_at for run in reader.runs(status="running") if not is_gone(run.process)]
    return live_versions(
        reader.pointer_log(),
        reader.kept_versions(),
        reader.pins(),
        reader.read_leases(),
        now,
        retention,
        by_uid,
        in_use_since=min(running, default=None),
    )


def _project(setting: Setting) -> None:
    """Bring projections up to the pointers: what readers without the catalog still look for must not go."""
    for name, number in setting.reader.environments().items():
        suffix = None if name == DEFAULT_ENVIRONMENT else name
        project_all(replace(setting, environment=number, suffix=suffix))


def _finish(setting: Setting) -> None:
    """Delete the files of versions that the store says are gone."""
    done: list[VersionId] = []
    for version, location, _ in setting.reader.unfinished_deletions():
        if location is not None:
            setting.storage.discard(location)
        done.append(version)
    if done:
        setting.writer.finish_deletions(done).result()


def _release(setting: Setting, now: datetime) -> None:
    """Forget read leases of processes that are gone, and those that have expired."""
    over = [lease.number for lease in setting.reader.read_leases() if lease.expires_at <= now or is_gone(lease.process)]
    if over:
        setting.writer.release_reads(over)


def _strays(setting: Setting, before: datetime, *, apply: bool) -> tuple[tuple[tuple[str, int], ...], int]:
    """Folders of ours that no version knows, sealed before a time; deletes them with ``apply``."""
    reader = setting.reader
    strays, others = setting.storage.stray(reader.locations, reader.identity())
    last = reader.last_version()
    chosen: list[tuple[str, int]] = []
    for stray in strays:
        # A number that this store has not given out was given out by a copy of it that went on.
        if stray.version > last or stray.sealed_at > before:
            others += 1
            continue
        if apply:
            setting.storage.discard(stray.location)
        chosen.append((stray.location, stray.byte_count))
    return tuple(chosen), others


def _history(setting: Setting, retention: Retention, now: datetime, *, apply: bool) -> tuple[int, int]:
    if retention.keep_events is None:
        return 0, 0
    before = now - retention.keep_events
    return setting.writer.forget_history(before) if apply else setting.reader.old_history(before)


def expired_of(found: Collected) -> Sequence[tuple[AssetKey, list[Expired]]]:
    """By asset, in the order of their keys."""
    by_asset: dict[AssetKey, list[Expired]] = {}
    for each in sorted(found.expired, key=lambda each: (each.asset, each.version)):
        by_asset.setdefault(each.asset, []).append(each)
    return list(by_asset.items())
