"""Freshness policies that make no sense are found when the definitions are loaded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from assetflow import (
    DailyPartitions,
    FreshnessPolicy,
    MonthlyPartitions,
    MultiPartitions,
    Out,
    StaticPartitions,
    asset,
    multi_asset,
)
from assetflow.definitions.collect import Definitions
from assetflow.errors import DefinitionErrors
from assetflow.graph import build_graph
from assetflow.keys import AssetKey


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (FreshnessPolicy(), "neither max_lag nor cron"),
        (FreshnessPolicy(max_lag="soon"), "max_lag=): 'soon' is no duration"),
        (FreshnessPolicy(max_lag=timedelta(-1)), "is no duration"),
        (FreshnessPolicy(max_lag="0s"), "can never be met"),
        (FreshnessPolicy(max_lag="1h", warn_lag="x"), "warn_lag=): 'x' is no duration"),
        (FreshnessPolicy(max_lag="1h", warn_lag="1h"), "is not shorter than max_lag"),
        (FreshnessPolicy(cron="0 6 * * *", warn_lag="1h"), "warn_lag=) needs max_lag="),
        (FreshnessPolicy(cron="0 25 * * *"), "hour '25' is not from 0 to 23"),
        (FreshnessPolicy(max_lag="1h", timezone="Europe/Belin"), "is no time zone"),
        (1, "freshness_policy=1 is no FreshnessPolicy"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy: FreshnessPolicy, said: str) -> None:
    @asset(freshness_policy=policy)
    def orders() -> int:
        return 1

    @multi_asset(outs={"a": Out(freshness_policy=policy), "b": Out()})
    def both() -> tuple[int, int]:
        return 1, 2

    with pytest.raises(DefinitionErrors) as caught:
        build_graph(Definitions(assets=[orders, both]))
    messages = [error.message for error in caught.value.errors]
    assert [message.partition(":")[0] for message in messages] == ["orders", "both"]
    assert all(said in message for message in messages)
    assert all(error.hint for error in caught.value.errors)


def test_what_an_output_says_goes_before_what_the_decorator_says() -> None:
    hour, day = FreshnessPolicy(max_lag="1h"), FreshnessPolicy(max_lag="1d")

    @multi_asset(outs={"a": Out(freshness_policy=hour), "b": Out()}, freshness_policy=day)
    def both() -> tuple[int, int]:
        return 1, 2

    graph = build_graph(Definitions(assets=[both]))
    assert [graph.specs[AssetKey(key)].freshness_policy for key in "ab"] == [hour, day]


def test_a_policy_over_two_dimensions_of_time_is_refused() -> None:
    both = MultiPartitions(
        {
            "day": DailyPartitions("2024-01-01"),
            "area": StaticPartitions(["north"]),
            "seen": MonthlyPartitions("2024-01"),
        }
    )

    @asset(partitions=both, freshness_policy=FreshnessPolicy(max_lag="1d"))
    def sales() -> int:
        return 1

    with pytest.raises(DefinitionErrors) as caught:
        build_graph(Definitions(assets=[sales]))
    (error,) = caught.value.errors
    told = "sales: freshness_policy needs one dimension of time to tell how old data is; it has day, seen"
    assert error.message == told
    assert error.hint == "give the policy to what is made from it"
