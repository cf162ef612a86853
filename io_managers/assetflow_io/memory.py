"""Values kept in this process: for tests and temporary projects."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from blake3 import blake3

from assetflow.errors import DataMissing, InputError, OutputError
from assetflow.io import InputContext, OutputContext, StagedOutput, arrow_table, concat_tables, table_as, table_types
from assetflow.keys import DataHash, VersionId, format_address

if TYPE_CHECKING:
    import pyarrow as pa


class MemoryIOManager:
    """Keeps tables as Arrow and everything else pickled, so that no two readers share an object.

    What it holds is gone when the instance is: it works with the inline executor and a temporary project only.

    >>> MemoryIOManager().cross_process
    False
    """

    name = "memory"
    storage = "memory"
    versioned = True
    external = False
    cross_process = False

    def __init__(self) -> None:
        self._tables: dict[VersionId, pa.Table] = {}
        self._pickles: dict[VersionId, bytes] = {}

    @property
    def types(self) -> tuple[type, ...]:
        """Everything; tables are taken as such."""
        return (*table_types(), object)

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        """Keep a copy. Raises OutputError for what is no table and does not pickle."""
        place = format_address(context.asset, context.partition)
        if isinstance(value, table_types()):
            table = _copied(arrow_table(value, place))
            self._tables[context.version] = table
            return StagedOutput(storage=self.storage, row_count=table.num_rows)
        try:
            data = pickle.dumps(value, protocol=5)
        except Exception as error:  # __reduce__ and __getstate__ are the user's code
            raise OutputError(
                f"{place}: a value of type {type(value).__qualname__} cannot be copied: {error}",
                hint="return plain values or a table, or leave out open files, locks, connections and lambdas",
            ) from error
        self._pickles[context.version] = data
        return StagedOutput(storage=self.storage, data_hash=DataHash("a1:" + blake3(data).hexdigest(length=16)))

    def load(self, context: InputContext, expected_type: type) -> object:
        """Tables as one; one value as itself, several as a list. Raises DataMissing and InputError."""
        values: list[object] = []
        for partition in context.partitions:
            place = format_address(partition.asset, partition.partition)
            if partition.version in self._tables:
                values.append(self._tables[partition.version])
                continue
            if partition.version not in self._pickles:
                raise DataMissing(
                    f"{place}: version {partition.version} is not in this process's memory",
                    hint=f"build it here: assetflow materialize --select {partition.asset} --force",
                )
            value: object = pickle.loads(self._pickles[partition.version])
            if not isinstance(value, expected_type):
                raise InputError(
                    f"{place}: holds a {type(value).__qualname__}, which cannot arrive as {expected_type.__qualname__}",
                    hint="annotate the parameter with the type that the asset returns",
                )
            values.append(value)
        tables = [partition.version in self._tables for partition in context.partitions]
        asset = context.partitions[0].asset
        if all(tables):
            return table_as(concat_tables(cast("Sequence[pa.Table]", values), asset), expected_type, asset)
        if any(tables):
            raise InputError(
                f"{asset}: some of its partitions hold tables and some other values",
                hint="annotate the parameter as dict[str, T], or rebuild the old partitions with --force",
            )
        return values[0] if len(values) == 1 else values

    def discard(self, context: OutputContext, staged: StagedOutput) -> None:
        """Forget a version that will not be published."""
        self._tables.pop(context.version, None)
        self._pickles.pop(context.version, None)


def _copied(table: pa.Table) -> pa.Table:
    # An Arrow table may be a view of numpy memory that the user still writes to.
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_stream(sink.getvalue()).read_all()
