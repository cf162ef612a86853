"""What a user's exception becomes: their frames, their words, a place to look at, and no more than fits."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest

from assetflow.errors import OutputError, UserCodeError
from assetflow.execution.tracebacks import user_error, user_frames


def caught(raised: BaseException) -> BaseException:
    try:
        _raise(raised)
    except BaseException as error:
        return error


def _raise(error: BaseException) -> NoReturn:
    raise error


def told(raised: BaseException) -> UserCodeError:
    found = user_error(caught(raised), "orders@a")
    assert isinstance(found, UserCodeError)
    return found


def test_the_message_says_what_was_raised_and_where() -> None:
    error = told(ValueError("no rows"))
    assert error.message == "orders@a raised ValueError: no rows"
    assert error.location is not None
    assert error.location.path.endswith("test_tracebacks.py")
    assert "_raise" in error.traceback


def test_an_error_of_ours_passes_as_it_is() -> None:
    ours = OutputError("orders@a: returned None", hint="return something")
    assert user_error(ours, "orders@a") is ours


def test_an_exception_without_words_has_its_name() -> None:
    assert told(KeyError()).message == "orders@a raised KeyError"


def test_ending_the_process_is_told_as_such() -> None:
    error = told(SystemExit("enough"))
    assert error.message == "orders@a called sys.exit('enough')"
    assert "instead of ending the process" in str(error.hint)


def test_long_texts_are_cut_and_odd_characters_made_printable() -> None:
    error = told(ValueError("x" * 100_000 + "\ud800"))
    assert len(error.message) < 5_000
    assert "characters)" in error.message
    assert max(map(len, error.traceback.splitlines())) < 1_000
    odd = told(ValueError("\ud800"))
    assert odd.message.encode().decode() == "orders@a raised ValueError: \\ud800"


def test_an_exception_whose_text_raises_is_still_told() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert "its text cannot be had" in told(Rude()).message


def test_frames_of_the_standard_library_are_left_out_unless_there_are_no_others() -> None:
    with pytest.raises(ValueError, match="Expecting value") as found:
        json.loads("x")
    assert {frame.filename for frame in user_frames(found.value)} == {__file__}
