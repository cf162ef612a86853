"""What a worker is told before its first task: where it works, and how it gets the project's definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from assetflow.definitions.collect import Definitions
from assetflow.execution.sources import Snapshot
from assetflow.graph import AssetGraph, semantic_options
from assetflow.keys import AssetKey, CodeVersion


class DefinitionsLoader(Protocol):
    """Gives the project's definitions in another process; can be pickled."""

    def __call__(self) -> Definitions:
        """Load them. Raises AssetflowError."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerCode:
    """The code that workers run: a snapshot of the project's sources, and a pickled DefinitionsLoader."""

    snapshot: Snapshot
    loader: bytes


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Plain values only, for nothing of the project can be unpickled before its modules can be found."""

    code: WorkerCode
    digest: str
    """Of the coordinator's graph: the worker's must be the same."""
    check_versions: Mapping[tuple[AssetKey, str], CodeVersion]
    storage: str
    storage_owner: str | None
    """The store that the versions belong to."""
    working_directory: str
    path: tuple[str, ...]
    arguments: tuple[str, ...]
    environ: Mapping[str, str]


def graph_digest(graph: AssetGraph) -> str:
    """What two processes compare to see that they have the same declarations."""
    hasher = blake2b(digest_size=16)
    for name, node in graph.nodes.items():
        reads = [(edge.parameter, edge.upstream, edge.loaded) for edge in node.edges]
        options = sorted(semantic_options(node).items())
        hasher.update(repr((name, node.kind, tuple(node.outputs), reads, options)).encode())
        hasher.update(repr([(spec.key, spec.io_manager) for spec in node.specs]).encode())
    checks = {asset: [check.name for check in checks] for asset, checks in graph.checks.items()}
    hasher.update(repr(sorted(checks.items())).encode())
    return hasher.hexdigest()
