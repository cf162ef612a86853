"""CONTRACT, "Partition keys": any text is a key, and comes back as itself from paths, views, addresses and the CLI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assetflow import (
    AssetContext,
    AssetflowError,
    Batch,
    DailyPartitions,
    Definitions,
    HourlyPartitions,
    MonthlyPartitions,
    Project,
    StaticPartitions,
    WeeklyPartitions,
    asset,
    asset_check,
    materialize,
    observable_source,
)
from tests.contract.conftest import Outside

HELL = [
    "../../etc/passwd",
    "x" * 500,
    "🦊é́",
    "a|b",
    "it's",
    'say "hi"',
    "'; drop table versions; --",
    "...",
    "a...b",
    "@",
    "a@b",
    "%40",
    "%2540",
    "100%",
    ".",
    "..",
    "a/b",
    "a\\b",
    "a b",
    " lead and trail ",
    "Case",
    "case",
    "-p",
    "--json",
    "line\nbreak",
    "tab\t",
    "\x00nul",
    "*",
    "con",
    "$HOME",
    "a=b",
    "_current.json",
    "v-1",
    "%",
    "\u202eright",
    "null",
]


@asset(partitions=StaticPartitions(HELL))
def up(context: AssetContext) -> pd.DataFrame:
    return pd.DataFrame({"key": [context.partition_key], "n": [1]})


@asset(partitions=StaticPartitions(HELL), batch=Batch(max_partitions=7))
def batched(context: AssetContext, up: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {key: up[up["_partition"] == key][["key"]] for key in context.partition_keys}


@asset
def total(up: dict[str, pd.DataFrame]) -> list[str]:
    assert all(frame["key"].tolist() == [key] for key, frame in up.items())
    return list(up)


@asset_check(asset="up", blocking=True)
def right_key(context: AssetContext, up: pd.DataFrame) -> bool:
    return up["key"].tolist() == [context.partition_key]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("hell")
    defs = Definitions(assets=[up, batched, total], checks=[right_key])
    with Project(defs, store=f"sqlite:///{folder}/s.db", storage=folder / "deep" / "data") as project:
        result = project.materialize()
        assert result.status == "success", result.failures
        yield project


def test_they_are_dict_keys_context_keys_and_results(project: Project) -> None:
    assert project.load("total") == HELL
    assert list(project.load("up", as_type=dict[str, pd.DataFrame])) == HELL  # type: ignore[call-overload]
    for key in HELL:
        assert project.load("batched", key)["key"].tolist() == [key]  # type: ignore[index]
        found = project.why("up", key).to_dict()
        assert (found["partition"], found["state"]) == (key, "up_to_date")


def test_nothing_is_written_outside_the_storage_and_every_key_has_a_place_of_its_own(project: Project) -> None:
    root = project.storage.root
    parent = Path(root).parent
    assert {path.name for path in parent.iterdir()} == {"data"}
    entries = json.loads((Path(root) / "up" / "_current.json").read_text(encoding="utf-8"))["partitions"]
    assert [entry["partition"] for entry in entries] == HELL
    places = {path for entry in entries for path in entry["files"]}
    folders = {path.split("/")[0].casefold() for path in places}
    assert len(places) == len(folders) == len(HELL)
    assert all((Path(root) / "up" / path).resolve().is_relative_to(Path(root).resolve()) for path in places)
    assert all(len(path.split("/")[0]) <= 80 for path in places)
    assert all((Path(root) / "up" / path).is_file() for path in places)


def test_views_hold_the_true_key(project: Project) -> None:
    def column(sql: str) -> list[Any]:
        return project.catalog.query(sql).column(0).to_pylist()

    assert sorted(column("select partition from partitions where asset = 'up'")) == sorted(HELL)
    assert sorted(column("select partition from versions where asset = 'up'")) == sorted(HELL)
    assert sorted(column("select partition from checks")) == sorted(HELL)
    assert sorted(column("select partition from data.up")) == sorted(HELL)
    assert column("select count(*) from data.up where partition = key") == [len(HELL)]
    assert sorted(column("select partition from steps where asset = 'batched'")) == sorted(HELL)
    assert column("select count(*) from lineage where asset = 'batched' and partition = upstream_partition") == [
        len(HELL)
    ]


def test_each_alone_can_be_planned_as_an_escaped_argument_or_a_range(project: Project) -> None:
    from assetflow.keys import escape_key, format_address, parse_address

    for key in HELL:
        for given in (escape_key(key), [(key, key)], [escape_key(key)]):
            plan: Any = project.plan("up", given, force=True).to_dict()
            assert plan["steps"][0]["partitions"]["count"] == 1
            (first, last) = plan["steps"][0]["partitions"]["ranges"][0]
            assert first == last
        assert parse_address(format_address("up", key)).partition == key


def test_ranges_in_documents_can_be_given_back(project: Project) -> None:
    for key in HELL:
        plan: Any = project.plan("up", [(key, key)], force=True).to_dict()
        ((first, last),) = plan["steps"][0]["partitions"]["ranges"]
        again: Any = project.plan("up", [(first, last)], force=True).to_dict()
        assert again["steps"][0]["partitions"] == plan["steps"][0]["partitions"]


def test_lineage_goes_through_them(project: Project) -> None:
    for key in HELL:
        found = project.catalog.lineage("batched", key).to_dict()
        nodes: Any = found["nodes"]
        assert {(node["asset"], node["partition"]) for node in nodes} == {("batched", key), ("up", key)}


def test_versions_and_rollback_go_through_them(project: Project) -> None:
    for key in HELL[:6]:
        (row,) = project.versions("up", key)
        assert row["partition"] == key
        moved: Any = project.rollback("up", key, to=row["version"])["published"]  # type: ignore[arg-type]
        assert all(entry["partition"] == key for entry in moved)


@pytest.mark.parametrize("keys", [[""], ["a", "a"], [], "ab", [1], ["\ud800"]])
def test_keys_that_are_refused(keys: Any) -> None:
    @asset(partitions=StaticPartitions(keys))
    def bad() -> int:
        return 1

    with pytest.raises(AssetflowError, match="bad") as caught:
        Project([bad])
    assert caught.value.exit_code == 2


def test_a_source_may_observe_such_keys() -> None:
    @observable_source(partitions=StaticPartitions(HELL))
    def raw() -> dict[str, str]:
        return dict.fromkeys(HELL, "1")

    @asset(partitions=StaticPartitions(HELL), deps=[raw])
    def down(context: AssetContext) -> str:
        return context.partition_key

    result = materialize([raw, down])
    assert result.counts["materialized"] == len(HELL)
    assert all(result.value("down", key) == key for key in HELL)


def test_time_keys_have_the_forms_of_the_contract() -> None:
    seen: dict[str, list[str]] = {}

    def keys(name: str, partitions: Any) -> Any:
        def some(context: AssetContext) -> str:
            seen.setdefault(name, []).append(context.partition_key)
            return context.partition_key

        return asset(name=name, partitions=partitions, code_version="1")(some)

    materialize(
        [
            keys("day", DailyPartitions("2013-01-31", end="2013-02-02")),
            keys("week", WeeklyPartitions("2013-01-07", end="2013-01-21")),
            keys("sunday", WeeklyPartitions("2013-01-06", end="2013-01-20", week_start="sunday")),
            keys("month", MonthlyPartitions("2013-12", end="2014-02")),
            keys("utc", HourlyPartitions("2013-01-01", end="2013-01-01T02:00")),
            keys("local", HourlyPartitions("2013-11-03", end="2013-11-03T03:00", timezone="America/New_York")),
            keys("spring", HourlyPartitions("2013-03-10T01:00", end="2013-03-10T04:00", timezone="America/New_York")),
        ],
        now=datetime(2024, 1, 1, tzinfo=UTC),
    )

    assert seen == {
        "day": ["2013-01-31", "2013-02-01"],
        "week": ["2013-01-07", "2013-01-14"],
        "sunday": ["2013-01-06", "2013-01-13"],
        "month": ["2013-12", "2014-01"],
        "utc": ["2013-01-01T00:00Z", "2013-01-01T01:00Z"],
        "local": [
            "2013-11-03T00:00-04:00",
            "2013-11-03T01:00-04:00",
            "2013-11-03T01:00-05:00",
            "2013-11-03T02:00-05:00",
        ],
        "spring": ["2013-03-10T01:00-05:00", "2013-03-10T03:00-04:00"],
    }


def test_an_unambiguous_local_form_names_an_hour_wherever_a_key_is_taken() -> None:
    hours = HourlyPartitions("2013-11-03", end="2013-11-04", timezone="America/New_York")

    @asset(partitions=hours)
    def hourly(context: AssetContext) -> str:
        return context.partition_key

    with Project([hourly], clock=lambda: datetime(2024, 1, 1, tzinfo=UTC)) as project:
        assert project.materialize(partitions="2013-11-03T05:00").counts["materialized"] == 1
        assert project.load("hourly", "2013-11-03T05:00") == "2013-11-03T05:00-05:00"
        assert project.load("hourly", "2013-11-03T10:00Z") == "2013-11-03T05:00-05:00"
        assert project.why("hourly", "2013-11-03T05:00").state == "up_to_date"
        for missing in ("2013-11-03T01:00", "2013-11-03T01:30-04:00", "2013-11-04T05:00", "2013-11-03"):
            with pytest.raises(AssetflowError):
                project.why("hourly", missing)


CLI_KEYS = ["../../etc/passwd", "🦊é́", "a|b", 'say "hi"; drop table x', "a...b", "...", "@", "%40", "--json", " x "]


@pytest.fixture(scope="module")
def shop(outside: Callable[[str], Outside]) -> Outside:
    shop = outside("keys")
    shop.write("pyproject.toml", '[tool.assetflow]\ndefinitions = "shop"\n')
    shop.write(
        "shop.py",
        f"""
        import pandas as pd
        from assetflow import AssetContext, StaticPartitions, asset

        @asset(name="raw/up", partitions=StaticPartitions({CLI_KEYS!r}))
        def up(context: AssetContext) -> pd.DataFrame:
            return pd.DataFrame({{"key": [context.partition_key]}})
        """,
    )
    assert shop.document("materialize")["counts"]["materialized"] == len(CLI_KEYS)
    return shop


def test_addresses_that_the_command_line_prints_are_read_back(shop: Outside) -> None:
    rows = shop.document("query", 'select partition, key from "data"."raw/up" order by partition')
    assert sorted(row[0] for row in rows["rows"]) == sorted(CLI_KEYS)
    assert all(partition == key for partition, key in rows["rows"])
    from assetflow.keys import format_address

    for key in CLI_KEYS[:4] + CLI_KEYS[5:8]:
        found = shop.document("why", format_address("raw/up", key))
        assert (found["asset"], found["partition"], found["state"]) == ("raw/up", key, "up_to_date")


def test_from_and_to_take_keys_as_they_are(shop: Outside) -> None:
    found = shop.document("materialize", "--from", "a...b", "--to", "%40", "--force")
    assert found["counts"]["unchanged"] == 4
    found = shop.document("plan", "--from=--json", "--to=--json")
    assert found["totals"]["partitions"] == 0
    found = shop.document("materialize", "--partition", "%2540", "--force")
    assert found["counts"]["unchanged"] == 1
