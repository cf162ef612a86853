"""Whether keys that are to be added fit: of a dimension only so many ordinals of the store's dictionary do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assetflow.errors import InvalidPartition
from assetflow.graph import AssetGraph
from assetflow.partitions.definitions import dynamic_names
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.multi_partitions import WIDTHS, MultiPartitions

Additions = Iterable[tuple[str, Iterable[str]]]
"""Sets by name, with keys to be added to them."""


class KeyRoom:
    """What keys there is room for, while several are added whose commits the store may not have shown yet."""

    def __init__(self, graph: AssetGraph) -> None:
        self._crossed: dict[str, str] = {}
        """A computation that has the set as a dimension, by name of the set."""
        for node in graph.nodes.values():
            if isinstance(node.partitions, MultiPartitions):
                for name in dynamic_names(node.partitions):
                    self._crossed.setdefault(name, node.name)
        self._coming: dict[str, None] = {}

    def require(self, additions: Additions, dictionary: KeyDictionary) -> None:
        """Take in keys that are to be added; ``dictionary`` has those of the store. Raises InvalidPartition."""
        wanted = {name: list(keys) for name, keys in additions}
        every = [key for keys in wanted.values() for key in keys]
        if not self._crossed or not every:
            return
        most = 1 << WIDTHS["dynamic"]
        if dictionary.last + len(self._coming) + len(every) >= most:
            self._coming = dict.fromkeys(dictionary.missing(self._coming))
            self._require(wanted, dictionary, most)
        self._coming.update(dict.fromkeys(every))

    def _require(self, wanted: Mapping[str, list[str]], dictionary: KeyDictionary, most: int) -> None:
        every = (key for keys in wanted.values() for key in keys)
        full = dictionary.last + len(dictionary.missing((*self._coming, *every))) >= most
        for name, keys in wanted.items():
            known = dictionary.find(keys)
            # Nobody knows which of those that are coming will have ordinals that fit.
            if name in self._crossed and bool(((known >= most) | (full & (known == 0))).any()):
                raise InvalidPartition(
                    f"{name}: not added, for {self._crossed[name]} has it as a dimension, and the store has or would "
                    f"have more than {most - 1} keys",
                    hint="keep assets with very many keys in a project of their own",
                )
