"""The shop's tables. A parameter names the table that it receives."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from assetflow import AssetContext, asset

from shop.calendar import days, months
from shop.cleaning import country_code, real_orders, tidy_name, without_repeats
from shop.schemas import BestCustomer, Customer, Order, Revenue
from shop.sources import INCOMING, customer_file, order_files


@asset(deps=[order_files], partitions=days, group="clean")
def orders(context: AssetContext) -> Annotated[pd.DataFrame, Order]:
    """The orders of a day, each once."""
    path = INCOMING / "orders" / f"{context.partition_key}.csv"
    sent = pd.read_csv(path, dtype={"order_id": str}, parse_dates=["ordered_at"])
    sold = without_repeats(real_orders(sent))
    return sold.assign(product=tidy_name(sold["product"])).drop(columns="status")


@asset(deps=[customer_file], group="clean")
def customers() -> Annotated[pd.DataFrame, Customer]:
    """All customers."""
    listed = pd.read_csv(INCOMING / "customers.csv")
    return listed.assign(country=country_code(listed["country"]))


@asset(partitions=days, group="reports")
def daily_revenue(orders: pd.DataFrame, customers: pd.DataFrame) -> Annotated[pd.DataFrame, Revenue]:
    """Orders and revenue of a day by the customers' country."""
    sales = orders.assign(revenue=orders["quantity"] * orders["price"]).merge(customers, on="customer_id")
    return sales.groupby("country", as_index=False).agg(order_count=("order_id", "count"), revenue=("revenue", "sum"))


@asset(partitions=months, group="reports")
def monthly_revenue(daily_revenue: pd.DataFrame) -> Annotated[pd.DataFrame, Revenue]:
    """Orders and revenue of a month by country: all its days arrive as one table."""
    return daily_revenue.groupby("country", as_index=False)[["order_count", "revenue"]].sum()


@asset(group="reports")
def best_customers(orders: pd.DataFrame, customers: pd.DataFrame) -> Annotated[pd.DataFrame, BestCustomer]:
    """The five customers who spent most: the orders of all days arrive as one table."""
    spent = (orders["quantity"] * orders["price"]).groupby(orders["customer_id"]).sum()
    best = spent.rename("revenue").nlargest(5).reset_index()
    return best.merge(customers[["customer_id", "name"]], on="customer_id")[["customer_id", "name", "revenue"]]
