"""Mistakes in checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

OneError = Callable[[str, str, "str | None"], None]

# The line that ends in "# here" is the place; message and hint follow.
MISTAKES = {
    "deps of a check": (
        """
        @asset
        def orders(): ...
        @asset_check(asset=orders)
        def sound(orders): ...
        @asset(deps=[sound])  # here
        def totals(): ...
        """,
        "totals: deps[0]: sound is a check, not an asset",
        "name the asset",
    ),
    "check of an unknown asset": (
        """
        @asset
        def orders(): ...
        @asset_check(asset="ordrs")  # here
        def sound(ordrs): ...
        """,
        "check sound: asset='ordrs' is no asset",
        "did you mean orders?",
    ),
    "check without asset": (
        """
        @asset_check()  # here
        def sound(orders): ...
        """,
        "check sound: asset= is missing",
        'write @asset_check(asset="...")',
    ),
    "check of a source": (
        """
        @observable_source
        def files(): ...
        @asset_check(asset=files)  # here
        def sound(files): ...
        """,
        "check sound: files is a source, which has no stored value",
        "check an asset that is made from it",
    ),
    "check of no value": (
        """
        @asset
        def mail() -> None: ...
        @asset_check(asset=mail)  # here
        def sound(mail): ...
        """,
        "check sound: mail returns None: it has no value",
        "check an asset that has one, or let it return one",
    ),
    "check of two": (
        """
        @asset
        def orders(): ...
        @asset_check(asset=orders)  # here
        def sound(orders, items): ...
        """,
        "check sound: nobody provides the parameter 'items': a check reads its asset only",
        "keep one parameter, 'orders', and context if needed",
    ),
    "checks of one name": (
        """
        @asset
        def orders(): ...
        @asset_check(asset=orders)
        def sound(orders): ...
        @asset_check(asset=orders, name="sound")  # here
        def again(orders): ...
        """,
        "check sound: orders has a check of this name already, at shop.py:5",
        "rename one of the two functions, or give one another name=",
    ),
    "bad name of a check": (
        """
        @asset
        def orders(): ...
        @asset_check(asset=orders, name="a b")  # here
        def sound(orders): ...
        """,
        "check a b: 'a b' is no name for a check",
        "write letters, digits and _",
    ),
    "a blocking warning": (
        """
        @asset
        def orders(): ...
        @asset_check(asset=orders, blocking=True, severity="warn")  # here
        def sound(orders): ...
        """,
        "check sound: a blocking check cannot have severity 'warn'",
        'remove blocking=True or severity="warn"',
    ),
    "unknown severity": (
        """
        @asset
        def orders(): ...
        @asset_check(asset=orders, severity="fatal")  # here
        def sound(orders): ...
        """,
        "check sound: severity='fatal' is unknown",
        'write "error" or "warn"',
    ),
    "blocking that is no flag": (
        """
        @asset
        def orders(): ...
        @asset_check(asset=orders, blocking="yes")  # here
        def sound(orders): ...
        """,
        "check sound: blocking='yes' is neither True nor False",
        "write blocking=True",
    ),
}


@pytest.mark.parametrize(("source", "message", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_one_mistake_gives_one_error_with_its_place(
    one_error: OneError, source: str, message: str, hint: str | None
) -> None:
    one_error(source, message, hint)
