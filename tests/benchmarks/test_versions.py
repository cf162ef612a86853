"""Going back by very many partitions, and opening a store with very many versions after a crash."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from measuring import Figure

from assetflow import AssetContext, Batch, Definitions, Project, StaticPartitions, asset
from assetflow.keys import AssetKey, VersionId
from assetflow.publish.liveness import this_process
from assetflow.store.records import Group, RunRecord, StageIntent, VersionRecord
from tests.contract.store_records import Filler

ROLLED_BACK = 10_000
VERSIONS = 100_000
INTENTS = 256
GROUP = 5_000


def built(partitions: int, folder: Path, *, of: Callable[[], object]) -> Project:
    keys = StaticPartitions([f"k{number:06d}" for number in range(partitions)])

    @asset(partitions=keys, code_version="1", batch=Batch(max_partitions=partitions), hashing="none")
    def daily(context: AssetContext) -> dict[str, Any]:
        value = of()
        return dict.fromkeys(context.partition_keys, value)

    return Project(Definitions(assets=[daily]), store=f"sqlite:///{folder}/store.db", storage=folder / "data")


@pytest.mark.bench
def test_a_rollback_of_many_partitions(tmp_path: Path, record: Callable[[Figure], None]) -> None:
    numbers = iter(range(10))
    with built(ROLLED_BACK, tmp_path, of=lambda: next(numbers)) as project:
        project.materialize()
        then = project.store.reader.generation()
        project.materialize(force=True)
        took: list[float] = []
        spent: list[float] = []
        for _ in range(5):
            now = project.store.reader.generation()
            began, cpu = time.perf_counter(), time.process_time()
            moved = project.rollback("daily", as_of=then)
            took.append(time.perf_counter() - began)
            spent.append(time.process_time() - cpu)
            assert len(moved["published"]) == ROLLED_BACK  # type: ignore[arg-type]
            then = now
        record(Figure("10,000 partitions rolled back", "ms", min(took) * 1000, 200))
        record(Figure("the same, of the processor", "ms", min(spent) * 1000))


@pytest.mark.bench
def test_opening_after_a_crash(tmp_path: Path, record: Callable[[Figure], None]) -> None:
    with built(VERSIONS, tmp_path, of=lambda: 1) as project:
        crashed(project)
    with built(VERSIONS, tmp_path, of=lambda: 1) as project:
        began = time.perf_counter()
        assert project.setting
        took = time.perf_counter() - began
        assert project.store.reader.intents() == []
        assert project.runs()[0]["status"] == "failed"
    record(Figure("recovery of a store with 100,000 versions", "s", took, 2))


def crashed(project: Project) -> None:
    """Every partition published with a file, and a run that died with stages under way."""
    setting, writer = project.setting, project.store.writer
    fill = Filler(project.store, environment=setting.environment)
    fill._uids[AssetKey("daily")] = setting.uids[AssetKey("daily")]
    writer.intern_assets([AssetKey("orders")])
    template = fill.publication("daily")
    assert isinstance(template.version, VersionRecord)
    ids = writer.reserve_versions(VERSIONS)
    ordinals = setting.spaces["daily"].existing(project.clock()).array().tolist()
    for first in range(0, VERSIONS, GROUP):
        moves = [
            replace(
                template,
                ordinal=ordinals[place],
                version=replace(
                    template.version,
                    version=VersionId(ids[place]),
                    ordinal=ordinals[place],
                    location=f"daily/k{place:06d}/v-{ids[place]}",
                ),
            )
            for place in range(first, first + GROUP)
        ]
        writer.publish(Group(tuple(moves))).result()
    dead = replace(this_process(), pid=2**22 - 1, started=1.0)
    now = datetime.now(UTC)
    writer.start_run(RunRecord("dead", setting.environment, "running", now, "api", dead)).result()
    staged = writer.reserve_versions(INTENTS)
    uid = setting.uids[AssetKey("daily")]
    intents = [
        StageIntent(VersionId(version), uid, ordinals[place], "dead", f"daily/k{place:06d}/v-{version}", now)
        for place, version in enumerate(staged)
    ]
    writer.announce(intents).result()
    for intent in intents[: INTENTS // 2]:
        folder = setting.storage.folder(intent.location)
        folder.mkdir(parents=True)
        (folder / "data.parquet.tmp").write_bytes(b"half")
