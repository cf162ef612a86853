"""What holds for every command: one document on stdout, exit codes, prompt and clean interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assetflow.cli.main import run

if TYPE_CHECKING:
    from tests.cli.conftest import Session

PRINTS_EVERYWHERE = """
import os, subprocess
from assetflow import asset
print("while importing")

@asset
def noisy() -> int:
    print("while running")
    os.write(1, b"past Python\\n")
    subprocess.run(["echo", "from a child"], check=True)
    return 1
"""
WAITS = """
import signal, sys
from assetflow import asset

@asset
def first() -> int:
    return 1

@asset
def second(first: int) -> int:
    sys.stderr.write("waiting\\n")
    sys.stderr.flush()
    signal.pause()
    return 2
"""


def project(folder: Path, code: str) -> Path:
    (folder / "pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "mine"\n')
    (folder / "mine.py").write_text(code)
    return folder


def test_what_user_code_prints_is_not_in_the_document(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["materialize", "--json", "--project", str(project(tmp_path, PRINTS_EVERYWHERE))]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["counts"]["materialized"] == 1
    for text in ("while importing", "while running", "past Python", "from a child"):
        assert text in err


def test_the_project_is_found_upwards_and_the_working_directory_comes_back(
    till: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = till.folder / "till"
    monkeypatch.chdir(below)
    assert till.run("plan") == 0
    assert Path.cwd() == below


@pytest.mark.parametrize("place", ["before", "after"])
def test_project_may_stand_before_or_after_the_command(
    till: Session, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert till.run(f"--project {till.folder} list" if place == "before" else f"list --project={till.folder}") == 0


def test_fail_if_stale_is_3_until_everything_is_built(till: Session) -> None:
    assert till.run("plan --fail-if-stale") == 3
    assert till.run("plan --fail-if-stale --json") == 3
    assert till.run("materialize") == 0
    assert till.run("plan --fail-if-stale") == 0


def test_a_dry_run_changes_nothing(till: Session) -> None:
    assert till.run("materialize --dry-run --force --json") == 0
    assert till.run("plan --fail-if-stale") == 3
    assert till.run("runs --json") == 0
    assert '"runs": []' in till.transcript[-1]


def test_a_healthy_project_passes_its_check_up(till: Session, capfd: pytest.CaptureFixture[str]) -> None:
    till.run("materialize")
    assert run(["doctor"]) == 0
    assert capfd.readouterr().out.endswith("\nNo errors found.\n")
    assert run(["doctor", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["ok"] is True
    assert {"level", "subject", "message", "hint", "cleaned"} == set(document["findings"][0])


def test_a_lost_data_file_is_found(till: Session, capfd: pytest.CaptureFixture[str]) -> None:
    till.run("materialize --select sales")
    lost = next((till.folder / ".assetflow/data/sales").rglob("*.parquet"))
    lost.unlink()
    assert run(["doctor"]) == 1
    assert "error    " in capfd.readouterr().out
    assert run(["doctor", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["ok"] is False


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "a|b", "it's", 'say "x"', "x; drop table runs", "\N{GRINNING FACE}", "a@b", "a...b"]
)
def test_any_partition_key_survives_the_command_line(
    key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = (
        "from assetflow import asset, AssetContext, StaticPartitions\n"
        f"@asset(partitions=StaticPartitions([{key!r}, 'other']))\n"
        "def keyed(context: AssetContext) -> str:\n    return context.partition_key\n"
    )
    base = ["--project", str(project(tmp_path, code)), "--json"]

    def ask(*arguments: str) -> Any:
        assert run([*arguments, *base]) == 0
        return json.loads(capfd.readouterr().out)

    assert ask("materialize", "--from", key, "--to", key)["counts"]["materialized"] == 1
    address = str(ask("lineage", "keyed")["nodes"][0]["asset"])
    escaped = key.replace("%", "%25").replace("@", "%40").replace(".", "%2E")
    assert ask("why", f"{address}@{escaped}")["state"] == "up_to_date"
    assert ask("show", f"{address}@{escaped}")["value"] == key
    assert [row["partition"] for row in ask("versions", address)["versions"]] == [key]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_what_it_did(number: signal.Signals, tmp_path: Path) -> None:
    folder = project(tmp_path, WAITS)
    # A test runner in the background may have SIGINT ignored, which its children inherit.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import assetflow.__main__"
    command = [sys.executable, "-c", code, "materialize", "--json", "--project", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while process.stderr.readline() != "waiting\n":
            assert process.poll() is None
        os.kill(process.pid, number)
        out, err = process.communicate()
    document = json.loads(out)
    assert process.returncode == 130
    assert document["status"] == "canceled"
    assert (document["counts"]["materialized"], document["counts"]["canceled"]) == (1, 1)
    assert "Traceback" not in err
