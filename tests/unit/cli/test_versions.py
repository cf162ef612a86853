"""``rollback``, ``publish``, ``wipe``, ``mv``, pins and ``gc``: what they print, and what they refuse."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from assetflow.cli.main import run

PROJECT = """
from pathlib import Path

from assetflow import DailyPartitions, asset, asset_check

@asset(partitions=DailyPartitions("2024-01-01", end="2024-02-01"), hashing="none", code_version="1")
def daily() -> list[int]:
    return [int(Path("number").read_text())] * 20_000

@asset_check(asset=daily, blocking=True)
def small(daily: list[int]) -> bool:
    return daily[0] < 10
"""
SETTINGS = """
[tool.assetflow]
definitions = "shop"

[tool.assetflow.retention]
keep_versions = 1
keep_for = "0s"
grace = "0s"
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    (tmp_path / "shop.py").write_text(PROJECT)
    (tmp_path / "number").write_text("1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Any:
    def told(*arguments: str, code: int = 0) -> str:
        capfd.readouterr()
        assert run(arguments) == code
        out, err = capfd.readouterr()
        return out + err

    return told


def rebuilt(said: Any, number: int, code: int = 0) -> None:
    Path("number").write_text(str(number))
    said("materialize", "--force", code=code)


def test_a_long_rollback_is_told_in_short(said: Any) -> None:
    rebuilt(said, 1)
    generation = json.loads(said("query", "select count(*) from partitions", "--json"))["rows"][0][0]
    assert generation == 31
    rebuilt(said, 2)
    text = said("rollback", "daily", "--as-of", "31", "--reason", "wrong")
    lines = text.splitlines()
    assert lines[0] == "Rolled back 31 partitions:"
    assert lines[1] == "  daily@2024-01-01 is version 1"
    assert lines[-1] == "  ... and 11 more partitions of daily"
    document = json.loads(said("rollback", "daily@2024-01-01...2024-01-02", "--as-of", "62", "--json"))
    assert [entry["partition"] for entry in document["published"]] == ["2024-01-01", "2024-01-02"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rollback", "daily"], "error: rollback: it does not say where to"),
        (["rollback"], "error: rollback: it does not say where to"),
        (["rollback", "daily@2024-01-01...2024-01-03", "--to", "1"], "error: version 1 is of one partition"),
        (["rollback", "daily@", "--to", "1"], "error: 'daily@' has an empty partition key"),
        (["rollback", "--run", "abc"], "error: there is no run 'abc'"),
        (["show", "daily@2024-01-01", "--as-of", "2024-01-01"], "error: '2024-01-01' has no time zone"),
        (["show", "daily@2024-01-01", "--as-of", "1", "--version", "1"], "error: --version and --as-of are both given"),
        (["query", "select * from freshness", "--as-of", "1"], "error: freshness is judged now"),
        (["publish", "1", "--override"], "error: --override needs --reason"),
        (["publish", "1", "--override", "--reason", "x"], "error: version 1 of daily@2024-01-01 is what is published"),
        (["wipe", "daily", "--reason", "x"], "error: nothing was wiped: it was not confirmed"),
        (["wipe", "daily", "--reason", " ", "--yes"], "error: --reason is empty"),
        (["mv", "daily", "weekly"], "error: no asset is called weekly"),
        (["unpin", "nothing"], "error: there is no pin nothing"),
        (["pin", "a", "daily"], "error: daily has partitions, and a pin keeps one version"),
    ],
)
def test_what_is_refused(said: Any, arguments: list[str], message: str) -> None:
    rebuilt(said, 1)
    assert message in said(*arguments, code=2)
    document = json.loads(said(*arguments, "--json", code=2).splitlines()[0])
    assert document["error"]["hint"]


def test_an_override_from_start_to_end(said: Any) -> None:
    rebuilt(said, 1)
    rebuilt(said, 50, code=1)
    text = said("publish", "32", code=1)
    assert "error: version 32 of daily@2024-01-01 was refused by the blocking check small" in text
    text = said("publish", "32", "--override", "--reason", "a good day")
    assert text == "Published 1 partition:\n  daily@2024-01-01 is version 32\n"
    assert "although small refused it: a good day" in said("why", "daily@2024-01-01")


def test_wiping_asks_on_a_terminal(said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuilt(said, 1)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    text = said("wipe", "daily@2024-01-02", "--reason", "x", code=2)
    assert "Take what is published of daily@2024-01-02 away from its readers? [y/N]" in text
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    text = said("wipe", "daily@2024-01-02", "--reason", "x")
    assert "daily@2024-01-02 is not published any more; it was version 2" in text


def test_pins_and_gc(said: Any) -> None:
    rebuilt(said, 1)
    assert said("pins") == "Nothing is pinned.\n"
    assert said("gc") == "31 versions kept; nothing to delete\n"
    assert said("pin", "first", "daily@2024-01-01", "--reason", "audit") == "Pinned version 1 as first.\n"
    assert said("pin", "all") == "Pinned everything as of generation 31 as all.\n"
    rebuilt(said, 2)
    assert said("gc") == "62 versions kept; nothing to delete\n"
    assert said("unpin", "all") == "all does not keep everything as of generation 31 any more.\n"
    text = said("gc")
    assert "32 versions kept; " in text
    assert "would be deleted" in text
    assert text.endswith("hint: assetflow gc --apply\n")
    document = json.loads(said("gc", "--apply", "--json"))
    assert (document["applied"], document["kept"], len(document["versions"])) == (True, 32, 30)
    assert document["bytes"] > 30 * 20_000
    assert not Path(".assetflow/data/daily/2024-01-02/v-2").exists()
    assert Path(".assetflow/data/daily/2024-01-01/v-1").exists()
    states = {row["version"]: row["state"] for row in json.loads(said("versions", "daily", "--json"))["versions"]}
    assert (states[1], states[2]) == ("published", "deleted")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("keep_versions = 0", "[tool.assetflow.retention]: keep_versions = 0 is no whole number from 1 on"),
        ('keep_for = "ever"', "[tool.assetflow.retention]: keep_for = 'ever' is no duration"),
        ("keep = 3", "[tool.assetflow.retention]: there is no setting keep; there is keep_versions, keep_for,"),
    ],
)
def test_mistakes_in_the_settings(said: Any, line: str, message: str) -> None:
    Path("pyproject.toml").write_text(f'[tool.assetflow]\ndefinitions = "shop"\n\n[tool.assetflow.retention]\n{line}\n')
    text = said("gc", code=2)
    assert message in text
    assert "pyproject.toml:4" in text


def test_retention_is_a_table(said: Any) -> None:
    Path("pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "shop"\nretention = "short"\n')
    assert "[tool.assetflow] retention = 'short' cannot be used" in said("gc", code=2)
