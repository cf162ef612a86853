"""Rollback and accept against pointers, versions and files that are not what they were."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from assetflow import asset
from assetflow.errors import DataMissing, PublishConflict
from assetflow.execution.repointing import accept
from assetflow.execution.rollbacks import roll_back
from assetflow.keys import AssetKey, VersionId
from assetflow.planner.staleness import assess

ONE = AssetKey("one")


def versioned(code: str) -> Any:
    @asset(name="one", hashing="none", code_version=code)
    def one() -> object:
        return {code}

    return one


def assessed(project: Any) -> Any:
    return assess(project.graph, project.state(), project.setting.codes, project.clock())


def test_a_rollback_that_somebody_forestalled_is_refused(opened: Any) -> None:
    with opened(versioned("1")) as project, opened(versioned("1")) as other:
        project.materialize()
        first = project.why("one").version
        project.materialize(force=True)
        before = assessed(project)
        other.materialize(force=True)
        with pytest.raises(PublishConflict, match="one: somebody else changed it"):
            roll_back(before, project.setting, ONE, None, VersionId(first), with_downstream=False)
        assert project.why("one").version == other.why("one").version != first


def test_an_acceptance_that_somebody_forestalled_is_refused(opened: Any) -> None:
    with opened(versioned("1")) as project:
        project.materialize()
    with opened(versioned("2")) as project, opened(versioned("2")) as other:
        before = assessed(project)
        other.materialize()
        with pytest.raises(PublishConflict):
            accept(before, project.setting, ONE, "it is fine")


def test_a_version_that_lost_its_files_cannot_be_published_again(opened: Any, tmp_path: Path) -> None:
    with opened(versioned("1")) as project:
        project.materialize()
        first = project.why("one").version
        project.materialize(force=True)
        shutil.rmtree(tmp_path / "data" / "one" / f"v-{first}")
        with pytest.raises(DataMissing, match=f"the files of version {first} are missing") as caught:
            project.rollback("one", to=first)
        assert "assetflow versions one" in str(caught.value.hint)
        assert project.load("one") == {"1"}
