"""Asking a run of whatever process to stop."""

from __future__ import annotations

from assetflow.errors import UnknownRun, UsageError
from assetflow.publish.setting import Setting


def cancel_run(setting: Setting, run_id: str) -> None:
    """Ask a run to stop. Raises UsageError for one that there is not, or that has ended."""
    if not setting.writer.ask_cancel(run_id):
        run = setting.reader.run(run_id)
        if run is None:
            raise UnknownRun(f"there is no run {run_id!r}", hint="`assetflow runs` lists them")
        raise UsageError(
            f"run {run_id} has ended: {run.status}", hint=f"assetflow runs show {run_id} tells how it went"
        )
