"""Lines out of bytes: as a terminal would show them in the end, whatever the pieces in which they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.execution.output.lines import Lines


def lines_of(*pieces: bytes) -> list[str]:
    found: list[str] = []
    lines = Lines(found.append)
    for piece in pieces:
        lines.feed(piece)
    lines.end()
    return found


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\n\ntwo", ["one", "", "two"]),
        (b"windows\r\nlines\r\n", ["windows", "lines"]),
        (b"1%\r2%\r3%\n", ["3%"]),
        (b"1%\r2%\r", ["2%"]),
        (b"\r\r\r\n", [""]),
        (b"a\rb\nc\rd", ["b", "d"]),
        ("grün".encode(), ["grün"]),
        (b"\xff\xfe\n", ["\\xff\\xfe"]),
        (b"half\x1e[1]\nrest", ["half", "\x1e[1]", "rest"]),
        (b"whole\n\x1e[1]\n", ["whole", "\x1e[1]"]),
    ],
)
def test_lines(printed: bytes, lines: list[str]) -> None:
    assert lines_of(printed) == lines
    assert lines_of(*(bytes([each]) for each in printed)) == lines


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_the_pieces_do_not_matter(printed: bytes, one: int, two: int) -> None:
    first, second = sorted((one, two))
    assert lines_of(printed) == lines_of(printed[:first], printed[first:second], printed[second:])


def test_a_line_without_an_end_is_told_in_pieces() -> None:
    whole = "ä" * 100_000
    found = lines_of(*(whole.encode()[place : place + 9_999] for place in range(0, 200_000, 9_999)))
    assert "".join(found) == whole
    assert max(map(len, found)) <= 65_536
    assert len(found) > 1


def test_progress_without_a_line_end_takes_no_room() -> None:
    found: list[str] = []
    lines = Lines(found.append)
    for number in range(10_000):
        lines.feed(f"{number} of 10,000 done\r".encode())
        assert len(lines._pending) < 100
    lines.end()
    assert found == ["9999 of 10,000 done"]
