"""The columns of every catalog view, in order, with their Arrow types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_VIEWS = {
    "assets": "asset:text group_name:text description:text owners:texts tags:map kinds:texts partitioned:bool "
    "partitions_total:int code_version:text io_manager:text",
    "asset_edges": "upstream:text downstream:text mapping:text",
    "partitions": "asset:text partition:text state:text version:int materialized_at:time row_count:int byte_count:int "
    "data_hash:text code_version:text run_id:text",
    "versions": "version:int asset:text partition:text run_id:text state:text created_at:time published_at:time "
    "row_count:int byte_count:int data_hash:text code_version:text location:text",
    "lineage": "version:int asset:text partition:text upstream_asset:text upstream_partition:text upstream_version:int",
    "columns": "asset:text column_name:text type:text nullable:bool description:text",
    "checks": "asset:text partition:text version:int check_name:text passed:bool severity:text blocking:bool "
    "metadata:text checked_at:time",
    "runs": "run_id:text status:text started_at:time ended_at:time trigger:text environment:text "
    "counts:text error:text",
    "steps": "run_id:text asset:text partition:text attempt:int status:text queued_at:time started_at:time "
    "ended_at:time error:text version:int load_seconds:float compute_seconds:float stage_seconds:float "
    "check_seconds:float publish_seconds:float cpu_seconds:float peak_memory:int row_count:int byte_count:int "
    "call_size:int",
    "events": "seq:int occurred_at:time kind:text asset:text partition:text run_id:text payload:text",
    "freshness": "asset:text state:text watermark:time lag_seconds:float",
}

VIEW_NAMES: tuple[str, ...] = tuple(_VIEWS)
"""The catalog views, in the order of the documentation."""


@cache
def view_schema(view: str) -> pa.Schema:
    """The columns of one view. JSON (``payload``, ``metadata``, ``counts``, ``error``) is text.

    >>> view_schema("asset_edges").names
    ['upstream', 'downstream', 'mapping']
    """
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "map": pa.map_(pa.string(), pa.string()),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    columns = (column.split(":") for column in _VIEWS[view].split())
    return pa.schema([pa.field(name, kinds[kind]) for name, kind in columns])


def view_table(view: str, columns: Mapping[str, Any]) -> pa.Table:
    """Lists, numpy or Arrow arrays of equal length as the table of one view; columns that are not given are null."""
    import pyarrow as pa

    schema = view_schema(view)
    size = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns.get(name, [None] * size), kind) for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def view_of_rows(view: str, rows: Sequence[Sequence[object]]) -> pa.Table:
    """Rows, each with all columns of the view in order, as a table."""
    names = view_schema(view).names
    return view_table(view, {name: [row[place] for row in rows] for place, name in enumerate(names)})
