"""What others send us: files that arrive in the folder incoming/, known by a hash of their content."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from assetflow import observable_source

from shop.calendar import days

INCOMING = Path(__file__).parent.parent / "incoming"


def content_hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@observable_source(partitions=days)
def order_files() -> dict[str, str]:
    """One file of orders per day, named by the day."""
    return {path.stem: content_hash(path) for path in (INCOMING / "orders").glob("*.csv")}


@observable_source
def customer_file() -> str:
    """The list of all customers."""
    return content_hash(INCOMING / "customers.csv")
