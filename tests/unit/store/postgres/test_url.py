"""URLs of Postgres: read as SQLAlchemy reads them, told without their password."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

from assetflow.errors import ProjectError
from assetflow.store.postgres.url import PostgresUrl


@pytest.mark.parametrize(
    ("url", "place", "parameters"),
    [
        ("postgresql://host/shop", "postgresql://host/shop", {"host": "host", "dbname": "shop"}),
        ("postgres:///shop", "postgresql:///shop", {"dbname": "shop"}),
        (
            "postgresql+psycopg://me:se%40cret%2F@host:5433/shop?sslmode=require",
            "postgresql://me@host:5433/shop",
            {
                "user": "me",
                "password": "se@cret/",
                "host": "host",
                "port": "5433",
                "dbname": "shop",
                "sslmode": "require",
            },
        ),
        (
            "postgresql://me:@/shop?host=%2Fvar%2Frun",
            "postgresql://me@/shop?host=/var/run",
            {"user": "me", "host": "/var/run", "dbname": "shop"},
        ),
        (
            "postgresql://me@/shop?host=first:5433&host=second&options=-csearch_path%3Done",
            "postgresql://me@first,second/shop",
            {
                "user": "me",
                "host": "first,second",
                "port": "5433,5432",
                "dbname": "shop",
                "options": "-csearch_path=one",
            },
        ),
        (
            "postgresql+psycopg2://[::1]:5433/a%20b",
            "postgresql://::1:5433/a b",
            {"host": "::1", "port": "5433", "dbname": "a b"},
        ),
        (
            "postgresql://host/shop?password=secret&user=me",
            "postgresql://me@host/shop",
            {"host": "host", "dbname": "shop", "password": "secret", "user": "me"},
        ),
    ],
)
def test_a_url_is_read(url: str, place: str, parameters: dict[str, str]) -> None:
    read = PostgresUrl.parsed(url)
    assert read.place == place
    assert read.parameters == parameters
    if not url.startswith("postgres:"):
        _, given = make_url(url).get_dialect()().create_connect_args(make_url(url))
        given = {name: str(value).removesuffix(",") for name, value in given.items() if name != "context" and value}
        if "," not in parameters.get("host", ""):
            assert given == parameters


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@host", "the URL of the metadata store names no database"),
        ("postgresql://me:secret@host/", "the URL of the metadata store names no database"),
        ("postgresql://me:secret@host:secret/db", "the URL of the metadata store has a port that is no number"),
        ("postgresql://me:secret@host/db?timeout=secret", "options that Postgres does not know: timeout"),
        ("postgresql://me:sec@ret@host/db", "the URL of the metadata store has a port that is no number"),
        ("postgresql://me@ret@host/db", "the URL of the metadata store cannot be read"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(ProjectError, match=message) as caught:
        PostgresUrl.parsed(url)
    assert caught.value.hint
    assert "sec" not in str(caught.value)
    assert "ret" not in str(caught.value).replace("metadata store", "")


def test_no_password_is_shown() -> None:
    url = PostgresUrl.parsed("postgresql://me:secret@host/shop?sslpassword=hidden")
    assert repr(url) == "PostgresUrl(place='postgresql://me@host/shop')"
    assert url.digest == PostgresUrl.parsed("postgresql://me@host/shop").digest
    assert url.digest != PostgresUrl.parsed("postgresql://me@host/shop?options=-csearch_path%3Done").digest
    assert url.without_secrets('FATAL: no "secret", no hidden') == 'FATAL: no "***", no ***'
