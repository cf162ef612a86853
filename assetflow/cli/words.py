"""How numbers, ranges, times and names are put into words for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from assetflow.keys import escape_key

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def count(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "partition"), count(1234, "partition"), count(2, "entry", "entries")
    ('1 partition', '1,234 partitions', '2 entries')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def visible(text: str, *, lines: bool = False) -> str:
    r"""The text without anything that a terminal would obey; ``lines`` keeps line ends and tabs.

    >>> visible("a\x1b[31mb\nc"), visible("a\nb", lines=True)
    ('a\\x1b[31mb\\nc', 'a\nb')
    """
    return _CONTROL.sub(lambda match: match[0] if lines and match[0] in "\n\t" else _escaped(match[0]), text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def ranges(pairs: Sequence[tuple[str, str]], *, shown: int = 3) -> str:
    """Inclusive ranges of partitions as ``--partition`` reads them, only the first few in full.

    >>> ranges([("2024-01-01", "2024-01-03"), ("2024-02-01", "2024-02-01")])
    '2024-01-01...2024-01-03, 2024-02-01'
    >>> ranges([(k, k) for k in "abcdef"])
    'a, b, c, +3 more'
    """
    texts = [(escape_key(first), escape_key(last)) for first, last in pairs[:shown]]
    told = [first if first == last else f"{first}...{last}" for first, last in texts]
    return some([*told, *[""] * (len(pairs) - len(told))], shown=shown)


def some(items: Sequence[str], *, shown: int = 3) -> str:
    """The first few of the items, and how many more there are.

    >>> some(["a", "b"]), some(list("abcde"))
    ('a, b', 'a, b, c, +2 more')
    """
    more = [f"+{len(items) - shown:,} more"] if len(items) > shown else []
    return ", ".join([*items[:shown], *more])


def duration(seconds: float) -> str:
    """A time span as people say it.

    >>> duration(0.04), duration(12.34), duration(192), duration(7384)
    ('0.04 s', '12.3 s', '3 min 12 s', '2 h 3 min')
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def size(count: int) -> str:
    """A number of bytes for people.

    >>> size(0), size(1_500), size(2_345_678_901)
    ('0 B', '1.5 kB', '2.3 GB')
    """
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1_000:
            break
        amount, unit = amount / 1_000, larger
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"


def about(seconds: float) -> str:
    """A time span that is only roughly known.

    >>> about(0), about(0.3), about(12.34), about(192), about(7384), about(200_000)
    ('0 s', 'under 1 s', '12 s', '3 min', '2 h 3 min', '56 h')
    """
    if seconds == 0:
        return "0 s"
    if seconds < 1:
        return "under 1 s"
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 24 * 60 else f"{round(minutes / 60)} h"


def moment(time: datetime | str | None) -> str:
    """A moment in UTC, to the second; an ISO 8601 text is read first, None is ``never``.

    >>> moment("2024-01-31T12:00:00.5+01:00"), moment(None)
    ('2024-01-31 11:00:00Z', 'never')
    """
    if time is None:
        return "never"
    when = datetime.fromisoformat(time) if isinstance(time, str) else time
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
