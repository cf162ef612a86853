"""What goes into the store and comes out of it: plain records, the same for every database.

Times are aware UTC datetimes; hashes, signatures and keys are 16 bytes (two big-endian 64-bit lanes); partitions are
ordinals, 0 for an unpartitioned asset.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId

if TYPE_CHECKING:
    from assetflow.partitions.dictionary import KeyDictionary
    from assetflow.planner.state import Codes, Integers, State

DerivationKind = Literal["computed", "unchanged", "reused", "rollback", "accept", "override", "observed"]
"""``unchanged``: a rebuild gave equal data, or the inputs turned out to be those of the current version's twin."""

VersionState = Literal["published", "quarantined", "observed"]
RunStatus = Literal["running", "success", "failed", "canceled"]
StepStatus = Literal["running", "materialized", "unchanged", "reused", "failed", "quarantined", "blocked", "canceled"]


TableName = Literal[
    "assets", "pointers", "versions", "derivations", "lineage", "checks", "runs", "steps", "events", "schemas"
]


class Ticket(Protocol):
    """The promise of a commit."""

    def result(self, timeout: float | None = None) -> int:
        """Wait until the commit is durable and return its generation. Raises PublishConflict and StoreError."""
        ...

    def done(self) -> bool:
        """Whether the commit was acknowledged or refused."""
        ...


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a version: name relative to the version's folder, bytes, and ``blake3:`` digest."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One immutable output of one asset partition. ``location`` is relative to the storage root; None without files."""

    version: VersionId
    asset: AssetKey
    uid: int
    ordinal: int
    run_id: str | None
    state: VersionState
    created_at: datetime
    data_hash: DataHash
    empty: bool = False
    io_manager: str | None = None
    storage: str | None = None
    location: str | None = None
    files: tuple[FileRecord, ...] = ()
    inline: str | None = None
    row_count: int | None = None
    byte_count: int | None = None
    schema: bytes | None = None
    """The Arrow schema in IPC form (metadata removed), for tables; stored once per distinct schema."""
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    published_at: datetime | None = None
    """Set by the store at the commit."""


@dataclass(frozen=True, slots=True)
class InputRecord:
    """What one edge read: compact ranges of upstream ordinals, and their signature.

    ``as_of`` is the greatest generation among the pointers that were read; a ticket where that commit is still on its
    way.
    """

    parameter: str
    upstream: AssetKey
    upstream_uid: int
    sums: bytes
    ranges: tuple[tuple[int, int], ...]
    count: int
    as_of: int | Ticket


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """The result of one check on one version."""

    asset: AssetKey
    uid: int
    ordinal: int
    version: VersionId
    name: str
    check_version: CodeVersion
    passed: bool
    severity: Literal["error", "warn"]
    blocking: bool
    checked_at: datetime
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    error: str | None = None
    """What the check raised, if it raised instead of answering."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One pointer move: an asset partition gets a version with a derivation.

    ``version`` is a new record, or the id of a version that the store has. ``expected_generation`` is that of the
    pointer that the step was planned against: 0 for none, None to skip the check (observations).
    """

    environment: int
    asset: AssetKey
    uid: int
    ordinal: int
    kind: DerivationKind
    version: VersionRecord | VersionId
    data_hash: DataHash
    empty: bool
    code: CodeVersion | None
    key: bytes
    """The derivation key; zeros for observations."""
    inputs: tuple[InputRecord, ...]
    expected_generation: int | None
    run_id: str | None
    created_at: datetime
    held: bool = False
    reason: str | None = None
    checks: tuple[CheckRecord, ...] = ()
    events: tuple[EventRecord, ...] = ()
    partition: str | None = None
    """The partition's key, for error messages."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A pointer that goes away: a source key that is no longer observed."""

    environment: int
    asset: AssetKey
    uid: int
    ordinal: int
    run_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Group:
    """Publications that become visible together or not at all, in one generation.

    ``sync`` makes the staged files durable; it is called before the transaction. ``after`` must have been committed
    first. ``finished_intents`` are the stage intents that this commit settles.
    """

    publications: tuple[Publication, ...]
    withdrawals: tuple[Withdrawal, ...] = ()
    sync: Callable[[], None] | None = None
    after: tuple[Ticket, ...] = ()
    finished_intents: tuple[VersionId, ...] = ()


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One thing that happened, for the catalog's ``events``; the payload is JSON and holds no secrets."""

    occurred_at: datetime
    kind: str
    asset: AssetKey | None = None
    ordinal: int | None = None
    run_id: str | None = None
    payload: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """Which process owns a run, so that a later one can tell whether it is gone."""

    host: str
    boot_id: str
    pid: int
    started: float
    """The process's own start time, in clock ticks or seconds since boot: equal for equal processes."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One execution of a plan."""

    run_id: str
    environment: int
    status: RunStatus
    started_at: datetime
    trigger: str
    process: ProcessRecord
    plan: Mapping[str, object] = field(default_factory=dict[str, object])
    """The plan document."""
    ended_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """How one asset partition fared in one attempt."""

    run_id: str
    asset: AssetKey
    uid: int
    ordinal: int
    attempt: int
    status: StepStatus
    queued_at: datetime
    started_at: datetime
    ended_at: datetime
    version: VersionId | None = None
    error: Mapping[str, object] | None = None
    """The fields of the ``error`` document."""


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """That the last try of an asset partition failed, and under which key."""

    environment: int
    uid: int
    ordinal: int
    key: bytes
    run_id: str
    error: str
    candidate: VersionRecord | None = None
    """The quarantined version, when a blocking check refused it."""
    candidate_key: bytes | None = None
    code: CodeVersion | None = None
    inputs: tuple[InputRecord, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    finished_intents: tuple[VersionId, ...] = ()
    sync: Callable[[], None] | None = None
    """Makes the candidate's files durable, as in :class:`Group`."""


@dataclass(frozen=True, slots=True)
class StageIntent:
    """That a version may be written at a place: enough to clean up after a process that died."""

    version: VersionId
    uid: int
    ordinal: int
    run_id: str
    location: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CodeSource:
    """The code of one computation or check as it was when something was built with it."""

    version: CodeVersion
    components: Mapping[str, str]
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    """Component name to source text."""


@dataclass(frozen=True, slots=True)
class ObservationRecord:
    """That a source was asked, and what it raised, if it did."""

    asset: AssetKey
    uid: int
    tried_at: datetime
    error: str | None = None
    observed_at: datetime | None = None
    """Set by the store: the last time that the source answered."""


@dataclass(frozen=True, slots=True)
class DerivationRecord:
    """What a pointer says its version was made from; ``generation`` is None for a quarantined candidate."""

    derivation: int
    version: VersionId
    asset: AssetKey
    uid: int
    ordinal: int
    kind: DerivationKind
    code: CodeVersion | None
    key: bytes
    run_id: str | None
    created_at: datetime
    generation: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class LineageRow:
    """That the making of a version read the upstream partitions ``first`` to ``last``, as they were in a generation."""

    version: VersionId
    asset: AssetKey
    uid: int
    ordinal: int
    parameter: str
    upstream: AssetKey
    upstream_uid: int
    first: int
    last: int
    as_of: int


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event and its place in the order of commits; ``seq`` counts from 1."""

    seq: int
    event: EventRecord


@dataclass(frozen=True, slots=True)
class AssetHead:
    """The last publication of an asset in one environment, and the Arrow schema of its last table (IPC form)."""

    generation: int
    published_at: datetime
    schema: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Pointers:
    """Where the partitions of one asset point; aligned arrays, ordinals ascending."""

    ordinals: Integers
    version: Integers
    derivation: Integers
    generation: Integers


class StoreWriter(Protocol):
    """Everything that changes the store; nothing blocks but what says so."""

    def open_environment(self, name: str) -> int:
        """The environment's id (waits); created on first use. Ids start at 1; 0 holds the observations."""
        ...

    def intern_assets(self, keys: list[AssetKey]) -> dict[AssetKey, int]:
        """The uids of assets (waits), given out on first use."""
        ...

    def intern_keys(self, keys: list[str]) -> dict[str, int]:
        """The ordinals of static partition keys (waits), given out on first use."""
        ...

    def reserve_versions(self, count: int) -> range:
        """Version ids that nobody else will use (waits)."""
        ...

    def save_code(self, sources: list[CodeSource]) -> Ticket:
        """Remember code versions; known ones are left alone."""
        ...

    def publish(self, group: Group) -> Ticket:
        """Enqueue one atomic publication."""
        ...

    def fail(self, failure: FailureRecord) -> Ticket:
        """Remember a failed try, with its quarantined candidate."""
        ...

    def record_checks(self, checks: list[CheckRecord]) -> Ticket:
        """Remember check results on versions that the store has."""
        ...

    def record_observations(self, observations: list[ObservationRecord]) -> Ticket:
        """Remember when sources were asked; what they answered is published in environment 0."""
        ...

    def announce(self, intents: list[StageIntent]) -> Ticket:
        """Record stage intents; wait for the ticket before the first byte is written."""
        ...

    def settle(self, versions: list[VersionId]) -> Ticket:
        """Forget stage intents whose files are gone."""
        ...

    def start_run(self, run: RunRecord) -> Ticket:
        """Record a run that begins."""
        ...

    def finish_run(self, run: RunRecord) -> Ticket:
        """Record how a run ended."""
        ...

    def record_steps(self, steps: list[StepRecord], events: list[EventRecord]) -> Ticket:
        """Append step records and events."""
        ...

    def flush(self) -> None:
        """Wait until everything enqueued so far is durable. Raises StoreError."""
        ...


class StoreReader(Protocol):
    """Everything that asks the store; sees committed data only. Each call sees one moment. Raises StoreError."""

    def generation(self) -> int:
        """The last commit's number; 0 before the first."""
        ...

    def read_state(
        self,
        environment: int,
        assets: Sequence[AssetKey],
        codes: Codes,
        *,
        sources: Collection[AssetKey] = (),
    ) -> State:
        """What the planner needs of these assets; those among ``sources`` are given by their last observations.

        Every asset asked for is in ``State.assets``; assets without a uid yet are not in ``State.uids``. Retained and
        candidate derivations are those under any present code version; check results those of current, retained and
        candidate versions.
        """
        ...

    def environments(self) -> dict[str, int]:
        """Environment ids by name."""
        ...

    def uids(self, assets: Sequence[AssetKey] | None = None) -> dict[AssetKey, int]:
        """The uids of those assets that have one (None: of all)."""
        ...

    def keys(self) -> KeyDictionary:
        """The store-wide dictionary of static partition keys."""
        ...

    def pointers(self, environment: int, uid: int) -> Pointers:
        """Where an asset's partitions point now."""
        ...

    def pointers_as_of(self, environment: int, uid: int, generation: int) -> Pointers:
        """Where they pointed when ``generation`` was the last commit."""
        ...

    def history(self, environment: int, uid: int, *, first: int | None = None, last: int | None = None) -> Pointers:
        """Every move of an asset's pointers, by ordinal and then generation; version 0 is a withdrawal.

        ``first`` and ``last`` bound the ordinals, both included.
        """
        ...

    def version(self, version: VersionId) -> VersionRecord:
        """One version. Raises UnknownVersion."""
        ...

    def versions(self, versions: Collection[VersionId]) -> dict[VersionId, VersionRecord]:
        """Those of the versions that the store has."""
        ...

    def versions_of(self, uid: int, ordinal: int | None = None, *, limit: int | None = None) -> list[VersionRecord]:
        """The versions of an asset, or of one partition, newest first."""
        ...

    def derivations(self, derivations: Collection[int]) -> dict[int, DerivationRecord]:
        """Those of the derivations that the store has."""
        ...

    def inputs_of(self, derivation: int) -> tuple[InputRecord, ...]:
        """What a derivation read, by parameter."""
        ...

    def lineage_of(self, versions: Collection[VersionId], *, environment: int | None = None) -> list[LineageRow]:
        """What the versions were made from: one row for each range of upstream partitions.

        The derivation that counts is the newest of kind ``computed``, ``unchanged`` or ``reused`` in ``environment``;
        where there is none, and for environment None, the one that the version was first made by.
        """
        ...

    def readers_of(self, upstream_uid: int, *, environment: int | None = None) -> list[LineageRow]:
        """The rows of :meth:`lineage_of`, of all versions, that read the asset."""
        ...

    def check_results(self, versions: Collection[VersionId]) -> list[CheckRecord]:
        """Check results on the versions, by version, name and time."""
        ...

    def head(self, environment: int, uid: int) -> AssetHead | None:
        """The last publication of an asset."""
        ...

    def heads(self, environment: int) -> dict[int, AssetHead]:
        """The last publication of every asset of an environment, by uid."""
        ...

    def last_schema(self, environment: int, uid: int) -> bytes | None:
        """The Arrow schema (IPC form) of the last table published of an asset."""
        ...

    def last_observations(self) -> dict[int, ObservationRecord]:
        """When each source was last asked, by uid."""
        ...

    def run(self, run_id: str) -> RunRecord | None:
        """One run."""
        ...

    def runs(self, *, status: RunStatus | None = None, limit: int | None = None) -> list[RunRecord]:
        """Runs, the newest first."""
        ...

    def steps(self, run_id: str) -> list[StepRecord]:
        """How the asset partitions of a run fared, in the order in which they ended."""
        ...

    def events_since(self, seq: int, *, run_id: str | None = None, limit: int | None = None) -> list[EventRow]:
        """Events after ``seq``, in the order of commits."""
        ...

    def intents(self) -> list[StageIntent]:
        """Every stage that was announced and not settled."""
        ...

    def code(self, version: CodeVersion) -> CodeSource | None:
        """A code version with its components and their sources."""
        ...

    def table(self, name: TableName, *, environment: int | None = None) -> dict[str, list[object]]:
        """A whole table as columns, joined with asset keys, for the catalog.

        Times are microseconds since 1970 UTC, hashes text, mappings JSON text. ``environment`` restricts ``pointers``
        and ``schemas``, and chooses the derivations of ``lineage`` as in :meth:`lineage_of`.
        """
        ...

    def integrity(self) -> list[str]:
        """What is wrong with the store, a sentence each; reads all of it."""
        ...

    def advice(self) -> list[str]:
        """What is worth knowing about the database itself, a sentence each."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """One metadata store: reading and writing apart."""

    reader: StoreReader
    writer: StoreWriter
    close: Callable[[], None]
    """Makes everything enqueued durable and closes the connections."""
