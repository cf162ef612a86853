"""The schemas of published tables, in the one form in which equal ones are equal bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def schema_bytes(schema: pa.Schema) -> bytes:
    """The canonical form in Arrow's IPC format: no metadata, plain text and list types, dictionaries decoded.

    >>> import pyarrow as pa
    >>> one = pa.schema([("name", pa.large_string())], metadata={"written by": "somebody"})
    >>> schema_bytes(one) == schema_bytes(pa.schema([("name", pa.dictionary(pa.int8(), pa.string()))]))
    True
    """
    import pyarrow as pa

    kinds = zip(schema.names, schema.types, (schema.field(index).nullable for index in range(len(schema))), strict=True)
    fields = [pa.field(name, canonical_type(kind), nullable) for name, kind, nullable in kinds]
    return pa.schema(fields).serialize().to_pybytes()


def read_schema(data: bytes) -> pa.Schema:
    """The schema in ``data``, as :func:`schema_bytes` wrote it."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(data))


def canonical_type(kind: Any) -> pa.DataType:
    """The type of the same values without what only says how they lie in memory.

    >>> import pyarrow as pa
    >>> canonical_type(pa.large_list(pa.string_view()))
    ListType(list<item: string>)
    """
    import pyarrow as pa

    arrow: Any = pa  # the stubs leave the parts of nested types open
    if isinstance(kind, pa.DictionaryType):
        return canonical_type(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if isinstance(kind, pa.ListType | pa.LargeListType | pa.ListViewType | pa.LargeListViewType):
        return arrow.list_(canonical_type(kind.value_type))
    if isinstance(kind, pa.FixedSizeListType):
        return arrow.list_(canonical_type(kind.value_type), kind.list_size)
    if pa.types.is_struct(kind):
        return arrow.struct([each.with_type(canonical_type(each.type)) for each in _fields(kind)])
    if isinstance(kind, pa.MapType):
        return arrow.map_(canonical_type(kind.key_type), canonical_type(kind.item_type))
    return kind


def _fields(struct: Any) -> list[Any]:
    return struct.fields
