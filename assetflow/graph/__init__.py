"""The validated asset graph: topology, edges with mappings, and the options that count for code versions."""

from __future__ import annotations

from assetflow.graph.building import build_graph
from assetflow.graph.model import AssetGraph, Edge, Node
from assetflow.graph.options import check_options, semantic_options, written_objects

__all__ = ["AssetGraph", "Edge", "Node", "build_graph", "check_options", "semantic_options", "written_objects"]
