"""The past of one environment as the store recorded it, for explanations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from assetflow.catalog.ancestry import OBSERVATIONS
from assetflow.catalog.history import integers, resolve
from assetflow.catalog.naming import PartitionNames
from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId
from assetflow.partitions.sets import PartitionSet
from assetflow.partitions.spans import flattened
from assetflow.planner.evidence import Integers, Made, Moves, Read, Written
from assetflow.publish.setting import Setting
from assetflow.store.interface import StoreReader
from assetflow.store.records import CodeSource, InputRecord, Pointers


@dataclass(frozen=True, slots=True)
class StoreEvidence:
    """What a store tells of the past; ``present`` are the code versions of now, which it may not have seen yet."""

    reader: StoreReader
    environment: int
    names: PartitionNames
    present: Mapping[CodeVersion, CodeSource]
    uids: Mapping[AssetKey, int]
    """Those of the assets as they are partitioned now."""

    def moves(self, asset: AssetKey, ordinals: Integers) -> Moves:
        """The moves of an asset's partitions."""
        uid = self.uids.get(asset)
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
        found = self.present.get(version) or self.reader.code(version)
        return None if found is None else Written(found.components, found.sources)

    def keys(self, asset: AssetKey, ordinals: Integers) -> list[str | None]:
        """The keys of partitions."""
        return self.names.keys(asset, ordinals)

    def ranges(self, asset: AssetKey, partitions: PartitionSet) -> list[str]:
        """Partitions as ranges for people."""
        return self.names.ranges(asset, partitions)

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
            Read(record.upstream, read.ordinals[lo:hi], read.version[lo:hi], former=self._former(record.upstream, uid))
            for (_, record), (lo, hi) in zip(records, pairwise(edges), strict=True)
        ]

    def _former(self, asset: AssetKey, uid: int) -> bool:
        """Whether the ordinals under a uid are of partitions that the asset had before."""
        return asset in self.uids and self.uids[asset] != uid

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


def evidence_of(setting: Setting) -> StoreEvidence:
    """The past of an opened project's environment."""
    names = PartitionNames(setting.graph, setting.spaces, setting.reader.keys())
    present = {source.version: source for source in setting.code_sources}
    return StoreEvidence(setting.reader, setting.environment, names, present, setting.uids)


def _joined(runs: list[Pointers]) -> Pointers:
    nothing = np.empty(0, np.int64)
    return Pointers(
        *(
            np.concatenate([getattr(run, column) for run in runs]) if runs else nothing
            for column in ("ordinals", "version", "derivation", "generation")
        )
    )
