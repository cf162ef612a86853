"""Turning what a user's function raised into an error that shows the user's frames and nothing else."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Iterable
from pathlib import Path

from assetflow.errors import AssetflowError, SourceLocation, UsageError, UserCodeError, class_names

# Importing a module is our doing, too.
_OURS = tuple(
    str(folder) + os.sep for folder in (Path(__file__).resolve().parent.parent, Path(importlib.__file__).parent)
)
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

_LONGEST_TEXT = 4_000
"""Characters of an exception's own text that are kept: some libraries put a whole table into it."""

_LONGEST_LINE = 400


def user_error(error: BaseException, what: str) -> AssetflowError:
    """Wrap what a user's function raised; ``what`` names the asset partition or check.

    An AssetflowError raised on purpose inside (a bad use of the context, say) passes; a UsageError gets its place.

    >>> str(user_error(ValueError("no rows"), "orders@2024-01-01")).splitlines()[0]
    'orders@2024-01-01 raised ValueError: no rows'
    """
    if isinstance(error, AssetflowError) and (error.location or not isinstance(error, UsageError)):
        return error
    frames = user_frames(error)
    place = next((frame for frame in reversed(frames) if not frame.filename.startswith("<")), None)
    location = SourceLocation(_shown(place.filename), place.lineno or 0) if place else None
    if isinstance(error, AssetflowError):
        error.location = location
        return error
    wrapped = UserCodeError(
        f"{what} {_verb(error)}",
        traceback=_traceback(error),
        hint="raise an exception, or return, instead of ending the process" if isinstance(error, SystemExit) else None,
        location=location,
    )
    wrapped.raised = class_names(type(error))
    return wrapped


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames in the user's files; where there is none, those of the libraries that were called."""
    return _of_user(traceback.extract_tb(error.__traceback__))


def _of_user(stack: Iterable[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
    frames = [frame for frame in stack if not frame.filename.startswith(("<frozen ", *_OURS))]
    return [frame for frame in frames if not _is_library(frame.filename)] or frames


def _is_library(filename: str) -> bool:
    # Compiled modules give the place of their sources at the time they were built, relative to nothing.
    built = not filename.startswith("<") and not os.path.isabs(filename)
    return built or filename.startswith(_LIBRARY) or any(folder in filename for folder in _INSTALLED)


def _verb(error: BaseException) -> str:
    name, text = type(error).__name__, _text(error)
    if isinstance(error, SystemExit):
        return f"called sys.exit({text})"
    return f"raised {name}: {text}" if text else f"raised {name}"


def _text(error: BaseException) -> str:
    try:
        text = repr(error.code) if isinstance(error, SystemExit) else str(error)
    except Exception as problem:
        return f"(its text cannot be had: str() raised {type(problem).__name__})"
    # Lone surrogates can be neither stored nor printed.
    return _shortened(text.encode("utf-8", "backslashreplace").decode(), _LONGEST_TEXT)


def _traceback(error: BaseException) -> str:
    trimmed = traceback.TracebackException.from_exception(error)
    _trim(trimmed)
    text = "".join(trimmed.format()).rstrip().encode("utf-8", "backslashreplace").decode()
    return "\n".join(_shortened(line, _LONGEST_LINE) for line in text.splitlines())


def _trim(shown: traceback.TracebackException) -> None:
    """Keep the user's frames only, also of what it was caused by and of what it groups."""
    shown.stack = traceback.StackSummary.from_list(_of_user(shown.stack))
    for other in (shown.__cause__, shown.__context__, *(shown.exceptions or ())):
        if other is not None:
            _trim(other)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text):,} characters)"


def _shown(filename: str) -> str:
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except ValueError:
        return filename
