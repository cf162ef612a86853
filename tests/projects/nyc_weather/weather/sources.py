"""The files that others write: the weather, known hour by hour, and the list of airports.

Where they lie is told by the environment variables NYC_WEATHER and NYC_AIRPORTS. NYC_MISSING_HOURS says what an hour
without any row means: ``empty`` (there will be none), ``wait`` or ``allow`` (it is late).
"""

from __future__ import annotations

import os
from collections import defaultdict
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from assetflow import observable_source
from weather.calendar import ZONE, hours

WEATHER = Path(os.environ["NYC_WEATHER"])
AIRPORTS = Path(os.environ["NYC_AIRPORTS"])
MISSING_HOURS = os.environ.get("NYC_MISSING_HOURS", "wait")

YEAR = (datetime(2013, 1, 1, tzinfo=ZoneInfo(ZONE)), datetime(2014, 1, 1, tzinfo=ZoneInfo(ZONE)))


def hour_key(time: datetime) -> str:
    """The partition of an instant: its full local hour with the offset, ``2013-11-03T01:00-04:00``."""
    return time.astimezone(ZoneInfo(ZONE)).isoformat(timespec="minutes")


def hours_of_the_year() -> list[str]:
    """Every hour that passed in 2013, as partitions."""
    first, end = (bound.timestamp() for bound in YEAR)
    start = datetime.fromtimestamp(first, ZoneInfo("UTC"))
    return [hour_key(start + timedelta(hours=n)) for n in range(int(end - first) // 3600)]


@observable_source(partitions=hours)
def weather_raw() -> dict[str, str | None]:
    """The rows of the weather file, by local hour."""
    rows: defaultdict[str, list[str]] = defaultdict(list)
    for line in WEATHER.read_text(encoding="utf-8").splitlines()[1:]:
        rows[line.rpartition(",")[2]].append(line)
    versions: dict[str, str | None] = dict.fromkeys(hours_of_the_year()) if MISSING_HOURS == "empty" else {}
    for time, lines in rows.items():
        versions[hour_key(datetime.fromisoformat(time))] = sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return versions


@observable_source
def airport_file() -> str:
    """The list of all airports."""
    return sha256(AIRPORTS.read_bytes()).hexdigest()
