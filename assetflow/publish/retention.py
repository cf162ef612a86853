"""Which versions something keeps: pointers, the pointer log within retention, pins, read leases, and quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import cast

import numpy as np

from assetflow.definitions.durations import parse_duration
from assetflow.errors import DefinitionError, UsageError
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.planner.moments import micros
from assetflow.planner.state import Integers
from assetflow.publish.liveness import is_gone
from assetflow.store.retention import KeptVersions, PinRecord, PointerLog, ReadLease

METADATA = "retention"
"""The name in an asset's metadata under which it says how long its versions are kept."""

_NEVER = np.iinfo(np.int64).max
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept.

    A version stays while it is one of the last ``keep_versions`` of its partition, or was current less than
    ``keep_for`` ago; ``quarantined`` counts from when a check refused it. What nothing keeps is deleted after
    ``grace``. ``keep_events`` is how long events and steps stay; None: for ever.
    """

    keep_versions: int = 10
    keep_for: timedelta = timedelta(days=30)
    quarantined: timedelta = timedelta(days=7)
    grace: timedelta = timedelta(days=1)
    keep_events: timedelta | None = None


_OF_ASSETS = ("keep_versions", "keep_for", "quarantined")


def read_retention(settings: Mapping[str, object], base: Retention | None = None) -> Retention:
    """Settings as they stand in a file, over ``base`` or the defaults. Raises ValueError, which names the setting.

    >>> read_retention({"keep_versions": 3, "keep_for": "90d"}).keep_for.days
    90
    """
    names = [each.name for each in fields(Retention)] if base is None else list(_OF_ASSETS)
    changes: dict[str, object] = {}
    for name, value in settings.items():
        if name not in names:
            raise ValueError(f"there is no setting {name}; there is {', '.join(names)}")
        if name == "keep_versions":
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"keep_versions = {value!r} is no whole number from 1 on")
            changes[name] = value
            continue
        try:
            changes[name] = parse_duration(value)
        except DefinitionError:
            raise ValueError(f'{name} = {value!r} is no duration; write "12h" or "30d"') from None
    return replace(base or Retention(), **cast("dict[str, int]", changes))


def retention_of_assets(graph: AssetGraph, default: Retention) -> dict[AssetKey, Retention]:
    """What assets say of themselves in ``metadata={"retention": {...}}``. Raises UsageError."""
    found: dict[AssetKey, Retention] = {}
    for asset, spec in graph.specs.items():
        given = spec.metadata.get(METADATA)
        if given is None:
            continue
        hint = f'write metadata={{"{METADATA}": {{"keep_versions": 3, "keep_for": "90d"}}}}'
        if not isinstance(given, Mapping):
            raise UsageError(f"{asset}: metadata {METADATA} = {given!r} cannot be used", hint=hint)
        try:
            found[asset] = read_retention(cast("Mapping[str, object]", given), default)
        except ValueError as error:
            raise UsageError(f"{asset}: metadata {METADATA}: {error}", hint=hint) from None
    return found


def live_versions(
    log: PointerLog,
    kept: KeptVersions,
    pins: Iterable[PinRecord],
    leases: Iterable[ReadLease],
    now: datetime,
    default: Retention,
    by_uid: Mapping[int, Retention],
    *,
    in_use_since: datetime | None = None,
) -> Integers:
    """The versions that something keeps, ascending.

    ``in_use_since`` is since when the oldest run goes on: what was current after that may be read by it.
    """
    at = micros(now)
    found = [
        _by_log(log, at, default, by_uid, at if in_use_since is None else micros(in_use_since)),
        _quarantined(kept, at, default, by_uid),
    ]
    for pin in pins:
        if pin.version is not None:
            found.append(np.array([pin.version], np.int64))
        if pin.generation is not None:
            found.append(_as_of(log, pin.environment, pin.generation))
    held = [lease for lease in leases if lease.expires_at > now and not is_gone(lease.process)]
    found += [np.array(lease.versions, np.int64) for lease in held]
    return np.unique(np.concatenate(found))


def _by_log(
    log: PointerLog, now: int, default: Retention, by_uid: Mapping[int, Retention], in_use_since: int
) -> Integers:
    if not len(log.version):
        return log.version
    follows = _follows(log)
    ended = np.full(len(log.version), _NEVER, np.int64)
    ended[:-1][follows] = log.moved_at[1:][follows]
    kept_for = _chosen(log.uid, by_uid, lambda each: each.keep_for // _MICROSECOND, default)
    horizon = np.minimum(now - kept_for, in_use_since)
    recent = ended > horizon
    partition = np.concatenate(([0], np.cumsum(~follows)))
    ranked = _rank(partition, log.version) < _chosen(log.uid, by_uid, lambda each: each.keep_versions, default)
    versions = log.version[(recent | ranked) & (log.version > 0)]
    return np.unique(versions)


def _rank(partition: Integers, version: Integers) -> Integers:
    """By row: of the different versions of its partition, how many were there later than this one last was."""
    place = np.arange(len(version))
    order = np.lexsort((place, version, partition))
    same = (partition[order][1:] == partition[order][:-1]) & (version[order][1:] == version[order][:-1])
    last = order[np.append(~same, True)]
    last = last[version[last] > 0]
    newest = last[np.lexsort((-last, partition[last]))]
    starts = np.concatenate(([True], partition[newest][1:] != partition[newest][:-1]))[: len(newest)]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(newest)), 0)) if len(newest) else newest
    rank = np.full(len(version), _NEVER, np.int64)
    rank[newest] = np.arange(len(newest)) - first
    return rank


def _as_of(log: PointerLog, environment: int, generation: int) -> Integers:
    if not len(log.version):
        return log.version
    follows = _follows(log)
    until = np.full(len(log.version), _NEVER, np.int64)
    until[:-1][follows] = log.generation[1:][follows]
    there = (log.environment == environment) & (log.generation <= generation) & (until > generation)
    return log.version[there & (log.version > 0)]


def _quarantined(kept: KeptVersions, now: int, default: Retention, by_uid: Mapping[int, Retention]) -> Integers:
    allowed = _chosen(kept.uid, by_uid, lambda each: each.quarantined // _MICROSECOND, default)
    return kept.version[(kept.quarantined > 0) & (kept.created_at + allowed > now)]


def _follows(log: PointerLog) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Between rows: whether the later one is the next move of the same pointer."""
    columns = (log.environment, log.uid, log.ordinals)
    return np.logical_and.reduce([column[1:] == column[:-1] for column in columns])


def _chosen(
    uids: Integers, by_uid: Mapping[int, Retention], field: Callable[[Retention], int], default: Retention
) -> Integers:
    """By row, what the asset's retention says."""
    column = np.full(len(uids), field(default), np.int64)
    for uid, rule in by_uid.items():
        column[uids == uid] = field(rule)
    return column
