"""A disk that loses its power: what was never synced may be gone, cut short, or there under an older name.

While a process works, :class:`Disk` writes down what each ``fsync`` makes durable: the content of a file, or the
entries of a folder. :func:`after_power_loss` lays out what such a disk may hold afterwards. A file whose content was
synced but whose entry was not is unreachable; an entry that was synced may lead to a file without its content; of the
changes to a folder since it was synced, any may have reached the disk and any may not, in whatever order.

The database's own files are left as they are: they are the database's business, which syncs them at each commit.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

DATABASE = ("store.db", "store.db-wal", "store.db-shm")


class Disk:
    """Keeps, in the folder ``shadow``, what is durable of the files under ``root``.

    What is there at the start is durable. A file is known by a name of its own, for inode numbers are used again.
    """

    def __init__(self, root: Path, shadow: Path) -> None:
        self._root, self._shadow = root, shadow
        self._names: dict[int, str] = {}
        self._count = 0
        shadow.mkdir()
        for folder, _, files in os.walk(root, topdown=False):
            for name in files:
                self._keep_file(os.path.join(folder, name))
            self._keep_folder(folder)
        (shadow / "root").write_text(self._name(os.stat(root).st_ino))

    def install(self) -> None:
        """Watch what makes things durable, and what gives an inode back."""
        synced, unlink, rmdir = os.fsync, os.unlink, os.rmdir

        def fsync(handle: int) -> None:
            synced(handle)
            path = os.readlink(f"/proc/self/fd/{handle}")
            if Path(path).is_relative_to(self._root) and os.path.basename(path) not in DATABASE:
                (self._keep_folder if stat.S_ISDIR(os.fstat(handle).st_mode) else self._keep_file)(path)

        os.fsync = fsync
        os.unlink = os.remove = self._forgetting(unlink)
        os.rmdir = self._forgetting(rmdir)
        os.rename, os.replace = self._replacing(os.rename), self._replacing(os.replace)

    def _forgetting(self, function: Callable[..., None]) -> Callable[..., None]:
        def wrapped(path: Any, *, dir_fd: int | None = None) -> None:
            found = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
            function(path, dir_fd=dir_fd)
            if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
                self._names.pop(found.st_ino, None)

        return wrapped

    def _replacing(self, function: Callable[..., None]) -> Callable[..., None]:
        def wrapped(source: Any, target: Any, **options: Any) -> None:
            replaced = os.stat(target).st_ino if os.path.lexists(target) else None
            function(source, target, **options)
            if replaced is not None:
                self._names.pop(replaced, None)

        return wrapped

    def _name(self, inode: int) -> str:
        if inode not in self._names:
            self._count += 1
            self._names[inode] = f"n{self._count}"
        return self._names[inode]

    def _keep_file(self, path: str) -> None:
        name = self._name(os.stat(path).st_ino)
        scratch = self._shadow / f"{name}.scratch"
        shutil.copyfile(path, scratch)
        scratch.rename(self._shadow / f"{name}.file")
        self._keep_names()

    def _keep_folder(self, path: str) -> None:
        with os.scandir(path) as found:
            entries = {
                entry.name: [self._name(entry.inode()), entry.is_dir(follow_symlinks=False)]
                for entry in found
                if entry.name not in DATABASE
            }
        name = self._name(os.stat(path).st_ino)
        scratch = self._shadow / f"{name}.scratch"
        scratch.write_text(json.dumps(entries))
        scratch.rename(self._shadow / f"{name}.folder")
        self._keep_names()

    def _keep_names(self) -> None:
        """For whoever looks once this process is gone."""
        scratch = self._shadow / "names.scratch"
        scratch.write_text(json.dumps(self._names))
        scratch.rename(self._shadow / "names")


def after_power_loss(left: Path, shadow: Path, into: Path, choices: random.Random | None) -> None:
    """Lay out in ``into`` what the disk may hold, where ``left`` is what the process had written when it stopped.

    Without ``choices`` nothing outlives that was not synced.
    """
    names = {int(inode): name for inode, name in json.loads((shadow / "names").read_text()).items()}
    paths = {names[path.lstat().st_ino]: path for path in left.rglob("*") if path.lstat().st_ino in names}
    survives = (lambda: False) if choices is None else (lambda: choices.random() < 0.5)

    def content(name: str, target: Path) -> None:
        durable, present = shadow / f"{name}.file", paths.get(name)
        octets = durable.read_bytes() if durable.exists() else b""
        if present is not None and choices is not None and survives():
            written = present.read_bytes()
            octets = written[: choices.randrange(len(written) + 1)] if written != octets else octets
        target.write_bytes(octets)

    def lay_out(name: str, present: Path | None, target: Path) -> None:
        target.mkdir()
        file = shadow / f"{name}.folder"
        durable = {entry: tuple(kind) for entry, kind in json.loads(file.read_text()).items()} if file.exists() else {}
        now = {
            path.name: (names.get(path.lstat().st_ino, f"new {path}"), path.is_dir())
            for path in (present.iterdir() if present is not None and present.is_dir() else ())
            if path.name not in DATABASE
        }
        for entry in sorted({*durable, *now}):
            kept = now.get(entry) if durable.get(entry) != now.get(entry) and survives() else durable.get(entry)
            if kept is None:
                continue
            inside = paths.get(str(kept[0])) or (Path(str(kept[0]).removeprefix("new ")) if "new " in kept[0] else None)
            if kept[1]:
                lay_out(str(kept[0]), inside, target / entry)
            elif str(kept[0]).startswith("new ") and inside is not None:
                written = inside.read_bytes()
                (target / entry).write_bytes(written[: choices.randrange(len(written) + 1)] if choices else b"")
            else:
                content(str(kept[0]), target / entry)

    lay_out((shadow / "root").read_text(), left, into)
    for name in DATABASE:
        if (left / name).exists():
            shutil.copy(left / name, into / name)
