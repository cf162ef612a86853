from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from assetflow.fingerprint.code import Fingerprint, SourceCache, fingerprint
from assetflow.fingerprint.sources import project_predicate


class Shop:
    """A throw-away project: write its files, then ask for the fingerprint of one of its functions."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: set[str] = set()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
            self._names.add(name.partition("/")[0].removesuffix(".py"))
        self.forget()

    def forget(self) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in self._names]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def load(self, place: str) -> Callable[..., object]:
        module, _, name = place.partition(":")
        value: object = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
        return value

    def fingerprint(
        self, place: str = "shop:total", files: Mapping[str, str] | None = None, **more: object
    ) -> Fingerprint:
        self.write(files or {})
        keywords = {"inside": project_predicate(self.root), "options": {}, "cache": SourceCache(), **more}
        return fingerprint(self.load(place), **keywords)

    def text(self, text: str, name: str = "total") -> Fingerprint:
        """The fingerprint of a function of a project that has one module with this text."""
        return self.fingerprint(f"shop:{name}", {"shop.py": text})


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = Shop(tmp_path)
    yield made
    made.forget()
