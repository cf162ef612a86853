"""Which partitions a statement is about: all of some assets, or single ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.state import Integers
from assetflow.store import statements as sql
from assetflow.store.encoding import to_json

_PROBES = 100_000
"""Pairs of asset and code version that an index may be asked for."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Assets by uid, and with ``single`` the ascending ordinals of those of their partitions that are meant."""

    assets: Mapping[int, AssetKey]
    single: Mapping[int, Integers] | None = None

    def __bool__(self) -> bool:
        return bool(self.assets)

    def restricted(self, keys: Iterable[AssetKey]) -> Scope:
        """The scope without other assets."""
        kept = set(keys)
        assets = {uid: key for uid, key in self.assets.items() if key in kept}
        single = None if self.single is None else {uid: self.single[uid] for uid in assets}
        return Scope(assets, single)

    def statement(self, text: str, table: str, name: str) -> str:
        """A statement about the rows of ``table`` (called ``name`` in it) in this scope."""
        return text.replace("{scope}", self._join(table, name))

    def retired(self, codes: int) -> str:
        """The statement about retired derivations, each with its version, of that many code versions."""
        if self.single is not None:
            found = sql.RETIRED.replace("{other}", "derivations AS d ON d.version = v.id")
            return found.replace("{code}", "d.code").replace("{scope}", self._join("versions", "v"))
        found = sql.RETIRED.replace("{other}", "versions AS v ON v.id = d.version")
        # A plus keeps the index from being asked for every asset with every code.
        code = "d.code" if len(self.assets) * codes <= _PROBES else "+d.code"
        return found.replace("{code}", code).replace("{scope}", self._join("derivations", "d"))

    def values(self) -> dict[str, object]:
        """What a statement about the scope takes."""
        if self.single is None:
            return {"scope": to_json(sorted(self.assets))}
        return {"scope": _places(*self._pairs())}

    def pages(self, size: int) -> Iterable[dict[str, object]]:
        """The same, a part of the single partitions at a time, in their order."""
        uids, ordinals = self._pairs()
        for first in range(0, len(uids), size):
            yield {"scope": _places(uids[first : first + size], ordinals[first : first + size])}

    def _join(self, table: str, name: str) -> str:
        text = sql.WHOLE if self.single is None else sql.SINGLE
        return text.format(table=table, name=name)

    def _pairs(self) -> tuple[Integers, Integers]:
        single = self.single or {}
        uids = sorted(uid for uid in single if len(single[uid]))
        if not uids:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        sizes = [len(single[uid]) for uid in uids]
        return np.repeat(np.array(uids, np.int64), sizes), np.concatenate([single[uid] for uid in uids])


def _places(uids: Integers, ordinals: Integers) -> str:
    return to_json(np.column_stack((uids, ordinals)).tolist())
