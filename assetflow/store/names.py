"""The integers that stand for asset keys, partition keys, code versions, schemas and the like in the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import TypeVar

from assetflow.keys import AssetKey, CodeVersion
from assetflow.store.connection import Connection, key_read, key_written
from assetflow.store.encoding import to_json, to_micros
from assetflow.store.records import CodeSource

T = TypeVar("T")


PARAMETERS = 900
"""How many values a statement takes: SQLite's own limit was 999 once."""


def known_ordinals(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    """The ordinals of those partition keys that have one."""
    known: dict[str, int] = {}
    for some in pieces(keys):
        query = f"SELECT key, ordinal FROM partition_keys WHERE key IN ({marks(some)})"
        found = connection.execute(query, [key_written(connection, key) for key in some])
        known.update((key_read(key), ordinal) for key, ordinal in found)
    return known


def pieces(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in as many parts as statements are needed for them."""
    return (values[first : first + PARAMETERS] for first in range(0, len(values), PARAMETERS))


def marks(values: Sequence[object]) -> str:
    """The place holders of values in a statement."""
    return ", ".join("?" * len(values))


class Names:
    """Gives out integers for names inside a write transaction, and remembers those given out.

    What it remembers of a transaction that is rolled back is wrong: call :meth:`forget` then.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._codes: dict[CodeVersion, int] = {}
        self._complete: set[CodeVersion] = set()
        self._layouts: dict[tuple[str, ...], int] = {}
        self._schemas: dict[bytes, int] = {}

    def forget(self) -> None:
        """Start again with what the database says."""
        self._codes.clear()
        self._complete.clear()
        self._layouts.clear()
        self._schemas.clear()

    def environment(self, name: str, now: datetime) -> int:
        """The id of an environment."""
        row = self._connection.execute("SELECT id FROM environments WHERE name = ?", (name,)).fetchone()
        return row[0] if row else self._insert("environments (name, created_at)", name, to_micros(now))

    def assets(self, keys: list[AssetKey], spaces: Mapping[AssetKey, str]) -> dict[AssetKey, int]:
        """The uids of assets, each with its ordinals in a space. A uid of which no space is known takes it on."""
        return {key: self._asset(key, spaces.get(key)) for key in keys}

    def _asset(self, key: AssetKey, space: str | None) -> int:
        query = "SELECT uid, space FROM assets WHERE key = ? AND (space = ? OR space IS NULL) ORDER BY space IS NULL"
        row = self._connection.execute(query, (key, space)).fetchone()
        if row is None:
            return self._insert("assets (key, space)", key, space)
        if row[1] is None and space is not None:
            self._connection.execute("UPDATE assets SET space = ? WHERE uid = ?", (space, row[0]))
        return row[0]

    def latest_asset(self, key: AssetKey) -> int:
        """The newest uid of an asset, whatever its ordinals count."""
        (uid,) = self._connection.execute("SELECT max(uid) FROM assets WHERE key = ?", (key,)).fetchone()
        return uid or self._asset(key, None)

    def partition_keys(self, keys: list[str]) -> dict[str, int]:
        """The ordinals of partition keys, given out in the order of the list; there may be a million."""
        known = known_ordinals(self._connection, keys)
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        if missing:
            (last,) = self._connection.execute("SELECT coalesce(max(ordinal), 0) FROM partition_keys").fetchone()
            given = dict(zip(missing, range(last + 1, last + 1 + len(missing)), strict=True))
            rows = ((key_written(self._connection, key), ordinal) for key, ordinal in given.items())
            self._connection.executemany("INSERT INTO partition_keys (key, ordinal) VALUES (?, ?)", rows)
            known |= given
        return {key: known[key] for key in keys}

    def code(self, version: CodeVersion) -> int:
        """The id of a code version, of which nothing more may be known yet."""
        known = self._codes.get(version)
        if known is None:
            row = self._connection.execute("SELECT id FROM code_versions WHERE version = ?", (version,)).fetchone()
            known = row[0] if row else self._insert("code_versions (version, components, sources)", version, "{}", "{}")
            self._codes[version] = known
        return known

    def save_code(self, source: CodeSource) -> None:
        """Write down what a code version consists of, once."""
        if source.version in self._complete:
            return
        code = self.code(source.version)
        query = "SELECT components, sources FROM code_versions WHERE id = ?"
        if self._connection.execute(query, (code,)).fetchone() == ("{}", "{}"):
            digests = {name: self._source_text(text) for name, text in source.sources.items()}
            self._connection.execute(
                "UPDATE code_versions SET components = ?, sources = ? WHERE id = ?",
                (to_json(dict(source.components)), to_json(digests), code),
            )
        self._complete.add(source.version)

    def layout(self, parameters: tuple[str, ...]) -> int:
        """The id of the order in which a pointer's signatures stand."""
        known = self._layouts.get(parameters)
        if known is None:
            known = self._layouts[parameters] = self._named("edge_layouts", "id", to_json(parameters), "parameters")
        return known

    def schema(self, arrow: bytes) -> int:
        """The id of an Arrow schema."""
        known = self._schemas.get(arrow)
        if known is None:
            digest = blake2b(arrow, digest_size=16).digest()
            row = self._connection.execute("SELECT id FROM schemas WHERE digest = ?", (digest,)).fetchone()
            known = self._schemas[arrow] = row[0] if row else self._insert("schemas (digest, arrow)", digest, arrow)
        return known

    def _source_text(self, text: str) -> str:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        statement = "INSERT INTO source_texts (digest, content) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING"
        self._connection.execute(statement, (digest, text))
        return digest.hex()

    def _named(self, table: str, number: str, name: str, column: str = "key") -> int:
        row = self._connection.execute(f"SELECT {number} FROM {table} WHERE {column} = ?", (name,)).fetchone()
        return row[0] if row else self._insert(f"{table} ({column})", name)

    def _insert(self, target: str, *values: object) -> int:
        row = self._connection.execute(f"INSERT INTO {target} VALUES ({marks(values)})", values).lastrowid
        assert row is not None
        return row
