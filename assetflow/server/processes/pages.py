"""Long lists, page by page: a page begins after the last entry of the one before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from assetflow.errors import UsageError

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: ``limit`` entries, after the one that ``after`` names, or from the first."""

    limit: int
    after: str | None

    def of(self, name: str, rows: Sequence[Row], key: Callable[[Row], object]) -> dict[str, object]:
        """The part under ``name``, with how many there are in all, and what ``next`` names the page that follows.

        Raises UsageError for an entry that is not there (any more).

        >>> rows = [{"asset": name} for name in "abc"]
        >>> Page(2, None).of("assets", rows, lambda row: row["asset"])
        {'assets': [{'asset': 'a'}, {'asset': 'b'}], 'total': 3, 'next': 'b'}
        >>> Page(2, "b").of("assets", rows, lambda row: row["asset"])
        {'assets': [{'asset': 'c'}], 'total': 3, 'next': None}
        """
        start = 0
        if self.after is not None:
            places = (place for place, row in enumerate(rows) if str(key(row)) == self.after)
            found = next(places, None)
            if found is None:
                raise UsageError(f"after={self.after}: the list has no such entry", hint="begin with the first page")
            start = found + 1
        stop = start + self.limit
        last = rows[stop - 1] if start < stop < len(rows) else None
        return {name: list(rows[start:stop]), "total": len(rows), "next": None if last is None else str(key(last))}
