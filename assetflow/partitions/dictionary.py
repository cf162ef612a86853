"""The dictionary that gives the keys of static and dynamic partitions their ordinals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class KeyDictionary:
    """Keys and their ordinals, one to one; ordinals start at 1 and never change.

    >>> keys = KeyDictionary().extended(["north", "south"])
    >>> keys.ordinal("south"), keys.key(1), keys.missing(["south", "west"])
    (2, 'north', ['west'])
    """

    ordinals: Mapping[str, int] = field(default_factory=dict[str, int])
    _keys: dict[int, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordinals = dict(self.ordinals)
        keys = {ordinal: key for key, ordinal in ordinals.items()}
        if len(keys) != len(ordinals):
            raise ValueError("two keys have the same ordinal")
        if keys and min(keys) < 1:
            raise ValueError(f"ordinals of keys start at 1, but {keys[min(keys)]!r} has {min(keys)}")
        object.__setattr__(self, "ordinals", ordinals)
        object.__setattr__(self, "_keys", keys)

    def __len__(self) -> int:
        return len(self._keys)

    def ordinal(self, key: str) -> int:
        """The ordinal of ``key``. Raises KeyError when it has none yet."""
        return self.ordinals[key]

    def key(self, ordinal: int) -> str:
        """The key with this ordinal. Raises KeyError."""
        return self._keys[ordinal]

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys that have no ordinal yet, each once, in the order given."""
        return [key for key in dict.fromkeys(keys) if key not in self.ordinals]

    def extended(self, keys: Iterable[str]) -> KeyDictionary:
        """A dictionary that has these keys too: new ones take the next ordinals, in the order given."""
        following = max(self._keys, default=0) + 1
        added = {key: following + index for index, key in enumerate(self.missing(keys))}
        return KeyDictionary({**self.ordinals, **added})
