"""Which steps of a run decided how long it took."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence

from assetflow.keys import AssetKey
from assetflow.store.records import StepRecord


def critical_path(steps: Sequence[StepRecord], reads: Callable[[AssetKey], Collection[AssetKey]]) -> list[int]:
    """The places in ``steps`` of the chain that ended last, each step of which could begin when the one before ended.

    A step begins once all that its asset ``reads`` is done, and what it tried before has ended. Steps that called
    nothing are left out.
    """
    called = [place for place, step in enumerate(steps) if step.call_size is not None]
    if not called:
        return []
    by_asset: dict[AssetKey, list[int]] = {}
    for place in sorted(called, key=lambda place: steps[place].ended_at):
        by_asset.setdefault(steps[place].asset, []).append(place)
    ends = {asset: [steps[place].ended_at for place in places] for asset, places in by_asset.items()}

    def before(place: int) -> int | None:
        step = steps[place]
        found: list[int] = []
        for asset in {*reads(step.asset)} & by_asset.keys():
            last = bisect_right(ends[asset], step.started_at) - 1
            if last >= 0 and by_asset[asset][last] not in path:
                found.append(by_asset[asset][last])
        if step.attempt > 1:
            found += [
                each
                for each in by_asset[step.asset]
                if (steps[each].ordinal, steps[each].attempt) == (step.ordinal, step.attempt - 1)
            ]
        return max(found, key=lambda each: steps[each].ended_at, default=None)

    place: int | None = max(called, key=lambda place: steps[place].ended_at)
    path: list[int] = []
    while place is not None:
        path.append(place)
        place = before(place)
    return path[::-1]
