"""Adding and removing dynamic partitions of a project: what is refused, what is kept, and what follows at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assetflow import (
    AssetContext,
    DailyPartitions,
    DynamicPartitions,
    FreshnessPolicy,
    Input,
    MultiPartitions,
    Project,
    StaticMapping,
    StaticPartitions,
    asset,
)
from assetflow.errors import DefinitionErrors, InvalidPartition, PartitionInUse, UsageError
from assetflow.partitions.multi_partitions import WIDTHS

NOW = datetime(2024, 1, 3, 12, tzinfo=UTC)
CUSTOMERS = DynamicPartitions("customers")
CELLS = MultiPartitions({"day": DailyPartitions("2024-01-01"), "customer": CUSTOMERS})
HINT = "with --force (force=True) they go all the same: versions are kept, and come back with their key"


@asset(partitions=CUSTOMERS)
def orders(context: AssetContext) -> object:
    return {context.partition_key}  # a set is no JSON: it has a file


@asset(partitions=DynamicPartitions("customers"))
def invoices(orders: Any) -> str:
    return f"{sorted(orders)[0]}!"


@asset(partitions=CELLS)
def cells(context: AssetContext) -> str:
    return context.partition_key


@asset
def total(invoices: dict[str, str]) -> list[str]:
    return list(invoices)


@asset(partitions=DynamicPartitions("files"))
def parsed(context: AssetContext) -> str:
    return context.partition_key


def opened(tmp_path: Path, *assets: Any, **options: Any) -> Project:
    return Project(
        list(assets), store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data", clock=lambda: NOW, **options
    )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with opened(tmp_path, orders, invoices, cells, total, parsed) as project:
        yield project


def planned(project: Project) -> dict[str, object]:
    return {step.computation: step.partitions.ranges for step in project.plan().steps}


def test_keys_are_added_planned_built_and_loaded(project: Project) -> None:
    assert project.partitions("customers") == []
    assert project.add_partitions("customers", ["zoe", "acme"]) == ["zoe", "acme"]
    assert project.add_partitions("customers", (key for key in ("acme", "a|b"))) == ["a|b"]
    assert project.add_partitions("customers", []) == []
    assert project.partitions("customers") == ["zoe", "acme", "a|b"]
    assert project.partitions("files") == []
    assert planned(project) == {
        "orders": (("zoe", "a|b"),),
        "invoices": (("zoe", "a|b"),),
        "cells": (("2024-01-01|zoe", "2024-01-02|a%7Cb"),),
        "total": None,
    }
    assert project.materialize().status == "success"
    assert project.load("total") == ["zoe", "acme", "a|b"]
    assert project.load("invoices", "a|b") == "a|b!"
    assert project.load("cells", "2024-01-02|a%7Cb") == "2024-01-02|a%7Cb"
    assert planned(project) == {}


def test_another_project_sees_them_at_once(tmp_path: Path, project: Project) -> None:
    catalog = project.catalog
    query = "select partition from partitions where asset = 'orders'"
    with opened(tmp_path, orders) as other:
        other.add_partitions("customers", ["zoe"])
        assert project.partitions("customers") == ["zoe"]
        assert catalog.query(query)["partition"].to_pylist() == ["zoe"]
        assert project.why("orders", "zoe").state == "missing"
        other.materialize()
    assert project.load("orders", "zoe") == {"zoe"}
    project.add_partitions("customers", ["acme"])
    assert catalog.query(query)["partition"].to_pylist() == ["zoe", "acme"]
    by_asset: dict[str, Any] = {str(each["asset"]): each for each in project.status().to_dict()["assets"]}  # type: ignore[attr-defined]
    assert by_asset["orders"]["partitions"]["total"] == 2


@pytest.mark.parametrize(
    ("name", "keys", "kind", "message", "hint"),
    [
        ("custmers", ["x"], UsageError, "there are no dynamic partitions 'custmers'", "did you mean customers?"),
        (
            "orders",
            ["x"],
            UsageError,
            "there are no dynamic partitions 'orders'",
            "declared are 'customers', 'files'",
        ),
        ("customers", "acme", InvalidPartition, "customers: keys is 'acme', not a list of keys", "write ['acme']"),
        ("customers", [5], InvalidPartition, "customers: the key 5 is no text: write '5'", None),
        ("customers", ["fine", ""], InvalidPartition, "customers: a key is empty: give it a name", None),
    ],
)
def test_what_cannot_be_added_is_refused_whole(
    project: Project, name: str, keys: Any, kind: type[UsageError], message: str, hint: str | None
) -> None:
    for change in (project.add_partitions, project.remove_partitions):
        with pytest.raises(kind) as caught:
            change(name, keys)
        assert (caught.value.message, caught.value.hint) == (message, hint)
    assert project.partitions("customers") == []


def test_the_keys_of_an_unknown_set_are_refused_too(tmp_path: Path, project: Project) -> None:
    with pytest.raises(UsageError, match="there are no dynamic partitions 'file'") as caught:
        project.partitions("file")
    assert caught.value.hint == "did you mean files?"
    with opened(tmp_path, _plain()) as none, pytest.raises(UsageError) as caught:
        none.partitions("file")
    assert caught.value.hint == "no asset declares any"


def _plain() -> Any:
    @asset(name="plain")
    def plain() -> int:
        return 1

    return plain


def test_a_key_that_nothing_refers_to_is_removed(project: Project) -> None:
    project.add_partitions("customers", ["zoe", "acme", "bert"])
    assert project.remove_partitions("customers", ["acme", "zoe"]) == ["acme", "zoe"]
    assert project.partitions("customers") == ["bert"]
    assert project.remove_partitions("customers", ["acme"]) == []
    with pytest.raises(InvalidPartition, match="customers: there is no key 'bart'") as caught:
        project.remove_partitions("customers", ["bart"])
    assert caught.value.hint == "did you mean bert?"
    with pytest.raises(InvalidPartition) as caught:
        project.remove_partitions("customers", ["bert", "?"])
    assert caught.value.hint == "assetflow partitions list 'customers' shows the keys"
    assert project.partitions("customers") == ["bert"]


def test_what_is_published_is_not_removed_without_force(project: Project) -> None:
    project.add_partitions("customers", ["zoe", "acme"])
    project.materialize()
    with pytest.raises(PartitionInUse) as caught:
        project.remove_partitions("customers", ["zoe"])
    assert caught.value.message == (
        "customers: not removed, for orders@zoe is published, and read by invoices; "
        "invoices@zoe is published, and read by total; cells@2024-01-01|zoe, cells@2024-01-02|zoe are published"
    )
    assert caught.value.hint == HINT
    assert caught.value.exit_code == 2
    assert project.partitions("customers") == ["zoe", "acme"]


def test_what_is_removed_by_force_comes_back_as_it_was(project: Project) -> None:
    project.add_partitions("customers", ["zoe", "acme"])
    project.materialize()
    versions = {row["version"]: row["partition"] for row in project.versions("orders")}
    assert project.remove_partitions("customers", ["zoe"], force=True) == ["zoe"]
    with pytest.raises(InvalidPartition, match="orders: there is no partition 'zoe'"):
        project.load("orders", "zoe")
    (old,) = [number for number, key in versions.items() if key == "zoe"]
    assert project.load("orders", version=int(old)) == {"zoe"}  # type: ignore[call-overload]
    assert {row["version"]: row["partition"] for row in project.versions("orders")} == versions
    assert project.materialize().counts["materialized"] == 1
    assert project.load("total") == ["acme"]

    project.add_partitions("customers", ["zoe"])
    assert project.load("orders", "zoe") == {"zoe"}
    assert project.why("cells", "2024-01-02|zoe").state == "up_to_date"
    assert planned(project) == {"total": None}
    assert project.materialize().counts["reused"] == 1
    assert project.load("total") == ["zoe", "acme"]


def test_what_is_published_elsewhere_counts_too(tmp_path: Path, project: Project) -> None:
    with opened(tmp_path, orders, environment="dev") as dev:
        dev.add_partitions("customers", ["zoe"])
        dev.materialize()
    with pytest.raises(PartitionInUse, match="orders@zoe is published in the environment dev, and read by"):
        project.remove_partitions("customers", ["zoe"])


def test_many_references_are_counted(project: Project) -> None:
    project.add_partitions("customers", [f"c{number:02}" for number in range(40)])
    project.materialize("orders")
    with pytest.raises(PartitionInUse, match=r"orders@c00, orders@c01, orders@c02 and 37 more are published"):
        project.remove_partitions("customers", project.partitions("customers"))


def test_a_key_that_a_mapping_names_is_not_removed_without_force(tmp_path: Path) -> None:
    regions = StaticPartitions(["north", "south"])
    upward, downward = StaticMapping({"zoe": ["north"], "new": ["north"]}), StaticMapping({"north": ["acme"]})

    @asset(partitions=regions, inputs={"orders": Input("orders", upward)})
    def regional(orders: dict[str, Any]) -> int:
        return len(orders)

    @asset(name="local", partitions=CUSTOMERS, inputs={"regional": Input("regional", downward)})
    def local(regional: dict[str, int]) -> int:
        return len(regional)

    with opened(tmp_path, orders, regional, local) as project:
        project.add_partitions("customers", ["zoe", "acme", "bert"])
        for key, sentence in (
            ("zoe", "the StaticMapping of regional to orders names 'zoe'"),
            ("acme", "the StaticMapping of local to regional names 'acme'"),
        ):
            with pytest.raises(PartitionInUse) as caught:
                project.remove_partitions("customers", [key])
            assert caught.value.message == f"customers: not removed, for {sentence}"
        assert project.remove_partitions("customers", ["bert"]) == ["bert"]

        assert project.why("regional", "north").causes[0].detail == "waits for orders@new"
        assert project.why("regional", "south").state == "missing"
        project.add_partitions("customers", ["new"])
        assert project.materialize().status == "success"
        assert project.remove_partitions("customers", ["new"], force=True) == ["new"]
        assert project.why("regional", "north").state == "waiting"
        (note,) = project.plan("regional").notes
        assert note == "regional: the StaticMapping to orders names the key 'new', which orders does not have now"


def current(tmp_path: Path, name: str = "_current.json") -> list[str]:
    document = json.loads((tmp_path / "data" / "orders" / name).read_text())
    return [entry["partition"] for entry in document["partitions"]]


def test_the_projection_follows_the_keys_in_every_environment(tmp_path: Path, project: Project) -> None:
    project.add_partitions("customers", ["zoe", "acme"])
    project.materialize("orders")
    with opened(tmp_path, orders, environment="dev") as dev:
        dev.materialize("orders")
    assert current(tmp_path) == ["zoe", "acme"]
    project.remove_partitions("customers", ["zoe"], force=True)
    assert (current(tmp_path), current(tmp_path, "_current.dev.json")) == (["acme"], ["acme"])
    project.add_partitions("customers", ["zoe"])
    assert (current(tmp_path), current(tmp_path, "_current.dev.json")) == (["zoe", "acme"], ["zoe", "acme"])


def test_a_dimension_takes_no_keys_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WIDTHS, "dynamic", 2)
    with opened(tmp_path, cells, parsed) as project:
        project.add_partitions("customers", ["one", "two"])
        with pytest.raises(InvalidPartition) as caught:
            project.add_partitions("customers", ["three", "four"])
        assert caught.value.message == (
            "customers: not added, for cells has it as a dimension, and the store has or would have more than 3 keys"
        )
        project.add_partitions("files", ["three", "four"])
        with pytest.raises(InvalidPartition, match="not added"):
            project.add_partitions("customers", ["four"])
        assert project.add_partitions("customers", ["two", "three"]) == ["three"]
        assert len(project.plan("cells").steps[0].partitions.ordinals) == 6


def test_freshness_and_views_of_a_set_without_keys(tmp_path: Path) -> None:
    @asset(partitions=CUSTOMERS, freshness_policy=FreshnessPolicy(max_lag="1d"))
    def fresh(context: AssetContext) -> str:
        return context.partition_key

    with opened(tmp_path, fresh) as project:
        for keys in ([], ["zoe"]):
            project.add_partitions("customers", keys)
            assert len(project.plan(due=True).steps) == len(keys)
            assert project.why("fresh").state == ("missing" if keys else "up_to_date")
            assert project.catalog.query("select partitions_total from assets")["partitions_total"].to_pylist() == [
                len(keys)
            ]
            assert len(project.catalog.query("select * from freshness")) == 1
            assert len(project.catalog.query("select * from partitions")) == len(keys)
        assert project.materialize(due=True).counts["materialized"] == 1
        assert project.status().rows[0].freshness.state == "pass"


def test_what_is_recorded_of_removed_keys_keeps_its_name(project: Project) -> None:
    project.add_partitions("customers", ["zoe", "a|b"])
    project.materialize()
    project.remove_partitions("customers", ["zoe", "a|b"], force=True)
    rows = project.catalog.query("select distinct partition from versions where asset = 'cells' order by all")
    assert rows["partition"].to_pylist() == [
        *("2024-01-01|a%7Cb", "2024-01-01|zoe", "2024-01-02|a%7Cb", "2024-01-02|zoe")
    ]
    rows = project.catalog.query("select upstream_partition from lineage where asset = 'invoices' order by all")
    assert rows["upstream_partition"].to_pylist() == ["a|b", "zoe"]
    assert len(project.catalog.query("select * from partitions where asset = 'cells'")) == 0
    assert project.doctor()[0].level == "ok"
    assert all(finding.level != "error" for finding in project.doctor())


def test_static_keys_that_become_dynamic_keep_what_was_built(tmp_path: Path) -> None:
    @asset(name="orders", partitions=StaticPartitions(["zoe", "acme"]), code_version="1")
    def before(context: AssetContext) -> str:
        return context.partition_key

    @asset(name="orders", partitions=CUSTOMERS, code_version="1")
    def after(context: AssetContext) -> str:
        return context.partition_key

    with opened(tmp_path, before) as project:
        project.materialize()
    with opened(tmp_path, after) as project:
        assert project.status().to_dict()["assets"][0]["partitions"]["total"] == 0  # type: ignore[index]
        project.add_partitions("customers", ["acme", "new"])
        assert planned(project) == {"orders": (("new", "new"),)}


def test_a_definition_with_a_mistake_is_refused_at_load() -> None:
    @asset(name="wrong", partitions=DynamicPartitions(5))  # type: ignore[arg-type]
    def wrong() -> int:
        return 1

    with pytest.raises(DefinitionErrors, match="wrong: partitions: name 5 is no name for a set of keys"):
        Project([wrong])
