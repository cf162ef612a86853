"""The door through which every storage format comes.

A plug-in needs this package, :mod:`assetflow.keys` and :mod:`assetflow.errors`, and nothing else of assetflow.
"""

from __future__ import annotations

from assetflow.io.plain import json_problem
from assetflow.io.protocol import (
    INLINE_LIMIT,
    DiscardingIOManager,
    InputContext,
    IOManager,
    OutputContext,
    ScanningIOManager,
    StagedOutput,
    StoredFile,
    StoredPartition,
)
from assetflow.io.tables import (
    NATIVE,
    arrow_table,
    concat_tables,
    duckdb_connection,
    mark_native,
    native_library,
    table_as,
    table_types,
)

__all__ = [
    "INLINE_LIMIT",
    "NATIVE",
    "DiscardingIOManager",
    "IOManager",
    "InputContext",
    "OutputContext",
    "ScanningIOManager",
    "StagedOutput",
    "StoredFile",
    "StoredPartition",
    "arrow_table",
    "concat_tables",
    "duckdb_connection",
    "json_problem",
    "mark_native",
    "native_library",
    "table_as",
    "table_types",
]
