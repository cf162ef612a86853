"""CONTRACT, "Files": ``_current.json`` and what readers find that know nothing of the catalog."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from assetflow import (
    NO_DATA,
    AssetContext,
    DailyPartitions,
    Definitions,
    Project,
    StaticPartitions,
    asset,
    asset_check,
    materialize,
)

NOW = datetime(2024, 2, 10, tzinfo=UTC)
DAYS = DailyPartitions("2024-01-30", end="2024-02-03")


def opened(folder: Path, *declared: Any, **options: Any) -> Project:
    return Project(
        Definitions(assets=list(declared)),
        store=f"sqlite:///{folder}/store.db",
        storage=folder / "data",
        clock=lambda: NOW,
        **options,
    )


def current(folder: Path, name: str, file: str = "_current.json") -> dict[str, Any]:
    return json.loads((folder / "data" / name / file).read_text(encoding="utf-8"))


def table(values: list[int]) -> Any:
    def numbers() -> pd.DataFrame:
        return pd.DataFrame({"n": values})

    return asset(code_version=str(values))(numbers)


def test_the_document_of_a_partitioned_and_of_an_unpartitioned_asset(tmp_path: Path) -> None:
    @asset(name="raw/day", partitions=DAYS)
    def day(context: AssetContext) -> pd.DataFrame:
        return NO_DATA if context.partition_key == "2024-02-01" else pd.DataFrame({"day": [context.partition_key]})

    with opened(tmp_path, day, table([1])) as project:
        project.materialize()
        versions = {row["partition"]: row["version"] for row in project.versions("raw/day")}
    found = current(tmp_path, "raw/day")

    assert {"asset", "generation", "partitions"} <= set(found)
    assert found["asset"] == "raw/day"
    for entry in found["partitions"]:
        assert {"partition", "version", "generation", "files"} <= set(entry)
        assert entry["version"] == versions[entry["partition"]]
        assert entry["generation"] <= found["generation"]
        for file in entry["files"]:
            read = pq.read_table(tmp_path / "data" / "raw/day" / file, partitioning=None)
            assert read.to_pydict() == {"day": [entry["partition"]]}
    assert [(entry["partition"], len(entry["files"])) for entry in found["partitions"]] == [
        ("2024-01-30", 1),
        ("2024-01-31", 1),
        ("2024-02-01", 0),
        ("2024-02-02", 1),
    ]
    (entry,) = current(tmp_path, "numbers")["partitions"]
    assert entry["partition"] is None
    path = tmp_path / "data" / "numbers" / entry["files"][0]
    assert duckdb.sql(f"select n from '{path}'").fetchall() == [(1,)]


def test_versions_are_immutable_and_the_document_moves(tmp_path: Path) -> None:
    with opened(tmp_path, table([1])) as project:
        project.materialize()
        first = current(tmp_path, "numbers")
        old = tmp_path / "data" / "numbers" / first["partitions"][0]["files"][0]
        octets = old.read_bytes()
    with opened(tmp_path, table([2])) as project:
        project.materialize()
        second = current(tmp_path, "numbers")
        assert old.read_bytes() == octets
        assert second["generation"] > first["generation"]
        assert second["partitions"][0]["files"] != first["partitions"][0]["files"]
        project.rollback("numbers", to=first["partitions"][0]["version"])
        third = current(tmp_path, "numbers")
    assert third["generation"] > second["generation"]
    assert third["partitions"][0]["files"] == first["partitions"][0]["files"]


def test_what_is_refused_is_not_in_the_document(tmp_path: Path) -> None:
    @asset_check(asset="numbers", blocking=True)
    def small(numbers: pd.DataFrame) -> bool:
        return bool((numbers["n"] < 2).all())

    with opened(tmp_path, table([1])) as project:
        project.materialize()
        before = current(tmp_path, "numbers")
    defs = Definitions(assets=[table([2])], checks=[small])
    with Project(defs, store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data") as project:
        result = project.materialize()
        assert result.counts["quarantined"] == 1
        candidate = next(row for row in project.versions("numbers") if row["state"] == "quarantined")
        assert project.load("numbers", version=candidate["version"])["n"].tolist() == [2]  # type: ignore[arg-type,index]
        assert project.load("numbers")["n"].tolist() == [1]  # type: ignore[index]
    assert current(tmp_path, "numbers")["partitions"] == before["partitions"]


def test_another_environment_has_a_document_of_its_own(tmp_path: Path) -> None:
    with opened(tmp_path, table([1])) as project:
        project.materialize()
    before = current(tmp_path, "numbers")
    with opened(tmp_path, table([2]), environment="dev") as project:
        project.materialize()
    ours, theirs = current(tmp_path, "numbers"), current(tmp_path, "numbers", "_current.dev.json")

    assert ours == before
    assert theirs["partitions"][0]["files"] != ours["partitions"][0]["files"]


def test_paths_have_no_equals_sign_and_each_version_a_manifest_with_the_true_key(tmp_path: Path) -> None:
    @asset(partitions=StaticPartitions(["a=b", "a/b"]))
    def lettered(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"n": [1]})

    with opened(tmp_path, lettered) as project:
        project.materialize()
    manifests = [json.loads(path.read_text()) for path in (tmp_path / "data").rglob("_manifest.json")]

    assert sorted(manifest["partition"] for manifest in manifests) == ["a/b", "a=b"]


def test_small_plain_values_need_no_file(tmp_path: Path) -> None:
    @asset
    def small() -> dict[str, int]:
        return {"a": 1}

    @asset
    def large() -> str:
        return "x" * 20_000

    with opened(tmp_path, small, large) as project:
        project.materialize()
        assert (project.load("small"), len(project.load("large"))) == ({"a": 1}, 20_000)  # type: ignore[arg-type]
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"large"}
    assert current(tmp_path, "large")["partitions"][0]["files"]


def test_formats_are_chosen_by_value_or_by_name(tmp_path: Path) -> None:
    @asset
    def plain() -> list[int]:
        return [1]

    @asset
    def odd() -> object:
        return {1, 2}

    @asset(io_manager="pickle")
    def pickled() -> list[int]:
        return [1]

    @asset(io_manager="parquet")
    def tabular() -> pd.DataFrame:
        return pd.DataFrame({"n": [1]})

    result = materialize([plain, odd, pickled, tabular])
    found = result.project.catalog.query("select asset, io_manager from assets").to_pylist()

    assert result.status == "success", result.failures
    assert {row["asset"]: row["io_manager"] for row in found} == {
        "plain": "json",
        "odd": "pickle",
        "pickled": "pickle",
        "tabular": "parquet",
    }
