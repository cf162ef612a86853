from __future__ import annotations

from datetime import UTC, datetime

import pytest

from assetflow.definitions.context import AssetContext
from assetflow.errors import AssetflowError

WINDOW = (datetime(2013, 1, 5, tzinfo=UTC), datetime(2013, 1, 6, tzinfo=UTC))


def test_one_partition() -> None:
    context = AssetContext("orders", partition_keys=["2013-01-05"], windows=[WINDOW], run_id="r1", attempt=2)
    assert (context.asset, context.run_id, context.attempt) == ("orders", "r1", 2)
    assert (context.partition_key, context.partition_keys) == ("2013-01-05", ("2013-01-05",))
    assert (context.partition_start, context.partition_end) == WINDOW


@pytest.mark.parametrize("name", ["partition_key", "partition_start", "partition_end"])
def test_an_unpartitioned_asset_has_none(name: str) -> None:
    context = AssetContext("orders")
    assert context.partition_keys == ()
    with pytest.raises(AssetflowError) as raised:
        getattr(context, name)
    assert raised.value.message == f"orders: no context.{name}, for the asset is not partitioned"
    assert raised.value.hint == "give it partitions=, or leave the partition out of the function"


@pytest.mark.parametrize("name", ["partition_key", "partition_start", "partition_end"])
def test_a_batch_of_several_has_no_single_one(name: str) -> None:
    context = AssetContext("orders", partition_keys=["a", "b"])
    with pytest.raises(AssetflowError) as raised:
        getattr(context, name)
    assert raised.value.message == f"orders: no single context.{name} in a batch of 2 partitions"
    assert raised.value.hint == "use context.partition_keys"


def test_a_static_partition_has_no_window() -> None:
    context = AssetContext("orders", partition_keys=["a"])
    with pytest.raises(AssetflowError) as raised:
        _ = context.partition_start
    assert raised.value.message == "orders@a: no context.partition_start, for its partitions are no time windows"
    assert raised.value.hint == "use context.partition_key"


def test_metadata_is_collected() -> None:
    context = AssetContext("orders")
    context.add_metadata(rows=3, source="a")
    context.add_metadata(rows=4)
    assert context.collected_metadata == {"rows": 4, "source": "a"}


def test_the_log_is_a_logger_of_the_asset(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        AssetContext("raw/orders").log.info("read %d rows", 3)
    [record] = caplog.records
    assert (record.name, record.getMessage()) == ("assetflow.assets.raw.orders", "read 3 rows")
