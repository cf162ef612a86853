"""The past of one environment as the store recorded it, for explanations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import pairwise

import numpy as np

from assetflow.catalog.ancestry import OBSERVATIONS
from assetflow.catalog.naming import PartitionNames, partition_names
from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId
from assetflow.partitions.ordinal_spaces import WHOLE
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import flattened
from assetflow.planner.evidence import Era, Integers, Made, Moves, Read, Written
from assetflow.publish.resolving import integers, resolve
from assetflow.publish.setting import Setting
from assetflow.store.interface import StoreReader
from assetflow.store.records import CodeSource, InputRecord, Pointers

_UNKNOWN = "unknown"
"""The space of what was recorded before spaces were, of an asset that is not declared any more."""


class StoreEvidence:
    """What a store tells of the past of an opened project's environment; nothing is read before it is asked for."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.reader: StoreReader = setting.reader
        self.environment: int = setting.environment

    @cached_property
    def names(self) -> PartitionNames:
        """How partitions are called."""
        setting = self._setting
        return partition_names(setting.graph, setting.spaces, setting.uids, self.reader)

    @cached_property
    def codes(self) -> Mapping[CodeVersion, CodeSource]:
        """The code versions of now, which the store may not have seen yet."""
        return {source.version: source for source in self._setting.code_sources}

    @cached_property
    def eras(self) -> Mapping[int, Era]:
        """What every uid stands for."""
        return eras_of(self.reader)

    @cached_property
    def latest(self) -> Mapping[AssetKey, int]:
        """The uids that assets have now, or had last."""
        latest: dict[AssetKey, int] = {}
        for uid, era in self.eras.items():
            latest.setdefault(era.asset, uid)
        return {**latest, **self._setting.uids}

    @cached_property
    def uids(self) -> Mapping[Era, int]:
        """The uid of every era."""
        return {era: uid for uid, era in self.eras.items()}

    def present(self, asset: AssetKey) -> Era:
        """The asset as it is partitioned now, or was last."""
        uid = self.latest.get(asset)
        return Era(asset, WHOLE) if uid is None else self.eras[uid]

    def moves(self, era: Era, ordinals: Integers) -> Moves:
        """The moves of an asset's partitions."""
        uid = self.uids.get(era)
        log = self._log(uid, PartitionSet.from_ordinals(ordinals)) if uid is not None else _joined([])
        return Moves(log.ordinals, log.version, log.derivation, log.generation)

    def made(self, derivations: Collection[int]) -> Mapping[int, Made]:
        """Those of the derivations that are recorded."""
        return {
            number: Made(each.kind, each.code, each.run_id, each.created_at, each.reason)
            for number, each in self.reader.derivations(derivations).items()
        }

    def reads(self, derivations: Collection[int]) -> Mapping[int, Mapping[str, Read]]:
        """What each derivation read, resolved to versions."""
        inputs = {derivation: self.reader.inputs_of(derivation) for derivation in dict.fromkeys(derivations)}
        found: dict[int, dict[str, Read]] = {derivation: {} for derivation in inputs}
        by_upstream: dict[int, list[tuple[int, InputRecord]]] = {}
        for derivation, records in inputs.items():
            for record in records:
                by_upstream.setdefault(record.upstream_uid, []).append((derivation, record))
        for uid, records in by_upstream.items():
            for (derivation, record), read in zip(records, self._resolved(uid, records), strict=True):
                found[derivation][record.parameter] = read
        return found

    def hashes(self, versions: Collection[VersionId]) -> Mapping[VersionId, DataHash]:
        """The data hashes of the versions."""
        return {number: each.data_hash for number, each in self.reader.versions(versions).items()}

    def code(self, version: CodeVersion) -> Written | None:
        """One code version, of now or as the store kept it."""
        found = self.codes.get(version) or self.reader.code(version)
        return None if found is None else Written(found.components, found.sources)

    def keys(self, era: Era, ordinals: Integers) -> list[str | None]:
        """The keys of partitions."""
        return self.names.keys(era.asset, ordinals, self.uids.get(era))

    def ranges(self, era: Era, partitions: PartitionSet) -> list[str]:
        """Partitions as ranges for people."""
        return self.names.ranges(era.asset, partitions, self.uids.get(era))

    def _resolved(self, uid: int, records: list[tuple[int, InputRecord]]) -> list[Read]:
        pieces = [(first, last, place) for place, (_, each) in enumerate(records) for first, last in each.ranges]
        as_of = [record.as_of for _, record in records]
        firsts, lasts = integers(first for first, _, _ in pieces), integers(last for _, last, _ in pieces)
        log = self._log(uid, PartitionSet.from_ordinals(flattened(firsts, lasts + 1)))
        moments = integers(moment for _, _, place in pieces if isinstance(moment := as_of[place], int))
        read = resolve(log, firsts, lasts, moments)
        owner = integers(place for _, _, place in pieces)[read.row] if pieces else np.empty(0, np.int64)
        edges: list[int] = np.searchsorted(owner, np.arange(len(records) + 1)).tolist()
        return [
            Read(self.eras[record.upstream_uid], read.ordinals[lo:hi], read.version[lo:hi])
            for (_, record), (lo, hi) in zip(records, pairwise(edges), strict=True)
        ]

    def _log(self, uid: int, partitions: PartitionSet) -> Pointers:
        """The pointer moves, or the observations, of some partitions of one asset."""
        for environment in (self.environment, OBSERVATIONS):
            runs = [
                self.reader.history(environment, uid, first=first, last=last) for first, last in partitions.ranges()
            ]
            log = _joined([run for run in runs if len(run.ordinals)])
            if len(log.ordinals):
                return log
        return _joined([])


def eras_of(reader: StoreReader) -> dict[int, Era]:
    """What every uid stands for, the newest of an asset first."""
    return {uid: Era(AssetKey(key), space or _UNKNOWN) for uid, (key, space) in reader.spaces_of().items()}


def _joined(runs: list[Pointers]) -> Pointers:
    nothing = np.empty(0, np.int64)
    return Pointers(
        *(
            np.concatenate([getattr(run, column) for run in runs]) if runs else nothing
            for column in ("ordinals", "version", "derivation", "generation")
        )
    )
