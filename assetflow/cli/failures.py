"""What went wrong, as text for people and as the error document."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from assetflow.cli.terminal import Page
from assetflow.cli.words import count
from assetflow.documents import REPORT, internal_message
from assetflow.errors import AssetflowError, DefinitionErrors, SourceLocation
from assetflow.keys import AssetKey, format_address


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
        _show(page, internal_message(error), None, REPORT, trace)


@dataclass(frozen=True, slots=True)
class Alike:
    """Partitions of one asset, in order, with the same error but for their addresses; ``said`` follows an address."""

    addresses: tuple[str, ...]
    said: str
    fields: Mapping[str, object]


def alike(failures: Iterable[tuple[AssetKey, str | None, Mapping[str, object]]]) -> list[Alike]:
    """Failures, each an asset, a partition and the fields of the error document, by what they have in common."""
    found: dict[object, list[str]] = {}
    first: dict[object, tuple[str, Mapping[str, object]]] = {}
    for asset, partition, fields in failures:
        address, message = format_address(asset, partition), str(fields.get("message", ""))
        said = message.removeprefix(address) if message.startswith((f"{address}:", f"{address} ")) else f": {message}"
        rest = {name: str(value) for name, value in fields.items() if name != "message"}
        same = (asset, said, *sorted(rest.items()))
        found.setdefault(same, []).append(address)
        first.setdefault(same, (said, fields))
    return [Alike(tuple(addresses), *first[same]) for same, addresses in found.items()]


def show_alike(page: Page, failure: Alike) -> None:
    """Print an error that some partitions share, once."""
    addresses = failure.addresses
    subject = addresses[0]
    if len(addresses) > 1:
        subject = f"{subject} to {addresses[-1]} ({count(len(addresses), 'partition')})"
    show_fields(page, {**failure.fields, "message": subject + failure.said})


def show_fields(page: Page, fields: Mapping[str, object]) -> None:
    """Print the fields of an error document."""
    _show(
        page,
        str(fields.get("message", "")),
        cast("str | None", fields.get("location")),
        cast("str | None", fields.get("hint")),
        str(fields.get("traceback") or fields.get("output") or ""),
    )


def _show(page: Page, message: str, place: SourceLocation | str | None, hint: str | None, trace: str) -> None:
    page.line(f"error: {message}", style="bold red", lead="error:", lines=True)
    if place is not None:
        page.line(f"  at {place}")
    for line in trace.rstrip().splitlines():
        page.line(f"  | {line}", style="dim")
    if hint is not None:
        page.line(f"  hint: {hint}", style="cyan", lead="  hint:", lines=True)
