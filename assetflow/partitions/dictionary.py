"""The dictionary that gives the keys of static and dynamic partitions their ordinals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_RUNS = 64
"""Lookups of many keys fall into runs of neighbours; with more runs than this, each key is looked up by itself."""

_CHANCES = 16
"""Places at which the octets of a key are looked for before all keys are put into a dict."""


def key_problem(key: object) -> str | None:
    """Why something cannot be a partition key, and what to do; None when it can.

    >>> key_problem("north"), key_problem(5)
    (None, "the key 5 is no text: write '5'")
    """
    if not isinstance(key, str):
        return f"the key {key!r} is no text: write {str(key)!r}"
    if not key:
        return "a key is empty: give it a name"
    try:
        key.encode()
    except UnicodeEncodeError:
        return f"the key {key!r} is no valid Unicode text: write it without lone surrogates"
    return None


class KeyDictionary:
    """Keys and their ordinals, one to one; ordinals start at 1 and never change.

    The keys are kept as one text (a million of them take a tenth of what as many Python strings do); a dict of them is
    made only where keys are looked up in another order than that of their ordinals.

    >>> keys = KeyDictionary().extended(["north", "south"])
    >>> keys.ordinal("south"), keys.key(1), keys.missing(["south", "west"])
    (2, 'north', ['west'])
    """

    __slots__ = ("_ends", "_found", "_numbers", "_text")

    _text: bytes
    _ends: Ints
    _numbers: Ints
    _found: dict[str, int] | None

    def __init__(self, ordinals: Mapping[str, int] | None = None) -> None:
        pairs = sorted((ordinal, key) for key, ordinal in (ordinals or {}).items())
        numbers = np.array([ordinal for ordinal, _ in pairs], np.int64)
        if (np.diff(numbers) == 0).any():
            raise ValueError("two keys have the same ordinal")
        if pairs and pairs[0][0] < 1:
            raise ValueError(f"ordinals of keys start at 1, but {pairs[0][1]!r} has {pairs[0][0]}")
        self._text, self._ends = _joined([key for _, key in pairs])
        self._numbers = numbers
        self._found = None

    @classmethod
    def from_columns(cls, text: bytes, ends: Ints, numbers: Ints) -> Self:
        """The keys in ``text`` (UTF-8), where each of them ends, and their ascending ordinals.

        Raises ValueError for columns that do not fit together.
        """
        made = cls()
        if len(ends) != len(numbers) or (int(ends[-1]) if len(ends) else 0) != len(text):
            raise ValueError("the columns of a dictionary of keys do not fit together")
        made._text, made._ends, made._numbers = text, ends, numbers
        return made

    @property
    def ordinals(self) -> Mapping[str, int]:
        """All ordinals by key: a dict of everything, made when it is first asked for."""
        if self._found is None:
            keys = [self._key(place) for place in range(len(self))]
            self._found = dict(zip(keys, self._numbers.tolist(), strict=True))
        return self._found

    @property
    def last(self) -> int:
        """The highest ordinal; 0 without any."""
        return int(self._numbers[-1]) if len(self) else 0

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyDictionary):
            return NotImplemented
        same = self._text == other._text and np.array_equal(self._ends, other._ends)
        return same and np.array_equal(self._numbers, other._numbers)

    def __hash__(self) -> int:
        return hash((self._text, self.last))

    def __repr__(self) -> str:
        return f"KeyDictionary({len(self)} keys)"

    def ordinal(self, key: str) -> int:
        """The ordinal of ``key``. Raises KeyError when it has none yet."""
        found = int(self.find([key])[0])
        if not found:
            raise KeyError(key)
        return found

    def key(self, ordinal: int) -> str:
        """The key with this ordinal. Raises KeyError."""
        place = int(self._numbers.searchsorted(ordinal))
        if place == len(self) or int(self._numbers[place]) != ordinal:
            raise KeyError(ordinal)
        return self._key(place)

    def find(self, keys: Sequence[str]) -> Ints:
        """The ordinals of many keys; 0 for those that have none yet. Quick for runs in the order of ordinals."""
        if self._found is None and len(self):
            found = self._found_by_runs(keys)
            if found is not None:
                return found
        known = self.ordinals
        return np.array([known.get(key, 0) for key in keys], np.int64)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys that have no ordinal yet, each once, in the order given."""
        listed = list(keys)
        strangers = np.flatnonzero(self.find(listed) == 0).tolist()
        return list(dict.fromkeys(listed[place] for place in strangers))

    def extended(self, keys: Iterable[str]) -> KeyDictionary:
        """A dictionary that has these keys too: new ones take the next ordinals, in the order given."""
        added = self.missing(keys)
        text, ends = _joined(added)
        return self.followed(text, ends, np.arange(self.last + 1, self.last + 1 + len(added)))

    def followed(self, text: bytes, ends: Ints, numbers: Ints) -> KeyDictionary:
        """A dictionary that also has the keys of these columns, whose ordinals are higher than any here."""
        offset = len(self._text)
        return KeyDictionary.from_columns(
            self._text + text, np.concatenate((self._ends, ends + offset)), np.concatenate((self._numbers, numbers))
        )

    def _key(self, place: int) -> str:
        first = int(self._ends[place - 1]) if place else 0
        return self._text[first : int(self._ends[place])].decode()

    def _found_by_runs(self, keys: Sequence[str]) -> Ints | None:
        """The ordinals, where the keys fall into few runs; None where they do not."""
        text, ends = _joined(keys)
        starts = np.concatenate((np.zeros(1, np.int64), ends))
        found = np.zeros(len(keys), np.int64)
        at = 0
        for _ in range(_RUNS):
            if at == len(keys):
                return found
            place = self._place(text[int(starts[at]) : int(starts[at + 1])])
            if place is None:
                return None
            if place < 0:
                at += 1
                continue
            count = self._alike(place, text, starts, at)
            found[at : at + count] = self._numbers[place : place + count]
            at += count
        return found if at == len(keys) else None

    def _place(self, octets: bytes) -> int | None:
        """Where a key stands; -1 for a stranger, None when that was not found out."""
        if not octets:
            return None
        first = 0
        for _ in range(_CHANCES):
            first = self._text.find(octets, first)
            if first < 0:
                return -1
            place = int(self._ends.searchsorted(first, "right"))
            begins = int(self._ends[place - 1]) if place else 0
            if begins == first and int(self._ends[place]) == first + len(octets):
                return place
            first += 1
        return None

    def _alike(self, place: int, text: bytes, starts: Ints, at: int) -> int:
        """How many keys from ``place`` on are the same as those from ``at`` on, the first of which is."""
        most = min(len(self) - place, len(starts) - 1 - at)
        begins = int(self._ends[place - 1]) if place else 0
        mine = self._ends[place : place + most] - begins
        theirs = starts[at + 1 : at + 1 + most] - starts[at]
        apart = np.flatnonzero(mine != theirs)
        count = int(apart[0]) if len(apart) else most
        size, begin = int(mine[count - 1]), int(starts[at])
        one: NDArray[np.uint8] = np.frombuffer(self._text, np.uint8, size, begins)
        two: NDArray[np.uint8] = np.frombuffer(text, np.uint8, size, begin)
        differing = np.flatnonzero(one != two)
        return int(mine.searchsorted(int(differing[0]), "right")) if len(differing) else count


def _joined(keys: Sequence[str]) -> tuple[bytes, Ints]:
    """Keys as one text in UTF-8, and where each of them ends."""
    whole = "".join(keys)
    text = whole.encode()
    if len(text) == len(whole):
        sizes = np.fromiter(map(len, keys), np.int64, len(keys))
    else:
        sizes = np.fromiter((len(key.encode()) for key in keys), np.int64, len(keys))
    return text, np.cumsum(sizes)
