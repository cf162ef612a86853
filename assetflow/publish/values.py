"""From what a function returned to what is staged: which kind of value it is, whether it may be, and its data hash."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import AsyncGeneratorType, CoroutineType, GeneratorType, ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_origin

from assetflow.definitions.annotations import Arrival, type_text
from assetflow.definitions.schema import Schema, schema_columns
from assetflow.definitions.values import NO_DATA
from assetflow.errors import OutputError
from assetflow.fingerprint.data import Hashing, hash_bytes, hash_table, hash_value
from assetflow.io import IOManager, arrow_table, json_problem, native_library, table_as, table_types
from assetflow.keys import EMPTY_HASH, DataHash
from assetflow.publish.conformance import conform
from assetflow.publish.matching import matches, without_numpy
from assetflow.publish.schemas import schema_bytes

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_PIECE = b"assetflow.batch"
"""Key in the metadata of an Arrow schema: one partition of a batch's table, whose type was judged as a whole.

Its value is ``unordered`` where the rows came in no particular order, as from DuckDB.
"""

_RELATION = "DuckDBPyRelation"
_WORTH_OVERLAP = 32 << 20  # bytes; below, a thread costs more than it saves


@dataclass(frozen=True, slots=True)
class Prepared:
    """A returned value, ready to stage.

    ``value`` is a ``pyarrow.Table`` (also as ``table``) for every kind of table, and otherwise what was returned, with
    plain numbers for numpy's. ``kind`` is ``"plain"`` for what JSON gives back exactly, ``"object"`` for everything
    else, and ``"none"`` where there is nothing to stage: ``empty`` for ``NO_DATA``, else an external effect.
    ``data_hash`` is None for objects: the IO manager's, or that of the files; and where it is still computed, as
    ``pending``, which may raise OutputError. ``schema`` is canonical (Arrow IPC).
    """

    value: object
    kind: Literal["table", "plain", "object", "none"]
    data_hash: DataHash | None
    table: pa.Table | None = None
    row_count: int | None = None
    schema: bytes | None = None
    native: Literal["pandas", "arrow"] | None = None
    empty: bool = False
    pending: Future[DataHash] | None = None


def prepare(
    value: object,
    *,
    address: str,
    returns: Arrival,
    nonce: bytes,
    schema: type[Schema] | None = None,
    hashing: Hashing | None = None,
    overlap: bool = False,
) -> Prepared:
    """Judge and convert a returned value; ``address`` begins every message.

    ``overlap`` lets the hash of a large table be computed while the caller goes on, to write it.
    ``hashing`` defaults to ``"rows"`` for DuckDB relations and to ``"ordered"`` otherwise; ``nonce``, new for each
    version, stands for the content where there is none to compare: with ``"none"``, and for external effects.
    Raises OutputError and SchemaMismatch.

    >>> from assetflow.definitions.annotations import ANY
    >>> prepare([1, 2], address="numbers", returns=ANY, nonce=b"1").kind
    'plain'
    """
    if value is NO_DATA:
        return Prepared(NO_DATA, "none", EMPTY_HASH, empty=True)
    if value is None and returns.container == "none":
        return Prepared(None, "none", hash_bytes(nonce))
    _refuse_no_value(value, address, returns)
    if isinstance(value, table_types()):
        return _prepared_table(value, address, returns, schema or returns.schema, hashing, nonce, overlap)
    if schema or returns.schema:
        raise OutputError(
            f"{address}: returned {_article(value)}, and only a table can have a schema",
            hint="return a pandas DataFrame, an Arrow table or a DuckDB relation",
        )
    python = get_origin(returns.python) or returns.python
    if returns.type != "value" or not _is_numpy_type(python):
        value = without_numpy(value)
    _refuse_wrong_type(value, address, returns)
    if json_problem(value) is None:
        return Prepared(value, "plain", hash_bytes(nonce) if hashing == "none" else hash_value(value))
    return Prepared(value, "object", hash_bytes(nonce) if hashing == "none" else None)


def _prepared_table(
    value: object,
    address: str,
    returns: Arrival,
    schema: type[Schema] | None,
    hashing: Hashing | None,
    nonce: bytes,
    overlap: bool,
) -> Prepared:
    table = arrow_table(value, address)
    metadata: dict[bytes, bytes] = dict(table.schema.metadata or {})
    piece = metadata.pop(BATCH_PIECE, None)
    if piece is None:
        _refuse_wrong_type(value, address, returns)
    table = table.replace_schema_metadata(metadata)
    unordered = piece == b"unordered" or type(value).__name__ == _RELATION
    decimals: dict[str, int] = {}
    if schema is not None:
        table = conform(table, schema, address)
        decimals = {c.name: c.field.decimals for c in schema_columns(schema) if c.field.decimals is not None}
    mode: Hashing = hashing or ("rows" if unordered else "ordered")

    def data_hash() -> DataHash:
        try:
            return hash_table(table, mode, decimals, nonce=nonce)
        except OutputError as error:
            raise OutputError(f"{address}: {error.message}", hint=error.hint) from error

    pending = _in_background(data_hash) if overlap and table.nbytes >= _WORTH_OVERLAP else None
    return Prepared(
        table,
        "table",
        data_hash() if pending is None else None,
        table,
        table.num_rows,
        schema_bytes(table.schema),
        native_library(table),
        pending=pending,
    )


def _in_background(compute: Callable[[], DataHash]) -> Future[DataHash]:
    pool = ThreadPoolExecutor(1, "assetflow-hash")
    try:
        return pool.submit(compute)
    finally:
        pool.shutdown(wait=False)


def _refuse_no_value(value: Any, address: str, returns: Arrival) -> None:
    if returns.container == "none":
        raise OutputError(
            f"{address}: returned {_article(value)}, but its annotation says that it returns nothing",
            hint="annotate what it returns instead of None",
        )
    if value is None:
        raise OutputError(
            f"{address}: returned None",
            hint="return NO_DATA for a partition without data; annotate `-> None` if it only has an external effect",
        )
    if isinstance(value, CoroutineType | AsyncGeneratorType):
        raise OutputError(f"{address}: returned {_article(value)}", hint="an asset is an ordinary function, not async")
    if isinstance(value, GeneratorType | map | filter | zip):
        raise OutputError(
            f"{address}: returned {_article(value)}, which can be read only once",
            hint="return a list of its items: list(...)",
        )
    if isinstance(value, ModuleType):
        raise OutputError(f"{address}: returned the module {value.__name__}", hint="return a value")


def _refuse_wrong_type(value: object, address: str, returns: Arrival) -> None:
    if returns.container == "any" or returns.python is None or matches(returns.python, value):
        return
    raise OutputError(
        f"{address}: returned {_article(value)}, but its annotation says {type_text(returns.python)}",
        hint="mend the function or its return annotation",
    )


def _is_numpy_type(python: object) -> bool:
    return isinstance(python, type) and python.__module__ == "numpy"


def _article(value: Any) -> str:
    name = type(value).__qualname__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def choose_manager(prepared: Prepared, declared: str | None) -> str:
    """The IO manager's name: the declared one, or the one that comes with assetflow for this kind of value.

    >>> choose_manager(Prepared([1], "plain", None), None)
    'json'
    """
    if declared is not None:
        return declared
    return {"table": "parquet", "plain": "json"}.get(prepared.kind, "pickle")


def staged_value(prepared: Prepared, manager: IOManager, address: str) -> object:
    """What ``manager.stage`` is given: an Arrow table if it takes one, else the value as its own library has it.

    Raises OutputError where the manager takes nothing of the kind.
    """
    import pyarrow as pa

    types = manager.types
    if prepared.table is None:
        if isinstance(prepared.value, types):
            return prepared.value
    elif pa.Table in types:
        return prepared.table
    else:
        own: Any = table_as(prepared.table, object, address)
        if isinstance(own, types):
            return own
        kind = next((kind for kind in types if kind in table_types()), None)
        if kind is not None:
            return table_as(prepared.table, kind, address)
    value = prepared.value if prepared.table is None else table_as(prepared.table, object, address)
    accepted = ", ".join(dict.fromkeys(kind.__qualname__ for kind in types))
    raise OutputError(
        f"{address}: io_manager {manager.name!r} cannot store {_article(value)}; it takes {accepted}",
        hint="leave io_manager= out to have one chosen, or return another type",
    )
