"""Putting an opened project's parts together for runs: the store's ids, the bound partitions, the code."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from assetflow.execution.setting import Setting
from assetflow.graph import AssetGraph
from assetflow.keys import AssetKey
from assetflow.partitions.definitions import StaticPartitions
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.spaces import spaces_of
from assetflow.publish.projection import project_all
from assetflow.publish.recovery import clear, find_leftovers
from assetflow.store.interface import Store

if TYPE_CHECKING:
    from assetflow.catalog import Catalog
    from assetflow.project import Project

DEFAULT_ENVIRONMENT = "prod"


def store_of(url: str, root: Path) -> Store:
    """Open the store at a URL whose path is relative to the project's folder. Raises StoreError."""
    from assetflow.store.opening import open_store

    return open_store(absolute_url(url, root))


def catalog_of(project: Project) -> Catalog:
    """The read side of an opened project."""
    from assetflow.catalog import Catalog

    setting = project.setting

    def clock() -> datetime:
        # Asking the project keeps it open, even a temporary one, while its catalog is in use.
        return project.clock()

    return Catalog(
        graph=project.graph,
        spaces=setting.spaces,
        reader=setting.reader,
        storage=setting.storage,
        managers=setting.managers,
        environment=setting.environment,
        codes=setting.codes,
        clock=clock,
    )


def absolute_url(url: str, root: Path) -> str:
    """A SQLite URL with its path taken relative to the project's folder; other URLs as they are.

    >>> absolute_url("sqlite:///.assetflow/store.db", Path("/shop"))
    'sqlite:////shop/.assetflow/store.db'
    """
    scheme, separator, path = url.partition(":///")
    return f"{scheme}{separator}{root.absolute() / path}" if separator and scheme.startswith("sqlite") else url


def setting_of(project: Project) -> Setting:
    """The setting of a project; gives ids to new assets and static keys, and clears what dead processes left."""
    store = project.store
    leftovers = find_leftovers(store.reader)
    if leftovers:
        clear(leftovers, project.storage, store.reader, store.writer, project.clock)
    setting = Setting(
        graph=project.graph,
        spaces=spaces_of(project.graph, _keys(project.graph, store)),
        codes=project.code.codes,
        code_sources=project.code.sources,
        uids=_uids(project.graph, store),
        environment=_environment(project.environment, store),
        suffix=None if project.environment == DEFAULT_ENVIRONMENT else project.environment,
        storage=project.storage,
        managers=project.managers,
        reader=store.reader,
        writer=store.writer,
        clock=project.clock,
        run_ids=lambda: uuid4().hex[:12],
    )
    if leftovers.runs:
        refresh_projections(setting)
    return setting


def refresh_projections(setting: Setting) -> None:
    """Bring every ``_current.json`` up to the pointers: a run that died may have left them behind."""
    project_all(
        setting.storage,
        setting.reader,
        uids=setting.uids,
        spaces={
            asset: setting.spaces[name]
            for asset, name in setting.graph.owner.items()
            if setting.graph.nodes[name].kind == "asset"
        },
        environment=setting.environment,
        suffix=setting.suffix,
    )


def _uids(graph: AssetGraph, store: Store) -> dict[AssetKey, int]:
    keys = list(graph.owner)
    known = store.reader.uids(keys)
    missing = [key for key in keys if key not in known]
    return {**known, **store.writer.intern_assets(missing)} if missing else known


def _keys(graph: AssetGraph, store: Store) -> KeyDictionary:
    definitions = {id(node.partitions): node.partitions for node in graph.nodes.values()}.values()
    wanted = [key for each in definitions if isinstance(each, StaticPartitions) for key in each.keys]
    keys = store.reader.keys()
    if missing := keys.missing(wanted):
        store.writer.intern_keys(missing)
        keys = store.reader.keys()
    return keys


def _environment(name: str, store: Store) -> int:
    return store.reader.environments().get(name) or store.writer.open_environment(name)
