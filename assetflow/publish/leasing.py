"""Holding asset partitions while something is published of them: claims, heartbeats, and waiting for others.

Everything that publishes goes through here: runs, which hold what they build, and what people ask for by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from assetflow.errors import LeaseLost, StoreError
from assetflow.partitions.sets import PartitionSet
from assetflow.publish.liveness import this_process
from assetflow.publish.setting import Setting
from assetflow.store.leases import Claim, ClaimRequest, LeaseRecord, Unit, overlaps
from assetflow.store.records import Group, Ticket

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.02, 1.0, 1.5

Told = Callable[[tuple[LeaseRecord, ...]], None]
"""Hears whose leases are waited for, at each look."""


class Hold:
    """A lease that was granted, kept alive until :meth:`release`."""

    def __init__(self, setting: Setting, fence: int, granted: Mapping[int, PartitionSet]) -> None:
        self.fence = fence
        self.granted = granted
        self.lost = False
        """Whether it expired all the same, as far as a heartbeat has told."""
        self._setting = setting
        self._stop = setting.heart.start(self._beat, setting.limits.lease_seconds / 3)

    def release(self) -> None:
        """Let others have it, once what was published under it is committed. Does not wait."""
        self._stop()
        self._setting.writer.release(self.fence)

    def _beat(self) -> bool:
        try:
            self._setting.writer.renew(self.fence, self._setting.limits.lease_seconds)
        except LeaseLost:
            self.lost = True
        except StoreError:
            return True  # a lock or a full disk may be gone at the next one
        return not self.lost


@dataclass(frozen=True, slots=True)
class Leasing:
    """Claims for one run, or with ``run_id`` "" for something else that publishes."""

    setting: Setting
    run_id: str = ""

    def claim(
        self,
        units: Iterable[Unit],
        *,
        environment: int | None = None,
        whole: bool = False,
        taking_over: bool = False,
    ) -> tuple[Hold | None, Claim]:
        """Claim what is free of it, in the setting's environment unless another is named. Raises StoreError."""
        setting = self.setting
        request = ClaimRequest(
            self.run_id,
            setting.environment if environment is None else environment,
            tuple(units),
            this_process(),
            setting.limits.lease_seconds,
            whole,
            taking_over,
        )
        claim = setting.writer.claim(request)
        if claim.fence is None:
            return None, claim
        return Hold(setting, claim.fence, claim.granted), claim

    def looks(self, wanted: Mapping[int, PartitionSet], pauses: Iterator[float]) -> Iterator[tuple[LeaseRecord, ...]]:
        """Wait until something of it, by uid, is held by nobody; gives at each look those who hold it until then.

        Whoever holds it gives back what is published, bit by bit: ``pauses`` come before each look.
        """
        while True:
            self.setting.pause(next(pauses))
            self.setting.writer.sweep_leases()
            held = overlaps(self.setting.reader.leases(), self.setting.environment, wanted)
            left = dict(wanted)
            for lease in held:
                for uid, partitions in lease.claims.items():
                    left[uid] = left[uid] - partitions
            if any(left.values()):
                return
            yield held

    @contextmanager
    def holding(
        self,
        units: Iterable[Unit],
        *,
        environment: int | None = None,
        taking_over: bool = False,
        told: Told | None = None,
    ) -> Generator[Hold | None]:
        """Hold all of it, as soon as nobody else holds any of it; with ``taking_over``, at once.

        None where there is nothing to hold. ``told`` hears at each look of those who are waited for.
        """
        wanted = tuple(units)
        pauses = growing_pauses()
        while True:
            hold, claim = self.claim(wanted, environment=environment, whole=True, taking_over=taking_over)
            if hold is not None or not claim.held:
                break
            if told is not None:
                told(claim.held)
            self.setting.pause(next(pauses))
        try:
            yield hold
        finally:
            if hold is not None:
                hold.release()


def publish_alone(setting: Setting, group: Group) -> Ticket:
    """Publish something outside of any run, and wait until it is committed.

    What a run is at is taken from it: it finds the partitions as they are then. Raises PublishConflict and StoreError.
    """
    by_asset: dict[tuple[int, int], list[int]] = {}
    for move in (*group.publications, *group.withdrawals):
        by_asset.setdefault((move.environment, move.uid), []).append(move.ordinal)
    for each in group.repointings:
        by_asset.setdefault((each.environment, each.uid), []).extend(each.ordinals)
    environments = {environment for environment, _ in by_asset}
    assert len(environments) <= 1, "a lease is about one environment"
    units = [Unit((uid,), PartitionSet.from_ordinals(ordinals)) for (_, uid), ordinals in by_asset.items()]
    with Leasing(setting).holding(units, environment=next(iter(environments), None), taking_over=True) as hold:
        ticket = setting.writer.publish(replace(group, fence=hold.fence if hold else None))
        ticket.result()
        return ticket


def growing_pauses() -> Iterator[float]:
    """Seconds between one look and the next.

    >>> pauses = growing_pauses()
    >>> [round(next(pauses), 3) for _ in range(4)]
    [0.02, 0.03, 0.045, 0.068]
    """
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
