"""How a worker's end is told: as the error of the attempt that it carried out."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable

from assetflow.errors import SourceLocation, StepCanceled, WorkerDied
from assetflow.execution.task import Task
from assetflow.keys import format_address


def place_of(task: Task) -> str:
    """The asset partition that a task is about, or the first and the last of a batch."""
    keys = span_of(task)
    return format_address(task.computation, keys) if len(task.partitions) == 1 else f"{task.computation}@{keys}"


def attempt_of(task: Task) -> tuple[str, str | None, int]:
    """Step, partition and number of the attempt that a task is, for its output."""
    return task.computation, span_of(task), task.attempt


def span_of(task: Task) -> str | None:
    """The partition's key, or ``A...B`` of a batch; None when unpartitioned."""
    first, last = task.partitions[0].key, task.partitions[-1].key
    return first if len(task.partitions) == 1 else f"{first}...{last}"


def died(task: Task, status: int | None, output: Iterable[str], location: SourceLocation | None) -> WorkerDied:
    """The error for a worker that ended by itself; ``status`` as from ``waitpid``, None where nobody knows."""
    what, hint = _ending(status)
    return WorkerDied(
        f"{place_of(task)}: the worker process {what} during attempt {task.attempt}",
        output="\n".join(output),
        hint=hint,
        location=location,
    )


_ON_KILL = (
    "the system does that when memory runs out: give the step less to do at once, use fewer workers, "
    "or set max_memory= to have it told earlier"
)


def ending_of(status: int | None) -> str:
    """What became of a process, in a few words.

    >>> ending_of(9), ending_of(3 << 8)
    ('was killed (SIGKILL)', 'ended with exit code 3')
    """
    return _ending(status)[0]


def _ending(status: int | None) -> tuple[str, str]:
    if status is None:
        return "was lost", "whatever ended assetflow's processes is to be found in the system's log; materialize again"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return (
            f"ended with exit code {code}",
            "something called os._exit, or closed the worker's files: raise an exception, or return, instead",
        )
    name = _signal_name(-code)
    if -code == signal.SIGKILL:
        return f"was killed ({name})", _ON_KILL
    if -code in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE):
        return f"crashed ({name})", "compiled code failed; the output has the line of Python that called it"
    return f"was ended by a signal ({name})", "the code, or somebody on this machine, sent it; materialize again"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def out_of_memory(task: Task, used: int, output: Iterable[str], location: SourceLocation | None) -> WorkerDied:
    """The error for a task that took more than its ``max_memory``."""
    assert task.max_memory is not None
    return WorkerDied(
        f"{place_of(task)}: took {sized(used)} of memory in attempt {task.attempt}, "
        f"more than its max_memory of {sized(task.max_memory)}, and was ended",
        output="\n".join(output),
        hint="give it less to do at once (smaller partitions or batches, fewer columns), or raise max_memory",
        location=location,
    )


def stopped(task: Task) -> StepCanceled:
    """The error for a task that was stopped."""
    return StepCanceled(f"{place_of(task)}: attempt {task.attempt} was stopped, for its run was canceled")


def sized(count: int) -> str:
    """Bytes for people.

    >>> sized(2_000_000_000), sized(1_234_567), sized(12)
    ('2 GB', '1.23 MB', '12 bytes')
    """
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
