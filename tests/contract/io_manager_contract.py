"""What every IO manager keeps to: a subclass names the manager and gives values that it stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from assetflow.errors import DataMissing
from assetflow.io import InputContext, IOManager, OutputContext, StagedOutput, StoredFile, StoredPartition
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.folders import Storage

ORDERS = AssetKey("raw/orders")


class Shelf:
    """Stages values as a run would, under a folder."""

    def __init__(self, root: Path) -> None:
        self.storage = Storage(root)
        self._last = 0

    def context(self, partition: str | None = "2024-01-01", asset: AssetKey = ORDERS) -> OutputContext:
        self._last += 1
        version = VersionId(self._last)
        location = self.storage.location(asset, partition, version)
        return OutputContext(asset, partition, version, lambda: self.storage.create(location))

    def put(
        self, manager: IOManager, value: object, partition: str | None = "2024-01-01", asset: AssetKey = ORDERS
    ) -> StoredPartition:
        context = self.context(partition, asset)
        return self.stored(context, manager.stage(context, value))

    def stored(self, context: OutputContext, staged: StagedOutput) -> StoredPartition:
        files: tuple[StoredFile, ...] = ()
        if staged.files:
            location = self.storage.location(context.asset, context.partition, context.version)
            sealed = self.storage.seal(
                location, asset=context.asset, partition=context.partition, version=context.version
            )
            folder = self.storage.folder(location)
            files = tuple(StoredFile(folder / file.name, file.size, file.digest) for file in sealed)
            assert {file.name for file in sealed} == set(staged.files)
        return StoredPartition(
            context.asset, context.partition, context.version, files, staged.inline, staged.row_count
        )


def load(manager: IOManager, *partitions: StoredPartition, expected: type = object) -> object:
    return manager.load(InputContext(partitions), expected)


class IOManagerContract:
    """Subclasses give ``manager`` and ``values``, and say how several partitions of them come back."""

    @pytest.fixture
    def manager(self) -> IOManager:
        raise NotImplementedError

    @pytest.fixture
    def values(self) -> Sequence[object]:
        """Two different values, each mutable."""
        raise NotImplementedError

    def combined(self, values: Sequence[object]) -> object:
        return list(values)

    def same(self, one: object, other: object) -> bool:
        return one == other

    def spoil(self, value: object) -> None:
        """Change a value in place."""
        raise NotImplementedError

    @pytest.fixture
    def shelf(self, tmp_path: Path) -> Shelf:
        return Shelf(tmp_path)

    def test_it_is_an_io_manager(self, manager: IOManager) -> None:
        assert isinstance(manager, IOManager)
        assert manager.name
        assert all(isinstance(kind, type) for kind in manager.types)

    def test_its_types_hold_its_values(self, manager: IOManager, values: Sequence[object]) -> None:
        assert all(isinstance(value, manager.types) for value in values)

    def test_a_value_comes_back(self, manager: IOManager, values: Sequence[object], shelf: Shelf) -> None:
        for value in values:
            assert self.same(load(manager, shelf.put(manager, value)), value)

    def test_it_comes_back_as_its_own_type(self, manager: IOManager, values: Sequence[object], shelf: Shelf) -> None:
        for value in values:
            assert self.same(load(manager, shelf.put(manager, value), expected=type(value)), value)

    def test_several_partitions_come_back_together_in_order(
        self, manager: IOManager, values: Sequence[object], shelf: Shelf
    ) -> None:
        stored = [shelf.put(manager, value, partition) for value, partition in zip(values, "ba", strict=True)]
        assert self.same(load(manager, *stored), self.combined(values))
        assert self.same(load(manager, *reversed(stored)), self.combined(values[::-1]))

    def test_what_is_stored_is_not_the_callers_object(
        self, manager: IOManager, values: Sequence[object], shelf: Shelf
    ) -> None:
        first = values[0]
        stored = shelf.put(manager, first)
        before = load(manager, stored)
        self.spoil(first)
        assert self.same(load(manager, stored), before)
        assert not self.same(first, before)

    def test_two_readers_share_nothing(self, manager: IOManager, values: Sequence[object], shelf: Shelf) -> None:
        stored = shelf.put(manager, values[0])
        one, other = load(manager, stored), load(manager, stored)
        self.spoil(one)
        assert not self.same(one, other)
        assert self.same(load(manager, stored), other)

    def test_a_second_version_leaves_the_first_alone(
        self, manager: IOManager, values: Sequence[object], shelf: Shelf
    ) -> None:
        first, second = (shelf.put(manager, value) for value in values)
        assert self.same(load(manager, first), values[0])
        assert self.same(load(manager, second), values[1])

    def test_equal_values_have_equal_storage_and_hash(
        self, manager: IOManager, values: Sequence[object], shelf: Shelf
    ) -> None:
        one, other = (manager.stage(shelf.context(), values[0]) for _ in range(2))
        assert (one.storage, one.data_hash, one.row_count) == (other.storage, other.data_hash, other.row_count)
        assert one.storage == getattr(manager, "storage", one.storage)

    def test_a_version_that_is_gone_is_reported_with_its_place(
        self, manager: IOManager, values: Sequence[object], shelf: Shelf
    ) -> None:
        stored = shelf.put(manager, values[0])
        for file in stored.files:
            file.path.unlink()
        if not stored.files:
            stored = StoredPartition(ORDERS, "2024-01-01", VersionId(999))
        with pytest.raises(DataMissing, match=f"raw/orders@2024-01-01: version {stored.version}") as caught:
            load(manager, stored)
        assert caught.value.hint
        assert "assetflow materialize --select raw/orders --force" in caught.value.hint
