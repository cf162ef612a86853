"""Writes the folder incoming/: what a shop's tills and its customer list would have sent, the same on every machine."""

from __future__ import annotations

import csv
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random

INCOMING = Path(__file__).parent / "incoming"
FIRST_DAY = date(2025, 1, 1)
DAYS = 59
NEW_TILL_IS_TRIED = (date(2025, 2, 4), date(2025, 2, 5))

PRICES = {"Green tea": 4.5, "Espresso": 9.75, "Oolong": 12.0, "Filter papers": 3.25, "Teapot": 34.0, "Grinder": 79.0}
NAMES = ["Ada", "Boris", "Chloé", "Dilan", "Emre", "Fatima", "Grete", "Hugo", "Ines", "Jan", "Keiko", "Lena"]
COUNTRIES = ["de", "DE", "fr", "FR ", "pl", " nl"]

Row = list[object]


def customers(random: Random) -> list[Row]:
    """One row per customer: some without an address, and countries in every spelling."""
    rows: list[Row] = []
    for number, name in enumerate(NAMES, start=1):
        email = f"customer{number}@example.org" if random.random() < 0.8 else ""
        rows.append([f"C{number:03}", name, email, COUNTRIES[int(random.random() * len(COUNTRIES))]])
    return rows


def orders(random: Random, day: date) -> list[Row]:
    """One row per order of a day: some cancelled, some sent twice, and those that only tried a new till."""
    opening = datetime.combine(day, time(9))
    rows: list[Row] = []
    for number in range(8 + int(random.random() * 8)):
        product = list(PRICES)[int(random.random() * len(PRICES))]
        spelled = product if random.random() < 0.8 else f" {product.upper()}"
        customer = f"C{1 + int(random.random() * len(NAMES)):03}"
        quantity = 1 + int(random.random() ** 2 * 4)
        status = "paid" if random.random() < 0.92 else "cancelled"
        at = opening + timedelta(minutes=40 * number + int(random.random() * 40))
        rows.append([f"{day:%y%m%d}{number:02}", at.isoformat(), customer, spelled, quantity, PRICES[product], status])
        if random.random() < 0.04:
            rows.append(rows[-1])
    if day in NEW_TILL_IS_TRIED:
        rows.append([f"{day:%y%m%d}99", (opening - timedelta(hours=1)).isoformat(), "C001", "Teapot", 50, 34.0, "test"])
    return rows


def write(path: Path, header: str, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(header.split())
        lines.writerows(rows)


def write_all(folder: Path) -> None:
    """Write customers.csv and one file per day of orders into ``folder``."""
    random = Random(20250101)
    (folder / "orders").mkdir(parents=True, exist_ok=True)
    write(folder / "customers.csv", "customer_id name email country", customers(random))
    for day in (FIRST_DAY + timedelta(days=n) for n in range(DAYS)):
        header = "order_id ordered_at customer_id product quantity price status"
        write(folder / "orders" / f"{day}.csv", header, orders(random, day))


if __name__ == "__main__":
    write_all(INCOMING)
