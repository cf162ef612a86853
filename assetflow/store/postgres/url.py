"""The URL of a Postgres store: what the driver makes of it, and how messages name it without its password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, unquote

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from assetflow.errors import ProjectError

_URL = re.compile(
    r"""[\w+]+://
    (?:(?P<user>[^:/@]*)(?::(?P<password>[^@]*))?@)?
    (?:(?:\[(?P<ipv6>[^/?\]]+)\]|(?P<host>[^/:?@\[]*))(?::(?P<port>[^/?]*))?)?
    (?:/(?P<dbname>[^?]*))?(?:\?(?P<options>.*))?""",
    re.VERBOSE,
)
_FORM = 'write store = "postgresql://user@host/database"'


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """What connects to a database; printing it shows no password.

    >>> PostgresUrl.parsed("postgresql://me:secret@host/shop?sslmode=require")
    PostgresUrl(place='postgresql://me@host/shop')
    """

    place: str
    """How messages name it."""
    parameters: Mapping[str, str] = field(repr=False)
    """As libpq calls them."""

    def connect(self, **more: str) -> psycopg.Connection[Any]:
        """A connection that commits by itself; ``more`` is what the URL may say otherwise."""
        return psycopg.connect(make_conninfo(**{**more, **self.parameters}), autocommit=True)

    @classmethod
    def parsed(cls, url: str) -> PostgresUrl:
        """Read an SQLAlchemy URL of Postgres. Raises ProjectError, which repeats nothing that may be a password."""
        found = _URL.fullmatch(url)
        if found is None:
            raise ProjectError("the URL of the metadata store cannot be read", hint=_FORM)
        given = {name: unquote(found[name]) for name in ("user", "password", "port", "dbname") if found[name]}
        host = unquote(found["ipv6"] or found["host"] or "")
        if host:
            given["host"] = host
        options = _options(found["options"] or "")
        if not options.get("port", given.get("port", "0")).replace(",", "").isdecimal():
            raise ProjectError("the URL of the metadata store has a port that is no number", hint=_FORM)
        given |= options
        if not given.get("dbname"):
            raise ProjectError("the URL of the metadata store names no database", hint=_FORM)
        try:
            make_conninfo(**given)
        except psycopg.ProgrammingError:
            known = {parameter.keyword.decode() for parameter in Conninfo.get_defaults()}
            unknown = ", ".join(sorted(given.keys() - known)) or "one"
            raise ProjectError(
                f"the URL of the metadata store has options that Postgres does not know: {unknown}",
                hint="its documentation lists them under libpq, Parameter Key Words",
            ) from None
        return cls(_place(given), given)

    @property
    def digest(self) -> str:
        """Tells one store from another, without its passwords."""
        named = [each for each in sorted(self.parameters.items()) if "password" not in each[0]]
        return blake2b(repr(named).encode(), digest_size=8).hexdigest()

    def without_secrets(self, text: str) -> str:
        """A message of the driver, in which no password stands, whatever it repeats."""
        for name, value in self.parameters.items():
            if "password" in name and value:
                text = text.replace(value, "***")
        return text


def _options(text: str) -> dict[str, str]:
    """Several hosts are given as ``host=first:5432&host=second:5432`` or as libpq has them, with commas."""
    options: dict[str, str] = {}
    hosts: list[str] = []
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name == "host" and not value.startswith("/"):
            hosts.append(value)
        else:
            options[name] = value
    if hosts:
        pairs = [each.rpartition(":") if ":" in each else (each, "", "") for host in hosts for each in host.split(",")]
        options["host"] = ",".join(host for host, _, _ in pairs)
        if any(port for _, _, port in pairs):
            options["port"] = ",".join(port or "5432" for _, _, port in pairs)
    return options


def _place(given: Mapping[str, str]) -> str:
    user = f"{given['user']}@" if "user" in given else ""
    host = given.get("host", "")
    if host.startswith("/"):
        # A folder with a socket.
        return f"postgresql://{user}/{given['dbname']}?host={host}"
    port = f":{given['port']}" if "port" in given and "," not in given["port"] else ""
    return f"postgresql://{user}{host}{port}/{given['dbname']}"
