"""Values, versions and runs read back, also of partitions that are no longer declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assetflow import NO_DATA, Project, StaticPartitions, asset, observable_source
from assetflow.errors import DataMissing, InvalidPartition, UnknownVersion, UsageError


def opened(tmp_path: Path, partitions: Any) -> Project:
    @asset(name="letters", partitions=partitions)
    def letters() -> int:
        return 1

    return Project([letters], store=f"sqlite:///{tmp_path}/store.db", storage=tmp_path / "data")


@pytest.mark.parametrize(
    ("partitions", "refusal"),
    [
        (StaticPartitions(["a"]), "a partition that its definition no longer has"),
        (None, "from when it was partitioned by key; now it is not partitioned"),
    ],
)
def test_versions_and_runs_of_partitions_that_are_gone_are_still_told(
    tmp_path: Path, partitions: Any, refusal: str
) -> None:
    expected = ["b", "a"]
    with opened(tmp_path, StaticPartitions(["a", "b"])) as project:
        run_id = str(project.materialize().run_id)
    with opened(tmp_path, partitions) as project:
        rows: Any = project.versions("letters")
        assert [row["partition"] for row in rows] == expected
        steps: Any = project.run(run_id)["steps"]
        assert sorted(step["partition"] for step in steps) == sorted(expected)
        assert project.load("letters", version=rows[0]["version"]) == 1
        with pytest.raises(UsageError, match=refusal):
            project.rollback("letters", to=rows[0]["version"])
        named = project.catalog.query("select partition from versions order by version desc")
        assert named.column("partition").to_pylist() == expected
        assert project.doctor()


def test_what_cannot_be_loaded_is_told() -> None:
    @observable_source
    def raw() -> str:
        return "1"

    @asset
    def one() -> int:
        return 1

    @asset
    def other() -> int:
        return 1

    with Project([raw, one, other]) as project:
        with pytest.raises(DataMissing, match="one has no version yet"):
            project.load("one")
        project.materialize()
        with pytest.raises(UsageError, match="raw is a source"):
            project.load("raw")
        with pytest.raises(InvalidPartition):
            project.load("one", "2024-01-01")
        with pytest.raises(UnknownVersion, match="there is no version 999"):
            project.load("one", version=999)
        (row,) = project.versions("other")
        number: Any = row["version"]
        with pytest.raises(UnknownVersion, match="is one of other, not of one"):
            project.load("one", version=number)
        with pytest.raises(UsageError, match="there is no run 'nothing'"):
            project.run("nothing")


def test_a_source_has_versions_too() -> None:
    @observable_source
    def raw() -> str:
        return "1"

    @asset(deps=[raw])
    def one() -> int:
        return 1

    with Project([raw, one]) as project:
        project.materialize()
        (row,) = project.versions("raw")
        assert (row["state"], row["current"], row["run_id"]) == ("observed", True, None)


def test_empty_partitions_are_skipped() -> None:
    @asset(partitions=StaticPartitions(["a"]))
    def letters() -> object:
        return NO_DATA

    with Project([letters]) as project:
        project.materialize()
        assert project.load("letters", as_type=dict[str, int]) == {}
        assert project.load("letters", "a", as_type=int) is None
