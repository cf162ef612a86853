"""The rules by which raw rows become clean ones, one function each."""

from __future__ import annotations

import pandas as pd


def real_orders(orders: pd.DataFrame) -> pd.DataFrame:
    """Only the orders that count as sold."""
    return orders[orders["status"] != "cancelled"]


def without_repeats(orders: pd.DataFrame) -> pd.DataFrame:
    """Each order once: a till that gets no answer sends its order again."""
    return orders.drop_duplicates("order_id", keep="last")


def tidy_name(names: pd.Series) -> pd.Series:
    """Product names as in the catalogue, whatever was typed at the till."""
    return names.str.strip().str.capitalize()


def country_code(countries: pd.Series) -> pd.Series:
    """Two capital letters."""
    return countries.str.strip().str.upper()
