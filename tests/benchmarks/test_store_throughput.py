"""How many versions one coordinator publishes in a second, on each database: one by one, and thousands at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from measuring import Figure

from assetflow.keys import VersionId
from assetflow.store.opening import open_store
from assetflow.store.records import Group, Publication, VersionRecord
from tests.contract.store_records import Filler

SINGLE, TOGETHER, AT_ONCE = 10_000, 40_000, 4_000
NAMES = {"sqlite": "SQLite", "postgresql": "Postgres over a socket, without fsync"}
TARGETS = {"sqlite": (5_000, 50_000), "postgresql": (None, None)}


def moves(fill: Filler, count: int, first: int) -> list[Publication]:
    """Partitions of an asset that reads another one."""
    template = fill.publication("daily", inputs=[fill.read("orders")])
    assert isinstance(template.version, VersionRecord)
    made = template.version
    versions = enumerate(fill.store.writer.reserve_versions(count), first)
    return [
        replace(
            template,
            ordinal=ordinal,
            expected_generation=0,
            version=replace(made, version=VersionId(version), ordinal=ordinal),
        )
        for ordinal, version in versions
    ]


@pytest.mark.bench
def test_versions_published(store_url: str, record: Callable[[Figure], None]) -> None:
    database = store_url.partition(":")[0]
    name, (single, together) = NAMES[database], TARGETS[database]
    fill = Filler(open_store(store_url))
    alone = moves(fill, SINGLE, 0)
    batches = moves(fill, TOGETHER, SINGLE)

    began = time.perf_counter()
    for move in alone:
        fill.commit(move)
    fill.store.writer.flush()
    took = (time.perf_counter() - began) / SINGLE
    what = f"{name}: a version published by itself, of 10,000 ({1 / took:,.0f}/s)"
    figures = [Figure(what, "µs", took * 1e6, single and 1e6 / single)]

    groups = [Group(tuple(batches[first : first + AT_ONCE])) for first in range(0, TOGETHER, AT_ONCE)]
    began = time.perf_counter()
    for group in groups:
        fill.store.writer.publish(group)
    fill.store.writer.flush()
    took = (time.perf_counter() - began) / TOGETHER
    what = f"{name}: a version published among 4,000 at once ({1 / took:,.0f}/s)"
    figures.append(Figure(what, "µs", took * 1e6, together and 1e6 / together))
    fill.store.close()
    for figure in figures:
        record(figure)
