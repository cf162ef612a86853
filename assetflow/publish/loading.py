"""From published versions to what arrives in a parameter."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from assetflow.definitions.annotations import Arrival, type_text
from assetflow.errors import InputError
from assetflow.io import (
    InputContext,
    IOManager,
    StoredPartition,
    arrow_table,
    concat_tables,
    duckdb_connection,
    mark_native,
    table_as,
    table_types,
)
from assetflow.keys import format_address
from assetflow.publish.matching import matches
from assetflow.publish.schemas import read_schema

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_COLUMN = "_partition"
"""The column with the downstream key, in tables that are loaded in a batch."""


class InputPartition(Protocol):
    """One resolved upstream partition; ``stored`` is None where it was published as empty."""

    @property
    def key(self) -> str | None:
        """The upstream's true partition key; None when it is unpartitioned."""
        ...

    @property
    def stored(self) -> StoredPartition | None:
        """What to load."""
        ...

    @property
    def io_manager(self) -> str | None:
        """The name of the manager that stored it."""
        ...


def load_input(
    arrival: Arrival,
    partitions: Sequence[InputPartition],
    managers: Mapping[str, IOManager],
    *,
    known_schema: bytes | None = None,
    columns: Sequence[str] | None = None,
    many: bool = False,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> object:
    """What arrives in a parameter annotated as ``arrival``, from upstream partitions in their order.

    Empty partitions are skipped. Where nothing is left: a table without rows, with the columns of ``known_schema``;
    an empty dict or list; None. ``many`` says that the mapping may give several partitions, so that one alone arrives
    in the same container. DuckDB joins only relations of one ``connection``. ``list[Path]`` gives all files in order.
    Raises InputError, DataMissing and DataUnreadable.
    """
    return _Loading(arrival, managers, known_schema, columns, many, connection).load(partitions)


def load_batch_input(
    arrival: Arrival,
    partitions: Mapping[str, Sequence[InputPartition]],
    managers: Mapping[str, IOManager],
    *,
    known_schema: bytes | None = None,
    columns: Sequence[str] | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> object:
    """Like :func:`load_input` for a batch: ``partitions`` by downstream key.

    Tables carry ``_partition``, the downstream key, and repeat where several downstream partitions read the same
    upstream. Everything else arrives once.
    """
    loading = _Loading(arrival, managers, known_schema, columns, many=True, connection=connection)
    return loading.load_batch(partitions)


class _Loading:
    def __init__(
        self,
        arrival: Arrival,
        managers: Mapping[str, IOManager],
        known_schema: bytes | None,
        columns: Sequence[str] | None,
        many: bool,
        connection: duckdb.DuckDBPyConnection | None,
    ) -> None:
        self._arrival = arrival
        self._managers = managers
        self._known_schema = known_schema
        self._columns = tuple(columns) if columns is not None else None
        self._many = many
        self._connection = connection

    def load(self, partitions: Sequence[InputPartition]) -> object:
        arrival = self._arrival
        present = [partition for partition in partitions if partition.stored is not None]
        if arrival.container == "paths":
            return [path for partition in present for path in self._paths(partition)]
        partitioned = any(partition.key is not None for partition in partitions)
        if arrival.container == "dict":
            if partitions and not partitioned:
                # No keys to go by: the annotation describes the one value, itself a dict.
                whole = Arrival("one", "value", dict)
                return self._plain(whole, present[0]) if present else {}
            each = replace(arrival, container="any" if arrival.type == "any" else "one")
            return {partition.key: self._one(each, partition) for partition in present}
        if arrival.is_table or (arrival.container == "any" and self._holds_tables(present)):
            return self._table(arrival, present)
        several = partitioned and (self._many or len(partitions) > 1)
        if arrival.container == "any" and several:
            return {partition.key: self._plain(arrival, partition) for partition in present}
        if several:
            raise InputError(
                f"{self._asset(partitions)}: several of its partitions arrive, which {type_text(arrival.python)} "
                "cannot hold",
                hint=f"annotate dict[str, {type_text(arrival.python)}] to get them by partition key",
            )
        return self._plain(arrival, present[0]) if present else None

    def load_batch(self, partitions: Mapping[str, Sequence[InputPartition]]) -> object:
        arrival = self._arrival
        distinct = {id(each): each for upstream in partitions.values() for each in upstream}.values()
        by_key = {partition.key: partition for partition in distinct}
        once = list(by_key.values())
        present = [partition for partition in once if partition.stored is not None]
        tables = arrival.is_table or (arrival.type == "any" and self._holds_tables(present))
        if arrival.container == "paths" or not tables:
            return self.load(once)
        readers = {key: [each.key for each in upstream] for key, upstream in partitions.items()}
        if arrival.container == "dict":
            each = self._native(arrival)
            return {
                partition.key: table_as(
                    self._repeated({k: [u for u in up if u == partition.key] for k, up in readers.items()}, by_key),
                    each,
                    self._asset(once),
                    connection=self._connection,
                )
                for partition in present
            }
        table = self._repeated(readers, by_key) if present else self._without_rows(batch=True)
        return table_as(table, self._native(arrival), self._asset(once), connection=self._connection)

    def _repeated(
        self, readers: Mapping[str, Sequence[str | None]], by_key: Mapping[str | None, InputPartition]
    ) -> pa.Table:
        import pyarrow as pa

        tables: dict[str | None, pa.Table] = {}
        pieces: list[pa.Table] = []
        for downstream, upstream in readers.items():
            for key in upstream:
                partition = by_key[key]
                if partition.stored is None:
                    continue
                if key not in tables:
                    tables[key] = self._arrow([partition])
                table = tables[key]
                if BATCH_COLUMN in table.column_names:
                    place = format_address(partition.stored.asset, key)
                    raise InputError(
                        f"{place}: has a column {BATCH_COLUMN!r}, which a batch would overwrite",
                        hint="rename that column upstream, or leave batch= out",
                    )
                repeated = pa.repeat(pa.scalar(downstream, pa.string()), table.num_rows)
                pieces.append(table.append_column(BATCH_COLUMN, repeated))
        return concat_tables(pieces, self._asset(list(by_key.values())))

    def _one(self, arrival: Arrival, partition: InputPartition) -> object:
        if arrival.is_table or (arrival.container == "any" and self._holds_tables([partition])):
            return self._table(arrival, [partition])
        return self._plain(arrival, partition)

    def _plain(self, arrival: Arrival, partition: InputPartition) -> object:
        context, manager = self._context([partition]), self._manager(partition)
        value = manager.load(context, object)
        if arrival.python is None or matches(arrival.python, value):
            return value
        raise InputError(
            f"{self._place(partition)}: holds a {type(value).__qualname__}, and the annotation says "
            f"{type_text(arrival.python)}",
            hint="annotate the parameter with the type that the asset returns",
        )

    def _paths(self, partition: InputPartition) -> list[Path]:
        stored = partition.stored
        assert stored is not None
        if not stored.files:
            raise InputError(
                f"{self._place(partition)}: has no files; its value is kept "
                f"{'in the version record' if stored.inline is not None else 'elsewhere'}",
                hint="annotate the parameter with the type that the asset returns",
            )
        return [file.path for file in stored.files]

    def _table(self, arrival: Arrival, present: Sequence[InputPartition]) -> object:
        wanted = self._native(arrival)
        if not present:
            return table_as(self._without_rows(), wanted, "", connection=self._connection)
        managers = {partition.io_manager for partition in present}
        manager = self._manager(present[0])
        if len(managers) > 1 or not _takes_tables(manager):
            return table_as(self._arrow(present), wanted, self._asset(present), connection=self._connection)
        if arrival.type == "duckdb":
            from pyarrow import dataset

            lazy: Any = dataset.Dataset if dataset.Dataset in manager.types else _arrow_table_type()
            source: Any = self._checked(manager.load(self._context(present), lazy), present)
            return (self._connection or duckdb_connection()).from_arrow(source)
        return self._checked(manager.load(self._context(present), wanted), present)

    def _arrow(self, present: Sequence[InputPartition]) -> pa.Table:
        """As one Arrow table, whichever managers stored the parts."""
        tables: list[pa.Table] = []
        for _, same in itertools.groupby(present, key=lambda partition: partition.io_manager):
            group = list(same)
            manager = self._manager(group[0])
            for part in [group] if _takes_tables(manager) else [[partition] for partition in group]:
                value = manager.load(self._context(part), object)
                place = self._place(part[0])
                if not isinstance(value, table_types()):
                    raise InputError(
                        f"{place}: holds a {type(value).__qualname__}, which cannot arrive as a table",
                        hint="annotate the parameter with the type that the asset returns",
                    )
                tables.append(arrow_table(self._checked(value, part), place))
        return concat_tables(tables, self._asset(present))

    def _checked(self, table: Any, present: Sequence[InputPartition]) -> object:
        """The table with the columns that were asked for, in that order, where it is not a lazy one."""
        if self._columns is None:
            return table
        if type(table).__name__ == "DataFrame":
            names = [*table.columns, *(name for name in table.index.names if name is not None)]
        else:
            names = list(getattr(table, "column_names", None) or table.schema.names)
        absent = [name for name in self._columns if name not in names]
        if absent:
            raise InputError(
                f"{self._asset(present)}: has no column {', '.join(map(repr, absent))}; it has {', '.join(names)}",
                hint="mend columns= of that Input",
            )
        if type(table).__name__ == "DataFrame":
            return table[[name for name in self._columns if name in table.columns]]
        if hasattr(table, "replace_schema"):
            import pyarrow as pa

            return table.replace_schema(pa.schema([table.schema.field(name) for name in self._columns]))
        return table.select(list(self._columns))

    def _without_rows(self, *, batch: bool = False) -> pa.Table:
        import pyarrow as pa

        table = (read_schema(self._known_schema) if self._known_schema is not None else pa.schema([])).empty_table()
        table = mark_native(table, "pandas")
        if self._columns is not None:
            table = table.select([name for name in self._columns if name in table.column_names])
        return table.append_column(BATCH_COLUMN, pa.array([], pa.string())) if batch else table

    def _native(self, arrival: Arrival) -> type:
        if arrival.is_table:
            return arrival.python
        return object

    def _holds_tables(self, present: Sequence[InputPartition]) -> bool:
        """Whether the partitions hold tables: only of those are rows counted."""
        if not present:
            return self._known_schema is not None
        return all(partition.stored is not None and partition.stored.row_count is not None for partition in present)

    def _manager(self, partition: InputPartition) -> IOManager:
        name = partition.io_manager
        if name is None or name not in self._managers:
            raise InputError(
                f"{self._place(partition)}: was stored by the IO manager {name!r}, which there is no longer; there is "
                f"{', '.join(sorted(self._managers))}",
                hint="add it to Definitions(io_managers=...), or rebuild that asset with --force",
            )
        return self._managers[name]

    def _context(self, present: Sequence[InputPartition]) -> InputContext:
        stored = tuple(partition.stored for partition in present if partition.stored is not None)
        return InputContext(stored, self._columns)

    def _place(self, partition: InputPartition) -> str:
        stored = partition.stored
        return format_address(stored.asset, partition.key) if stored is not None else str(partition.key)

    def _asset(self, partitions: Sequence[InputPartition]) -> str:
        return next((partition.stored.asset for partition in partitions if partition.stored is not None), "an input")


def _takes_tables(manager: IOManager) -> bool:
    return _arrow_table_type() in manager.types


def _arrow_table_type() -> type:
    import pyarrow as pa

    return pa.Table
