"""Kills a rollback, a gc and the like at every moment, one after the other, and looks at what is left.

As ``driver.py`` does for runs: every attempt and every look is a forked child. Prints how many moments there were.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pyarrow as pa
from points import Points

from assetflow import Definitions, Project, asset, asset_check, observable_source
from assetflow.execution import loop, observe, overriding, rollbacks, wiping  # noqa: F401  # imported once
from assetflow.opening import collecting, going_back, keeping  # noqa: F401
from assetflow.publish.retention import Retention

SOURCE = Path("source.txt")
START = datetime(2024, 1, 1, tzinfo=UTC)
RULES = Retention(keep_versions=1, keep_for=timedelta(0), quarantined=timedelta(days=90), grace=timedelta(0))


def marker() -> str:
    return SOURCE.read_text()


@observable_source
def source() -> str:
    return marker()


@asset(deps=[source])
def first() -> pa.Table:
    return pa.table({"marker": [marker()] * 20})


@asset
def second(first: pa.Table) -> pa.Table:
    return first


@asset(deps=[source])
def refused() -> pa.Table:
    return pa.table({"marker": [marker()]})


@asset_check(asset=refused, blocking=True)
def is_not_bad(refused: pa.Table) -> bool:
    return refused["marker"].to_pylist() != ["three"]


defs = Definitions(assets=[source, first, second, refused], checks=[is_not_bad])


def opened(folder: Path) -> Project:
    return Project(defs, store="sqlite:///store.db", storage="data", root=folder, retention=RULES)


def build(folder: Path) -> None:
    """Three versions of everything; the third of one was refused."""
    for text in ("one", "two", "three"):
        SOURCE.write_text(text)
        with opened(folder) as project:
            project.materialize()


def rollback(project: Project) -> None:
    project.rollback("first", as_of=then(project), with_downstream=True)


def then(project: Project) -> int:
    """The generation at which both tables were first there."""
    log = project.store.reader.history(project.setting.environment, project.setting.uids["second"])
    return int(log.generation.min())


def rollback_run(project: Project) -> None:
    newest = project.runs()[0]["run_id"]
    project.rollback(run=str(newest))


def gc(project: Project) -> None:
    project.gc(apply=True)


def wipe(project: Project) -> None:
    project.wipe("second", reason="a trial")


def override(project: Project) -> None:
    (version,) = [row["version"] for row in project.versions("refused") if row["state"] == "quarantined"]
    project.publish(int(str(version)), reason="it is fine")


OPERATIONS: dict[str, Callable[[Project], None]] = {
    "rollback": rollback,
    "rollback_run": rollback_run,
    "gc": gc,
    "wipe": wipe,
    "override": override,
}


def markers(project: Project, name: str) -> set[str] | None:
    current = [row for row in project.versions(name) if row["current"]]
    if not current:
        return None
    value = project.load(name)
    return set(value["marker"].to_pylist())  # type: ignore[index]


def look(folder: Path, operation: str) -> None:
    with opened(folder) as project:
        found = {name: markers(project, name) for name in ("first", "second", "refused")}
        assert found["refused"] in ({"two"}, {"three"}), found
        if operation == "wipe":
            assert found["first"] == {"three"}
            assert found["second"] in ({"three"}, None)
        else:
            assert found["first"] == found["second"], found
            assert found["first"] in ({"one"}, {"two"}, {"three"}), found
        assert project.store.reader.integrity() == []
        # Whatever is not said to be deleted is there.
        for name in found:
            for row in project.versions(name):
                if row["state"] != "deleted":
                    project.load(name, version=int(str(row["version"])))
        OPERATIONS[operation](project) if operation in ("gc", "rollback") else None
        project.gc(apply=True)
        assert project.store.reader.unfinished_deletions() == []
        kept = {row["version"] for name in found for row in project.versions(name) if row["state"] != "deleted"}
        on_disk = {int(path.name[2:]) for path in (folder / "data").rglob("v-*") if path.is_dir()}
        assert on_disk == kept, (on_disk, kept)
        assert [finding for finding in project.doctor() if finding.level in ("error", "warning")] == []
        for name in found:
            published = json.loads((folder / "data" / name / "_current.json").read_text())
            current = [row["version"] for row in project.versions(name) if row["current"]]
            assert [each["version"] for each in published["partitions"]] == current, name
    with opened(folder) as project:
        project.materialize()
        assert markers(project, "first") is not None


def in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitpid(child, 0)[1]


def main() -> int:
    base, operation, stride = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    warm, before = base / "warm", base / "before"
    warm.mkdir(parents=True)
    os.chdir(warm)
    build(warm)
    with opened(warm) as project:
        OPERATIONS[operation](project)
    look(warm, operation)
    before.mkdir()

    def set_up() -> None:
        os.chdir(before)
        build(before)

    assert in_child(set_up) == 0
    for moment in range(1, 1_000, stride):
        folder = base / "case"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(before, folder)

        def killed(folder: Path = folder, moment: int = moment) -> None:
            os.chdir(folder)
            Points(moment).install()
            with opened(folder) as project:
                OPERATIONS[operation](project)

        def inspected(folder: Path = folder) -> None:
            os.chdir(folder)
            look(folder, operation)

        finished = in_child(killed) == 0
        if in_child(inspected) != 0:
            print(f"broken at moment {moment}")
            return 1
        if finished:
            print(f"whole at every moment up to {moment}")
            return 0
    print("it never finished")
    return 1


if __name__ == "__main__":
    sys.exit(main())
