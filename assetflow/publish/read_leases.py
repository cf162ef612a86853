"""Read leases: what was handed out to be read lazily keeps its files as long as somebody has it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from assetflow.errors import StoreError
from assetflow.keys import VersionId
from assetflow.publish.liveness import this_process
from assetflow.publish.setting import Setting
from assetflow.store.retention import ReadLease

LONGEST = timedelta(days=1)
"""After so long a lease counts no more, even if its process cannot be seen to be gone."""

_LAZY = frozenset({"Dataset", "DuckDBPyRelation", "RecordBatchReader", "Scanner"})


class ReadLeases:
    """The leases of one opened project; whoever closes it calls :meth:`release`."""

    def __init__(self, setting: Callable[[], Setting]) -> None:
        self._setting = setting
        self._held: dict[int, None] = {}

    def hold(self, value: object, versions: Sequence[VersionId]) -> object:
        """The value; if it is read lazily, with a lease on the versions until it is dropped."""
        if not versions or not any(kind.__name__ in _LAZY for kind in type(value).__mro__):
            return value
        setting = self._setting()
        now = setting.clock()
        number = setting.writer.lease_reads(ReadLease(this_process(), tuple(versions), now, now + LONGEST))
        self._held[number] = None
        # What cannot be watched keeps its lease until the project is closed.
        with suppress(TypeError):
            weakref.finalize(value, self._drop, number)
        return value

    def release(self) -> None:
        """Give back every lease."""
        if self._held:
            numbers, self._held = list(self._held), {}
            with suppress(StoreError):
                self._setting().writer.release_reads(numbers)

    def _drop(self, number: int) -> None:
        if self._held.pop(number, 0) is None:
            with suppress(StoreError):
                self._setting().writer.release_reads([number])
