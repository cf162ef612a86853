"""How much time what is left of a run is expected to take."""

from __future__ import annotations

from assetflow.planner.plan import Plan


class Remaining:
    """Counts down the estimates of a plan's steps; the asset partitions of a computation weigh alike."""

    def __init__(self, plan: Plan) -> None:
        estimated = [step for step in plan.steps if step.estimate is not None]
        self._seconds: dict[str, float] = {}
        self._partitions: dict[str, int] = {}
        for step in estimated:
            assert step.estimate is not None
            name = step.computation
            self._seconds[name] = self._seconds.get(name, 0.0) + step.estimate.seconds
            self._partitions[name] = self._partitions.get(name, 0) + step.asset_partitions
        self._left = sum(self._seconds.values()) if estimated else None
        self.complete = len(estimated) == len(plan.steps)
        """Whether all of the steps have estimates."""

    @property
    def seconds(self) -> float | None:
        """What is left, of the steps that have estimates; None where no step has any."""
        return None if self._left is None else max(self._left, 0.0)

    def done(self, computation: str) -> None:
        """One asset partition of a computation is done, whatever became of it."""
        if self._left is not None and computation in self._seconds:
            self._left -= self._seconds[computation] / self._partitions[computation]
