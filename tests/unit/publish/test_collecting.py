"""gc: what is kept, what is marked, what is deleted when, and what dies in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from assetflow import DailyPartitions, Definitions, Project, asset, asset_check
from assetflow.errors import PublishConflict, UsageError, VersionDeleted
from assetflow.publish.retention import Retention
from assetflow.store.retention import Doomed

DAY = timedelta(days=1)
SHORT = Retention(keep_versions=1, keep_for=timedelta(0), quarantined=timedelta(0), grace=timedelta(0))


class World:
    def __init__(self) -> None:
        self.number = 0
        self.now = datetime(2024, 2, 10, tzinfo=UTC)

    def assets(self, **options: Any) -> list[Any]:
        world = self

        @asset(code_version="1", hashing="none", **options)
        def table() -> pa.Table:
            return pa.table({"n": [world.number]})

        @asset(code_version="1")
        def small(table: pa.Table) -> int:
            return table["n"].to_pylist()[0]

        return [table, small]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def opened(world: World, tmp_path: Path) -> Callable[..., Project]:
    def open_project(retention: Retention | None = SHORT, checks: Any = (), **options: Any) -> Project:
        return Project(
            Definitions(assets=world.assets(**options), checks=checks),
            store=f"sqlite:///{tmp_path}/store.db",
            storage=tmp_path / "data",
            clock=lambda: world.now,
            retention=retention,
        )

    return open_project


def build(project: Project, world: World, number: int) -> int:
    world.number = number
    project.materialize(force=True)
    version = project.why("table").version
    assert version is not None
    return version


def folders(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "data" / "table").glob("v-*")}


def state_of(project: Project, version: int) -> object:
    return next(row["state"] for row in project.versions("table") if row["version"] == version)


class TestKept:
    def test_a_dry_run_changes_nothing(self, opened: Any, world: World, tmp_path: Path) -> None:
        with opened() as project:
            first, second = build(project, world, 1), build(project, world, 2)
            found = project.gc()
            assert not found["applied"]
            assert {each["version"]: each["bytes"] > 0 for each in found["versions"]} == {first: True, first + 1: True}
            assert folders(tmp_path) == {f"v-{first}", f"v-{second}"}
            assert project.store.reader.deletions([first]) == {}

    def test_what_nothing_keeps_goes_with_its_files_and_keeps_its_record(
        self, opened: Any, world: World, tmp_path: Path
    ) -> None:
        with opened() as project:
            first, second = build(project, world, 1), build(project, world, 2)
            found = project.gc(apply=True)
            assert found["bytes"] > 0
            assert folders(tmp_path) == {f"v-{second}"}
            assert state_of(project, first) == "deleted"
            with pytest.raises(VersionDeleted) as caught:
                project.load("table", version=first)
            assert caught.value.message == f"table: version {first} was deleted by gc on 2024-02-10"
            with pytest.raises(VersionDeleted, match=f"table: version {first} was deleted by gc"):
                project.rollback("table", to=first)
            with pytest.raises(VersionDeleted, match=f"table: version {first} was deleted by gc"):
                project.load("table", as_of=1)
            with pytest.raises(VersionDeleted):
                project.catalog.preview("table", version=first)
            with pytest.raises(VersionDeleted):
                project.pin("it", version=first)
            assert project.gc(apply=True)["versions"] == []
            assert [finding for finding in project.doctor() if finding.level in ("error", "warning")] == []
            assert project.plan().steps == ()

    def test_by_age_and_by_count_whichever_keeps_longer(self, opened: Any, world: World) -> None:
        with opened(Retention(keep_versions=2, keep_for=10 * DAY, grace=timedelta(0))) as project:
            versions = []
            for number in range(5):
                versions.append(build(project, world, number))
                world.now += 4 * DAY
            # Replaced 16, 12, 8 and 4 days ago.
            expired = {each["version"] for each in project.gc()["versions"] if each["asset"] == "table"}
            assert expired == set(versions[:2])
            world.now += 100 * DAY
            expired = {each["version"] for each in project.gc()["versions"] if each["asset"] == "table"}
            assert expired == set(versions[:3])

    def test_grace_counts_from_when_it_stopped_being_live(self, opened: Any, world: World, tmp_path: Path) -> None:
        rules = Retention(keep_versions=1, keep_for=timedelta(0), grace=3 * DAY)
        with opened(rules) as project:
            first = build(project, world, 1)
            world.now += 100 * DAY
            build(project, world, 2)
            assert project.gc(apply=True)["bytes"] == 0
            world.now += 2 * DAY
            assert project.gc(apply=True)["bytes"] == 0
            world.now += DAY
            assert project.gc()["bytes"] > 0
            assert f"v-{first}" in folders(tmp_path)
            project.gc(apply=True)
            assert f"v-{first}" not in folders(tmp_path)

    def test_what_becomes_live_again_starts_its_grace_anew(self, opened: Any, world: World) -> None:
        with opened(Retention(keep_versions=1, keep_for=timedelta(0), grace=3 * DAY)) as project:
            first, _ = build(project, world, 1), build(project, world, 2)
            project.gc(apply=True)
            world.now += 2 * DAY
            project.rollback("table", to=first)
            project.gc(apply=True)
            build(project, world, 3)
            project.gc(apply=True)
            world.now += 2 * DAY
            project.gc(apply=True)
            assert project.load("table", version=first)
            world.now += DAY
            project.gc(apply=True)
            with pytest.raises(VersionDeleted):
                project.load("table", version=first)

    def test_pins_keep_versions_and_moments(self, opened: Any, world: World) -> None:
        with opened() as project:
            first = build(project, world, 1)
            project.pin("first", "table")
            build(project, world, 2)
            project.pin("second")
            generation = project.store.reader.generation()
            build(project, world, 3)
            assert {each["asset"] for each in project.gc(apply=True)["versions"]} == {"small"}
            assert project.load("small", as_of=generation) == 2
            assert [each["name"] for each in project.pins()] == ["first", "second"]
            project.unpin("first")
            assert [each["version"] for each in project.gc()["versions"]] == [first]
            project.unpin("second")
            assert len(project.gc()["versions"]) == 3

    def test_readers_of_something_lazy_keep_it(self, opened: Any, world: World) -> None:
        with opened() as project, opened() as collector:
            first = build(project, world, 1)
            lazy: Any = project.load("table", as_type=ds.Dataset)
            build(project, world, 2)
            assert first not in {each["version"] for each in collector.gc(apply=True)["versions"]}
            assert lazy.to_table()["n"].to_pylist() == [1]
            del lazy
            project.store.writer.flush()
            assert first in {each["version"] for each in collector.gc(apply=True)["versions"]}

    def test_a_lease_ends_with_its_project_and_by_itself(self, opened: Any, world: World) -> None:
        with opened() as collector:
            with opened() as project:
                first = build(project, world, 1)
                kept: Any = project.load("table", as_type=ds.Dataset)
                build(project, world, 2)
                assert len(collector.store.reader.read_leases()) == 1
            assert collector.store.reader.read_leases() == []
            with opened() as project:
                kept = project.load("table", version=first, as_type=ds.Dataset)
                world.now += timedelta(hours=25)
                assert first in {each["version"] for each in collector.gc(apply=True)["versions"]}
            del kept

    def test_an_asset_says_itself_how_long(self, opened: Any, world: World) -> None:
        with opened(metadata={"retention": {"keep_versions": 3}}) as project:
            versions = [build(project, world, number) for number in range(4)]
            expired = {each["version"] for each in project.gc()["versions"] if each["asset"] == "table"}
            assert expired == {versions[0]}

    def test_every_environment_keeps_its_own(self, opened: Any, world: World, tmp_path: Path) -> None:
        with opened() as project:
            first = build(project, world, 1)
            with Project(
                Definitions(assets=world.assets()),
                store=f"sqlite:///{tmp_path}/store.db",
                storage=tmp_path / "data",
                clock=lambda: world.now,
                environment="dev",
            ) as dev:
                assert dev.materialize().counts["reused"] == 2
            build(project, world, 2)
            assert project.gc(apply=True)["versions"] == []
            assert project.load("table", version=first)


class TestQuarantined:
    def test_it_stays_readable_for_its_time(self, world: World, tmp_path: Path) -> None:
        table, small = world.assets()

        @asset_check(asset=table, blocking=True)
        def even(table: pa.Table) -> bool:
            return table["n"].to_pylist()[0] % 2 == 0

        rules = Retention(keep_versions=1, keep_for=timedelta(0), quarantined=2 * DAY, grace=timedelta(0))
        with Project(
            Definitions(assets=[table, small], checks=[even]),
            store=f"sqlite:///{tmp_path}/store.db",
            storage=tmp_path / "data",
            clock=lambda: world.now,
            retention=rules,
        ) as project:
            project.materialize()
            world.number = 1
            project.materialize(force=True)
            refused = project.versions("table")[0]["version"]
            world.now += 2 * DAY - timedelta(seconds=1)
            assert project.gc(apply=True)["versions"] == []
            loaded: Any = project.load("table", version=refused)
            assert loaded["n"].to_pylist() == [1]
            assert project.catalog.preview("table", version=refused).version == refused
            world.now += timedelta(seconds=1)
            project.gc(apply=True)
            with pytest.raises(VersionDeleted):
                project.load("table", version=refused)
            with pytest.raises(VersionDeleted, match="it was not published in time"):
                project.publish(refused, reason="it is fine")
            # What the plan knew of the candidate is gone with it.
            assert project.materialize(retry_failed=True).counts["quarantined"] == 1


class TestRaces:
    def test_what_moved_since_it_was_looked_at_is_not_deleted(self, opened: Any, world: World) -> None:
        with opened() as project:
            first, _ = build(project, world, 1), build(project, world, 2)
            reader, writer = project.store.reader, project.store.writer
            seen = reader.generation()
            project.rollback("table", to=first)
            assert writer.delete_versions(Doomed((first,), seen, ())) == []
            project.rollback("table", to=first + 2)
            assert writer.delete_versions(Doomed((first,), seen, ())) == []
            assert writer.delete_versions(Doomed((first,), reader.generation(), ("a pin",))) == []
            assert writer.delete_versions(Doomed((first,), reader.generation(), ())) == [first]

    def test_what_is_deleted_is_not_published_any_more(self, opened: Any, world: World) -> None:
        with opened() as project:
            first, _ = build(project, world, 1), build(project, world, 2)
            reader, writer = project.store.reader, project.store.writer
            from assetflow.execution.repointing import Moves
            from assetflow.keys import AssetKey
            from assetflow.planner.staleness import assess

            state = project.state()
            record = reader.version(first)
            writer.delete_versions(Doomed((first,), reader.generation(), ()))
            moves = Moves(assess(project.graph, state, project.setting.codes, world.now), project.setting)
            moves.point(project.graph.node_of("table"), AssetKey("table"), {0: record.version}, "rollback", None)
            with pytest.raises(PublishConflict, match=f"table: version {first} was deleted by gc in the meantime"):
                moves.publish()

    def test_files_of_a_gc_that_died_are_found_again(self, opened: Any, world: World, tmp_path: Path) -> None:
        with opened() as project:
            first, _ = build(project, world, 1), build(project, world, 2)
            reader = project.store.reader
            project.store.writer.delete_versions(Doomed((first,), reader.generation(), ()))
            assert f"v-{first}" in folders(tmp_path)
            assert [each[0] for each in reader.unfinished_deletions()] == [first]
            project.gc(apply=True)
            assert f"v-{first}" not in folders(tmp_path)
            assert reader.unfinished_deletions() == []

    def test_reuse_does_not_find_what_is_deleted(self, opened: Any, world: World) -> None:
        with opened() as project:
            build(project, world, 1)
            live = project.live()
            live.plan()
            build(project, world, 2)
            project.gc(apply=True)
            project.wipe("table", reason="anew")
            assert {step.certainty for step in project.plan("table").steps} == {"will"}
            assert {step.certainty for step in live.plan("table").steps} == {"will"}


class TestStrays:
    def test_only_what_this_store_sealed_is_taken(self, opened: Any, world: World, tmp_path: Path) -> None:
        with opened() as project:
            build(project, world, 1)
            owner = project.store.reader.identity()
            ours = sealed(tmp_path, "table/v-2", 2, owner)
            other = sealed(tmp_path, "table/v-3", 3, "another")
            newer = sealed(tmp_path, "table/v-900", 900, owner)
            bare = tmp_path / "data" / "elsewhere" / "v-1"
            bare.mkdir(parents=True)
            world.now = datetime.now(UTC) + DAY
            found = project.gc()
            assert ([each["location"] for each in found["folders"]], found["others"]) == (["table/v-2"], 3)
            assert ours.exists()
            project.gc(apply=True)
            assert (ours.exists(), other.exists(), newer.exists(), bare.exists()) == (False, True, True, True)

    def test_what_is_new_is_left_for_its_grace(self, opened: Any, world: World, tmp_path: Path) -> None:
        rules = Retention(grace=DAY)
        with opened(rules) as project:
            build(project, world, 1)
            ours = sealed(tmp_path, "table/v-2", 2, project.store.reader.identity())
            world.now = datetime.now(UTC) + timedelta(hours=1)
            assert project.gc(apply=True)["folders"] == []
            world.now += DAY
            assert project.gc(apply=True)["folders"] == [{"location": "table/v-2", "bytes": ours_size(tmp_path)}]
            assert not ours.exists()


def sealed(tmp_path: Path, location: str, version: int, owner: str | None) -> Path:
    folder = tmp_path / "data" / location
    folder.mkdir(parents=True)
    (folder / "data.parquet").write_bytes(b"12345")
    document = {"asset": "table", "partition": None, "version": version, "files": [], "store": owner}
    (folder / "_manifest.json").write_text(json.dumps(document))
    return folder


def ours_size(tmp_path: Path) -> int:
    owner = "0" * 16
    document = {"asset": "table", "partition": None, "version": 2, "files": [], "store": owner}
    return 5 + len(json.dumps(document))


class TestEvents:
    def test_old_events_go_and_states_stay(self, opened: Any, world: World) -> None:
        rules = Retention(keep_events=10 * DAY)
        with opened(rules) as project:
            build(project, world, 1)
            build(project, world, 2)
            project.rollback("table", to=1, reason="why not", with_downstream=True)
            world.now += 11 * DAY
            before = (
                project.status().to_dict(),
                project.plan().to_dict()["steps"],
                project.plan("*", force=True).to_dict(),
            )
            found = project.gc()
            assert found["events"] > 0 < found["steps"]
            applied = project.gc(apply=True)
            assert (applied["events"], applied["steps"]) == (found["events"], found["steps"])
            kinds = [row.event.kind for row in project.store.reader.events_since(0)]
            assert kinds.count("rolled_back") == 2
            assert kinds.count("materialized") == 2
            after = (
                project.status().to_dict(),
                project.plan().to_dict()["steps"],
                project.plan("*", force=True).to_dict(),
            )
            for left, right in zip(before, after, strict=True):
                assert without_ids(left) == without_ids(right)


def without_ids(document: Any) -> Any:
    return (
        {key: value for key, value in document.items() if key != "plan_id"} if isinstance(document, dict) else document
    )


class TestMistakes:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("short", "table: metadata retention = 'short' cannot be used"),
            ({"keep_versions": 0}, "table: metadata retention: keep_versions = 0 is no whole number from 1 on"),
            (
                {"keep_for": "soon"},
                'table: metadata retention: keep_for = \'soon\' is no duration; write "12h" or "30d"',
            ),
            (
                {"grace": "1d"},
                "table: metadata retention: there is no setting grace; there is keep_versions, keep_for, quarantined",
            ),
        ],
    )
    def test_of_an_asset(self, opened: Any, given: object, message: str) -> None:
        with opened(metadata={"retention": given}) as project:
            with pytest.raises(UsageError) as caught:
                project.gc()
            assert caught.value.message == message

    @pytest.mark.parametrize(
        ("arguments", "options", "message"),
        [
            (("a b",), {}, "'a b' cannot name a pin"),
            (("it", "table"), {"version": 1}, "pin it: both an asset and a version are given"),
            (("it", "small"), {}, "small has no version to pin"),
            (("it",), {"as_of": 77}, "there is no generation 77"),
        ],
    )
    def test_of_pins(self, opened: Any, world: World, arguments: Any, options: Any, message: str) -> None:
        with opened() as project:
            project.materialize("table")
            with pytest.raises(UsageError) as caught:
                project.pin(*arguments, **options)
            assert message in caught.value.message

    def test_names_are_given_once(self, opened: Any) -> None:
        with opened() as project:
            project.materialize()
            project.pin("release", reason="the release")
            with pytest.raises(UsageError, match="there is a pin release already"):
                project.pin("release")
            with pytest.raises(UsageError, match="there is no pin relase") as caught:
                project.unpin("relase")
            assert caught.value.hint == "did you mean release?"

    def test_a_partitioned_asset_is_pinned_by_partition(self, tmp_path: Path) -> None:
        @asset(partitions=DailyPartitions("2024-01-01", end="2024-01-03"), code_version="1")
        def daily() -> int:
            return 1

        with Project([daily]) as project:
            project.materialize()
            with pytest.raises(UsageError, match="daily has partitions, and a pin keeps one version"):
                project.pin("it", "daily")
            assert project.pin("it", "daily", "2024-01-02")["version"] == 2
