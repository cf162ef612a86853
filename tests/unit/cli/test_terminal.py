from __future__ import annotations

import io
import subprocess
import sys

import pytest

from assetflow.cli.terminal import Column, Page, stdout_for_document


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_lines_of_a_pipe_are_neither_cut_nor_coloured() -> None:
    stream = io.StringIO()
    Page(stream).line("error: " + "x" * 500, style="bold red", lead="error:")
    assert stream.getvalue() == "error: " + "x" * 500 + "\n"


def test_a_terminal_gets_colour_on_the_lead_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    Page(stream).line("error: broken", style="bold red", lead="error:")
    assert stream.getvalue() == "\x1b[1;31merror:\x1b[0m broken\n"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    Page(stream).line("error: broken", style="red", lead="error:")
    assert "\x1b[31" not in stream.getvalue()


def test_a_long_line_on_a_terminal_is_left_to_the_terminal_to_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Page(stream).line("word " * 20, style="bold")
    assert stream.getvalue().count("\n") == 1


def test_keys_cannot_command_the_terminal() -> None:
    stream = io.StringIO()
    page = Page(stream)
    page.line("key \x1b[2J\x07\n end")
    page.line("trace\n\x07ends", lines=True)
    page.table(["key"], [["a\x1b]0;title\x07\nb"], ["\ud800"]])
    assert stream.getvalue().splitlines() == [
        r"key \x1b[2J\x07\n end",
        "trace",
        r"\x07ends",
        "key",
        "─" * 20,
        r"a\x1b]0;title\x07\nb",
        r"\ud800",
    ]


def test_a_table_aligns_and_ends_its_lines_without_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    stream = io.StringIO()
    Page(stream).table(
        [Column("asset", whole=True), Column("rows", right=True), ""], [["orders", 12, None], ["a", 3, "x"]]
    )
    assert stream.getvalue().splitlines() == [
        "asset   rows",
        "───────────────",
        "orders    12",
        "a          3  x",
    ]


def test_a_narrow_terminal_folds_texts_and_loses_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = io.StringIO()
    columns = [Column("asset", whole=True), Column("partitions", right=True), "description"]
    Page(stream).table(columns, [["weather_daily", 1234, "the highest temperature of a day"]])
    assert stream.getvalue().splitlines() == [
        "asset          partitions  description",
        "─────────────────────────────────────────────",
        "weather_daily        1234  the highest",
        "                           temperature of a",
        "                           day",
    ]


def test_markup_and_emoji_codes_in_data_stay_as_they_are() -> None:
    stream = io.StringIO()
    Page(stream).table(["[bold]"], [["[red]:smile:[/red]"]])
    Page(stream).line("[red]:smile:")
    assert "[bold]" in stream.getvalue()
    assert stream.getvalue().count(":smile:") == 2
    assert "[/red]" in stream.getvalue()


def test_a_claimed_stdout_holds_the_document_only(capfd: pytest.CaptureFixture[str]) -> None:
    with stdout_for_document(True) as stdout:
        print("from python")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        stdout.write("{}\n")
    print("after")
    out, err = capfd.readouterr()
    assert out == "{}\nafter\n"
    assert sorted(err.splitlines()) == ["from a child", "from python"]


def test_stdout_is_given_back_after_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), stdout_for_document(True):
        raise ZeroDivisionError
    print("after")
    assert capfd.readouterr().out == "after\n"
