from __future__ import annotations

import io

from assetflow.cli.failures import alike, exit_code_of, show_alike, show_error
from assetflow.cli.terminal import Page
from assetflow.documents import document_of
from assetflow.errors import DefinitionError, DefinitionErrors, SourceLocation, UnknownAsset, UserCodeError
from assetflow.keys import AssetKey


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


def printed(*failures: tuple[str, str | None, dict[str, object]]) -> str:
    stream = io.StringIO()
    for each in alike((AssetKey(asset), partition, fields) for asset, partition, fields in failures):
        show_alike(Page(stream), each)
    return stream.getvalue()


def test_a_message_that_begins_with_its_subject_is_not_told_twice() -> None:
    assert printed(
        ("orders", "a", {"message": "orders@a raised KeyError: 'x'", "location": "shop.py:4"}),
        ("orders", "b", {"message": "no space left", "hint": "free some"}),
    ) == ("error: orders@a raised KeyError: 'x'\n  at shop.py:4\nerror: orders@b: no space left\n  hint: free some\n")


def test_equal_failures_are_told_once_with_their_number_and_range() -> None:
    def failed(partition: str, text: str, trace: str = "Traceback:\n  boom") -> tuple[str, str, dict[str, object]]:
        return (
            "orders",
            partition,
            {"message": f"orders@{partition} {text}", "location": "shop.py:4", "traceback": trace},
        )

    found = printed(
        failed("2024-01-01", "raised KeyError: 'x'"),
        failed("2024-01-02", "raised KeyError: 'y'"),
        failed("2024-01-03", "raised KeyError: 'x'"),
        ("totals", "2024-01-03", {"message": "totals@2024-01-03 raised KeyError: 'x'"}),
        failed("2024-01-04", "raised KeyError: 'x'", "Traceback:\n  elsewhere"),
        failed("2024-01-09", "raised KeyError: 'x'"),
    )
    assert found == (
        "error: orders@2024-01-01 to orders@2024-01-09 (3 partitions) raised KeyError: 'x'\n"
        "  at shop.py:4\n  | Traceback:\n  |   boom\n"
        "error: orders@2024-01-02 raised KeyError: 'y'\n"
        "  at shop.py:4\n  | Traceback:\n  |   boom\n"
        "error: totals@2024-01-03 raised KeyError: 'x'\n"
        "error: orders@2024-01-04 raised KeyError: 'x'\n"
        "  at shop.py:4\n  | Traceback:\n  |   elsewhere\n"
    )
