"""Putting an opened project's parts together for runs: the store's ids, the bound partitions, the code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from assetflow.graph import AssetGraph
from assetflow.keys import DEFAULT_ENVIRONMENT, AssetKey
from assetflow.partitions.definitions import dynamic_names, static_keys
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.dimension_mapping import DimensionMapping
from assetflow.partitions.keyed import StaticMapping
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.ordinal_spaces import ordinal_space
from assetflow.partitions.sets import Ints
from assetflow.partitions.spaces import PartitionSpace, bind
from assetflow.planner.spaces import spaces_of
from assetflow.publish.limits import Limits
from assetflow.publish.liveness import is_gone
from assetflow.publish.projection import project_all
from assetflow.publish.recovery import clear, find_leftovers
from assetflow.publish.setting import Setting
from assetflow.store.interface import Store

if TYPE_CHECKING:
    from assetflow.catalog import Catalog
    from assetflow.opening.code import ProjectCode
    from assetflow.publish.folders import Storage
    from assetflow.publish.registry import Managers


def store_of(url: str, root: Path, clock: Callable[[], datetime]) -> Store:
    """Open the store at a URL whose path is relative to the project's folder. Raises StoreError."""
    from assetflow.store.opening import open_store

    return open_store(absolute_url(url, root), clock=clock, gone=is_gone, folder=root / ".assetflow")


def with_present_keys(setting: Setting, present: Mapping[str, Ints]) -> Setting:
    """The setting with dynamic partitions as they are now; their keys may be newer than the setting."""
    keys = setting.reader.keys()
    spaces: dict[object, PartitionSpace] = {}
    changed: dict[str, PartitionSpace] = {}
    for name, node in setting.graph.nodes.items():
        if dynamic_names(node.partitions):
            if node.partitions not in spaces:
                spaces[node.partitions] = bind(node.partitions, keys, present)
            changed[name] = spaces[node.partitions]
    return replace(setting, spaces={**setting.spaces, **changed})


class PresentSpaces(Mapping[str, "PartitionSpace"]):
    """Spaces by computation, always with the keys that dynamic partitions have at the moment."""

    def __init__(self, setting: Callable[[], Setting]) -> None:
        self._setting = setting

    def __getitem__(self, name: str) -> PartitionSpace:
        return self._setting().spaces[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._setting().spaces)

    def __len__(self) -> int:
        return len(self._setting().spaces)


def catalog_of(setting: Setting, spaces: Mapping[str, PartitionSpace], clock: Callable[[], datetime]) -> Catalog:
    """The read side of an opened project."""
    from assetflow.catalog import Catalog

    return Catalog(
        graph=setting.graph,
        spaces=spaces,
        reader=setting.reader,
        storage=setting.storage,
        managers=setting.managers,
        environment=setting.environment,
        codes=setting.codes,
        uids=setting.uids,
        clock=clock,
    )


def absolute_url(url: str, root: Path) -> str:
    """A SQLite URL with its path taken relative to the project's folder; other URLs as they are.

    >>> absolute_url("sqlite:///.assetflow/store.db", Path("/shop"))
    'sqlite:////shop/.assetflow/store.db'
    """
    scheme, separator, path = url.partition(":///")
    return f"{scheme}{separator}{root.absolute() / path}" if separator and scheme.startswith("sqlite") else url


def logs_folder(url: str, root: Path) -> Path:
    """Where what user code prints is kept: beside a store that is a file, else where it would be by default.

    >>> logs_folder("sqlite:///state/store.db", Path("/shop")), logs_folder("postgresql://db/shop", Path("/shop"))
    (PosixPath('/shop/state/logs'), PosixPath('/shop/.assetflow/logs'))
    """
    scheme, _, path = absolute_url(url, root).partition(":///")
    return Path(path).parent / "logs" if scheme.startswith("sqlite") else root / ".assetflow" / "logs"


def setting_of(
    graph: AssetGraph,
    code: ProjectCode,
    *,
    store: Store,
    storage: Storage,
    managers: Managers,
    environment: str,
    clock: Callable[[], datetime],
    limits: Limits,
    logs: Path,
) -> Setting:
    """Bind definitions to a store and a storage; clears what dead processes left.

    New assets and static partition keys get their ids. Raises StoreError and StorageError.
    """
    leftovers = find_leftovers(store.reader)
    if leftovers:
        clear(leftovers, storage, store.reader, store.writer, clock)
    setting = Setting(
        graph=graph,
        spaces=spaces_of(graph, _keys(graph, store), store.reader.dynamic()),
        codes=code.codes,
        code_sources=code.sources,
        uids=_uids(graph, store),
        environment=_environment(environment, store),
        suffix=_suffix(environment),
        storage=storage,
        managers=managers,
        reader=store.reader,
        writer=store.writer,
        clock=clock,
        run_ids=lambda: uuid4().hex[:12],
        limits=limits,
        logs=logs,
    )
    storage.owner = store.reader.identity()
    names = {number: name for name, number in store.reader.environments().items()} if leftovers.runs else {}
    for number in {run.environment for run in leftovers.runs}:
        # A run that died may have left projections behind.
        project_all(replace(setting, environment=number, suffix=_suffix(names[number])))
    return setting


def _suffix(environment: str) -> str | None:
    return None if environment == DEFAULT_ENVIRONMENT else environment


def _uids(graph: AssetGraph, store: Store) -> dict[AssetKey, int]:
    spaces = {key: ordinal_space(graph.nodes[name].partitions) for key, name in graph.owner.items()}
    known = store.reader.uids(list(spaces), spaces)
    missing = [key for key in spaces if key not in known]
    return {**known, **store.writer.intern_assets(missing, spaces)} if missing else known


def _keys(graph: AssetGraph, store: Store) -> KeyDictionary:
    definitions = {id(node.partitions): node.partitions for node in graph.nodes.values()}.values()
    wanted = [key for each in definitions for key in static_keys(each)]
    # What a mapping names may become a key of its dynamic upstream; until then, it is waited for.
    edges = [edge for node in graph.nodes.values() for edge in node.edges]
    wanted += [key for edge in edges for table in _tables(edge.mapping) for key in table.keys]
    keys = store.reader.keys()
    if missing := keys.missing(wanted):
        store.writer.intern_keys(missing)
        keys = store.reader.keys()
    return keys


def _tables(mapping: EdgeMapping | None) -> list[StaticMapping]:
    if isinstance(mapping, DimensionMapping):
        return [table for _, _, each in mapping.pairs for table in _tables(each)]
    return [mapping] if isinstance(mapping, StaticMapping) else []


def _environment(name: str, store: Store) -> int:
    return store.reader.environments().get(name) or store.writer.open_environment(name)
