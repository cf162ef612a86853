"""What ``materialize`` gives back: how the run went, and the values that it published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from assetflow.definitions.inputs import AssetRef
from assetflow.execution.result import Failure, Outcome, ResultStatus, RunResult
from assetflow.keys import AssetKey
from assetflow.planner.plan import Plan

if TYPE_CHECKING:
    from assetflow.project import Project


@dataclass(frozen=True, slots=True)
class Result:
    """``status`` is ``success``, ``failed`` (some partition failed, was refused by a check or blocked) or ``canceled``.

    ``counts`` are asset partitions by outcome; ``run_id`` is None when there was nothing to do.
    """

    run: RunResult
    project: Project

    @property
    def status(self) -> ResultStatus:
        return self.run.status

    @property
    def run_id(self) -> str | None:
        return self.run.run_id

    @property
    def counts(self) -> Mapping[Outcome, int]:
        return self.run.counts

    @property
    def by_asset(self) -> Mapping[AssetKey, Mapping[Outcome, int]]:
        return self.run.by_asset

    @property
    def seconds(self) -> float:
        return self.run.seconds

    @property
    def failures(self) -> tuple[Failure, ...]:
        return self.run.failures

    @property
    def added(self) -> Mapping[str, int]:
        """How many keys the run added to dynamic partitions, by name; the next run builds them."""
        return self.run.added

    @property
    def plan(self) -> Plan:
        return self.run.plan

    def value(self, asset: AssetRef, partition: str | None = None) -> object:
        """What is published of an asset now, as :meth:`Project.load` gives it."""
        return self.project.load(asset, partition)

    def to_dict(self) -> dict[str, object]:
        """The materialize document."""
        return self.run.to_dict()


def materialize(
    assets: Iterable[object],
    partitions: str | Sequence[str | tuple[str, str]] | None = None,
    *,
    now: datetime | None = None,
    force: bool = False,
) -> Result:
    """Build assets in a temporary project, for tests; ``result.value("name")`` gives what was published.

    >>> from assetflow import asset
    >>> @asset(code_version="1")
    ... def one() -> int:
    ...     return 1
    >>> @asset(code_version="1")
    ... def two(one: int) -> int:
    ...     return one + 1
    >>> materialize([one, two]).value("two")
    2
    """
    from assetflow.project import Project

    project = Project(list(assets))
    try:
        return project.materialize(partitions=partitions, now=now, force=force)
    finally:
        project.close_when_dropped()
