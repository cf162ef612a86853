"""What SQLite is told, in Postgres' words."""

from __future__ import annotations

import pytest

from assetflow.store.connection import Statement
from assetflow.store.postgres.translation import postgres_words

NUMBERS = "unnest(translate({}, '[]', '{{}}')::bigint[])"


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("SELECT ? + :b, ':no', '%', a::text % 2", "SELECT %s + %(b)s, ':no', '%%', a::text %% 2"),
        ("x IN (SELECT value FROM json_each(?))", f"x IN (SELECT {NUMBERS.format('%s')})"),
        ("(SELECT value AS a FROM json_each(:s)) AS t", f"(SELECT {NUMBERS.format('%(s)s')} AS a) AS t"),
        (
            "x IN (SELECT CAST(value AS TEXT) FROM json_each(?))",
            "x IN (SELECT json_array_elements_text(%s::json))",
        ),
        (
            "FROM json_each(:s) AS k LEFT JOIN t ON t.a = k.value",
            f"FROM (SELECT {NUMBERS.format('%(s)s')} AS value) AS k LEFT JOIN t ON t.a = k.value",
        ),
        (
            "(SELECT json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b FROM json_each(?)) AS t",
            (
                "(SELECT (value->>0)::bigint AS a, (value->>1)::bigint AS b"
                " FROM json_array_elements(%s::json) AS value) AS t"
            ),
        ),
        (
            "SELECT json_extract(r.value, '$[1]') FROM i JOIN json_each(i.ranges) AS r",
            "SELECT (r.value->>1)::bigint FROM i JOIN LATERAL json_array_elements(i.ranges::json) AS r(value) ON true",
        ),
        ("FROM a CROSS JOIN b AS c ON c.d = a.d", "FROM a JOIN b AS c ON c.d = a.d"),
        ("FROM a CROSS JOIN (SELECT f(1) FROM b) AS c ON true", "FROM a JOIN (SELECT f(1) FROM b) AS c ON true"),
        ("FROM a CROSS JOIN b AS c JOIN d AS e ON true", "FROM a CROSS JOIN b AS c JOIN d AS e ON true"),
        ("SELECT ?2, ?1, ?2", "SELECT %(2)s, %(1)s, %(2)s"),
        ("FROM a INDEXED BY a_by_b WHERE", "FROM a  WHERE"),
        ("lower(hex(p.data_hash))", "lower(upper(encode(p.data_hash, 'hex')))"),
        ("\nINSERT OR IGNORE INTO a (b) VALUES (?)\n", "INSERT INTO a (b) VALUES (%s)\n ON CONFLICT DO NOTHING"),
        (Statement("SELECT 1", postgres="SELECT DISTINCT ON (a) ?"), "SELECT DISTINCT ON (a) %s"),
    ],
)
def test_a_statement_is_translated(sqlite: str, postgres: str) -> None:
    assert postgres_words(sqlite) == postgres
