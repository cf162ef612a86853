"""Runs as they were recorded, found by their id."""

from __future__ import annotations

from assetflow.errors import UnknownRun, UsageError
from assetflow.planner.recording import RecordedPlan, read_record
from assetflow.publish.setting import Setting
from assetflow.store.records import RunRecord


def recorded_run(setting: Setting, run_id: str) -> tuple[RunRecord, RecordedPlan]:
    """A run of this environment and its plan.

    Raises UsageError for one that there is not, that is another environment's, or whose partitions were not recorded.
    """
    run = setting.reader.run(run_id)
    if run is None:
        raise UnknownRun(f"there is no run {run_id!r}", hint="`assetflow runs` lists them")
    if run.environment != setting.environment:
        names = {number: name for name, number in setting.reader.environments().items()}
        name = names[run.environment]
        raise UsageError(
            f"run {run_id} was one of the environment {name}", hint=f"set ASSETFLOW_ENVIRONMENT={name} and try again"
        )
    plan = read_record(run.plan)
    if plan is None:
        raise UsageError(
            f"of run {run_id} it was not recorded which partitions it was to do",
            hint="assetflow plan shows what there is to do",
        )
    return run, plan
