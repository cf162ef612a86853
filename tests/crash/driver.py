"""Kills a run at every moment of the publish protocol, one after the other, and looks at what is left.

Every run and every look is a forked child of this process, so that imports are paid for once. Prints one line for each
moment; exits with 1 after the first that left something broken.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pyarrow.parquet as pq
import shop
from points import Points

from assetflow import Project
from assetflow.execution import loop, observe, repointing  # noqa: F401  # imported once, for every child

TABLES = ("table", "left", "right", "refused")
MOMENTS = 2_000


def opened(folder: Path) -> Project:
    return Project(shop.defs, store="sqlite:///store.db", storage="data", root=folder)


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a fork; gives its wait status."""
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


def build(folder: Path) -> None:
    with opened(folder) as project:
        project.materialize()


def look(folder: Path, *, orphans: bool = False, retry: bool = False) -> None:
    """What a reader without the catalog, one with it, and the next run find.

    With ``orphans``, folders may be left that no version and no intent knows; with ``retry``, steps may have failed
    that the next run has to try again.
    """
    for asset in TABLES:
        published = json.loads((folder / "data" / asset / "_current.json").read_text())
        for partition in published["partitions"]:
            for file in partition["files"]:
                markers = pq.read_table(folder / "data" / asset / file, partitioning=None)["marker"].to_pylist()
                assert len(set(markers)) == 1, (asset, markers)
    with opened(folder) as project:
        values = {name: project.load(name) for name in (*TABLES, "small", "large", "both")}
        markers = {name: set(_markers(value)) for name, value in values.items()}
        assert all(len(found) == 1 and found <= {"old", "new"} for found in markers.values()), markers
        assert markers["left"] == markers["right"], markers
        assert markers["refused"] == {"old"}, markers
        project.materialize(retry_failed=retry)
        assert {next(iter(_markers(project.load(name)))) for name in ("table", "small", "large", "both")} == {"new"}
        assert [step.computation for step in project.plan(retry_failed=False).steps] == []
        assert [finding for finding in project.doctor() if finding.level in ("error", "warning")] == []
        assert not project.store.reader.intents()
        recorded = project.store.reader.table("versions")["location"]
        on_disk = {str(path.relative_to(folder / "data")) for path in (folder / "data").rglob("v-*") if path.is_dir()}
        known = {location for location in recorded if location}
        assert known <= on_disk if orphans else known == on_disk, known ^ on_disk
        for asset in TABLES:
            published = json.loads((folder / "data" / asset / "_current.json").read_text())
            (partition,) = published["partitions"]
            (current,) = [row for row in project.versions(asset) if row["current"]]
            assert partition["version"] == current["version"], asset


def _markers(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return value["marker"].to_pylist() if hasattr(value, "column_names") else list(value)  # type: ignore[index, call-overload]


def prepared(base: Path) -> Path:
    """A folder with the project built from the old source, and in this process all imported that a run imports."""
    before = base / "before"
    before.mkdir(parents=True)
    (before / "source.txt").write_text("old")

    def set_up() -> None:
        os.chdir(before)
        build(before)

    # Once in this process: what is imported on first use is then there in every child.
    warm = base / "warm"
    shutil.copytree(before, warm)
    os.chdir(warm)
    build(warm)
    (warm / "source.txt").write_text("new")
    build(warm)
    look(warm)
    assert in_child(set_up) == 0
    return before


def main() -> int:
    base = Path(sys.argv[1])
    stride, offset = int(sys.argv[2]), int(sys.argv[3])
    before = prepared(base)
    for moment in range(1 + offset, MOMENTS, stride):
        folder = base / "case"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(before, folder)
        (folder / "source.txt").write_text("new")

        def killed(folder: Path = folder, moment: int = moment) -> None:
            os.chdir(folder)
            Points(moment).install()
            build(folder)

        def inspected(folder: Path = folder) -> None:
            os.chdir(folder)
            look(folder)

        finished = in_child(killed) == 0
        if in_child(inspected) != 0:
            print(f"broken at moment {moment}")
            return 1
        if finished:
            print(f"whole at every moment up to {moment}")
            return 0
    print("the run never finished")
    return 1


if __name__ == "__main__":
    sys.exit(main())
