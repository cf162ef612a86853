"""Any text can be a partition key: it comes back as it was from paths, store, command line and views."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assetflow import StaticPartitions
from assetflow.cli.main import run
from assetflow.errors import DefinitionErrors
from assetflow.keys import format_address

KEYS = [
    "../../etc/passwd",
    "/etc/passwd",
    "k" * 500,
    "🌦️ snow☃",
    "a|b",
    'it\'s "quoted" `so`',
    "'; drop table versions; --",
    '"; drop view partitions; --',
    "a@b",
    "a...b",
    "100%",
    "%2E%40",
    ".",
    "..",
    "...",
    "Case",
    "case",
    "é",
    "e\u0301",
    " spaces ",
    "new\nline",
    "back\\slash",
    "$(touch here)",
    "a=b",
    "*",
    "--json",
    "null",
    "v-1",
    "_current.json",
    "_manifest.json",
    "con",
    "[bold]rich[/bold]",
]

CODE = f"""
    import pandas as pd
    from assetflow import AssetContext, StaticPartitions, asset

    places = StaticPartitions({KEYS!r})

    @asset(partitions=places)
    def named(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({{"name": [context.partition_key]}})

    @asset(partitions=places)
    def copied(named: pd.DataFrame) -> pd.DataFrame:
        return named

    @asset
    def listed(named: dict[str, pd.DataFrame]) -> list[str]:
        assert all(list(table["name"]) == [key] for key, table in named.items())
        return list(named)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from textwrap import dedent

    root = tmp_path_factory.mktemp("keys") / "inside" / "project"
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "pipeline"\n')
    (root / "pipeline.py").write_text(dedent(CODE), encoding="utf-8")
    assert run(["materialize", "--project", str(root), "--json"]) == 0
    return root


def ask(capfd: Any, root: Path, *arguments: str, code: int = 0) -> Any:
    capfd.readouterr()
    assert run([*arguments, "--project", str(root), "--json"]) == code
    return json.loads(capfd.readouterr().out)


def test_paths_stay_inside_the_storage_and_apart(built: Path) -> None:
    folders = [path for path in (built / ".assetflow" / "data" / "named").iterdir() if path.is_dir()]
    assert len(folders) == len(KEYS)
    assert len({folder.name.casefold() for folder in folders}) == len(KEYS)
    manifests = [json.loads(path.read_text()) for folder in folders for path in folder.glob("v-*/_manifest.json")]
    assert {manifest["partition"] for manifest in manifests} == set(KEYS)
    outside = {path.name for path in built.parent.parent.rglob("*") if ".assetflow" not in path.parts}
    assert outside <= {"inside", "project", "pyproject.toml", "pipeline.py", "__pycache__"}


def test_files_for_other_readers_name_the_true_keys(built: Path) -> None:
    current = json.loads((built / ".assetflow" / "data" / "named" / "_current.json").read_text())
    assert {entry["partition"] for entry in current["partitions"]} == set(KEYS)
    for entry in current["partitions"]:
        (file,) = entry["files"]
        assert (built / ".assetflow" / "data" / "named" / file).is_file()


def test_python_gets_and_takes_the_true_keys(built: Path) -> None:
    from assetflow import Project

    with Project.open(built) as project:
        assert project.load("listed") == KEYS
        for key in KEYS:
            assert list(project.load("copied", key)["name"]) == [key]
            assert project.why("copied", key).state == "up_to_date"
            assert [row["partition"] for row in project.versions("copied", key)] == [key]


def test_views_hold_the_true_keys(built: Path) -> None:
    from assetflow import Project

    with Project.open(built) as project:
        for table, column in (("partitions where asset = 'copied'", "partition"), ("data.copied", "partition")):
            found = project.catalog.query(f"select {column} from {table}").column(column).to_pylist()
            assert sorted(found) == sorted(KEYS)
        pairs = project.catalog.query("select name, partition from data.copied").to_pylist()
        assert all(pair["name"] == pair["partition"] for pair in pairs)
        lineage = project.catalog.query("select partition, upstream_partition from lineage where asset = 'copied'")
        assert {row["partition"] for row in lineage.to_pylist()} == set(KEYS)
        assert all(row["partition"] == row["upstream_partition"] for row in lineage.to_pylist())


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:20]))
def test_the_command_line_takes_the_address_and_gives_the_key(built: Path, capfd: Any, key: str) -> None:
    address = format_address("copied", key)
    why = ask(capfd, built, "why", address)
    assert (why["partition"], why["state"]) == (key, "up_to_date")
    (version,) = ask(capfd, built, "versions", address)["versions"]
    assert version["partition"] == key
    assert ask(capfd, built, "show", address)["rows"] == [[key]]
    nodes = ask(capfd, built, "lineage", address)["nodes"]
    assert {node["partition"] for node in nodes} == {key}


def test_the_command_line_prints_what_it_takes_back(built: Path, capfd: Any) -> None:
    capfd.readouterr()
    for key in KEYS:
        assert run(["why", format_address("copied", key), "--project", str(built)]) == 0
        assert capfd.readouterr().out.strip()


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key[:20]))
def test_a_key_selects_its_partition_only(built: Path, capfd: Any, key: str) -> None:
    escaped = format_address("copied", key).partition("@")[2]
    for chosen in ([f"--partition={escaped}"], [f"--from={key}", f"--to={key}"]):
        plan = ask(capfd, built, "materialize", "--select", "copied", "--force", "--dry-run", *chosen)
        (step,) = plan["steps"]
        assert step["partitions"] == {"count": 1, "ranges": [[key, key]]}


def test_an_empty_key_is_refused(folder: Any, capfd: Any) -> None:
    folder.code("""
        from assetflow import StaticPartitions, asset

        @asset(partitions=StaticPartitions(["a", ""]))
        def named() -> int:
            return 1
    """)
    with pytest.raises(DefinitionErrors, match="empty"):
        folder.open()
    assert "empty" in ask(capfd, folder.root, "plan", code=2)["error"]["message"]


def test_an_unknown_key_is_a_mistake_with_the_key_in_the_message(built: Path, capfd: Any) -> None:
    error = ask(capfd, built, "why", "copied@../../etc/shadow", code=2)["error"]
    assert "../../etc/shadow" in error["message"]


def test_the_definition_takes_them_all() -> None:
    assert list(StaticPartitions(KEYS).keys) == KEYS
