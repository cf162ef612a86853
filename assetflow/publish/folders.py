"""The folders in which versions lie: created, sealed with a manifest, made durable, and thrown away."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from blake3 import blake3

from assetflow.errors import ProjectError, StorageError, StorageFull
from assetflow.io import StoredFile
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.publish.durable import Debts, sync, sync_all
from assetflow.store.records import FileRecord, VersionRecord

MANIFEST = "_manifest.json"
"""Written last into a version's folder; holds the true partition key, since nothing parses paths."""

_READ_AT_ONCE = 1 << 20
_WORTH_THREADS = 64 << 20
_REMEMBERED = 10_000
_VERSION_FOLDER = re.compile(r"v-\d+")
# A component that could be taken for a version's folder, or for the projections beside it.
_RESERVED_COMPONENT = re.compile(r"v-\d+|_current.*", re.IGNORECASE)


def open_storage(url: str, *, relative_to: Path) -> Storage:
    """The storage at a local path or ``file://`` URL. Raises ProjectError for others.

    >>> open_storage("data", relative_to=Path("/shop")).root
    PosixPath('/shop/data')
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        path = url
    elif scheme == "file" and urlsplit(url).netloc in ("", "localhost"):
        path = unquote(urlsplit(url).path)
    else:
        raise ProjectError(
            f"storage = {scheme + '://' + rest.rpartition('@')[2]!r}: only local folders are supported",
            hint="give a path, or a URL such as file:///srv/data",
        )
    if not path:
        raise ProjectError("storage is empty", hint='give a path such as ".assetflow/data"')
    return Storage(Path(os.path.abspath(relative_to / Path(path).expanduser())))


@dataclass(frozen=True, slots=True)
class Stray:
    """A sealed version's folder that the store does not know: where, how large in bytes, and when it was sealed."""

    location: str
    version: VersionId
    byte_count: int
    sealed_at: datetime


class Storage:
    """A local folder of versions: ``<asset>/<partition>/v-<id>/``, each with its files and a manifest.

    >>> Storage(Path("/data")).location(AssetKey("raw/orders"), "2013-01-05", VersionId(17))
    'raw/orders/2013-01-05/v-17'
    """

    __slots__ = ("_durable", "debts", "owner", "root")

    def __init__(self, root: Path, owner: str | None = None) -> None:
        self.root = root
        self.owner = owner
        """The identity of the store whose versions are written here; manifests name it."""
        # Folders whose entry in their parent is known to be on the disk.
        self._durable: set[str] = set()
        self.debts = Debts(self.sync)

    def location(self, asset: AssetKey, component: str | None, version: VersionId) -> str:
        """Where a version goes, relative to the root; ``component`` is the partition's, None when unpartitioned."""
        if component is None:
            return f"{asset}/v-{version}"
        if _RESERVED_COMPONENT.fullmatch(component):
            component += "~"
        return f"{asset}/{component}/v-{version}"

    def folder(self, location: str) -> Path:
        """The absolute path of a location. Raises StorageError for one that leads out of the root."""
        if any(part in ("", ".", "..") or "\0" in part for part in location.split("/")):
            raise StorageError(f"{location!r} is no place inside {self.root}")
        return self.root / location

    def folders(self) -> set[str]:
        """The names of the folders and files right under the root."""
        with storage_errors(str(self.root)):
            try:
                return set(os.listdir(self.root))
            except FileNotFoundError:
                return set()

    def create(self, location: str) -> Path:
        """Make a version's own new folder. Raises StorageError, also if it exists."""
        folder = self.folder(location)
        with storage_errors(str(folder)):
            try:
                try:
                    os.mkdir(folder)
                except FileNotFoundError:
                    self._create_above(folder.parent)
                    os.mkdir(folder)
            except FileExistsError as error:
                if not os.path.lexists(folder):
                    raise
                raise StorageError(
                    f"{folder}: is there already, but the metadata store knows of no such version",
                    hint="the data of another store lies there: set another `storage`, or bring that store back",
                ) from error
        return folder

    def _create_above(self, parent: Path) -> None:
        try:
            os.mkdir(parent)
        except FileExistsError:
            return
        except FileNotFoundError:
            self._create_root()
            parent.mkdir(parents=True, exist_ok=True)

    def _create_root(self) -> None:
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            sync(path.parent)

    def seal(
        self, location: str, *, asset: AssetKey, partition: str | None, version: VersionId
    ) -> tuple[FileRecord, ...]:
        """List a staged version's files with sizes and digests, and write its manifest. Raises StorageError."""
        folder = self.folder(location)
        place = format_address(asset, partition)
        with storage_errors(f"{place}: {folder}"):
            files = tuple(sorted(_records(folder, "", place), key=lambda file: file.name))
            manifest = {
                "asset": asset,
                "partition": partition,
                "version": version,
                "files": [{"name": file.name, "size": file.size, "digest": file.digest} for file in files],
                **({} if self.owner is None else {"store": self.owner}),
            }
            path = f"{folder}/{MANIFEST}"
            with open(f"{path}.tmp", "wb") as file:
                file.write(json.dumps(manifest).encode())
            os.rename(f"{path}.tmp", path)
        return files

    def sync(self, *locations: str) -> None:
        """Make sealed versions durable: their files, their folders, and the folders above that are new.

        Several at once share the folders above them. Raises StorageError.
        """
        with storage_errors(str(self.root)):
            entered: dict[str, None] = {}
            files: list[str] = []
            folders: dict[str, None] = {}
            for location in locations:
                folder = str(self.folder(location))
                for path, is_folder in _contents(folder):
                    if is_folder:
                        folders[path] = None
                    else:
                        files.append(path)
                folders[folder] = None
                while folder not in self._durable and folder not in entered and folder != str(self.root):
                    entered[folder] = None
                    folder = os.path.dirname(folder)
                    folders[folder] = None
            sync_all(files)
            sync_all(list(folders))
            if len(self._durable) > _REMEMBERED:
                self._durable.clear()
            # A version's own folder is synced once only.
            self._durable.update(
                folder for folder in entered if not _VERSION_FOLDER.fullmatch(os.path.basename(folder))
            )

    def holds(self, record: VersionRecord) -> bool:
        """Whether a version's files are there, in their recorded size; reads none of them."""
        if record.location is None:
            return True
        folder = self.folder(record.location)
        try:
            return all(os.path.getsize(folder / file.name) == file.size for file in record.files)
        except OSError:
            return False

    def has_files(self, location: str, files: Iterable[tuple[str, int]]) -> bool:
        """Whether files of these names and sizes in bytes are at a location."""
        folder = str(self.folder(location))
        try:
            return all(os.stat(f"{folder}/{name}").st_size == size for name, size in files)
        except OSError:
            return False

    def discard(self, location: str) -> None:
        """Delete one version's folder, if it is there. Raises StorageError."""
        folder = self.folder(location)
        if not _VERSION_FOLDER.fullmatch(folder.name):
            raise StorageError(f"{folder} is not the folder of a version, so it is not deleted")
        with storage_errors(str(folder)):
            # The manifest goes last, so that what is half deleted is still known to be a version's folder.
            for path in _but_the_manifest(folder):
                while os.path.lexists(path):
                    # Another process may be clearing up the same: what it deletes first is not found here.
                    with suppress(FileNotFoundError):
                        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
            while os.path.lexists(folder):
                with suppress(FileNotFoundError):
                    shutil.rmtree(folder)

    def stray(self, known: Callable[[], set[str]], owner: str | None) -> tuple[list[Stray], int]:
        """Sealed folders of versions that are not ``known``, and how many folders there are that others put there.

        ``known`` gives the locations of all versions, and is asked after the folders were listed: what is written
        meanwhile is among them. Ours are those whose manifest names ``owner``, the store's identity. Raises
        StorageError.
        """
        with storage_errors(str(self.root)):
            found = sorted(_version_folders(str(self.root)))
            known_now = known() if found else set[str]()
            strays: list[Stray] = []
            others = 0
            for folder in found:
                location = os.path.relpath(folder, self.root)
                if location in known_now:
                    continue
                stray = _stray(folder, location, owner)
                if stray is None:
                    others += 1
                else:
                    strays.append(stray)
        return strays, others


def _but_the_manifest(folder: Path) -> list[str]:
    try:
        return [entry.path for entry in os.scandir(folder) if entry.name != MANIFEST]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _version_folders(folder: str) -> Iterator[str]:
    try:
        entries = [entry for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for entry in entries:
        if _VERSION_FOLDER.fullmatch(entry.name):
            yield entry.path
        else:
            yield from _version_folders(entry.path)


def _stray(folder: str, location: str, owner: str | None) -> Stray | None:
    """A sealed folder of the store ``owner``; None for any other."""
    path = f"{folder}/{MANIFEST}"
    try:
        sealed_at = os.stat(path).st_mtime
        with open(path, "rb") as file:
            manifest = json.load(file)
        version = int(manifest["version"])
        mine = owner is not None and manifest.get("store") == owner
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if not mine or os.path.basename(folder) != f"v-{version}":
        return None
    size = sum(os.stat(path).st_size for path, is_folder in _contents(folder) if not is_folder)
    return Stray(location, VersionId(version), size, datetime.fromtimestamp(sealed_at, UTC))


def _records(folder: Path, prefix: str, place: str) -> Iterator[FileRecord]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _records(Path(entry.path), f"{name}/", place)
            elif not entry.is_file(follow_symlinks=False) or name == MANIFEST:
                raise StorageError(
                    f"{place}: the IO manager wrote {entry.path}, which cannot be part of a version",
                    hint=f"a version consists of ordinary files, none called {MANIFEST}",
                )
            else:
                size = entry.stat(follow_symlinks=False).st_size
                yield FileRecord(name, size, file_digest(entry.path, size))


def file_digest(path: str | Path, size: int) -> str:
    """``blake3:`` and the hex digest of a file's content; ``size`` in bytes decides how to read it."""
    if size <= _READ_AT_ONCE:
        with open(path, "rb") as file:
            return f"blake3:{blake3(file.read()).hexdigest()}"
    hasher = blake3(max_threads=blake3.AUTO if size > _WORTH_THREADS else 1)
    hasher.update_mmap(path)
    return f"blake3:{hasher.hexdigest()}"


def is_whole(files: Iterable[StoredFile]) -> bool:
    """Whether a version's files are there and as they were written; reads them."""
    try:
        return all(
            os.path.getsize(file.path) == file.size and file_digest(file.path, file.size) == file.digest
            for file in files
        )
    except OSError:
        return False


def _contents(folder: str) -> Iterator[tuple[str, bool]]:
    """Everything in a folder, and whether it is a folder itself."""
    with os.scandir(folder) as entries:
        for entry in entries:
            inside = entry.is_dir(follow_symlinks=False)
            if inside:
                yield from _contents(entry.path)
            yield entry.path, inside


@contextmanager
def storage_errors(place: str) -> Generator[None]:
    """Turn an OSError into StorageFull or StorageError, whose message begins with ``place``."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename and str(error.filename) not in place else ""
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"{place}: no space is left to write to{where}",
                hint="free some space and materialize again; what was published before is untouched",
            ) from error
        raise StorageError(
            f"{place}: {reason}{where}", hint="check that the folder exists and that you may write there"
        ) from error
