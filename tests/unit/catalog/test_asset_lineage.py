from __future__ import annotations

import pytest

from assetflow.catalog.lineage import Direction, asset_lineage
from assetflow.definitions.collect import Definitions
from assetflow.definitions.decorators import asset, observable_source
from assetflow.graph import AssetGraph, build_graph
from assetflow.keys import AssetKey


@pytest.fixture
def graph() -> AssetGraph:
    @observable_source
    def files() -> str:
        return "1"

    @asset(deps=[files])
    def raw() -> int:
        return 1

    @asset
    def left(raw: int) -> int:
        return raw

    @asset(deps=["files"])
    def right(raw: int) -> int:
        return raw

    @asset
    def joined(left: int, right: int) -> int:
        return left + right

    return build_graph(Definitions(assets=[files, raw, left, right, joined]))


def lineage(graph: AssetGraph, asset: str, direction: Direction, depth: int | None = None) -> tuple[list[str], object]:
    document = asset_lineage(graph, AssetKey(asset), direction, depth).to_dict()
    nodes = document["nodes"]
    assert isinstance(nodes, list)
    return [f"{node['asset']} {node['level']}" for node in nodes], document["edges"]


def test_upstream(graph: AssetGraph):
    nodes, edges = lineage(graph, "joined", "upstream")
    assert nodes == ["files -2", "raw -2", "left -1", "right -1", "joined 0"]
    assert edges == [
        {"from": "files", "to": "raw", "kind": "dep"},
        {"from": "files", "to": "right", "kind": "dep"},
        {"from": "raw", "to": "left", "kind": "loaded"},
        {"from": "raw", "to": "right", "kind": "loaded"},
        {"from": "left", "to": "joined", "kind": "loaded"},
        {"from": "right", "to": "joined", "kind": "loaded"},
    ]


def test_downstream_and_depth(graph: AssetGraph):
    assert lineage(graph, "raw", "downstream")[0] == ["raw 0", "left 1", "right 1", "joined 2"]
    assert lineage(graph, "raw", "downstream", 1)[0] == ["raw 0", "left 1", "right 1"]
    assert lineage(graph, "joined", "upstream", 0) == (["joined 0"], [])


def test_both_ways(graph: AssetGraph):
    nodes, edges = lineage(graph, "left", "both", 1)
    assert nodes == ["raw -1", "left 0", "joined 1"]
    assert edges == [
        {"from": "raw", "to": "left", "kind": "loaded"},
        {"from": "left", "to": "joined", "kind": "loaded"},
    ]


def test_the_document_has_the_fields_that_programs_read(graph: AssetGraph):
    document = asset_lineage(graph, AssetKey("files")).to_dict()
    assert document == {
        "nodes": [{"id": "files", "asset": "files", "partition": None, "column": None, "version": None, "level": 0}],
        "edges": [],
    }
