"""``AssetContext``: what a function learns about the partitions that it is called for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from assetflow.errors import AssetflowError, UsageError
from assetflow.partitions.dynamic_partitions import require_keys, require_set

if TYPE_CHECKING:
    from logging import Logger

Window = tuple[datetime, datetime]


class AssetContext:
    """What the parameter ``context`` holds: which asset, which partitions, which run and attempt (from 1).

    ``windows`` are the half-open time windows of ``partition_keys``, in their order, aware; none for static partitions.
    In a test, make one yourself:

    >>> context = AssetContext("weather_daily", partition_keys=["2013-01-05"])
    >>> context.partition_key
    '2013-01-05'
    """

    __slots__ = ("_added", "_dynamic", "_log", "_metadata", "_windows", "asset", "attempt", "partition_keys", "run_id")

    def __init__(
        self,
        asset: str,
        *,
        partition_keys: Sequence[str] = (),
        windows: Sequence[Window] = (),
        run_id: str = "",
        attempt: int = 1,
        log: Logger | None = None,
        dynamic: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self.asset = asset
        self.partition_keys = tuple(partition_keys)
        self.run_id = run_id
        self.attempt = attempt
        self._windows = tuple(windows)
        self._log = log
        self._dynamic = dynamic
        self._metadata: dict[str, object] = {}
        self._added: dict[str, dict[str, None]] = {}

    @property
    def partition_key(self) -> str:
        """The partition's key. Raises AssetflowError if there is none, or several."""
        self._require_one("partition_key")
        return self.partition_keys[0]

    @property
    def partition_start(self) -> datetime:
        """When the partition's time window starts, in its time zone. Raises AssetflowError if it has none."""
        return self._window("partition_start")[0]

    @property
    def partition_end(self) -> datetime:
        """When the partition's time window ends: the first instant after it. Raises AssetflowError if it has none."""
        return self._window("partition_end")[1]

    @property
    def log(self) -> Logger:
        """A logger whose records belong to the run."""
        if self._log is None:
            import logging

            self._log = logging.getLogger(f"assetflow.assets.{self.asset.replace('/', '.')}")
        return self._log

    def add_metadata(self, **values: object) -> None:
        """Keep values beside what is published; a name given again replaces the earlier value.

        >>> context = AssetContext("orders")
        >>> context.add_metadata(rows=3)
        >>> dict(context.collected_metadata)
        {'rows': 3}
        """
        self._metadata.update(values)

    @property
    def collected_metadata(self) -> Mapping[str, object]:
        """What :meth:`add_metadata` was given so far."""
        return dict(self._metadata)

    def add_partitions(self, name: str, keys: Iterable[str]) -> None:
        """Add keys to the dynamic partitions ``name``, together with what is published; nothing if that fails.

        Keys that are there already change nothing. The run that adds them does not build them, the next one does.
        Raises UsageError for a name that no asset declares, and InvalidPartition for what cannot be a key.

        >>> context = AssetContext("inbox")
        >>> context.add_partitions("files", ["a.csv", "b.csv"])
        >>> context.added_partitions
        {'files': ('a.csv', 'b.csv')}
        """
        try:
            if self._dynamic is not None:
                require_set(name, self._dynamic())
            found = require_keys(name, keys)
        except UsageError as error:
            raise type(error)(f"{self.asset}: context.add_partitions: {error.message}", hint=error.hint) from None
        self._added.setdefault(name, {}).update(dict.fromkeys(found))

    @property
    def added_partitions(self) -> Mapping[str, tuple[str, ...]]:
        """What :meth:`add_partitions` was given so far, by name."""
        return {name: tuple(keys) for name, keys in self._added.items()}

    def _window(self, name: str) -> Window:
        self._require_one(name)
        if not self._windows:
            raise AssetflowError(
                f"{self.asset}@{self.partition_key}: no context.{name}, for its partitions are no time windows",
                hint="use context.partition_key",
            )
        return self._windows[0]

    def _require_one(self, name: str) -> None:
        if not self.partition_keys:
            raise AssetflowError(
                f"{self.asset}: no context.{name}, for the asset is not partitioned",
                hint="give it partitions=, or leave the partition out of the function",
            )
        if len(self.partition_keys) > 1:
            raise AssetflowError(
                f"{self.asset}: no single context.{name} in a batch of {len(self.partition_keys)} partitions",
                hint="use context.partition_keys",
            )
