"""Mistakes in what is read: upstreams, inputs, deps, mappings, cycles."""

from __future__ import annotations

from collections.abc import Callable

import pytest

OneError = Callable[[str, str, "str | None"], None]

# The line that ends in "# here" is the place; message and hint follow.
MISTAKES = {
    "unknown upstream": (
        """
        @asset
        def orders(): ...
        @asset  # here
        def totals(ordrs): ...
        """,
        "totals: nobody provides the parameter 'ordrs': no asset has this name, and it is not context or a resource",
        "did you mean orders?",
    ),
    "unknown upstream, nothing near": (
        """
        @asset  # here
        def totals(zebra): ...
        """,
        "totals: nobody provides the parameter 'zebra': no asset has this name, and it is not context or a resource",
        "declare the asset, or give the parameter a default",
    ),
    "the last part of a key": (
        """
        @asset(name="raw/orders")
        def raw(): ...
        @asset  # here
        def totals(orders): ...
        """,
        "totals: nobody provides the parameter 'orders': no asset has this name, and it is not context or a resource",
        "did you mean inputs={'orders': Input('raw/orders')}?",
    ),
    "a context by another name": (
        """
        @asset  # here
        def totals(ctx: AssetContext): ...
        """,
        "totals: nobody provides the parameter 'ctx': no asset has this name, and it is not context or a resource",
        "declare the asset, or give the parameter a default; if it is the AssetContext, call it context",
    ),
    "unknown in inputs": (
        """
        @asset
        def orders(): ...
        @asset(inputs={"x": Input("ordrs")})  # here
        def totals(x): ...
        """,
        "totals: inputs['x'] names 'ordrs', which no asset has",
        "did you mean orders?",
    ),
    "unknown in deps": (
        """
        @asset(deps=["zebra"])  # here
        def totals(): ...
        """,
        "totals: deps names 'zebra', which no asset has",
        "declare it, or add it to the Definitions",
    ),
    "deps of what is no asset": (
        """
        @asset(deps=[len])  # here
        def totals(): ...
        """,
        "totals: deps[0]: len is no asset",
        "write the asset's key, or the function below @asset",
    ),
    "deps of several assets": (
        """
        @multi_asset(outs={"low": Out(), "high": Out()})
        def bounds(): ...
        @asset(deps=[bounds])  # here
        def totals(): ...
        """,
        "totals: deps[0]: bounds gives several assets: low, high",
        "write the key of one of them",
    ),
    "deps that is no list": (
        """
        @asset
        def orders(): ...
        @asset(deps="orders")  # here
        def totals(): ...
        """,
        "totals: deps='orders' is not a list",
        "write deps=['orders']",
    ),
    "deps twice": (
        """
        @asset
        def orders(): ...
        @asset(deps=["orders", orders])  # here
        def totals(): ...
        """,
        "totals: deps names 'orders' twice",
        "name it once",
    ),
    "cycle": (
        """
        @asset  # here
        def first(last): ...
        @asset
        def middle(first): ...
        @asset(deps=["middle"])
        def last(): ...
        @asset
        def behind(last): ...
        """,
        (
            "first: these assets need each other: first -> middle -> last -> first\n"
            "    ┌> first   shop.py:3  reads last as parameter 'last'\n"
            "    │  middle  shop.py:5  reads first as parameter 'first'\n"
            "    └─ last    shop.py:7  reads middle in deps"
        ),
        "remove one of these parameters or deps",
    ),
    "self-dependency": (
        """
        @asset  # here
        def totals(totals): ...
        """,
        (
            "totals: parameter 'totals': an asset without partitions cannot read itself: "
            "give it partitions, so that each can read earlier ones"
        ),
        None,
    ),
    "self-dependency without a mapping": (
        """
        @asset(partitions=DailyPartitions("2024-01-01"))  # here
        def totals(totals): ...
        """,
        (
            "totals: parameter 'totals': the asset reads itself, so state which of its earlier partitions it reads: "
            "use TimeWindow(-1, -1) for the one before"
        ),
        'write inputs={"totals": Input("totals", <the mapping>)}',
    ),
    "self-dependency on what is not earlier": (
        """
        @asset(partitions=DailyPartitions("2024-01-01"), deps=[Input("totals", TimeWindow(-1, 0))])  # here
        def totals(): ...
        """,
        (
            "totals: deps: 'totals': TimeWindow(-1, 0) reads the partition itself, and only earlier ones can be read: "
            "use TimeWindow(-1, -1)"
        ),
        None,
    ),
    "late_tolerance that is no duration": (
        """
        days = DailyPartitions("2024-01-01")
        @asset(partitions=days)
        def orders(): ...
        @asset(partitions=days, deps=[Input("orders", late_tolerance="three days")])  # here
        def totals(): ...
        """,
        "totals: deps[0]: late_tolerance: 'three days' is no duration",
        'write "30s", "15m", "36h", "3d", or a timedelta that is not negative',
    ),
    "late_tolerance without time partitions": (
        """
        @asset(partitions=StaticPartitions(["a"]))
        def orders(): ...
        @asset(deps=[Input("orders", late_tolerance="3d")])  # here
        def totals(): ...
        """,
        "totals: deps: 'orders': late_tolerance= needs an upstream with time partitions, but it has 1 key: a",
        "remove late_tolerance=",
    ),
    "late_tolerance of the asset itself": (
        """
        before = Input("totals", TimeWindow(-1, -1), late_tolerance="3d")
        @asset(partitions=DailyPartitions("2024-01-01"), deps=[before])  # here
        def totals(): ...
        """,
        "totals: deps: 'totals': late_tolerance= is for what others publish, and this is the asset itself",
        "remove late_tolerance=",
    ),
    "self-dependency in a batch": (
        """
        days = DailyPartitions("2024-01-01")
        before = {"totals": Input("totals", TimeWindow(-1, -1))}
        @asset(partitions=days, inputs=before, batch=Batch(max_partitions=2))  # here
        def totals(totals): ...
        """,
        (
            "totals: parameter 'totals': an asset that reads itself is built one partition after the other, "
            "so it cannot batch"
        ),
        "remove batch=",
    ),
    "a mapping that does not follow": (
        """
        @asset(partitions=DailyPartitions("2024-01-01"))
        def orders(): ...
        @asset(partitions=StaticPartitions(["a"]))  # here
        def totals(orders): ...
        """,
        (
            "totals: parameter 'orders': no mapping follows, for 'totals' has partitions (1 key: a) "
            "and its upstream partitions (daily from 2024-01-01, UTC)"
        ),
        "state one: Input('orders', mapping=AllPartitions()), in inputs= or deps=",
    ),
    "an impossible mapping": (
        """
        @asset(partitions=DailyPartitions("2024-01-01"))
        def orders(): ...
        @asset(partitions=MonthlyPartitions("2024-01"), deps=[Input(orders, mapping=LastN(0))])  # here
        def totals(): ...
        """,
        "totals: deps: 'orders': LastN(0): n counts partitions; write a whole number from 1 on",
        None,
    ),
    "an unknown key in a static mapping": (
        """
        @asset(partitions=StaticPartitions(["berlin", "paris"]))
        def cities(): ...
        where = StaticMapping({"pariss": ["france"]})
        @asset(partitions=StaticPartitions(["france"]), deps=[Input(cities, where)])  # here
        def countries(): ...
        """,
        "countries: deps: 'cities': StaticMapping: the upstream has no key 'pariss': did you mean paris?",
        None,
    ),
    "the class of a mapping": (
        """
        class Mine(PartitionMapping):
            def upstream_keys(self, partition_keys, upstream): ...
        @asset(partitions=DailyPartitions("2024-01-01"))
        def orders(): ...
        @asset(partitions=DailyPartitions("2024-01-01"), deps=[Input(orders, mapping=Mine)])  # here
        def totals(): ...
        """,
        "totals: deps: 'orders': mapping=<class 'shop.Mine'> is no mapping",
        "write Mine(...)",
    ),
    "a mapping that is none": (
        """
        @asset
        def orders(): ...
        @asset(inputs={"orders": Input("orders", mapping="all")})  # here
        def totals(orders): ...
        """,
        "totals: parameter 'orders': mapping='all' is no mapping",
        (
            "write Identity(), TimeWindow(), LastN(n), AllPartitions(), StaticMapping({...}), DimensionMapping({...}) "
            "or a PartitionMapping"
        ),
    ),
    "an input without parameter": (
        """
        @asset
        def orders(): ...
        @asset(inputs={"order": Input("orders")})  # here
        def totals(orders): ...
        """,
        "totals: inputs['order']: the function has no parameter of this name",
        "did you mean orders?",
    ),
    "an input for the context": (
        """
        @asset
        def orders(): ...
        @asset(inputs={"context": Input("orders")})  # here
        def totals(context): ...
        """,
        "totals: inputs['context']: this parameter holds the AssetContext",
        "rename the parameter",
    ),
    "inputs that is no dict": (
        """
        @asset(inputs=["orders"])  # here
        def totals(): ...
        """,
        "totals: inputs=['orders'] is not a dict",
        'write inputs={"parameter": Input("asset")}',
    ),
    "unknown missing": (
        """
        @asset
        def orders(): ...
        @asset(deps=[Input("orders", missing="skip")])  # here
        def totals(): ...
        """,
        "totals: deps[0]: missing='skip' is unknown",
        'write "wait" or "allow"',
    ),
    "columns that are none": (
        """
        @asset
        def orders(): ...
        @asset(inputs={"orders": Input("orders", columns="price")})  # here
        def totals(orders): ...
        """,
        "totals: inputs['orders']: columns='price' is not a list of names",
        'write columns=["price"]',
    ),
    "columns twice": (
        """
        @asset
        def orders(): ...
        @asset(inputs={"orders": Input("orders", columns=["a", "a"])})  # here
        def totals(orders): ...
        """,
        "totals: inputs['orders']: columns=['a', 'a'] names a column twice",
        "name each once",
    ),
    "columns of a value": (
        """
        @asset
        def orders(): ...
        @asset(inputs={"orders": Input("orders", columns=["a"])})  # here
        def totals(orders: int): ...
        """,
        "totals: parameter 'orders': columns= is for tables, and int is none",
        "remove columns=, or annotate a table",
    ),
    "columns of deps": (
        """
        @asset
        def orders(): ...
        @asset(deps=[Input("orders", columns=["a"])])  # here
        def totals(): ...
        """,
        "totals: deps: columns= of 'orders' has no effect, for deps are not loaded",
        "remove columns=",
    ),
    "columns that a schema lacks": (
        """
        class Orders(Schema):
            price: float
        @asset(schema=Orders)
        def orders() -> pd.DataFrame: ...
        @asset(inputs={"orders": Input("orders", columns=["prize"])})  # here
        def totals(orders: pd.DataFrame): ...
        """,
        "totals: parameter 'orders': 'orders' has no column 'prize'",
        "did you mean price?",
    ),
    "a source as parameter": (
        """
        @observable_source
        def files(): ...
        @asset  # here
        def orders(files): ...
        """,
        "orders: parameter 'files' loads 'files', a source, which has no stored value",
        "write deps=['files']",
    ),
    "a source that reads": (
        """
        @asset
        def orders(): ...
        @observable_source  # here
        def files(orders): ...
        """,
        "files: the parameter 'orders': a source reads no assets",
        "remove the parameter, or give it a default",
    ),
    "loading nothing": (
        """
        @asset
        def mail() -> None: ...
        @asset  # here
        def orders(mail): ...
        """,
        "orders: parameter 'mail' loads 'mail', which returns None: it has no value",
        "write deps=['mail'], or let it return a value",
    ),
}


@pytest.mark.parametrize(("source", "message", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_one_mistake_gives_one_error_with_its_place(
    one_error: OneError, source: str, message: str, hint: str | None
) -> None:
    one_error(source, message, hint)
