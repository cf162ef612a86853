from __future__ import annotations

import pandas as pd
from assetflow import materialize

from shop import assets, sources
from shop.checks import orders_of_one_day
from shop.cleaning import country_code, real_orders, tidy_name, without_repeats

ORDERS = pd.DataFrame(
    {
        "order_id": ["1", "2", "3"],
        "ordered_at": pd.to_datetime(["2025-01-02T09:00", "2025-01-02T10:00", "2025-01-02T11:00"]),
        "customer_id": ["C001", "C002", "C001"],
        "product": ["Teapot", "Oolong", "Oolong"],
        "quantity": [1, 2, 1],
        "price": [34.0, 12.0, 12.0],
    }
)
CUSTOMERS = pd.DataFrame(
    {"customer_id": ["C001", "C002"], "name": ["Ada", "Boris"], "email": [None, None], "country": ["DE", "FR"]}
)


def test_cancelled_orders_do_not_count():
    orders = pd.DataFrame({"order_id": ["1", "2"], "status": ["paid", "cancelled"]})
    assert list(real_orders(orders)["order_id"]) == ["1"]


def test_an_order_that_was_sent_twice_counts_once():
    orders = pd.DataFrame({"order_id": ["1", "1", "2"]})
    assert list(without_repeats(orders)["order_id"]) == ["1", "2"]


def test_names_and_countries_are_tidied():
    assert list(tidy_name(pd.Series([" GREEN TEA", "Teapot"]))) == ["Green tea", "Teapot"]
    assert list(country_code(pd.Series(["de", "FR "]))) == ["DE", "FR"]


def test_an_asset_is_still_a_function():
    revenue = assets.daily_revenue(ORDERS, CUSTOMERS)
    assert revenue.to_dict("list") == {"country": ["DE", "FR"], "order_count": [2, 1], "revenue": [46.0, 24.0]}


def test_orders_of_two_days_in_one_file_are_refused():
    other_day = ORDERS.assign(ordered_at=ORDERS["ordered_at"] + pd.Timedelta(days=1))
    assert orders_of_one_day(ORDERS).passed
    assert not orders_of_one_day(pd.concat([ORDERS, other_day])).passed


def test_a_month_adds_up():
    result = materialize([sources, assets], partitions="2025-01")
    assert result.status == "success"
    days = [result.value("daily_revenue", f"2025-01-{day:02}") for day in range(1, 32)]
    month = result.value("monthly_revenue", "2025-01")
    assert month["order_count"].sum() == sum(day["order_count"].sum() for day in days)
    assert len(result.value("best_customers")) == 5
