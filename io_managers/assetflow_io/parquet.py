"""Tables as parquet: one zstd-compressed file per version."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from assetflow.errors import DataMissing, DataUnreadable, InputError, OutputError
from assetflow.io import (
    InputContext,
    OutputContext,
    StagedOutput,
    StoredPartition,
    arrow_table,
    concat_tables,
    duckdb_connection,
    mark_native,
    table_as,
    table_types,
)
from assetflow.keys import format_address

if TYPE_CHECKING:
    import pyarrow.dataset as arrow_dataset

_FILE = "data.parquet"
_COMPRESSION = "zstd"
_WORTH_THREADS = 4_000_000  # bytes; below, starting threads costs more than they save


class ParquetIOManager:
    """Stores tables; loads pandas, Arrow, and, lazily, Arrow datasets and DuckDB relations.

    Every page has a checksum, which is looked at when it is read: damage never passes for data.

    Several partitions are put below one another in order: columns are matched by name, one that a partition lacks is
    null there, and integers become floats where another partition has floats. ``object`` loads what was stored: a
    ``pandas.DataFrame``, or a ``pyarrow.Table`` for everything else. Folder names never become columns.

    >>> ParquetIOManager().name
    'parquet'
    """

    name = "parquet"
    storage = f"parquet:{_COMPRESSION}"
    versioned = True
    external = False
    cross_process = True

    @property
    def types(self) -> tuple[type, ...]:
        """The table classes of those libraries that are imported."""
        return table_types()

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        """Write one file. A ``pyarrow.RecordBatchReader`` is written as it is read, never held whole."""
        place = format_address(context.asset, context.partition)
        path = context.folder() / _FILE
        try:
            if isinstance(value, pa.RecordBatchReader):
                rows = _write_stream(value, path)
            else:
                table = arrow_table(value, place)
                rows = table.num_rows
                with pa.OSFile(str(path), "wb") as file:
                    pq.write_table(table, file, compression=_COMPRESSION, write_page_checksum=True)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise OutputError(
                f"{place}: the table cannot be written as parquet: {error}",
                hint="convert that column to another type, or use io_manager='pickle'",
            ) from error
        return StagedOutput(storage=self.storage, files=(_FILE,), row_count=rows)

    def load(self, context: InputContext, expected_type: type) -> object:
        """All partitions as one table of ``expected_type``. Raises DataMissing, DataUnreadable and InputError."""
        place = context.partitions[0].asset
        if expected_type is getattr(sys.modules.get("duckdb"), "DuckDBPyRelation", None):
            return duckdb_connection().from_arrow(self.scan(context))
        if expected_type is getattr(sys.modules.get("pyarrow.dataset"), "Dataset", None):
            return self.scan(context)
        if expected_type is not object and expected_type not in table_types():
            raise InputError(
                f"{place}: a stored table cannot arrive as {expected_type.__qualname__}",
                hint="annotate pd.DataFrame, pa.Table, pa.dataset.Dataset or duckdb.DuckDBPyRelation",
            )
        columns = list(context.columns) if context.columns is not None else None
        tables = [_read(partition, columns) for partition in context.partitions]
        return table_as(concat_tables(tables, place), expected_type, place)

    def scan(self, context: InputContext) -> arrow_dataset.Dataset:
        """A dataset over the files. Opens their footers only, to find the columns of all."""
        from pyarrow import dataset

        schemas: list[pa.Schema] = []
        for partition in context.partitions:
            with _reading(partition) as path:
                schemas.append(pq.read_schema(path))
        empty = concat_tables([schema.empty_table() for schema in schemas], context.partitions[0].asset)
        return dataset.dataset(
            [str(partition.file().path) for partition in context.partitions],
            schema=mark_native(empty, None).schema,
            format=dataset.ParquetFileFormat(page_checksum_verification=True),
            partitioning=None,
        )


def _write_stream(reader: pa.RecordBatchReader, path: Path) -> int:
    schema = mark_native(reader.schema.empty_table(), "arrow").schema
    rows = 0
    with pq.ParquetWriter(str(path), schema, compression=_COMPRESSION, write_page_checksum=True) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _read(partition: StoredPartition, columns: list[str] | None) -> pa.Table:
    with _reading(partition) as path, pq.ParquetFile(path, page_checksum_verification=True) as file:
        threads = partition.file().size > _WORTH_THREADS
        return file.read(columns=columns, use_threads=threads, use_pandas_metadata=True)


@contextmanager
def _reading(partition: StoredPartition) -> Generator[str]:
    file = partition.file()
    place = format_address(partition.asset, partition.partition)
    rebuild = f"rebuild it: assetflow materialize --select {partition.asset} --force"
    try:
        yield str(file.path)
    except FileNotFoundError as error:
        raise DataMissing(
            f"{place}: version {partition.version} has lost its file {file.path}", hint=rebuild
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise DataUnreadable(
            f"{place}: the file {file.path} of version {partition.version} cannot be read: {error}", hint=rebuild
        ) from error
