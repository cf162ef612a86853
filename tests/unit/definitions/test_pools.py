"""Pools as they are declared, and as the settings limit them."""

from __future__ import annotations

from typing import Any

import pytest

from assetflow import Project, asset
from assetflow.definitions.collect import collect
from assetflow.errors import DefinitionErrors, UsageError
from assetflow.graph import build_graph


def declared(pool: Any) -> Any:
    @asset(pool=pool)
    def orders() -> int:
        return 1

    return orders


@pytest.mark.parametrize(
    ("pool", "kept"),
    [("warehouse", ("warehouse", 1)), (("warehouse", 2), ("warehouse", 2)), ("a.b-c_1", ("a.b-c_1", 1)), (None, None)],
)
def test_a_pool_has_a_name_and_a_weight(pool: Any, kept: object) -> None:
    assert build_graph(collect([declared(pool)])).nodes["orders"].pool == kept


@pytest.mark.parametrize(
    ("pool", "message", "hint"),
    [
        (3, "orders: pool=3 names no pool", 'write pool="warehouse", or pool=("warehouse", 2) with a weight'),
        ("", "orders: pool='' names no pool", 'write pool="warehouse", or pool=("warehouse", 2) with a weight'),
        ("a b", "orders: pool='a b' names no pool", 'write pool="warehouse", or pool=("warehouse", 2) with a weight'),
        (
            ("a", 1, 2),
            "orders: pool=('a', 1, 2) names no pool",
            'write pool="warehouse", or pool=("warehouse", 2) with a weight',
        ),
        (
            "default",
            'orders: pool="default" cannot be used: that stands for the pools that the settings do not name',
            "choose another name",
        ),
        (
            ("api", 0),
            "orders: pool=('api', 0): the weight 0 is no whole number from 1",
            'write pool=("api", 2)',
        ),
        (
            ("api", 1.5),
            "orders: pool=('api', 1.5): the weight 1.5 is no whole number from 1",
            'write pool=("api", 2)',
        ),
        (
            ("api", True),
            "orders: pool=('api', True): the weight True is no whole number from 1",
            'write pool=("api", 2)',
        ),
    ],
)
def test_what_is_no_pool_is_refused(pool: Any, message: str, hint: str) -> None:
    with pytest.raises(DefinitionErrors) as caught:
        build_graph(collect([declared(pool)]))
    (error,) = caught.value.errors
    assert (error.message, error.hint) == (message, hint)


def test_a_pool_without_a_limit_where_others_have_one_is_a_mistake() -> None:
    Project([declared("warehose")]).close()
    Project([declared("warehose")], pools={"default": 1}).close()
    with pytest.raises(DefinitionErrors) as caught:
        Project([declared("warehose")], pools={"warehouse": 4})
    (error,) = caught.value.errors
    assert error.message == "orders: pool 'warehose' has no limit in [tool.assetflow.pools]"
    assert error.hint == "did you mean warehouse?"
    with pytest.raises(DefinitionErrors) as caught:
        Project([declared("api")], pools={"warehouse": 4})
    assert caught.value.errors[0].hint == "write api = 4 there, or default = 8 for all that are not named"
    assert caught.value.errors[0].location is not None


def test_a_step_that_never_fits_is_a_mistake() -> None:
    with pytest.raises(DefinitionErrors) as caught:
        Project([declared(("warehouse", 5))], pools={"warehouse": 4})
    (error,) = caught.value.errors
    assert error.message == "orders: its weight of 5 in pool 'warehouse' is more than all of it (4)"
    assert error.hint == "it would wait for ever: lower the weight, or raise the limit in [tool.assetflow.pools]"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pools": {"api": 0}}, "pools: 'api' has no limit 0"),
        ({"pools": {"api": "4"}}, "pools: 'api' has no limit '4'"),
        ({"lease_seconds": 0.5}, "lease_seconds=0.5 cannot be used"),
        ({"lease_seconds": 1e9}, "lease_seconds=1000000000.0 cannot be used"),
    ],
)
def test_limits_that_a_program_gives_are_checked(options: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Project([declared(None)], **options)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize("pool", ["api", ("api", 3)])
def test_a_pool_is_no_part_of_the_code(pool: Any) -> None:
    with Project([declared(None)]) as before, Project([declared(pool)]) as after:
        assert before.code.codes.computations["orders"].version == after.code.codes.computations["orders"].version
