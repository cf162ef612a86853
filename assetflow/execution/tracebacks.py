"""Turning what a user's function raised into an error that shows the user's frames and nothing else."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path

from assetflow.errors import AssetflowError, SourceLocation, UserCodeError

_NOT_THE_USERS = (str(Path(__file__).resolve().parent.parent), str(Path(importlib.__file__).parent))


def user_error(error: BaseException, what: str) -> AssetflowError:
    """Wrap what a user's function raised; ``what`` names the asset partition or check.

    An AssetflowError raised on purpose inside (a bad use of the context, say) passes unchanged.

    >>> str(user_error(ValueError("no rows"), "orders@2024-01-01")).splitlines()[0]
    'orders@2024-01-01 raised ValueError: no rows'
    """
    if isinstance(error, AssetflowError):
        return error
    frames = user_frames(error)
    trimmed = traceback.TracebackException.from_exception(error)
    trimmed.stack = traceback.StackSummary.from_list(frames)
    text = str(error)
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return UserCodeError(
        f"{what} raised {reason}",
        traceback="".join(trimmed.format()).rstrip(),
        location=SourceLocation(_shown(frames[-1].filename), frames[-1].lineno or 0) if frames else None,
    )


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames from the user's function on: those at the top that are ours, or the import's, are dropped."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<frozen ")]
    while frames and frames[0].filename.startswith(_NOT_THE_USERS):
        frames.pop(0)
    return frames


def _shown(filename: str) -> str:
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except ValueError:
        return filename
