"""Assets of the sample."""
# The odd forms are the point.
# ruff: noqa
# fmt: off

from __future__ import annotations

import functools
from pathlib import Path

from sample import clean, forms
from sample.forms import Row

TABLE = {"a": 1, **{"b": 2}}
for letter in "xyz":
    TABLE[letter] = len(TABLE)


def make(factor, places=frozenset({1, 2}), folder=Path("a/b")):
    def inner(x, *args, scale=factor, **more):
        nonlocal places
        places = places | {x}
        return [x * factor * scale, folder, *args], {**more}

    return inner


def expressions(x, y=lambda z: z**2, *, w: "Row | None" = None):
    a = b = x if x else y(x)
    a += 1
    del b
    c = {*TABLE, 1}, {k: v for k, v in TABLE.items() if k for v in (v,)}
    d = (e := a) < 3 <= e != 5, a @ x if 0 else ~a >> 1
    g = (i async for i in x) if x is None else (i for i in x)
    return f"", f"{a:}{b!s}" "tail", f"{a:%Y-%m}{d=:>{e}}", x[1:2, ..., ::3], c, g, w, x.y.z[0]().q


def statements(x):
    global TABLE
    try:
        with open(x) as f, open(x):
            while True:
                if x:
                    continue
                elif not x:
                    break
                else:
                    pass
            else:
                raise ValueError from None
    except (OSError, ValueError) as error:
        return str(error)
    else:
        TABLE = {}
    finally:
        print(clean(f), sep="")
    try:
        yield x
    except* TypeError:
        x = yield from x
    for i, (j, *k) in x:
        import sample.forms as h

        h.even(i), j, k


def matching(x):
    match x:
        case 1 | -2 | "a" | None | True:
            return 1
        case [Row(name="x", size=s), *rest] if rest:
            return s
        case {"k": v, **others}:
            return v, others
        case (int() | float()) as number:
            return number
        case forms.STEP:
            return forms.LATER
        case _:
            return forms.BIG, forms.SMALL, forms.RAW


async def waiting(x):
    async with x as y:
        async for z in y:
            yield await z, [i async for i in z], [await i for i in z]


def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


@wrapped
def total(x):
    class Local(Row, metaclass=type):
        extra: int
        more: str = ""

        def label(self):
            return super().label

    return Local(x), forms.even(2)


by_two = make(2)
shorter = functools.partial(expressions, 1, w=None)
first, second = lambda: 1, lambda: [lambda x: x]
