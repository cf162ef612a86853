"""What the user code of a run printed, read or followed."""

from __future__ import annotations

import time
from collections.abc import Iterator

from assetflow.errors import UnknownRun
from assetflow.execution.output.reading import followed_lines
from assetflow.execution.output.recording import OutputLine
from assetflow.keys import AssetKey
from assetflow.publish.liveness import is_gone
from assetflow.publish.setting import Setting

_LOOK_EVERY = 0.2


def run_lines(setting: Setting, run_id: str, step: str | None = None, *, follow: bool = False) -> Iterator[OutputLine]:
    """The lines of a run, those of one asset's step only where that is asked for; ``follow``: until the run ends.

    Raises UsageError for a run that there is not.
    """
    if setting.reader.run(run_id) is None:
        raise UnknownRun(f"there is no run {run_id!r}", hint="`assetflow runs` lists them")
    computation = setting.graph.owner.get(AssetKey(step), step) if step else None

    def goes_on() -> bool:
        run = setting.reader.run(run_id) if follow else None
        return run is not None and run.status == "running" and not is_gone(run.process)

    if setting.logs is None:
        return iter(())
    return followed_lines(setting.logs, run_id, computation, goes_on, lambda: time.sleep(_LOOK_EVERY))
