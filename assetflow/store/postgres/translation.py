"""The store's statements in Postgres' words.

They are written for SQLite; what Postgres says otherwise is turned into its words by the rules below, and whatever no
rule knows has to mean the same in both. A list is one parameter, a JSON text, in these forms only::

    IN (SELECT value FROM json_each(?))                      numbers
    IN (SELECT CAST(value AS TEXT) FROM json_each(?))        texts
    FROM json_each(?) AS x                                   numbers: x.value
    (SELECT json_extract(value, '$[0]') AS a, ... FROM json_each(?))    lists of numbers
    JOIN json_each(t.c) AS x ... json_extract(x.value, '$[0]')          a column of lists of lists of numbers

A truth value is compared (``passed = 1``) or counted (``CASE WHEN ... THEN 1 ELSE 0 END``), a
parameter that may be NULL is cast where it is only compared with NULL, and of a group only what it is grouped by or an
aggregate is selected. Where that is not enough, a :class:`Statement` says it in both languages.
"""

from __future__ import annotations

import re
from functools import lru_cache

_NUMBERS = r"unnest(translate(\g<list>, '[]', '{}')::bigint[])"
_TABLE = r"\w+|\((?:[^()]|\([^()]*\))*\)"
_LIST = r"json_each\((?P<list>[?\w.:]+)\)"

_RULES = [
    (re.compile(pattern), words)
    for pattern, words in (
        (r"INDEXED BY \w+", ""),
        # SQLite takes a condition after it, and then joins in the order of the text.
        (rf"\bCROSS JOIN (?=(?:{_TABLE}) AS \w+\s+ON\b)", "JOIN "),
        (r"\bhex\(([\w.]+)\)", r"upper(encode(\1, 'hex'))"),
        (rf"SELECT value FROM {_LIST}", rf"SELECT {_NUMBERS}"),
        (rf"SELECT value AS (?P<name>\w+) FROM {_LIST}", rf"SELECT {_NUMBERS} AS \g<name>"),
        (rf"SELECT CAST\(value AS TEXT\) FROM {_LIST}", r"SELECT json_array_elements_text(\g<list>::json)"),
        (
            rf"\bJOIN {_LIST} AS (?P<name>\w+)",
            r"JOIN LATERAL json_array_elements(\g<list>::json) AS \g<name>(value) ON true",
        ),
        (rf"\bFROM {_LIST} AS (?P<name>\w+)", rf"FROM (SELECT {_NUMBERS} AS value) AS \g<name>"),
        (rf"\bFROM {_LIST}", r"FROM json_array_elements(\g<list>::json) AS value"),
        (r"json_extract\(([\w.]+), '\$\[(\d+)\]'\)", r"(\1->>\2)::bigint"),
    )
]
_IGNORING = re.compile(r"^\s*INSERT OR IGNORE INTO\b(.*)$", re.DOTALL)
_TOKENS = re.compile(r"('(?:[^']|'')*')|(::)|\?(\d+)|(\?)|:([a-z_]\w*)|(%)")


def postgres_words(statement: str) -> str:
    """A statement with ``%s`` or ``%(name)s`` for its values; numbered ones are named by their numbers.

    >>> postgres_words("SELECT key FROM assets WHERE uid IN (SELECT value FROM json_each(?)) AND key != '?'")
    "SELECT key FROM assets WHERE uid IN (SELECT unnest(translate(%s, '[]', '{}')::bigint[])) AND key != '?'"
    """
    own = getattr(statement, "postgres", None)
    return _translated(own if own is not None else str(statement))


@lru_cache(maxsize=1024)
def _translated(statement: str) -> str:
    if ignoring := _IGNORING.match(statement):
        statement = f"INSERT INTO{ignoring[1]} ON CONFLICT DO NOTHING"
    for pattern, words in _RULES:
        statement = pattern.sub(words, statement)
    return _TOKENS.sub(_place_holder, statement)


def _place_holder(found: re.Match[str]) -> str:
    text, cast, number, place, name, percent = found.groups()
    if text is not None:
        return text.replace("%", "%%")
    if number is not None or name is not None:
        return f"%({name or number})s"
    return cast or ("%s" if place else percent * 2)
