from __future__ import annotations

import functools
from datetime import timedelta
from typing import Any

import pytest

from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.computations import AssetSpec, Computation
from assetflow.definitions.decorators import asset, asset_check, multi_asset, observable_source
from assetflow.definitions.inputs import Input, Out
from assetflow.definitions.references import definition_of
from assetflow.errors import DefinitionError
from assetflow.partitions.definitions import DailyPartitions


def computation_of(function: object) -> Computation:
    declared = definition_of(function)
    assert isinstance(declared, Computation)
    return declared


def test_a_decorated_function_is_the_function_itself() -> None:
    def orders(price: int, rate: float = 1.0) -> float:
        """Orders."""
        return price * rate

    assert asset(orders) is orders
    assert orders(2, rate=1.5) == 3.0
    assert (orders.__name__, orders.__doc__) == ("orders", "Orders.")
    assert computation_of(orders).function is orders


def test_all_keywords_reach_the_declaration() -> None:
    days = DailyPartitions("2024-01-01")

    @asset(
        name="raw/orders",
        deps=["files", Input("rates", missing="allow")],
        inputs={"x": Input("y", columns=["price"])},
        partitions=days,
        io_manager="pickle",
        code_version="7",
        group="sales",
        owners=["team:sales"],
        tags={"tier": "1"},
        kinds=["python"],
        description="All orders.",
        metadata={"source": 1},
        hashing="rows",
    )
    def orders(x: int) -> int:
        return x

    declared = computation_of(orders)
    assert declared.problems == declared.unsupported == ()
    assert declared.outputs == (
        AssetSpec(
            key=declared.outputs[0].key,
            description="All orders.",
            group="sales",
            owners=("team:sales",),
            tags={"tier": "1"},
            kinds=("python",),
            metadata={"source": 1},
            io_manager="pickle",
            hashing="rows",
        ),
    )
    assert declared.name == declared.outputs[0].key == "raw/orders"
    assert (declared.partitions, declared.code_version, declared.multiple) == (days, "7", False)
    assert declared.deps == (Input("files"), Input("rates", missing="allow"))
    assert declared.inputs == {"x": Input("y", columns=("price",))}


def test_a_decorated_object_names_its_asset() -> None:
    @asset(name="raw/orders")
    def orders() -> None: ...

    @asset(deps=[orders], inputs={"x": Input(orders)})
    def totals(x: int) -> None: ...

    declared = computation_of(totals)
    assert [each.asset for each in (*declared.deps, *declared.inputs.values())] == ["raw/orders", "raw/orders"]


def test_the_description_is_the_docstrings_first_paragraph() -> None:
    @asset
    def orders() -> None:
        """Orders of
        one day.

        More.
        """

    assert computation_of(orders).outputs[0].description == "Orders of one day."

    @asset
    def bare() -> None: ...

    assert computation_of(bare).outputs[0].description is None


def test_what_a_multi_asset_says_holds_for_outputs_that_do_not_say_otherwise() -> None:
    @multi_asset(
        outs={"low": Out(), "high": Out(description="Most.", group="b", hashing="none", tags={}, owners=["o"])},
        group="a",
        tags={"tier": "1"},
        hashing="rows",
        io_manager="pickle",
    )
    def bounds() -> tuple[int, int]:
        """Both."""
        return 1, 2

    low, high = computation_of(bounds).outputs
    assert (low.description, low.group, low.hashing, low.tags, low.owners) == ("Both.", "a", "rows", {"tier": "1"}, ())
    assert (high.description, high.group, high.hashing, high.tags, high.owners) == ("Most.", "b", "none", {}, ("o",))
    assert low.io_manager == high.io_manager == "pickle"
    assert computation_of(bounds).name == "bounds"
    assert computation_of(bounds).multiple
    assert bounds() == (1, 2)


def test_a_source_works_bare_and_with_keywords() -> None:
    @observable_source
    def files() -> str:
        return "1"

    @observable_source(name="raw/files", min_interval=timedelta(minutes=3))
    def others() -> str:
        return "2"

    assert (computation_of(files).name, computation_of(files).kind, files()) == ("files", "source", "1")
    assert computation_of(others).min_interval == timedelta(minutes=3)


def test_a_check_stays_callable() -> None:
    @asset_check(asset="orders", blocking=True)
    def sound(orders: list[int]) -> bool:
        """Sound."""
        return bool(orders)

    declared = definition_of(sound)
    assert isinstance(declared, CheckSpec)
    assert (declared.name, declared.asset, declared.blocking, declared.severity) == ("sound", "orders", True, "error")
    assert (declared.parameters, declared.description) == (("orders",), "Sound.")
    assert sound([1])


def test_the_place_is_the_line_of_the_decorator() -> None:
    @asset
    def orders() -> None: ...

    location = computation_of(orders).location
    assert location is not None
    assert location.path.endswith("test_decorators.py")
    assert location.line == orders.__code__.co_firstlineno


def test_below_another_decorator_the_inner_function_gives_place_and_parameters() -> None:
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: object, **keywords: object) -> object:
            return function(*args, **keywords)

        return wrapper

    def orders(price: int) -> int:
        return price

    declared = computation_of(asset(logged(orders)))
    assert declared.location is not None
    assert (declared.name, declared.location.line) == ("orders", orders.__code__.co_firstlineno)
    assert declared.problems == ()


def test_a_wrapper_of_an_asset_may_be_another_asset() -> None:
    @asset
    def orders() -> int:
        return 1

    @functools.wraps(orders)
    def copied() -> int:
        return orders()

    assert computation_of(asset(name="copied")(copied)).problems == ()


@pytest.mark.parametrize("decorator", [asset, observable_source])
def test_what_is_no_function_is_refused_at_once(decorator: Any) -> None:
    with pytest.raises(DefinitionError, match="decorates a function, not 'orders'") as raised:
        decorator("orders")
    assert raised.value.location is not None
    assert raised.value.location.path.endswith("test_decorators.py")
    assert raised.value.hint is not None
    assert '(name="...") above a function' in raised.value.hint


def test_a_class_is_refused_at_once() -> None:
    class Orders: ...

    with pytest.raises(DefinitionError, match="is not a function"):
        asset(Orders)


def test_a_partial_can_be_an_asset() -> None:
    def scaled(factor: int, orders: int) -> int:
        return factor * orders

    doubled = asset(name="doubled")(functools.partial(scaled, 2))
    declared = computation_of(doubled)
    assert (declared.name, doubled(orders=4)) == ("doubled", 8)
    assert declared.location is not None
    assert declared.location.line == scaled.__code__.co_firstlineno
