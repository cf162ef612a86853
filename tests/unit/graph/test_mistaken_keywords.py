"""Mistakes in names, keywords and collections of declarations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

OneError = Callable[[str, str, "str | None"], None]

# The line that ends in "# here" is the place; message and hint follow.
MISTAKES = {
    "duplicate key": (
        """
        @asset
        def orders(): ...
        @asset(name="orders")  # here
        def again(): ...
        """,
        "orders: declared twice, first at shop.py:3",
        "rename one of the two functions, or give one another name=",
    ),
    "outputs that clash": (
        """
        @multi_asset(outs={"low": Out(), "high": Out()})
        def bounds(): ...
        @multi_asset(outs={"high": Out()})  # here
        def others(): ...
        """,
        "high: declared twice, first at shop.py:3",
        "rename one of the two functions, or give one another name=",
    ),
    "computations of one name": (
        """
        @asset
        def bounds(): ...
        @multi_asset(outs={"low": Out()}, name="bounds")  # here
        def others(): ...
        """,
        "bounds: declared twice, first at shop.py:3",
        "rename one of the two functions, or give one another name=",
    ),
    "functions of one name": (
        """
        @asset
        def orders(): ...
        @asset  # here
        def orders(): ...
        """,
        "orders: declared twice, first at shop.py:3: two functions of one module are called orders",
        "rename one of the two functions",
    ),
    "checks in functions of one name": (
        """
        @asset
        def orders(): ...
        @asset
        def items(): ...
        @asset_check(asset=orders)
        def filled(orders): ...
        @asset_check(asset=items)  # here
        def filled(items): ...
        """,
        "filled: declared twice, first at shop.py:7: two functions of one module are called filled",
        "rename one of the two functions",
    ),
    "declared twice over": (
        """
        def plain(): ...
        asset(name="orders")(plain)
        asset(name="items")(plain)
        """.replace("def plain(): ...", "def plain(): ...  # here"),
        "items: this function is declared already, as an asset 'orders'",
        "write a function for each declaration",
    ),
    "bad partitions": (
        """
        days = DailyPartitions("2024-01-01", end="2023-01-01")
        @asset(partitions=days)  # here
        def orders(): ...
        @asset(partitions=days)
        def totals(orders): ...
        """,
        "orders: partitions: end 2023-01-01 is not after start 2024-01-01: ",
        None,
    ),
    "no partitions": (
        """
        @asset(partitions="daily")  # here
        def orders(): ...
        """,
        "orders: partitions='daily' is no partition definition",
        'write DailyPartitions("2024-01-01") or StaticPartitions(["a", "b"])',
    ),
    "bad key": (
        """
        @asset(name="raw//orders")  # here
        def orders(): ...
        """,
        "raw//orders: 'raw//orders' is no asset key",
        "write letters, digits and _ in parts joined by /, not starting with a digit, and not and, or, not",
    ),
    "batch without partitions": (
        """
        @asset(batch=Batch(3))  # here
        def orders(): ...
        """,
        "orders: batch= needs partitions, and there are none",
        "give it partitions=, or remove batch=",
    ),
    "empty batch": (
        """
        @asset(batch=Batch(0), partitions=DailyPartitions("2024-01-01"))  # here
        def orders(): ...
        """,
        "orders: Batch(max_partitions=0) holds no partition",
        "write a whole number from 1",
    ),
    "batch without column": (
        """
        @asset(batch=Batch(2, column=""), partitions=DailyPartitions("2024-01-01"))  # here
        def orders(): ...
        """,
        "orders: Batch(column='') cannot name a column",
        'write a name, such as "partition"',
    ),
    "batch that is none": (
        """
        @asset(batch=10, partitions=DailyPartitions("2024-01-01"))  # here
        def orders(): ...
        """,
        "orders: batch=10 is no Batch",
        "write batch=Batch(max_partitions=24)",
    ),
    "unknown hashing": (
        """
        @asset(hashing="sorted")  # here
        def orders(): ...
        """,
        "orders: hashing='sorted' is unknown",
        'write "ordered", "rows" or "none"',
    ),
    "owners": (
        """
        @asset(owners="team")  # here
        def orders(): ...
        """,
        "orders: owners='team' is not a list of texts",
        'write owners=["..."]',
    ),
    "tags": (
        """
        @asset(tags={"tier": 1})  # here
        def orders(): ...
        """,
        "orders: tags={'tier': 1} are not texts by text",
        'write tags={"domain": "sales"}',
    ),
    "metadata": (
        """
        @asset(metadata=["x"])  # here
        def orders(): ...
        """,
        "orders: metadata=['x'] is not a dict by text",
        'write metadata={"source": "..."}',
    ),
    "group": (
        """
        @asset(group=7)  # here
        def orders(): ...
        """,
        "orders: group=7 is not a text",
        'write group="..."',
    ),
    "schema": (
        """
        @asset(schema={"price": float})  # here
        def orders(): ...
        """,
        "orders: schema={'price': <class 'float'>} is no schema",
        "declare one: class Orders(Schema): price: float",
    ),
    "unknown keyword": (
        """
        @asset(partition=None)  # here
        def orders(): ...
        """,
        "orders: @asset has no keyword 'partition'",
        "did you mean partitions or description?",
    ),
    "no outputs": (
        """
        @multi_asset(outs={})  # here
        def bounds(): ...
        """,
        "bounds: outs={} names no output",
        'write outs={"orders": Out(), "items": Out()}',
    ),
    "an output that is none": (
        """
        @multi_asset(outs={"low": None})  # here
        def bounds(): ...
        """,
        "bounds: outs['low']=None is no Out",
        'write outs={"low": Out()}',
    ),
    "a mistake in an output": (
        """
        @multi_asset(outs={"low": Out(hashing="sorted")})  # here
        def bounds(): ...
        """,
        "bounds: outs['low']: hashing='sorted' is unknown",
        'write "ordered", "rows" or "none"',
    ),
    "bad name of a computation": (
        """
        @multi_asset(outs={"low": Out()}, name="a b")  # here
        def bounds(): ...
        """,
        "a b: 'a b' is no name for a computation",
        "write letters, digits and _ in parts joined by /, not starting with a digit, and not and, or, not: name=",
    ),
    "min_interval": (
        """
        @observable_source(min_interval="soon")  # here
        def files(): ...
        """,
        "files: min_interval: 'soon' is no duration",
        'write "30s", "15m", "36h", "3d", or a timedelta that is not negative',
    ),
    "what is no asset": (
        """
        def plain(): ...  # here
        defs = Definitions(assets=[plain])
        """,
        "assets[0] is no asset, source or check: plain",
        "decorate it with @asset, @observable_source or @asset_check",
    ),
    "assets that is no list": (
        """
        defs = Definitions(assets="orders")  # here
        """,
        "Definitions(assets=) takes a list, not 'orders'",
        "write assets=[...]",
    ),
    "a decorator on top": (
        """
        import functools
        def logged(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs): ...
            return wrapper
        @logged
        @asset
        def orders(): ...
        """.replace("@logged\n", "@logged  # here\n"),
        "orders: a decorator above assetflow's would never run",
        "put assetflow's decorator on top",
    ),
    "two Definitions": (
        """
        one = Definitions()
        two = Definitions()
        """,
        "there are 2 Definitions: shop.py:3, shop.py:4",
        "keep one, or name it in the project's settings",
    ),
}


@pytest.mark.parametrize(("source", "message", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_one_mistake_gives_one_error_with_its_place(
    one_error: OneError, source: str, message: str, hint: str | None
) -> None:
    one_error(source, message, hint)
