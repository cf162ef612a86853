"""The reading side of a store: one connection, one snapshot for each call."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import RLock

import numpy as np

from assetflow.errors import StoreError, UnknownVersion
from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.partitions.sets import Ints
from assetflow.planner.changes import Changes
from assetflow.planner.state import Attempts, Codes, Mark, State
from assetflow.store import dumps, dynamic, history, integrity, leases, lineage, pools, retention
from assetflow.store import statements as sql
from assetflow.store import versions as _versions
from assetflow.store.answers import Answers
from assetflow.store.attempts import attempts
from assetflow.store.columns import gathered
from assetflow.store.connection import Connection, Database, Statement, explained
from assetflow.store.encoding import from_json, from_micros, to_json
from assetflow.store.interface import TableName
from assetflow.store.lateness import Lateness
from assetflow.store.leases import LeaseRecord, Ticks, database_clock
from assetflow.store.pools import SlotRecord
from assetflow.store.records import (
    AssetHead,
    CheckRecord,
    CodeSource,
    DerivationRecord,
    EventRow,
    Fared,
    InputRecord,
    LineageRow,
    ObservationRecord,
    Pointers,
    RunRecord,
    RunStatus,
    StageIntent,
    StepRecord,
    VersionFacts,
    VersionRecord,
)
from assetflow.store.retention import Deletion, KeptVersions, PinRecord, PointerLog, ReadLease, RunMoves
from assetflow.store.state import Remembered, asked, read_keys
from assetflow.store.tail import read_changes

POINTERS = (
    "SELECT ordinal, version, derivation, generation FROM pointers WHERE environment = ? AND asset = ? ORDER BY 1"
)
# Of the rows of a group, SQLite gives the one that has the maximum.
POINTERS_AS_OF = Statement(
    """
SELECT ordinal, version, derivation, generation FROM (
    SELECT ordinal, version, derivation, max(generation) AS generation
    FROM pointer_log WHERE environment = ? AND asset = ? AND generation <= ? GROUP BY ordinal
) WHERE version IS NOT NULL ORDER BY ordinal
""",
    postgres="""
SELECT ordinal, version, derivation, generation FROM (
    SELECT DISTINCT ON (ordinal) ordinal, version, derivation, generation
    FROM pointer_log WHERE environment = ? AND asset = ? AND generation <= ? ORDER BY ordinal, generation DESC
) AS last WHERE version IS NOT NULL ORDER BY ordinal
""",
)
HISTORY = """
SELECT ordinal, coalesce(version, 0) AS version, coalesce(derivation, 0) AS derivation, generation
FROM pointer_log WHERE environment = ? AND asset = ? AND ordinal BETWEEN ? AND ? ORDER BY ordinal, generation
"""
HEADS = """
SELECT h.asset, h.generation, h.published_at, s.arrow
FROM asset_heads AS h LEFT JOIN schemas AS s ON s.id = h.schema_id WHERE h.environment = ?
"""


class Reader:
    """The StoreReader of a database; threads may share it, and a forked process opens a connection of its own."""

    def __init__(
        self,
        database: Database,
        connection: Connection,
        *,
        patience: float,
        beside: Path | None,
        ticks: Ticks = database_clock,
    ) -> None:
        self._database = database
        self.ticks = ticks
        """The clock of leases."""
        self._patience = patience
        self._beside = beside
        self._pid = os.getpid()
        self._lock = RLock()
        self._connection: Connection | None = connection
        self._inherited: list[Connection | None] = []
        self._remembered = Remembered()
        self._answers = Answers(database, beside)
        self._late = Lateness()

    def close(self) -> None:
        """Close the connection; later calls raise StoreError."""
        with self._lock:
            if self._connection is not None and os.getpid() == self._pid:
                self._connection.close()
            self._connection = None

    @contextmanager
    def _snapshot(self) -> Generator[Connection]:
        if os.getpid() != self._pid:
            # The parent's connection may neither be used nor closed (which dropping it would do) in another process.
            self._inherited.append(self._connection)
            self._lock = RLock()
            with explained(self._database):
                self._connection = self._database.connect(patience=self._patience)
            self._pid = os.getpid()
            # By when it was given an answer is known in the parent's connection only.
            self._answers = Answers(self._database, self._beside)
            self._late = Lateness()
        with self._lock, explained(self._database):
            if self._connection is None:
                raise StoreError(f"{self._database.place}: the metadata store was closed", hint="open it again")
            if self._connection.in_transaction:
                yield self._connection
                return
            connection = self._begun(self._connection)
            try:
                yield connection
            finally:
                # Where the connection is lost, so is the transaction.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _begun(self, connection: Connection) -> Connection:
        """The connection, or another one where it is lost, in a transaction that sees one moment."""
        try:
            self._database.begin_reading(connection)
        except Exception as error:
            if self._database.fault(error) != "lost":
                raise
            connection.close()
            self._connection = connection = self._database.connect(patience=self._patience)
            self._answers = Answers(self._database, self._beside)
            self._database.begin_reading(connection)
        return connection

    def generation(self) -> int:
        """The last commit's number."""
        with self._snapshot() as connection:
            return connection.execute(sql.COUNTERS).fetchone()[0]

    def mark(self) -> tuple[int, Mark]:
        """The last commit's number, and how far the history goes."""
        with self._snapshot() as connection:
            generation, derivation, change = connection.execute(sql.MARK).fetchone()
            return generation, Mark(derivation, change)

    def read_state(
        self,
        environment: int,
        assets: Sequence[AssetKey],
        codes: Codes,
        *,
        sources: Collection[AssetKey] = (),
        verified: Collection[AssetKey] = (),
        uids: Mapping[AssetKey, int] | None = None,
        tolerant: Mapping[AssetKey, Collection[str]] | None = None,
    ) -> State:
        """What the planner needs of these assets."""
        question = asked(environment, assets, codes, sources, verified, uids)
        with self._snapshot() as connection:
            state = self._answers.answer(connection, self._remembered, question)
            return self._late.told(connection, question, state, tolerant or {})

    def changes_since(
        self,
        state: State,
        environment: int,
        assets: Sequence[AssetKey],
        codes: Codes,
        *,
        sources: Collection[AssetKey] = (),
        verified: Collection[AssetKey] = (),
        uids: Mapping[AssetKey, int] | None = None,
        earlier: Codes | None = None,
    ) -> Changes:
        """What to apply to a state."""
        question = asked(environment, assets, codes, sources, verified, uids)
        with self._snapshot() as connection:
            return read_changes(connection, self._remembered, question, state, earlier or codes)

    def environments(self) -> dict[str, int]:
        """Environment ids by name."""
        with self._snapshot() as connection:
            return dict(connection.execute("SELECT name, id FROM environments ORDER BY id").fetchall())

    def uids(
        self, assets: Sequence[AssetKey] | None = None, spaces: Mapping[AssetKey, str] | None = None
    ) -> dict[AssetKey, int]:
        """The uids of those assets that have one (None: of all)."""
        found: dict[AssetKey, int] = {}
        for uid, (key, space) in self.spaces_of(assets).items():
            if spaces is None or space == spaces.get(key):
                found.setdefault(key, uid)
        return found

    def spaces_of(self, assets: Sequence[AssetKey] | None = None) -> dict[int, tuple[AssetKey, str | None]]:
        """Every uid of some assets with its asset and space, the newest of an asset first."""
        with self._snapshot() as connection:
            if assets is None:
                rows = connection.execute("SELECT key, uid, space FROM assets ORDER BY key, uid DESC").fetchall()
            else:
                rows = connection.execute(sql.UIDS, (to_json(list(assets)),)).fetchall()
            return {uid: (key, space) for key, uid, space in rows}

    def keys(self) -> KeyDictionary:
        """The dictionary of static and dynamic partition keys."""
        with self._snapshot() as connection:
            return read_keys(connection, self._remembered)

    def dynamic(self) -> dict[str, Ints]:
        """The ordinals of dynamic partitions by name, in the order of addition."""
        with self._snapshot() as connection:
            return dynamic.read_dynamic(connection, self._remembered.dynamic)

    def removed_partitions(self, name: str) -> list[str]:
        """The keys that dynamic partitions had once and do not have now."""
        with self._snapshot() as connection:
            return dynamic.removed_keys(connection, name)

    def pointers(self, environment: int, uid: int) -> Pointers:
        """Where an asset's partitions point now."""
        return self._pointers(POINTERS, environment, uid)

    def pointers_as_of(self, environment: int, uid: int, generation: int) -> Pointers:
        """Where they pointed when ``generation`` was the last commit."""
        return self._pointers(POINTERS_AS_OF, environment, uid, generation)

    def history(self, environment: int, uid: int, *, first: int | None = None, last: int | None = None) -> Pointers:
        """Every move of an asset's pointers, between two ordinals."""
        low, high = -(2**63) if first is None else first, 2**63 - 1 if last is None else last
        return self._pointers(HISTORY, environment, uid, low, high)

    def generation_at(self, moment: datetime) -> int:
        """The last generation that was committed by then."""
        with self._snapshot() as connection:
            return retention.generation_at(connection, moment)

    def committed_at(self, generation: int) -> datetime | None:
        """When a generation was committed."""
        with self._snapshot() as connection:
            return retention.committed_at(connection, generation)

    def pointer_log(self) -> PointerLog:
        """Every move of every pointer."""
        with self._snapshot() as connection:
            return retention.pointer_log(connection)

    def kept_versions(self) -> KeptVersions:
        """All versions that have data."""
        with self._snapshot() as connection:
            return retention.kept_versions(connection)

    def run_moves(self, environment: int, run_id: str) -> RunMoves:
        """The pointers that a run moved."""
        with self._snapshot() as connection:
            return retention.run_moves(connection, environment, run_id)

    def pins(self) -> list[PinRecord]:
        """All pins, by name."""
        with self._snapshot() as connection:
            return retention.pins(connection)

    def read_leases(self) -> list[ReadLease]:
        """All read leases."""
        with self._snapshot() as connection:
            return retention.read_leases(connection)

    def deletions(self, versions: Collection[VersionId]) -> dict[VersionId, Deletion]:
        """Which of the versions are marked or deleted."""
        with self._snapshot() as connection:
            return retention.deletions(connection, versions)

    def unfinished_deletions(self) -> list[tuple[VersionId, str | None, str | None]]:
        """Deleted versions whose files may be left."""
        with self._snapshot() as connection:
            return retention.unfinished_deletions(connection)

    def locations(self) -> set[str]:
        """Every place where a version lies or may be written."""
        with self._snapshot() as connection:
            return retention.locations(connection)

    def old_history(self, before: datetime) -> tuple[int, int]:
        """How many events and steps from before a time nothing needs."""
        with self._snapshot() as connection:
            return retention.old_history(connection, before)

    def last_version(self) -> int:
        """The greatest version id that was given out."""
        with self._snapshot() as connection:
            return retention.last_version(connection)

    def identity(self) -> str | None:
        """What tells this store from others."""
        with self._snapshot() as connection:
            return retention.identity(connection)

    def version(self, version: VersionId) -> VersionRecord:
        """One version. Raises UnknownVersion."""
        found = self.versions([version]).get(version)
        if found is None:
            raise UnknownVersion(
                f"there is no version {version}", hint="`assetflow versions ASSET` lists the versions of an asset"
            )
        return found

    def versions(self, versions: Collection[VersionId]) -> dict[VersionId, VersionRecord]:
        """Those of the versions that the store has."""
        with self._snapshot() as connection:
            return _versions.versions(connection, versions)

    def facts_of(self, versions: Collection[int]) -> VersionFacts:
        """What moving pointers needs of those of the versions that the store has."""
        with self._snapshot() as connection:
            return _versions.facts_of(connection, versions)

    def files_of(self, versions: Collection[int]) -> dict[VersionId, tuple[str, tuple[tuple[str, int], ...]]]:
        """Of those of the versions that have files: the location, and the names and sizes in bytes."""
        with self._snapshot() as connection:
            return _versions.files_of(connection, versions)

    def versions_of(self, uid: int, ordinal: int | None = None, *, limit: int | None = None) -> list[VersionRecord]:
        """The versions of an asset, or of one partition, newest first."""
        with self._snapshot() as connection:
            return _versions.versions_of(connection, uid, ordinal, limit)

    def derivations(self, derivations: Collection[int]) -> dict[int, DerivationRecord]:
        """Those of the derivations that the store has."""
        with self._snapshot() as connection:
            return _versions.derivations(connection, derivations)

    def derivations_of(self, version: VersionId) -> list[DerivationRecord]:
        """Every derivation of a version, in the order of commits."""
        with self._snapshot() as connection:
            return _versions.derivations_of(connection, version)

    def inputs_of(self, derivation: int) -> tuple[InputRecord, ...]:
        """What a derivation read."""
        with self._snapshot() as connection:
            return _versions.inputs_of(connection, derivation)

    def lineage_of(self, versions: Collection[VersionId], *, environment: int | None = None) -> list[LineageRow]:
        """What the versions were made from."""
        with self._snapshot() as connection:
            return lineage.lineage_of(connection, versions, environment)

    def readers_of(self, upstream_uid: int, *, environment: int | None = None) -> list[LineageRow]:
        """What was made from the asset."""
        with self._snapshot() as connection:
            return lineage.readers_of(connection, upstream_uid, environment)

    def check_results(self, versions: Collection[VersionId]) -> list[CheckRecord]:
        """Check results on the versions."""
        with self._snapshot() as connection:
            return _versions.check_results(connection, versions)

    def head(self, environment: int, uid: int) -> AssetHead | None:
        """The last publication of an asset."""
        with self._snapshot() as connection:
            row = connection.execute(HEADS + "AND h.asset = ?", (environment, uid)).fetchone()
            return None if row is None else AssetHead(row[1], from_micros(row[2]), row[3])

    def heads(self, environment: int) -> dict[int, AssetHead]:
        """The last publication of every asset, by uid."""
        with self._snapshot() as connection:
            rows = connection.execute(HEADS, (environment,)).fetchall()
            return {row[0]: AssetHead(row[1], from_micros(row[2]), row[3]) for row in rows}

    def last_schema(self, environment: int, uid: int) -> bytes | None:
        """The Arrow schema of the last table published of an asset."""
        head = self.head(environment, uid)
        return head.schema if head else None

    def last_observations(self) -> dict[int, ObservationRecord]:
        """When each source was last asked, by uid."""
        with self._snapshot() as connection:
            return history.last_observations(connection)

    def run(self, run_id: str) -> RunRecord | None:
        """One run."""
        with self._snapshot() as connection:
            return history.run(connection, run_id)

    def cancel_asked(self, run_id: str) -> bool:
        """Whether a run was asked to stop."""
        with self._snapshot() as connection:
            return history.cancel_asked(connection, run_id)

    def runs(self, *, status: RunStatus | None = None, limit: int | None = None) -> list[RunRecord]:
        """Runs, the newest first."""
        with self._snapshot() as connection:
            return history.runs(connection, status, limit)

    def steps(self, run_id: str) -> list[StepRecord]:
        """How the asset partitions of a run fared."""
        with self._snapshot() as connection:
            return history.steps(connection, run_id)

    def attempts(
        self, computed: Sequence[tuple[int, int, int]], checked: Sequence[tuple[int, int, int]] = ()
    ) -> Attempts:
        """What the last attempts at some partitions took and gave."""
        with self._snapshot() as connection:
            return attempts(connection, computed, checked)

    def fared(self, run_id: str) -> list[Fared]:
        """How the asset partitions of a run fared, as columns."""
        with self._snapshot() as connection:
            return history.fared(connection, run_id)

    def events_since(self, seq: int, *, run_id: str | None = None, limit: int | None = None) -> list[EventRow]:
        """Events after ``seq``."""
        with self._snapshot() as connection:
            return history.events_since(connection, seq, run_id, limit)

    def intents(self) -> list[StageIntent]:
        """Every stage that was announced and not settled."""
        with self._snapshot() as connection:
            return history.intents(connection)

    def leases(self) -> list[LeaseRecord]:
        """All leases with what they hold, by fence."""
        with self._snapshot() as connection:
            return leases.read_leases(connection, self.ticks(connection))

    def slots(self) -> list[SlotRecord]:
        """The slots of pools that are held or waited for, in the order in which they were asked for."""
        with self._snapshot() as connection:
            return pools.read_slots(connection)

    def code(self, version: CodeVersion) -> CodeSource | None:
        """A code version with its components and their sources."""
        with self._snapshot() as connection:
            query = "SELECT components, sources FROM code_versions WHERE version = ?"
            row = connection.execute(query, (version,)).fetchone()
            if row is None:
                return None
            digests = from_json(row[1])
            query = "SELECT content FROM source_texts WHERE digest = ?"
            texts = {
                name: connection.execute(query, (bytes.fromhex(digest),)).fetchone()[0]
                for name, digest in digests.items()
            }
            return CodeSource(version, from_json(row[0]), texts)

    def table(self, name: TableName, *, environment: int | None = None) -> dict[str, list[object]]:
        """A whole table as columns."""
        with self._snapshot() as connection:
            return dumps.table(connection, name, environment)

    def integrity(self) -> list[str]:
        """What is wrong with the store."""
        with self._snapshot() as connection:
            return integrity.integrity(connection, self._database.damage(connection))

    def advice(self) -> list[str]:
        """What is worth knowing about the database."""
        with self._snapshot() as connection:
            return self._database.advice(connection)

    def _pointers(self, query: str, *values: int) -> Pointers:
        names = ("ordinal", "version", "derivation", "generation")
        with self._snapshot() as connection:
            if not isinstance(query, Statement):
                return Pointers(*gathered(connection, query, values, numbers=names).numbers)
            rows = connection.execute(query, values).fetchall()
        columns = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Pointers(*(np.array(column, np.int64) for column in columns))
