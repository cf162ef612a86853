"""The rows of a transaction, collected by table and written at its end, each table's at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from assetflow.store import statements as sql
from assetflow.store.connection import Connection
from assetflow.store.rows import Row

PointerKey = tuple[int, int, int]
"""Environment, asset uid, ordinal."""


def _rows() -> list[Row]:
    return []


@dataclass(slots=True, eq=False)
class Pending:
    """What is yet to be written. A pointer or failure that is None is to go."""

    pointers: dict[PointerKey, Row | None] = field(default_factory=dict[PointerKey, "Row | None"])
    failures: dict[PointerKey, Row | None] = field(default_factory=dict[PointerKey, "Row | None"])
    heads: dict[tuple[int, int], Row] = field(default_factory=dict[tuple[int, int], Row])
    versions: list[Row] = field(default_factory=_rows)
    released: list[Row] = field(default_factory=_rows)
    derivations: list[Row] = field(default_factory=_rows)
    retired: list[Row] = field(default_factory=_rows)
    forgotten_versions: list[Row] = field(default_factory=_rows)
    forgotten_partitions: list[Row] = field(default_factory=_rows)
    inputs: list[Row] = field(default_factory=_rows)
    log: list[Row] = field(default_factory=_rows)
    checks: list[Row] = field(default_factory=_rows)
    settled: list[Row] = field(default_factory=_rows)
    changes: list[Row] = field(default_factory=_rows)
    steps: list[Row] = field(default_factory=_rows)
    events: list[Row] = field(default_factory=_rows)

    def write(self, connection: Connection) -> None:
        """Write all of it."""
        moved = [row for row in self.pointers.values() if row is not None]
        gone = [key for key, row in self.pointers.items() if row is None]
        failed = [row for row in self.failures.values() if row is not None]
        mended = [key for key, row in self.failures.items() if row is None]
        for statement, rows in (
            (sql.INSERT_VERSION, self.versions),
            (sql.RELEASE_VERSION, self.released),
            (sql.INSERT_DERIVATION, self.derivations),
            (sql.RETIRE_DERIVATION, self.retired),
            (sql.FORGET_VERSION, self.forgotten_versions),
            (sql.FORGET_PARTITION, self.forgotten_partitions),
            (sql.INSERT_INPUT, self.inputs),
            (sql.SET_POINTER, moved),
            (sql.DROP_POINTER, gone),
            (sql.LOG_POINTER, self.log),
            (sql.SET_HEAD, list(self.heads.values())),
            (sql.SET_FAILURE, failed),
            (sql.DROP_FAILURE, mended),
            (sql.SET_CHECK, self.checks),
            (sql.INSERT_CHANGE, self.changes),
            (sql.DROP_INTENT, self.settled),
            (sql.SET_STEP, self.steps),
            (sql.INSERT_EVENT, self.events),
        ):
            if rows:
                connection.executemany(statement, rows)
