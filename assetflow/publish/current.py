"""``_current.json``: for readers without the catalog, which files hold an asset's published partitions."""

from __future__ import annotations

import fcntl
import json
import os
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assetflow.errors import StorageError
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.durable import sync_handle
from assetflow.publish.folders import Storage, storage_errors

_LOCK = "_current.lock"
_GENERATION = re.compile(rb'^\{"asset": "[\w/]+", "generation": (\d+), ')


@dataclass(frozen=True, slots=True)
class CurrentEntry:
    """One published partition; ``location`` is None where the version has no files."""

    partition: str | None
    version: VersionId
    generation: int
    location: str | None
    files: tuple[str, ...]


def write_current(
    storage: Storage, asset: AssetKey, environment: str | None, entries: Iterable[CurrentEntry], generation: int
) -> bool:
    """Replace an asset's projection atomically; ``environment`` is None for the default one.

    It never goes back: False, and nothing done, where the file there has a higher generation. Raises StorageError.
    """
    name = "_current.json" if environment is None else f"_current.{environment}.json"
    if environment is not None and not re.fullmatch(r"[\w.-]+", environment, re.ASCII):
        raise StorageError(f"{environment!r} cannot be part of a file name", hint="use letters, digits, '.', '_', '-'")
    folder = storage.folder(asset)
    with storage_errors(f"{asset}: {folder / name}"):
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / _LOCK, "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _generation(folder / name) > generation:
                return False
            _replace(folder, name, _document(asset, entries, generation))
    return True


def _document(asset: AssetKey, entries: Iterable[CurrentEntry], generation: int) -> bytes:
    partitions = [
        {
            "partition": entry.partition,
            "version": entry.version,
            "generation": entry.generation,
            "files": [_relative(asset, entry.location, file) for file in entry.files if entry.location is not None],
        }
        for entry in entries
    ]
    return json.dumps({"asset": asset, "generation": generation, "partitions": partitions}).encode()


def _relative(asset: AssetKey, location: str, file: str) -> str:
    inside = location.removeprefix(f"{asset}/")
    return f"{inside if inside != location else posixpath.relpath(location, asset)}/{file}"


def _generation(path: Path) -> int:
    """That of the file at ``path``; -1 where there is none, or none that can be read."""
    try:
        with open(path, "rb") as file:
            head = _GENERATION.match(file.read(4096))
    except FileNotFoundError:
        return -1
    return int(head[1]) if head else -1


def _replace(folder: Path, name: str, data: bytes) -> None:
    draft = folder / f"{name}.tmp"
    with open(draft, "wb") as file:
        file.write(data)
        file.flush()
        sync_handle(file.fileno())
    draft.replace(folder / name)
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync_handle(handle)
    finally:
        os.close(handle)
