"""Data files lost or damaged behind a recorded version: told wherever they are read, and healed by --force."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

STORED = """
import random
import duckdb
import pyarrow.dataset

sides = StaticPartitions(["a", "b"])

@asset(partitions=sides)
def table(context: AssetContext) -> pd.DataFrame:
    numbers = random.Random(context.partition_key)
    return pd.DataFrame({"n": [numbers.random() for _ in range(20_000)]})

@asset
def values() -> list[int]:
    return list(range(20_000))

@asset
def model():
    return {1, 2, 3}
"""

READING = """
@asset
def as_pandas(table: pd.DataFrame) -> int: return len(table) + {step}

@asset
def as_arrow(table: pa.Table) -> int: return len(table) + {step}

@asset
def as_dataset(table: pa.dataset.Dataset) -> int: return len(table.to_table()) + {step}

@asset
def as_relation(table: duckdb.DuckDBPyRelation) -> int: return len(table.fetchall()) + {step}

@asset
def of_values(values: list[int]) -> int: return len(values) + {step}

@asset
def of_model(model: set[int]) -> int: return len(model) + {step}
"""


def lose(path: Path) -> None:
    path.unlink()


def lose_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    """Change bytes in the middle, keeping the size."""
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4] = bytes(byte ^ 1 for byte in data[middle : middle + 4])
    path.write_bytes(data)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def built(shop: Shop) -> None:
    shop.write(STORED + READING.format(step=0))
    assert shop.run("materialize").code == 0


def damage(shop: Shop, change: Callable[[Path], None]) -> None:
    """Change what is stored of every asset, of partition ``a`` only where there are two."""
    data = shop.folder / ".assetflow" / "data"
    stored = [next(data.glob(pattern)) for pattern in ("table/a/v-*/*.parquet", "values/v-*/*.json", "model/v-*/*.pkl")]
    for path in stored:
        change(path)


@pytest.mark.parametrize("change", [lose, lose_folder, cut, empty, flip, become_folder])
def test_whoever_reads_is_told_which_file_and_force_heals_it(shop: Shop, change: Callable[[Path], None]) -> None:
    built(shop)
    damage(shop, change)
    kind = "DataMissing" if change in (lose, lose_folder) else "DataUnreadable"
    for command, asset in {
        "show table@a": "table@a",
        "show values": "values",
        "show model": "model",
        "query 'select sum(n) from data.table'": "table",
    }.items():
        said = shop.run(f"{command} --json")
        assert said.code == 1
        assert said.error["type"] == kind, said
        assert said.error["message"].startswith(asset.split("@", maxsplit=1)[0])
        assert said.error["hint"].endswith(f"materialize --select {asset.split('@', maxsplit=1)[0]} --force")
    assert shop.run("query 'select count(*) from partitions'").code == 0

    shop.write(STORED + READING.format(step=1))
    said = shop.run("materialize --select 'as_pandas or as_arrow or of_values or of_model' --json")
    assert said.code == 1
    assert {asset: (error["type"], error["message"].split(":")[0]) for asset, error in said.failures.items()} == {
        "as_pandas": (kind, "table@a"),
        "as_arrow": (kind, "table@a"),
        "of_values": (kind, "values"),
        "of_model": (kind, "model"),
    }
    lazy = shop.run("materialize --select 'as_dataset or as_relation' --json")
    assert lazy.code == 1
    assert sorted(lazy.failures) == ["as_dataset", "as_relation"]

    healed = shop.run("materialize --select 'table or values or model' --force --json")
    assert healed.code == 0
    assert healed.document is not None
    counts = {outcome: number for outcome, number in healed.document["counts"].items() if number}
    assert counts == {"materialized": 3, "unchanged": 1}
    assert shop.run("doctor").code == 0
    after = shop.run("materialize --json")
    assert after.code == 0
    assert after.document is not None
    assert after.document["counts"]["failed"] == 0
    assert shop.run("plan --fail-if-stale").code == 0


@pytest.mark.parametrize("change", [lose, lose_folder, cut, empty, become_folder])
def test_doctor_finds_what_is_missing_or_cut_short(shop: Shop, change: Callable[[Path], None]) -> None:
    built(shop)
    damage(shop, change)
    said = shop.run("doctor")
    assert said.code == 1
    assert "the data files of table@a are missing or cut short" in said.out
    assert "the data files of values are missing or cut short" in said.out
    assert "the data files of model are missing or cut short" in said.out
    assert "assetflow materialize --select table --force" in said.out


def test_a_failure_that_names_another_asset_says_whose_it_is(shop: Shop) -> None:
    shop.write(STORED + "@asset\ndef tab(table: pd.DataFrame) -> int: return len(table)\n")
    assert shop.run("materialize --select table").code == 0
    damaged = next((shop.folder / ".assetflow" / "data" / "table" / "a").glob("v-*/data.parquet"))
    damaged.unlink()
    said = shop.run("materialize --select tab")
    assert said.code == 1
    assert f"error: tab: table@a: version 1 has lost its file {damaged}\n" in said.out


def test_a_data_file_that_may_not_be_read_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    built(shop)

    def refused(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refused)
    for asset in ("values", "model"):
        error = shop.run(f"show {asset} --json").error
        assert error["type"] == "DataUnreadable"
        assert error["message"].endswith("cannot be read: Permission denied")
