"""Mappings that say by key which upstream partitions are read: a fixed table, or a method that users write."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from traceback import walk_tb
from types import CodeType
from typing import cast

import numpy as np

from assetflow.errors import InvalidPartition
from assetflow.partitions.definitions import DimensionDefinition, PartitionsDefinition
from assetflow.partitions.dynamic_space import DynamicSpace
from assetflow.partitions.mappings import EdgeMapping
from assetflow.partitions.multi_partitions import MultiPartitions
from assetflow.partitions.multi_space import MultiSpace
from assetflow.partitions.sets import Bools, Flags, Ints, PartitionSet
from assetflow.partitions.spaces import PartitionSpace
from assetflow.partitions.spans import Spans, flattened

_ASKED_APART = 32
"""After so many partitions that make a mapping raise, the rest of what raises is not taken apart further."""

_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """What each row asks for, whatever exists: the run ``[offsets[n], offsets[n + 1])`` of upstream ``ordinals``.

    Ordinals ascend within a row, each once. ``problems`` says of rows why nobody knows; they ask for nothing.
    """

    offsets: Ints
    ordinals: Ints
    problems: Mapping[int, str] = field(default_factory=dict[int, str])


class KeyedMapping(EdgeMapping):
    """A mapping that lists what each partition asks for; all else follows from the list."""

    __slots__ = ()

    @abstractmethod
    def images(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Images:
        """What each of these downstream partitions asks for."""

    def spans(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, existing_up: Ints) -> Spans:
        images = self.images(down, ordinals, up)
        places = np.searchsorted(existing_up, images.ordinals)
        exists = _at(existing_up, places, images.ordinals)
        counts = _running(exists)
        lo, hi = counts[images.offsets[:-1]], counts[images.offsets[1:]]
        return Spans(lo, hi, gather=places[exists].astype(np.int64, copy=False), problems=images.problems)

    def expected(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace, now: datetime) -> Bools:
        if up.grain in ("static", "none"):
            return np.ones(ordinals.size, np.bool_)
        images = self.images(down, ordinals, up)
        counts = _running(~_existing(images.ordinals, up, now))
        return counts[images.offsets[:-1]] == counts[images.offsets[1:]]

    def awaited(
        self, partitions: PartitionSet, down: PartitionSpace, up: PartitionSpace, now: datetime
    ) -> PartitionSet:
        if up.grain in ("static", "none"):
            return PartitionSet.empty()
        asked = self.images(down, partitions.array(), up).ordinals
        return PartitionSet.from_ordinals(asked[~_existing(asked, up, now) & (asked >= 0)])

    def nonexistent(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        return np.zeros(ordinals.size, np.bool_)

    def asking(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Bools:
        return np.diff(self.images(down, ordinals, up).offsets) > 0


@dataclass(frozen=True, slots=True, eq=False)
class StaticMapping(KeyedMapping):
    """Which keys go into which, between two lists of keys: ``{upstream key: [downstream keys]}``, many to many.

    A downstream key that is listed nowhere reads nothing of the upstream. An upstream key that dynamic partitions do
    not have is waited for.

    >>> StaticMapping({"berlin": ["germany", "europe"], "paris": ["europe"]}).keys["paris"]
    ['europe']
    """

    keys: Mapping[str, Sequence[str]]

    def images(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Images:
        sizes = [len(each) for each in self.keys.values()]
        readers = down.ordinals([key for each in self.keys.values() for key in each])
        # What is no key of a dynamic upstream now is asked for all the same: it may become one.
        listed = list(self.keys)
        read = np.repeat(up.recorded(listed) if isinstance(up, DynamicSpace) else up.ordinals(listed), sizes)
        readers, read = _each_once(readers, read)
        lo, hi = np.searchsorted(readers, ordinals), np.searchsorted(readers, ordinals, side="right")
        return Images(_offsets(hi - lo), read[flattened(lo, hi)])

    def strangers(self, down: PartitionSpace, up: PartitionSpace) -> tuple[list[str], list[str]]:
        """The keys that it names and that the upstream, or the downstream, does not have; dynamic ones may come."""
        ups, downs = list(self.keys), list(dict.fromkeys(key for each in self.keys.values() for key in each))
        return (
            [key for key, ordinal in zip(ups, up.ordinals(ups).tolist(), strict=True) if ordinal < 0],
            [key for key, ordinal in zip(downs, down.ordinals(downs).tolist(), strict=True) if ordinal < 0],
        )


class PartitionMapping(KeyedMapping):
    """A mapping of your own: subclass it and write :meth:`upstream_keys`.

    Which downstream partitions read an upstream partition follows from it. The source of the class counts for the
    code version of the assets that use it, and so do the attributes of the object.

    >>> class SameCountry(PartitionMapping):
    ...     def upstream_keys(self, partition_keys, upstream):
    ...         return [[key for key in upstream.keys if key.startswith(country)] for country in partition_keys]
    """

    @abstractmethod
    def upstream_keys(
        self, partition_keys: Sequence[str], upstream: PartitionsDefinition
    ) -> Sequence[str | Sequence[str]]:
        """For each of ``partition_keys``, in order, the keys of the upstream partitions that it reads; perhaps none.

        One key may stand without a list around it. ``upstream`` is the upstream's partition definition, which must have
        every key that is given; dynamic partitions come with the ``keys`` that they have now. The answer must follow
        from the arguments alone. It is asked for many partitions at once; where it raises, the partitions that make it
        raise wait, and say so, and the others do not.
        """

    def images(self, down: PartitionSpace, ordinals: Ints, up: PartitionSpace) -> Images:
        keys = [str(key) for key in down.keys(ordinals)]
        assert up.definition is not None
        answers = _Answers(self, _listing(up, up.definition))
        answers.ask(keys, 0)
        sizes = np.array([len(answers.found.get(row, ())) for row in range(len(keys))], np.int64)
        asked = [key for row in range(len(keys)) for key in answers.found.get(row, ())]
        known = {key: place for place, key in enumerate(dict.fromkeys(asked))}
        of_known = up.ordinals(list(known))
        flat = of_known[np.array([known[key] for key in asked], np.int64)] if asked else np.empty(0, np.int64)
        rows = np.repeat(np.arange(len(keys)), sizes)
        for place in np.flatnonzero(flat < 0).tolist():
            answers.problems.setdefault(int(rows[place]), answers.stray(asked[place], up))
        sound = ~np.isin(rows, list(answers.problems)) if answers.problems else np.ones(rows.size, np.bool_)
        rows, flat = _each_once(rows[sound], flat[sound])
        return Images(_offsets(np.bincount(rows, minlength=len(keys))), flat, answers.problems)


def _listing(space: PartitionSpace, definition: PartitionsDefinition) -> PartitionsDefinition:
    """The definition of a space; of dynamic partitions, with the keys that are there now."""
    if isinstance(space, DynamicSpace):
        return space.definition.holding(map(str, space.keys(space.present)))
    if isinstance(space, MultiSpace) and any(isinstance(each, DynamicSpace) for each in space.spaces):
        pairs = zip(space.definition.pairs, space.spaces, strict=True)
        return MultiPartitions({name: _dimension(each, inner) for (name, each), inner in pairs})
    return definition


def _dimension(definition: DimensionDefinition, space: PartitionSpace) -> DimensionDefinition:
    listing = _listing(space, definition)
    assert not isinstance(listing, MultiPartitions)
    return listing


def backward(mapping: EdgeMapping, spans: Spans, ordinals: Ints, space: PartitionSpace, existing: Ints) -> Spans:
    """The spans of an asset that reads itself: rows that read what does not come before them have a problem instead.

    What comes before is earlier in the order of the space. Only a mapping of a user's own can give anything else.
    """
    if not isinstance(mapping, PartitionMapping) or spans.gather is None or not existing.size:
        return spans
    rank = np.empty(existing.size, np.int64)
    rank[np.searchsorted(existing, space.ordered(existing))] = np.arange(existing.size)
    sizes = spans.hi - spans.lo
    readers = np.repeat(np.arange(ordinals.size), sizes)
    read = spans.gather[flattened(spans.lo, spans.hi)]
    wrong = np.flatnonzero(rank[read] >= rank[np.searchsorted(existing, ordinals)][readers])
    if not wrong.size:
        return spans
    rows, first = np.unique(readers[wrong], return_index=True)
    assert space.definition is not None
    answers = _Answers(mapping, space.definition)
    given, asking = space.keys(existing[read[wrong[first]]]), space.keys(ordinals[rows])
    problems = {
        row: answers.later(*pair) for row, pair in zip(rows.tolist(), zip(given, asking, strict=True), strict=True)
    }
    hi = spans.hi.copy()
    hi[rows] = spans.lo[rows]
    return replace(spans, hi=hi, problems={**spans.problems, **problems})


class _Answers:
    """What a user's mapping gives for rows, and for which it gives nothing that can be used."""

    def __init__(self, mapping: PartitionMapping, upstream: PartitionsDefinition) -> None:
        self._mapping = mapping
        self._upstream = upstream
        self._name = f"{type(mapping).__name__}.upstream_keys"
        self.found: dict[int, Sequence[str]] = {}
        self.problems: dict[int, str] = {}

    def ask(self, keys: Sequence[str], first: int) -> None:
        """Ask for keys, the first of which is that of row ``first``; where that raises, for each half of them."""
        if not keys:
            return
        try:
            # A user may give anything, whatever the annotation says.
            given = cast("object", self._mapping.upstream_keys(tuple(keys), self._upstream))
            answer = _listed(given)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit, and what some libraries raise, too
            if len(keys) > 1 and len(self.problems) < _ASKED_APART:
                half = len(keys) // 2
                self.ask(keys[:half], first)
                self.ask(keys[half:], first + half)
                return
            text = _text_of(error, str)
            raised = f"{type(error).__name__}: {text}" if text else type(error).__name__
            self._all(keys, first, f"{self._name} raised {raised} ({self._line(error)})")
            return
        if answer is None:
            wrong = f"gave {_text_of(given, repr)}, where a list with one list of keys for each partition is due"
            self._all(keys, first, f"{self._name} {wrong} ({self._line()})")
        elif len(answer) != len(keys):
            wrong = f"gave {len(answer)} lists of keys for {len(keys)} partitions"
            self._all(keys, first, f"{self._name} {wrong} ({self._line()})")
        else:
            for row, each in enumerate(answer, first):
                self._take(row, each)

    def _take(self, row: int, given: object) -> None:
        keys = [given] if isinstance(given, str) else _listed(given)
        if keys is None or not all(isinstance(key, str) for key in keys):
            self.problems[row] = f"{self._name} gave {_text_of(given, repr)}, which is no list of keys ({self._line()})"
        else:
            self.found[row] = cast("list[str]", keys)

    def stray(self, key: str, up: PartitionSpace) -> str:
        """The sentence about a key that the upstream does not have."""
        try:
            up.ordinal(key)
            reason = f"there is no partition {key!r}"
        except InvalidPartition as error:
            reason = f"{error.message}; {error.hint}" if error.hint else error.message
        return f"{self._name} gave a key that the upstream does not have: {reason} ({self._line()})"

    def later(self, key: str | None, reader: str | None) -> str:
        """The sentence about a key of the asset itself that does not come before the one that reads it."""
        return (
            f"{self._name} gave {key!r} for {reader!r}: "
            f"of its own partitions an asset reads only those that come before ({self._line()})"
        )

    def _all(self, keys: Sequence[str], first: int, problem: str) -> None:
        self.problems.update(dict.fromkeys(range(first, first + len(keys)), problem))

    def _line(self, error: BaseException | None = None) -> str:
        """The user's line: where the error passed through the user's file last, else where the method begins."""
        code = cast("CodeType | None", getattr(type(self._mapping).upstream_keys, "__code__", None))
        frames = [] if error is None else list(walk_tb(error.__traceback__))[1:]
        files = [frame.f_code.co_filename for frame, _ in frames]
        if code is not None and code.co_filename in files:
            place = len(files) - 1 - files[::-1].index(code.co_filename)
            return f"{code.co_filename}:{frames[place][1]}"
        if frames:
            return f"{files[-1]}:{frames[-1][1]}"
        return f"{code.co_filename}:{code.co_firstlineno}" if code else type(self._mapping).__module__


def _listed(given: object) -> list[object] | None:
    """What was given, as a list; None when it is no list of things, such as one text."""
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        return None
    return list(cast("Iterable[object]", given))


def _text_of(value: object, told: Callable[[object], str]) -> str:
    """What ``str`` or ``repr`` says, on one line, not too long, and printable; a user's object may refuse to say it."""
    try:
        text = told(value)
    except Exception as problem:
        return f"(its text cannot be had: {told.__name__}() raised {type(problem).__name__})"
    text = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."


def _at(existing: Ints, places: Ints, ordinals: Ints) -> Flags:
    """Which ordinals are in the ascending ``existing``, where ``places`` is where they would be."""
    if not existing.size:
        return np.zeros(ordinals.size, np.bool_)
    return existing[np.minimum(places, existing.size - 1)] == ordinals


def _existing(ordinals: Ints, up: PartitionSpace, now: datetime) -> Flags:
    existing = up.existing(now).array()
    return _at(existing, np.searchsorted(existing, ordinals), ordinals)


def _running(flags: Flags) -> Ints:
    counts = np.zeros(flags.size + 1, np.int64)
    np.cumsum(flags, out=counts[1:])
    return counts


def _offsets(sizes: Ints) -> Ints:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)))


def _each_once(rows: Ints, values: Ints) -> tuple[Ints, Ints]:
    """The pairs by row and value, each once."""
    order = np.lexsort((values, rows))
    rows, values = rows[order], values[order]
    fresh = np.ones(rows.size, np.bool_)
    fresh[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
    return rows[fresh], values[fresh]
