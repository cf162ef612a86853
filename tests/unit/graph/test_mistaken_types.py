"""Mistakes in functions, annotations and schemas."""

from __future__ import annotations

from collections.abc import Callable

import pytest

OneError = Callable[[str, str, "str | None"], None]

# The line that ends in "# here" is the place; message and hint follow.
MISTAKES = {
    "variable arguments": (
        """
        @asset  # here
        def orders(*rows): ...
        """,
        "orders: nobody provides the parameter *rows: values are passed by name",
        "name each parameter, without * or /",
    ),
    "variable keywords": (
        """
        @asset  # here
        def orders(**rows): ...
        """,
        "orders: nobody provides the parameter **rows: values are passed by name",
        "name each parameter, without * or /",
    ),
    "positional only": (
        """
        @asset
        def rows(): ...
        @asset  # here
        def orders(rows, /): ...
        """,
        "orders: nobody provides the parameter rows, /: values are passed by name",
        "name each parameter, without * or /",
    ),
    "outputs that are not returned so": (
        """
        @multi_asset(outs={"low": Out(), "high": Out()})  # here
        def bounds() -> tuple[int, int, int]: ...
        """,
        "bounds: return annotation: tuple[int, int, int] is not what several outputs are returned as",
        "return a dict by name or a tuple in order, of 2: low, high",
    ),
    "async": (
        """
        @asset  # here
        async def orders(): ...
        """,
        "orders: it is an async function, which returns no value when called",
        "write a plain function that returns it",
    ),
    "generator": (
        """
        @asset  # here
        def orders():
            yield 1
        """,
        "orders: it is a generator function, which returns no value when called",
        "write a plain function that returns it",
    ),
    "an annotation that cannot be read": (
        """
        @asset
        def orders(): ...
        @asset  # here
        def totals(orders: "pl.DataFrame"): ...
        """,
        "totals: parameter 'orders': 'pl.DataFrame' cannot be read (NameError: name 'pl' is not defined)",
        "import what it names at the top of the module, not under TYPE_CHECKING",
    ),
    "a return annotation that cannot be read": (
        """
        @asset  # here
        def orders() -> "pl.DataFrame": ...
        """,
        "orders: return annotation: 'pl.DataFrame' cannot be read (NameError: name 'pl' is not defined)",
        "import what it names at the top of the module, not under TYPE_CHECKING",
    ),
    "an annotation that names itself": (
        """
        Loop = "Loop"
        @asset
        def orders(): ...
        @asset  # here
        def totals(orders: "Loop"): ...
        """,
        "totals: parameter 'orders': Loop has no end",
        "annotate a type that does not name itself",
    ),
    "one path": (
        """
        @asset
        def orders(): ...
        @asset  # here
        def totals(orders: Path): ...
        """,
        "totals: parameter 'orders': a version may have several files",
        "annotate list[Path]",
    ),
    "paths by key": (
        """
        @asset(partitions=DailyPartitions("2024-01-01"))
        def orders(): ...
        @asset  # here
        def totals(orders: dict[str, list[Path]]): ...
        """,
        "totals: parameter 'orders': paths by partition key are not supported",
        "annotate list[Path]",
    ),
    "None as parameter": (
        """
        @asset
        def orders(): ...
        @asset  # here
        def totals(orders: None): ...
        """,
        "totals: parameter 'orders': nothing can arrive as None",
        "annotate the type, or name the asset in deps=",
    ),
    "a schema for what arrives": (
        """
        class Orders(Schema):
            price: float
        @asset
        def orders(): ...
        @asset  # here
        def totals(orders: Annotated[pd.DataFrame, Orders]): ...
        """,
        "totals: parameter 'orders': a schema for what arrives is not supported yet by this version",
        "give the schema to the asset that returns it",
    ),
    "a dict of what is a dict": (
        """
        @asset(partitions=DailyPartitions("2024-01-01"))
        def rates() -> dict[str, float]: ...
        @asset  # here
        def totals(rates: dict[str, float]): ...
        """,
        (
            "totals: parameter 'rates': dict[str, float] asks for one float by partition key, but each "
            "partition of 'rates' is a dict"
        ),
        "annotate dict[str, dict[str, float]]",
    ),
    "schema of a value": (
        """
        class Orders(Schema):
            price: float
        @asset(schema=Orders)  # here
        def orders() -> int: ...
        """,
        "orders: the schema Orders is for a table, and what it returns is none",
        "annotate the return value as a table, such as pd.DataFrame, or remove the schema",
    ),
    "two schemas": (
        """
        class Orders(Schema):
            price: float
        class Items(Schema):
            price: float
        @asset(schema=Orders)  # here
        def orders() -> Annotated[pd.DataFrame, Items]: ...
        """,
        "orders: it has two schemas, Orders and Items",
        "keep one of them",
    ),
    "a mistake in a schema": (
        """
        class Orders(Schema):
            price: complex
        @asset(schema=Orders)  # here
        def orders() -> pd.DataFrame: ...
        @asset(schema=Orders)
        def again() -> pd.DataFrame: ...
        """,
        "orders: schema Orders (in shop): column 'price': complex is no type of a column; a column is str, int, ",
        "correct the schema",
    ),
}


@pytest.mark.parametrize(("source", "message", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_one_mistake_gives_one_error_with_its_place(
    one_error: OneError, source: str, message: str, hint: str | None
) -> None:
    one_error(source, message, hint)
