"""The past as people name it: a generation, or a time with its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from assetflow.errors import UsageError
from assetflow.store.interface import StoreReader

AsOf = int | str | datetime

_HINT = "write a generation, or a time with its zone, such as 2024-05-17T12:00Z or '2024-05-17 12:00 Europe/Berlin'"


def generation_of(reader: StoreReader, as_of: AsOf, now: datetime) -> int:
    """The last generation that was committed as of ``as_of``: its own number, or a moment.

    Raises UsageError for what is neither, for a time that is in the future, before the first commit, without a zone,
    or that its zone has twice or not at all.
    """
    if isinstance(as_of, bool):
        raise UsageError(f"as_of={as_of!r} is no moment", hint=_HINT)
    if isinstance(as_of, int) or (isinstance(as_of, str) and as_of.isdecimal()):
        return _known(reader, int(as_of))
    moment = parse_moment(as_of) if isinstance(as_of, str) else _sure(as_of, as_of.isoformat())
    if moment > now:
        raise UsageError(f"{_text(moment)} is in the future", hint=f"it is {_text(now)} now")
    generation = reader.generation_at(moment)
    if generation == 0:
        first = reader.committed_at(1)
        told = "nothing was published yet" if first is None else f"the first commit was at {_text(first)}"
        raise UsageError(f"at {_text(moment)} nothing had been published: {told}", hint=_HINT)
    return generation


def _known(reader: StoreReader, generation: int) -> int:
    last = reader.generation()
    if 1 <= generation <= last:
        return generation
    told = f"they are 1 to {last}" if last else "nothing was published yet"
    raise UsageError(f"there is no generation {generation}: {told}", hint=_HINT)


def parse_moment(text: str) -> datetime:
    """A moment in ISO 8601 with its offset, or a local time followed by the name of its zone. Raises UsageError.

    >>> parse_moment("2024-05-17 12:00 Europe/Berlin").isoformat()
    '2024-05-17T10:00:00+00:00'
    """
    local = re.fullmatch(r"(.+?)\s+([A-Za-z][\w+-]*(?:/[\w+-]+)*)", text.strip())
    try:
        if local is None:
            return _sure(datetime.fromisoformat(text.strip()), text)
        naive, zone = datetime.fromisoformat(local[1]), ZoneInfo(local[2])
    except ZoneInfoNotFoundError:
        raise UsageError(f"{text!r}: there is no time zone {local and local[2]!r}", hint=_HINT) from None
    except ValueError:
        raise UsageError(f"{text!r} is neither a generation nor a time", hint=_HINT) from None
    if naive.tzinfo is not None:
        raise UsageError(f"{text!r} has both an offset and a time zone", hint=_HINT)
    return _sure(naive.replace(tzinfo=zone), text)


def _sure(moment: datetime, text: str) -> datetime:
    if moment.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone", hint=_HINT)
    first, second = (moment.replace(fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return moment.astimezone(UTC)
    if first.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) != moment.replace(tzinfo=None):
        raise UsageError(
            f"{text!r} does not exist: the clocks were put forward then", hint=f"{_text(first.astimezone(UTC))} does"
        )
    meant = " or ".join(each.isoformat() for each in (first, second))
    raise UsageError(f"{text!r} was there twice: the clocks were put back then", hint=f"write {meant}")


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
