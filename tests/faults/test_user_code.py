"""What functions of users do wrong while they run: each failure is told with its place and stops only its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

RAISING = """
import json
import sys
import threading

class Weird(Exception):
    def __str__(self):
        raise RuntimeError("no text")

class Outside(BaseException):
    pass

def helper():
    raise LookupError("no price")

@asset
def raises() -> int:
    return helper()

@asset
def in_library() -> int:
    return json.loads("{")

@asset
def leaves() -> int:
    sys.exit(3)

@asset
def weird() -> int:
    raise Weird

@asset
def outside() -> int:
    raise Outside("not an Exception")

@asset
def endless() -> int:
    return endless()

@asset
def long() -> int:
    raise ValueError("x" * 1_000_000)

@asset
def lines() -> int:
    raise ValueError("first\\nsecond \\x1b[31mred\\ud800")

@asset
def chained() -> int:
    try:
        return helper()
    except LookupError as error:
        raise ValueError("no total") from error

@asset
def good() -> int:
    return 1
"""


def test_every_exception_is_told_with_its_place_and_the_others_go_on(shop: Shop) -> None:
    shop.write(RAISING)
    said = shop.run("materialize --json")
    assert said.code == 1
    assert said.document is not None
    assert said.document["status"] == "failed"
    assert said.document["counts"]["materialized"] == 1
    found = {asset: (error["message"][:70], error["location"]) for asset, error in said.failures.items()}
    assert found == {
        "raises": ("raises raised LookupError: no price", shop.place('raise LookupError("no price")')),
        "in_library": (
            "in_library raised JSONDecodeError: Expecting property name enclosed in",
            shop.place("json.loads"),
        ),
        "leaves": ("leaves called sys.exit(3)", shop.place("sys.exit(3)")),
        "weird": ("weird raised Weird: (its text cannot be had: str() raised RuntimeError", shop.place("raise Weird")),
        "outside": ("outside raised Outside: not an Exception", shop.place("raise Outside")),
        "endless": ("endless raised RecursionError: maximum recursion depth exceeded", shop.place("return endless()")),
        "long": ("long raised ValueError: " + "x" * 46, shop.place('"x" * 1_000_000')),
        "lines": ("lines raised ValueError: first\nsecond \x1b[31mred\\ud800", shop.place('"first')),
        "chained": ("chained raised ValueError: no total", shop.place('"no total"')),
    }
    assert {error["type"] for error in said.failures.values()} == {"UserCodeError"}
    assert said.failures["leaves"]["hint"] == "raise an exception, or return, instead of ending the process"
    assert len(said.failures["long"]["message"]) < 5_000
    assert shop.run("show good").out.endswith("1\n")


def line(shop: Shop, text: str) -> int:
    return int(shop.place(text).partition(":")[2])


def test_the_traceback_holds_the_frames_of_the_user_only(shop: Shop) -> None:
    shop.write(RAISING)
    failures = shop.run("materialize --json").failures
    assert failures["raises"]["traceback"].splitlines() == [
        "Traceback (most recent call last):",
        f'  File "{shop.folder}/shop.py", line {line(shop, "return helper()")}, in raises',
        "    return helper()",
        "           ^^^^^^^^",
        f'  File "{shop.folder}/shop.py", line {line(shop, "raise LookupError")}, in helper',
        '    raise LookupError("no price")',
        "LookupError: no price",
    ]
    for error in failures.values():
        files = [line for line in error["traceback"].splitlines() if line.strip().startswith("File ")]
        assert files
        assert all("shop.py" in line for line in files)
    assert "direct cause" in failures["chained"]["traceback"]
    assert len(failures["long"]["traceback"]) < 5_000


def test_the_text_of_a_failure_cannot_write_to_the_terminal(shop: Shop) -> None:
    shop.write(RAISING)
    said = shop.run("materialize --select lines")
    assert said.code == 1
    assert "\x1b" not in said.out
    assert "error: lines raised ValueError: first\n" in said.out


RETURNING = """
import sys
import threading

@asset
def lock(): return threading.Lock()

@asset
def generator(): return (n for n in range(3))

@asset
def nothing() -> int: return None

@asset
def text() -> int: return "one"

@asset
def items() -> pd.DataFrame: return [1]

@asset
def nested():
    value = []
    for _ in range(100_000):
        value = [value]
    return value

@asset
def module(): return sys

@asset
def mixed() -> pd.DataFrame: return pd.DataFrame({"price": [1, "x", object()]})

@asset
def twice() -> pd.DataFrame: return pd.DataFrame([[1, 2]], columns=["a", "a"])
"""


@pytest.mark.parametrize(
    ("asset", "message"),
    [
        ("lock", "a value of type lock cannot be pickled"),
        ("generator", "returned a generator, which can be read only once"),
        ("nothing", "returned None"),
        ("text", "returned a str, but its annotation says int"),
        ("items", "returned a list, but its annotation says pandas.DataFrame"),
        ("nested", "a value of type list cannot be pickled: maximum recursion depth exceeded"),
        ("module", "returned the module sys"),
        ("mixed", "the table has cells that no column type holds"),
        ("twice", "the column name 'a' occurs more than once"),
    ],
)
def test_what_cannot_be_published_is_told_with_a_way_out(shop: Shop, asset: str, message: str) -> None:
    shop.write(RETURNING)
    said = shop.run(f"materialize --select {asset} --json")
    assert said.code == 1
    error = said.failures[asset]
    assert error["type"] == "OutputError"
    assert error["message"].startswith(f"{asset}: {message}")
    assert error["hint"]
    assert error["location"] == f"shop.py:{line(shop, f'def {asset}()') - 1}"


def test_what_a_function_prints_stays_out_of_the_document(shop: Shop) -> None:
    shop.write(
        """
        import os, subprocess, sys

        print("while loading")

        @observable_source
        def noise() -> str:
            print("while observing")
            return "1"

        @asset(deps=[noise])
        def loud() -> int:
            print("print")
            sys.stdout.write("write\\n")
            os.write(1, b"descriptor\\n")
            subprocess.run(["echo", "child"], check=True)
            print("0123456789" * 100_000)
            return 1

        @asset_check(asset="loud")
        def listening(loud: int) -> bool:
            print("while checking")
            return True
        """
    )
    said = shop.run("materialize --json")
    assert said.code == 0
    for text in ("loading", "observing", "print\n", "write", "descriptor", "child", "123456789", "checking"):
        assert text in said.err


def test_a_check_that_raises_has_not_passed(shop: Shop) -> None:
    shop.write(
        """
        import sys

        @asset
        def price() -> int: return 1

        @asset_check(asset=price)
        def leaves(price: int) -> bool: sys.exit(1)

        @asset_check(asset=price)
        def says_yes(price: int) -> bool: return "yes"

        @asset_check(asset=price, blocking=True)
        def divides(price: int) -> bool: return 1 / 0
        """
    )
    said = shop.run("materialize --json")
    assert said.code == 1
    assert said.failures["price"]["message"] == (
        "price: blocking check divides did not pass "
        f"({shop.place('1 / 0')}: check divides of price raised ZeroDivisionError: division by zero)"
    )
    assert said.failures["price"]["hint"]
    checks = shop.run("query 'select check_name, passed from checks order by all' --json").document
    assert checks is not None
    assert checks["rows"] == [["divides", False], ["leaves", False], ["says_yes", False]]


def test_a_source_that_ends_the_process_is_told_and_the_last_observation_used(shop: Shop) -> None:
    source = """
        import sys

        @observable_source
        def prices() -> str: {body}

        @asset(deps=[prices])
        def total() -> int: return 1
        """
    shop.write(source.format(body="return '1'"))
    assert shop.run("materialize").code == 0
    shop.write(source.format(body="sys.exit(0)"))
    said = shop.run("plan")
    assert said.code == 0
    assert "prices is unobserved" in said.out
    assert "source prices called sys.exit(0)" in said.out
    strict = shop.run("materialize --strict-observe --json")
    assert strict.code == 1
    assert (strict.error["type"], strict.error["location"]) == ("UserCodeError", shop.place("sys.exit(0)"))


def test_a_failure_leaves_what_was_published(shop: Shop) -> None:
    shop.write("@asset\ndef price() -> pd.DataFrame: return pd.DataFrame({'n': [1]})\n")
    assert shop.run("materialize").code == 0
    before = shop.published()
    shop.write("@asset\ndef price() -> pd.DataFrame: raise SystemExit\n")
    assert shop.run("materialize").code == 1
    shop.write("@asset\ndef price() -> pd.DataFrame: return pd.DataFrame({'n': [object()]})\n")
    assert shop.run("materialize").code == 1
    assert shop.published() == before


def test_a_function_that_writes_to_its_input_changes_nothing_for_others(shop: Shop) -> None:
    shop.write(
        """
        @asset
        def prices() -> pd.DataFrame: return pd.DataFrame({"price": [1, 2]})

        @asset
        def names() -> list[str]: return ["a", "b"]

        @asset
        def changed(prices: pd.DataFrame, names: list[str]) -> int:
            prices["price"] = 0
            names.clear()
            return len(names)

        @asset(deps=[changed])
        def total(prices: pd.DataFrame, names: list[str]) -> int:
            return int(prices["price"].sum()) + len(names)
        """
    )
    assert shop.run("materialize --json").code == 0
    shown = shop.run("show total --json").document
    assert shown is not None
    assert "5" in str(shown)


def test_an_attempt_is_told_by_its_number_where_there_were_several(shop: Shop) -> None:
    shop.write(
        """
        @asset(retry_policy=RetryPolicy(max_retries=1))
        def flaky(context: AssetContext) -> int:
            raise ValueError(f"attempt {context.attempt}")
        """
    )
    said = shop.run("materialize --json")
    assert said.code == 1
    assert said.failures["flaky"]["message"] == "flaky raised ValueError: attempt 2"
    assert said.document is not None
    shown = shop.run(f"runs show {said.document['run_id']}").out
    assert "failed (attempt 2)" in shown
    assert "flaky raised ValueError: attempt 1" in shown
