from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from assetflow.server import events
from assetflow.server.events import EventLog


def stored(*numbers: int) -> Any:
    """A store with events of these numbers."""

    async def source(since: int) -> tuple[list[Mapping[str, Any]], int]:
        found = [{"seq": number} for number in numbers if number > since]
        return found, (numbers[-1] if found else since)

    return source


async def told(log: EventLog, last_id: str | None, count: int) -> list[tuple[str, str]]:
    """The ids and kinds of the first events of a stream."""
    found: list[tuple[str, str]] = []
    async for part in log.stream(last_id):
        found += re.findall(r"id: (\S+)\nevent: (\w+)", part.decode())
        if len(found) >= count:
            break
    return found


def test_a_client_that_comes_back_is_told_what_it_has_missed() -> None:
    async def scene() -> None:
        log = EventLog(stored())
        for number in range(5):
            log.add("loaded", {"load": number})
        assert await told(log, f"3.0.{log.server}", 2) == [
            (f"4.0.{log.server}", "loaded"),
            (f"5.0.{log.server}", "loaded"),
        ]
        assert await told(log, None, 1) == [(f"5.0.{log.server}", "hello")]
        log.close()

    asyncio.run(scene())


def test_a_client_that_has_missed_too_much_is_told_to_read_anew() -> None:
    async def scene() -> None:
        log = EventLog(stored())
        for number in range(events.KEPT + 10):
            log.add("loaded", {"load": number})
        found = await told(log, f"3.0.{log.server}", 2)
        assert [kind for _, kind in found] == ["resync", "loaded"] + ["loaded"] * (len(found) - 2)
        assert found[1][0] == f"11.0.{log.server}"
        log.close()

    asyncio.run(scene())


def test_events_of_the_store_outlive_the_server() -> None:
    async def scene() -> None:
        log = EventLog(stored(1, 2, 3, 4))
        await log.poll()
        assert (log.seq, await told(log, f"1.1.{log.server}", 3)) == (
            4,
            [(f"{number}.{number}.{log.server}", "store") for number in (2, 3, 4)],
        )
        other = [kind for _, kind in await told(log, "9.2.another", 3)]
        assert other == ["resync", "store", "store"]
        for nonsense in ("x", "1.2", "1.x.y", "-1.0.0", f"99.0.{log.server}", f"1.{'9' * 30}.y"):
            assert (await told(log, nonsense, 1))[0][1] == "resync", nonsense
        log.close()

    asyncio.run(scene())


def test_what_happens_while_a_client_listens_is_told_at_once_and_in_order() -> None:
    async def scene() -> None:
        log = EventLog(stored())
        listening = [asyncio.create_task(told(log, None, 4)) for _ in range(7)]
        await asyncio.sleep(0)
        for kind in ("loaded", "stale", "run"):
            log.add(kind, {})
            await asyncio.sleep(0)
        for found in await asyncio.gather(*listening):
            assert [kind for _, kind in found] == ["hello", "loaded", "stale", "run"]
        log.close()

    asyncio.run(scene())


def test_closing_ends_the_streams() -> None:
    async def scene() -> None:
        log = EventLog(stored())
        listening = asyncio.create_task(told(log, None, 99))
        await asyncio.sleep(0)
        log.close()
        assert [kind for _, kind in await listening] == ["hello"]

    asyncio.run(scene())
