"""The past of a test world, as explanations ask for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId
from assetflow.partitions.ordinal_spaces import ordinal_space
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.evidence import Era, Integers, Made, Moves, Read, Written
from assetflow.planner.explain import Explanation, explain
from assetflow.planner.scene import Scene
from assetflow.planner.signatures import lanes_hash
from assetflow.planner.trace import Trace
from assetflow.planner.tracing import trace
from tests.unit.planner.building import Pointer, World


@dataclass(frozen=True)
class Recollection:
    """Evidence from the world's own log; the source of a component is its value."""

    world: World

    def pointers(self) -> dict[int, tuple[str, Pointer]]:
        """Every pointer that ever was, by derivation."""
        return {each.derivation: (key, each) for key, log in self.world.log.items() for *_, each in log if each}

    def present(self, asset: AssetKey) -> Era:
        return Era(asset, ordinal_space(self.world.graph.nodes[self.world.graph.owner[asset]].partitions))

    def moves(self, era: Era, ordinals: Integers) -> Moves:
        wanted = set(ordinals.tolist())
        log = sorted(
            (each for each in self.world.log.get(era.asset, []) if each[0] in wanted), key=lambda each: each[:2]
        )
        return Moves(
            np.array([ordinal for ordinal, _, _ in log], np.int64),
            np.array([0 if pointer is None else pointer.version for *_, pointer in log], np.int64),
            np.array([0 if pointer is None else pointer.derivation for *_, pointer in log], np.int64),
            np.array([generation for _, generation, _ in log], np.int64),
        )

    def made(self, derivations: Collection[int]) -> Mapping[int, Made]:
        known = self.pointers()
        return {each: self._made(*known[each]) for each in derivations if each in known}

    def _made(self, key: str, pointer: Pointer) -> Made:
        source = self.world.graph.nodes[self.world.graph.owner[AssetKey(key)]].kind == "source"
        code = None if source else self.world.code_records[pointer.code].version
        kind = "observed" if source else "tolerated" if pointer.tolerated else "computed"
        return Made(kind, code, None if source else "r1", self.world.now)

    def reads(self, derivations: Collection[int]) -> Mapping[int, Mapping[str, Read]]:
        return {
            each: {
                parameter: Read(
                    self.present(upstream),
                    np.array(sorted(read), np.int64),
                    np.array([read[o] for o in sorted(read)], np.int64),
                )
                for parameter, (upstream, read) in self.world.read.get(each, {}).items()
            }
            for each in derivations
        }

    def hashes(self, versions: Collection[VersionId]) -> Mapping[VersionId, DataHash]:
        return {
            VersionId(each.version): lanes_hash(*each.data)
            for _, each in self.pointers().values()
            if each.version in set(versions)
        }

    def code(self, version: CodeVersion) -> Written | None:
        codes = self.world.codes().computations.values()
        known = {record.version: record for record in (*self.world.code_records.values(), *codes)}
        found = known.get(version)
        return None if found is None else Written(found.components, found.components)

    def keys(self, era: Era, ordinals: Integers) -> list[str | None]:
        space = self.world.space(era.asset)
        if space.has(ordinals).all():
            return space.keys(ordinals)
        # A key that was taken out of dynamic partitions since.
        return [self.world.keys.key(ordinal) for ordinal in ordinals.tolist()]

    def ranges(self, era: Era, partitions: PartitionSet) -> list[str]:
        space = self.world.space(era.asset)
        if space.has(partitions.array()).all():
            return space.describe(partitions)
        return [key for key in self.keys(era, partitions.array()) if key is not None]


def recalled(world: World, asset: str, partition: str | None = None) -> Explanation:
    """Why a partition is in its state, where the past can be looked up."""
    return explain(world.assess(), AssetKey(asset), partition, Recollection(world))


def traced(world: World, asset: str, *partitions: str, shown: int = 3) -> Trace:
    """The way to the roots of these partitions, all without any, as ``why`` takes it."""
    assessment = world.assess()
    key = AssetKey(asset)
    scene = Scene(assessment.world, assessment.facts, assessment.flows)
    rows = np.isin(assessment.ordinals(key), np.array(world.ordinals(asset, partitions), np.int64))
    return trace(scene, key, rows, Recollection(world), shown=shown)


def told(found: Trace) -> list[str]:
    """A trace in lines: the asset and its partitions, then each reason with the versions that differ."""
    lines: list[str] = []
    for link in found.links:
        where = " ".join([link.asset, *link.partitions])
        for reason in link.reasons:
            versions = [f"{each.partition or ''}:{each.before}>{each.after}" for each in reason.versions]
            began = "" if link.planned else "was: "
            lines.append(f"{began}{where} / {reason.kind}: {reason.detail} {' '.join(versions)}".rstrip())
    return lines
