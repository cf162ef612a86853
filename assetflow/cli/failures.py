"""What went wrong, as text for people and as the error document."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import cast

from assetflow.cli.terminal import Page
from assetflow.errors import AssetflowError, DefinitionErrors, SourceLocation

_REPORT = "this is a fault of assetflow itself; please report it, with the trace"


def document_of(error: BaseException) -> dict[str, object]:
    """The error document; an exception that nobody meant to raise has the type ``InternalError``."""
    if isinstance(error, AssetflowError):
        return {"error": error.document()}
    return {"error": {"type": "InternalError", "message": _internal(error), "hint": _REPORT, "location": None}}


def exit_code_of(error: BaseException) -> int:
    """The exit code that an error leads to."""
    return error.exit_code if isinstance(error, AssetflowError) else 1


def show_error(page: Page, error: BaseException) -> None:
    """Print an error: what is wrong, where, and what to do next.

    >>> import sys
    >>> show_error(Page(sys.stdout), AssetflowError("orders has no rows", hint="assetflow show orders"))
    error: orders has no rows
      hint: assetflow show orders
    """
    if isinstance(error, DefinitionErrors):
        for each in error.errors:
            _show(page, each.message, each.location, each.hint, each.traceback)
        page.line(f"error: {error.message}; nothing was started", style="bold red", lead="error:")
    elif isinstance(error, AssetflowError):
        _show(page, error.message, error.location, error.hint, str(getattr(error, "traceback", "")))
    else:
        trace = "".join(traceback.format_exception(error))
        _show(page, _internal(error), None, _REPORT, trace)


def show_fields(page: Page, subject: str, fields: Mapping[str, object]) -> None:
    """Print the fields of an error document as the error of a subject, such as an asset partition."""
    message = str(fields.get("message", ""))
    told = message if message.startswith((f"{subject}:", f"{subject} ")) else f"{subject}: {message}"
    _show(
        page,
        told,
        cast("str | None", fields.get("location")),
        cast("str | None", fields.get("hint")),
        str(fields.get("traceback") or ""),
    )


def _show(page: Page, message: str, place: SourceLocation | str | None, hint: str | None, trace: str) -> None:
    page.line(f"error: {message}", style="bold red", lead="error:", lines=True)
    if place is not None:
        page.line(f"  at {place}")
    for line in trace.rstrip().splitlines():
        page.line(f"  | {line}", style="dim")
    if hint is not None:
        page.line(f"  hint: {hint}", style="cyan", lead="  hint:", lines=True)


def _internal(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
