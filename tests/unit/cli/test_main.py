"""The command line's frame: finding commands, usage errors, documents; no project is needed for these."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import assetflow.cli.main
from assetflow.cli.main import run
from assetflow.cli.terminal import Answer, Page
from assetflow.errors import StoreLocked, UsageError

COMMANDS = [
    *("init", "dev", "list", "graph", "validate", "plan", "materialize", "why", "status", "show", "query", "lineage"),
    "runs",
    "runs show",
    "runs cancel",
    "runs logs",
    "runs retry",
    "explain",
    *("partitions", "partitions list", "partitions add", "partitions remove"),
    *("versions", "rollback", "accept", "publish", "wipe", "mv", "pin", "pins", "unpin", "gc", "doctor"),
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Answer | BaseException) -> None:
    def answer_to(arguments: object) -> Answer:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(assetflow.cli.main, "answer_to", answer_to)


def document(capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    return json.loads(capfd.readouterr().out)


def test_help_lists_every_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    table = capfd.readouterr().out.partition("commands:\n")[2].partition("\n\n")[0]
    assert [line.split("  ")[1] for line in table.splitlines()] == COMMANDS


def test_no_arguments_is_asking_for_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert capfd.readouterr().out.startswith("usage: assetflow")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_takes_project_and_json(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    text = capfd.readouterr().out
    assert "--project DIR" in text
    assert "--json" in text


def test_help_as_a_document(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--help", "--json"]) == 0
    assert str(document(capfd)["help"]).startswith("usage: assetflow plan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve"], "there is no command 'serve'"),
        (["plan", "--soon"], "there is no option --soon"),
        (["plan", "--soon=now"], "there is no option --soon"),
        (["plan", "extra"], "unexpected: extra"),
        (["why"], "missing: ASSET[@PARTITION]"),
        (["wipe", "orders"], "missing: --reason"),
        (["rollback", "orders", "--to", "x"], "--to: 'x' is no whole number from 1 on"),
        (["lineage", "orders", "--depth", "0"], "--depth: '0' is no whole number from 1 on"),
        (["lineage", "orders", "--column", "c"], "there is no option --column"),
        (["plan", "--select"], "--select/-s: expected one argument"),
        (["plan", "--from", "a"], "--from needs --to"),
        (["plan", "--to", "a"], "--to needs --from"),
        (["plan", "--from", "", "--to", "a"], "a partition key cannot be empty"),
        (["plan", "--partition", "a..."], "'a...' is no partition or range"),
        (["query", " "], "the query is empty"),
        (["accept", "orders", "--reason", ""], "--reason is empty"),
        (["runs", "open", "1"], "there is no command 'runs open'"),
        (["--jso"], "a command is missing"),
        ([], "a command is missing"),
    ],
)
def test_a_usage_error_is_text_and_a_document(
    arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--json"]) == 2
    out, err = capfd.readouterr()
    error = json.loads(out)["error"]
    assert error["type"] == "UsageError"
    assert error["message"].startswith(message)
    assert error["hint"]
    assert err.startswith(f"error: {message}")


def test_a_mistyped_option_gets_the_nearest_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--selct", "orders"]) == 2
    assert capfd.readouterr().err == "error: there is no option --selct\n  hint: did you mean --select?\n"


def test_version_of_a_data_version_is_not_that_of_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "orders", "--version", "x"]) == 2
    assert capfd.readouterr().err.startswith("error: --version: 'x' is no whole number")


def test_a_mistyped_command_gets_the_nearest_name(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["materialise"]) == 2
    assert capfd.readouterr().err == "error: there is no command 'materialise'\n  hint: did you mean materialize?\n"


@pytest.mark.parametrize("arguments", [["plan"], ["--project", ".", "plan"], ["plan", "--project", "."]])
def test_outside_a_project(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments, "--json"]) == 2
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["type"] == "ProjectError"
    assert "assetflow init NAME" in error["hint"]


def test_an_interrupt_is_an_error_document_and_130(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, KeyboardInterrupt())
    assert run(["plan", "--json"]) == 130
    out, err = capfd.readouterr()
    assert json.loads(out)["error"]["type"] == "Interrupted"
    assert err == "error: interrupted\n"


def test_code_that_ends_the_process_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, SystemExit(0))
    assert run(["plan", "--json"]) == 1
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["message"] == "the project's code ended the process with exit code 0"
    assert error["hint"] == "raise an exception instead of calling sys.exit"


def test_an_unexpected_exception_is_an_error_document_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    answering(monkeypatch, RuntimeError("unforeseen"))
    assert run(["plan", "--json"]) == 1
    error = json.loads(capfd.readouterr().out)["error"]
    assert (error["type"], error["message"]) == ("InternalError", "RuntimeError: unforeseen")


@pytest.mark.parametrize(("error", "code"), [(UsageError("no"), 2), (StoreLocked("busy"), 1)])
def test_errors_bring_their_exit_code(error: Exception, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, error)
    assert run(["plan"]) == code


def test_a_document_that_cannot_be_written_as_json_directly_is_still_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def show(page: Page) -> None:
        raise AssertionError("text was not asked for")

    answering(monkeypatch, Answer(lambda: {"rate": float("nan")}, show, 3))
    assert run(["plan", "--json"]) == 3
    assert document(capfd) == {"rate": None}


def test_nothing_is_said_to_a_reader_that_goes_away() -> None:
    command = f"{sys.executable} -m assetflow --help; echo $? >&2"
    script = f"(sleep 0.1; {command}) | true"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == "0\n"


def test_python_dash_m_says_the_version() -> None:
    done = subprocess.run([sys.executable, "-m", "assetflow", "--version"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("assetflow ")
    assert done.returncode == 0


def test_a_terminal_that_knows_ascii_only_gets_escapes() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "assetflow", "init", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert "caf\\xe9" in done.stdout


def test_commands_are_imported_one_by_one() -> None:
    code = (
        "import sys; from assetflow.cli.main import run; run(['plan', '--help']);"
        "heavy = {'rich', 'pandas', 'pyarrow', 'duckdb', 'sqlalchemy', 'pydantic', 'numpy', 'assetflow.project'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_terminated_is_interrupted(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "slow"\n')
    (tmp_path / "slow.py").write_text(
        "import signal, sys\nsys.stderr.write('here\\n')\nsys.stderr.flush()\nsignal.pause()\n"
    )
    command = [sys.executable, "-m", "assetflow", "list", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "here\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert process.returncode == 130
    assert json.loads(out)["error"]["type"] == "Interrupted"
    assert "Traceback" not in err
