"""What attempts print: kept with its place, bounded, read and followed; recording never stops a run."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assetflow.execution.output import recording
from assetflow.execution.output.capturing import captured
from assetflow.execution.output.reading import followed_lines, forget_output, output_lines
from assetflow.execution.output.recording import OutputLine, RunOutput, encoded_record

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> RunOutput:
    return RunOutput(tmp_path, "r1", lambda: MOMENT)


def test_each_line_has_its_place(run: RunOutput, tmp_path: Path) -> None:
    attempt = run.attempt("orders", "2024-01", 2)
    attempt.feed("stdout", b"one\ntw")
    attempt.feed("stderr", b"careful\n" + encoded_record("INFO", "mine", "said\nmore"))
    attempt.end()
    run.close()
    common = ("2024-01-02T03:04:05.678+00:00", "r1", "orders", "2024-01", 2)
    assert list(output_lines(tmp_path, "r1")) == [
        OutputLine(*common, "stdout", "one"),
        OutputLine(*common, "stderr", "careful"),
        OutputLine(*common, "log", "said\nmore", "INFO", "mine"),
        OutputLine(*common, "stdout", "tw"),
    ]
    assert list(output_lines(tmp_path, "r1", "others")) == []
    forget_output(tmp_path, "r1")
    assert list(output_lines(tmp_path, "r1")) == []


def test_nothing_is_written_for_a_run_that_prints_nothing(run: RunOutput, tmp_path: Path) -> None:
    run.attempt("orders", None, 1).end()
    run.close()
    assert list(tmp_path.iterdir()) == []


def test_of_too_much_the_beginning_and_the_end_are_kept(
    run: RunOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST_OF_ATTEMPT", 1_000)
    attempt = run.attempt("orders", None, 1)
    for number in range(10_000):
        attempt.feed("stdout", f"{number:09}\n".encode())
    attempt.log("INFO", "mine", "at last")
    attempt.end()
    found = list(output_lines(tmp_path, "r1"))
    texts = [line.text for line in found]
    assert texts[:100] == [f"{number:09}" for number in range(100)]
    assert texts[100] == (
        "99,008 bytes were left out here, for an attempt keeps 1,000 of its output; its last 50 lines follow"
    )
    assert found[100].stream == "notice"
    assert texts[101:] == [*(f"{number:09}" for number in range(9_951, 10_000)), "at last"]
    assert attempt.tail[-1] == "at last"


def test_a_run_keeps_so_much(run: RunOutput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run._left = 5_000
    for number in range(1_000):
        attempt = run.attempt("orders", None, number)
        attempt.feed("stdout", b"x" * 100 + b"\n")
        attempt.end()
    assert (tmp_path / "r1" / "output.jsonl").stat().st_size < 6_000


def test_a_disk_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    run = RunOutput(tmp_path / "file", "r1", lambda: MOMENT)
    attempt = run.attempt("orders", None, 1)
    attempt.feed("stdout", b"one\n")
    attempt.end()
    run.close()
    assert list(attempt.tail) == ["one"]


def test_only_the_latest_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_RUNS", 2)
    for number in range(4):
        run = RunOutput(tmp_path, f"r{number}", lambda: MOMENT)
        run.attempt("orders", None, 1).feed("stdout", b"one\n")
        run.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert [line.text for line in output_lines(tmp_path, "r3")] == ["one"]


def test_following_reads_what_comes(run: RunOutput, tmp_path: Path) -> None:
    attempt = run.attempt("orders", None, 1)
    said = iter([b"one\n", b"two\nthr", b"ee\n"])
    left = iter([True, True, True, True, False])

    def wait() -> None:
        attempt.feed("stdout", next(said, b""))

    found = [line.text for line in followed_lines(tmp_path, "r1", None, lambda: next(left), wait)]
    assert found == ["one", "two", "three"]


def test_a_line_that_was_cut_off_is_left_out(run: RunOutput, tmp_path: Path) -> None:
    run.attempt("orders", None, 1).feed("stdout", b"one\ntwo\n")
    path = tmp_path / "r1" / "output.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    assert [line.text for line in output_lines(tmp_path, "r1")] == ["one"]


def test_a_call_in_this_process_is_shown_and_kept(
    run: RunOutput, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.stdout
    logger = logging.getLogger("of.the.user")
    with captured(run.attempt("orders", None, 1)):
        print("out")
        sys.stderr.write("err\n")
        assert sys.stdout.isatty() is False
        held = sys.stdout
        logger.warning("careful")
        logging.getLogger("assetflow.assets.orders").info("noted")
    assert sys.stdout is before
    print("later", file=held)
    shown = capsys.readouterr()
    assert shown.out == "out\nlater\n"
    assert "err\n" in shown.err
    kept = {(line.stream, line.text) for line in output_lines(tmp_path, "r1")}
    assert kept == {("stdout", "out"), ("stderr", "err"), ("log", "careful"), ("log", "noted")}


def test_the_configuration_of_logging_is_left_as_it_was(run: RunOutput) -> None:
    root = logging.getLogger()
    before = root.level, list(root.handlers), logging.lastResort, logging.getLogger("assetflow.assets").level
    with captured(run.attempt("orders", None, 1)):
        pass
    assert before == (root.level, root.handlers, logging.lastResort, logging.getLogger("assetflow.assets").level)
