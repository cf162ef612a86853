"""What the metadata store takes of a run: enqueueing, committing, and reading the state for a plan."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from measuring import Figure

from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.planner.state import CodeRecord, Codes
from assetflow.store.opening import open_store
from assetflow.store.records import Publication, VersionRecord
from tests.contract.store_records import CODE, Filler

PARTITIONS = 10_000
ASSETS = 1_000


@pytest.fixture
def fill(tmp_path: Path) -> Iterator[Filler]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    yield Filler(store)
    store.close()


def partitions(fill: Filler) -> list[Publication]:
    """Every partition of an asset that reads two others."""
    template = fill.publication("daily", inputs=[fill.read("orders"), fill.read("rates")])
    assert isinstance(template.version, VersionRecord)
    versions = fill.store.writer.reserve_versions(PARTITIONS)
    return [
        replace(template, ordinal=place, version=replace(template.version, version=VersionId(version), ordinal=place))
        for place, version in enumerate(versions)
    ]


@pytest.mark.bench
def test_publications_from_one_thread(fill: Filler, record: Callable[[Figure], None]) -> None:
    moves = partitions(fill)
    began = time.perf_counter()
    for move in moves:
        fill.commit(move)
    enqueued = time.perf_counter() - began
    fill.store.writer.flush()
    durable = time.perf_counter() - began
    record(Figure("a publication enqueued, of the caller's time", "ms", enqueued / PARTITIONS * 1000, 0.1))
    record(Figure("a publication enqueued and durable, of 10,000", "ms", durable / PARTITIONS * 1000, 0.2))


@pytest.mark.bench
def test_the_state_of_many_partitions(fill: Filler, record: Callable[[Figure], None]) -> None:
    for move in partitions(fill):
        fill.commit(move)
    fill.store.writer.flush()
    codes = Codes({"daily": CodeRecord(CODE, {})})
    # A question that is asked again is answered from memory; other codes make it another one.
    took = _median(lambda: fill.store.reader.read_state(fill.environment, [AssetKey("daily")], replace(codes)))
    record(Figure("the state of 10,000 partitions with two inputs", "ms", took, 60))


@pytest.mark.bench
def test_the_state_of_many_assets(fill: Filler, record: Callable[[Figure], None]) -> None:
    keys = [AssetKey(f"asset_{number}") for number in range(ASSETS)]
    uids = fill.store.writer.intern_assets(keys)
    versions = fill.store.writer.reserve_versions(ASSETS)
    template = fill.publication("first")
    assert isinstance(template.version, VersionRecord)
    codes = [CodeVersion(f"c1:{number:032x}") for number in range(ASSETS)]
    for key, code, version in zip(keys, codes, versions, strict=True):
        made = replace(template.version, asset=key, uid=uids[key], version=VersionId(version))
        fill.commit(replace(template, asset=key, uid=uids[key], code=code, version=made))
    fill.store.writer.flush()
    present = Codes({key: CodeRecord(code, {}) for key, code in zip(keys, codes, strict=True)})
    took = _median(lambda: fill.store.reader.read_state(fill.environment, keys, replace(present)))
    record(Figure("the state of 1,000 assets", "ms", took, 40))


def _median(call: Callable[[], object], rounds: int = 9) -> float:
    """Milliseconds."""
    times: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
