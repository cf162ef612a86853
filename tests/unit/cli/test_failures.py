from __future__ import annotations

import io

from assetflow.cli.failures import document_of, exit_code_of, show_error, show_fields
from assetflow.cli.terminal import Page
from assetflow.errors import DefinitionError, DefinitionErrors, SourceLocation, UnknownAsset, UserCodeError


def shown(error: BaseException) -> str:
    stream = io.StringIO()
    show_error(Page(stream), error)
    return stream.getvalue()


def test_all_definition_errors_are_shown_with_their_places() -> None:
    errors = DefinitionErrors(
        [
            DefinitionError("orders: declared twice", location=SourceLocation("shop.py", 3)),
            DefinitionError("totals reads ordrs", hint="did you mean orders?", location=SourceLocation("shop.py", 9)),
        ]
    )
    assert shown(errors) == (
        "error: orders: declared twice\n"
        "  at shop.py:3\n"
        "error: totals reads ordrs\n"
        "  at shop.py:9\n"
        "  hint: did you mean orders?\n"
        "error: 2 definition errors; nothing was started\n"
    )
    assert exit_code_of(errors) == 2


def test_the_traceback_of_user_code_is_set_apart() -> None:
    error = UserCodeError("orders raised ValueError: no rows", traceback="Traceback:\n  boom", hint="look")
    assert shown(error) == "error: orders raised ValueError: no rows\n  | Traceback:\n  |   boom\n  hint: look\n"


def test_a_fault_of_ours_says_so_and_has_its_trace() -> None:
    try:
        raise ZeroDivisionError("division by zero")
    except ZeroDivisionError as error:
        text, document, code = shown(error), document_of(error), exit_code_of(error)
    assert text.startswith("error: ZeroDivisionError: division by zero\n  | Traceback (most recent call last):\n")
    assert text.endswith("  hint: this is a fault of assetflow itself; please report it, with the trace\n")
    assert document == {
        "error": {
            "type": "InternalError",
            "message": "ZeroDivisionError: division by zero",
            "hint": "this is a fault of assetflow itself; please report it, with the trace",
            "location": None,
        }
    }
    assert code == 1


def test_an_error_document_has_its_four_fields() -> None:
    error = UnknownAsset("there is no asset 'ordrs'", hint="did you mean orders?")
    assert document_of(error) == {
        "error": {
            "type": "UnknownAsset",
            "message": "there is no asset 'ordrs'",
            "hint": "did you mean orders?",
            "location": None,
        }
    }


def test_a_message_that_begins_with_its_subject_is_not_told_twice() -> None:
    stream = io.StringIO()
    show_fields(Page(stream), "orders@a", {"message": "orders@a raised KeyError: 'x'", "location": "shop.py:4"})
    show_fields(Page(stream), "orders@b", {"message": "no space left", "hint": "free some"})
    assert stream.getvalue() == (
        "error: orders@a raised KeyError: 'x'\n  at shop.py:4\nerror: orders@b: no space left\n  hint: free some\n"
    )
