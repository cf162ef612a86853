"""5,000 assets in one module, each reading two others: from the import to a validated graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from measuring import Figure, in_turns, ours, run
from peers import Peer

COUNT = 5_000


@pytest.mark.bench
def test_declaring(
    peers: Mapping[str, Peer], record: Callable[[Figure], None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    def seconds(tool: str, python: object) -> Callable[[], float]:
        script = f"{tool}_declare.py"
        return lambda: run(str(python), script, COUNT, cwd=tmp_path_factory.mktemp(tool))["seconds"]

    measures = {"assetflow": seconds("assetflow", ours())}
    if "dagster" in peers:
        measures["dagster"] = seconds("dagster", peers["dagster"].python)
    found = in_turns(measures, rounds=3)
    record(Figure("declaring and validating 5,000 assets", "s", found.pop("assetflow"), 1.0, found))
