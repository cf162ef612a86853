"""The columns of every table; a table that differs is not published."""

from __future__ import annotations

from datetime import datetime

from assetflow import Field, Schema


class Order(Schema):
    order_id: str = Field(unique=True)
    ordered_at: datetime
    customer_id: str
    product: str
    quantity: int = Field(ge=1)
    price: float = Field(gt=0, description="of one piece, in euros")


class Customer(Schema):
    customer_id: str = Field(unique=True)
    name: str
    email: str | None
    country: str = Field(pattern="[A-Z]{2}")


class Revenue(Schema):
    country: str = Field(unique=True)
    order_count: int = Field(ge=1)
    revenue: float = Field(gt=0, description="in euros")


class BestCustomer(Schema):
    customer_id: str = Field(unique=True)
    name: str
    revenue: float = Field(gt=0, description="in euros, over all days")
