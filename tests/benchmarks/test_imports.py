"""What an import costs: a whole process beyond one that imports nothing, with bytecode cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from measuring import Figure, in_turns, ours, wall
from peers import Peer

import assetflow


def names() -> str:
    """Every public name, as CONTRACT's first example imports those that exist."""
    return f"from assetflow import {', '.join(sorted(assetflow.__all__))}"


@pytest.mark.bench
@pytest.mark.parametrize(
    ("what", "code", "target"),
    [("import assetflow", "import assetflow", 100), ("all public names", names(), 250)],
    ids=["module", "names"],
)
def test_import(
    what: str, code: str, target: float, peers: Mapping[str, Peer], record: Callable[[Figure], None], tmp_path: Path
) -> None:
    commands = {"assetflow": [ours(), "-c", code], "bare": [ours(), "-c", "pass"]}
    if "dagster" in peers:
        commands["dagster"] = [str(peers["dagster"].python), "-c", "import dagster"]
    for command in commands.values():
        wall(command, cwd=tmp_path)
    measures = {name: (lambda command=command: wall(command, cwd=tmp_path)) for name, command in commands.items()}
    found = in_turns(measures, rounds=9)
    bare = found.pop("bare")
    beyond = {name: (seconds - bare) * 1000 for name, seconds in found.items()}
    record(Figure(what, "ms", beyond.pop("assetflow"), target, beyond))
