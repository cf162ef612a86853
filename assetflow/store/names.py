"""The integers that stand for asset keys, partition keys, code versions, schemas and the like in the tables."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from hashlib import blake2b

from assetflow.keys import AssetKey, CodeVersion
from assetflow.store.encoding import to_json, to_micros
from assetflow.store.records import CodeSource


class Names:
    """Gives out integers for names inside a write transaction, and remembers those given out.

    What it remembers of a transaction that is rolled back is wrong: call :meth:`forget` then.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
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

    def assets(self, keys: list[AssetKey]) -> dict[AssetKey, int]:
        """The uids of assets."""
        return {key: self._named("assets", "uid", key) for key in keys}

    def partition_keys(self, keys: list[str]) -> dict[str, int]:
        """The ordinals of static partition keys, given out in the order of the list."""
        return {key: self._named("partition_keys", "ordinal", key) for key in keys}

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
        self._connection.execute("INSERT OR IGNORE INTO source_texts (digest, content) VALUES (?, ?)", (digest, text))
        return digest.hex()

    def _named(self, table: str, number: str, name: str, column: str = "key") -> int:
        row = self._connection.execute(f"SELECT {number} FROM {table} WHERE {column} = ?", (name,)).fetchone()
        return row[0] if row else self._insert(f"{table} ({column})", name)

    def _insert(self, target: str, *values: object) -> int:
        marks = ", ".join("?" * len(values))
        row = self._connection.execute(f"INSERT INTO {target} VALUES ({marks})", values).lastrowid
        assert row is not None
        return row
