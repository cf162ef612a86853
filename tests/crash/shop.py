"""The project that is killed: every asset's value tells which state of the source it was made from."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from assetflow import Definitions, Out, asset, asset_check, multi_asset, observable_source

SOURCE = Path("source.txt")


def marker() -> str:
    """What the source says now."""
    return SOURCE.read_text()


@observable_source
def source() -> str:
    return marker()


@asset(deps=[source])
def table() -> pa.Table:
    return pa.table({"marker": [marker()] * 50})


@asset(deps=[source])
def small() -> str:
    return marker()


@asset
def large(table: pa.Table, small: str) -> list[str]:
    return [small] * 6_000


@multi_asset(outs={"left": Out(), "right": Out()}, deps=[source])
def pair() -> tuple[pa.Table, pa.Table]:
    return pa.table({"marker": [marker()]}), pa.table({"marker": [marker()]})


@asset
def both(left: pa.Table, right: pa.Table) -> list[str]:
    return [*left["marker"].to_pylist(), *right["marker"].to_pylist()]


@asset(deps=[source])
def refused() -> pa.Table:
    return pa.table({"marker": [marker()]})


@asset_check(asset=refused, blocking=True)
def is_old(refused: pa.Table) -> bool:
    return refused["marker"].to_pylist() == ["old"]


defs = Definitions(assets=[source, table, small, large, pair, both, refused], checks=[is_old])
