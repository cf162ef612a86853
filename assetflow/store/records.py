"""What goes into the store and comes out of it: plain records, the same for every database.

Times are aware UTC datetimes; hashes, signatures and keys are 16 bytes (two big-endian 64-bit lanes); partitions are
ordinals, 0 for an unpartitioned asset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId

if TYPE_CHECKING:
    from assetflow.planner.state import Integers, Lanes

DerivationKind = Literal["computed", "reused", "rollback", "accept", "tolerated", "observed"]
"""``computed``: also where computing gave the data of a version that was there, which is kept."""

VersionState = Literal["published", "quarantined", "observed", "deleted"]
"""``deleted``: retention let go of it; its record stays."""

RunStatus = Literal["running", "success", "failed", "canceled"]
StepStatus = Literal["running", "materialized", "unchanged", "reused", "failed", "quarantined", "blocked", "canceled"]


class Ticket(Protocol):
    """The promise of a commit."""

    def result(self, timeout: float | None = None) -> int:
        """Wait until the commit is durable and return its generation. Raises PublishConflict and StoreError."""
        ...

    def done(self) -> bool:
        """Whether the commit was acknowledged or refused."""
        ...

    @property
    def answered_at(self) -> datetime | None:
        """When it was; None before."""
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
    way, and None where it is the very commit that this record is part of.
    """

    parameter: str
    upstream: AssetKey
    upstream_uid: int
    sums: bytes
    ranges: tuple[tuple[int, int], ...]
    count: int
    as_of: int | Ticket | None


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
    tolerated: bool = False
    """Whether the version is kept although late data would change it."""
    reason: str | None = None
    checks: tuple[CheckRecord, ...] = ()
    events: tuple[EventRecord, ...] = ()
    partition: str | None = None
    """The partition's key, for error messages."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A pointer that goes away: a source key that is no longer observed, a partition that is wiped.

    ``forget`` keeps what it led to from being published again because code and inputs are the same: ``"version"``, or
    ``"partition"`` for every version of it. ``expected_generation`` and ``partition`` as in :class:`Publication`.
    """

    environment: int
    asset: AssetKey
    uid: int
    ordinal: int
    run_id: str | None
    created_at: datetime
    forget: Literal["nothing", "version", "partition"] = "nothing"
    expected_generation: int | None = None
    partition: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReadColumns:
    """What one edge read, for many partitions: columns of :class:`InputRecord`; None in ``as_of`` as there."""

    parameter: str
    upstream_uid: int
    sums: bytes
    ranges: Sequence[Sequence[tuple[int, int]]]
    counts: Sequence[int]
    as_of: Sequence[int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Repointing:
    """Pointer moves to versions that the store has, of many partitions of one asset: columns of :class:`Publication`.

    ``keys`` holds 16 bytes for each partition; ``key_of`` names a partition for error messages.
    """

    environment: int
    asset: AssetKey
    uid: int
    kind: DerivationKind
    code: CodeVersion
    ordinals: Sequence[int]
    versions: Sequence[int]
    keys: bytes
    expected: Sequence[int]
    inputs: tuple[ReadColumns, ...]
    created_at: datetime
    held: bool
    reason: str | None
    key_of: Callable[[int], str | None]


@dataclass(frozen=True, slots=True, eq=False)
class VersionFacts:
    """What moving pointers needs of versions: aligned columns, versions ascending; times and texts left out.

    ``hashes`` are lanes of the data hashes. ``states`` and ``io_managers`` are those that occur.
    """

    version: Integers
    uid: Integers
    ordinals: Integers
    empty: Integers
    hashes: Lanes
    states: frozenset[str]
    io_managers: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeyAddition:
    """Keys that become dynamic partitions, by the run that added them; None for a user."""

    name: str
    keys: tuple[str, ...]
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Publications that become visible together or not at all, in one generation.

    ``sync`` makes the staged files durable; it is called before the transaction. ``after`` must have been committed
    first. ``finished_intents`` are the stage intents that this commit settles; ``added`` become partitions with it;
    ``events`` are told with it. ``fence`` is that of the lease which has to hold all of it at the commit; None where
    nobody else can publish it.
    """

    publications: tuple[Publication, ...]
    withdrawals: tuple[Withdrawal, ...] = ()
    sync: Callable[[], None] | None = None
    after: tuple[Ticket, ...] = ()
    finished_intents: tuple[VersionId, ...] = ()
    added: tuple[KeyAddition, ...] = ()
    events: tuple[EventRecord, ...] = ()
    repointings: tuple[Repointing, ...] = ()
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One thing that happened, for the catalog's ``events``; the payload is JSON and holds no secrets."""

    occurred_at: datetime
    kind: str
    asset: AssetKey | None = None
    ordinal: int | None = None
    run_id: str | None = None
    payload: Mapping[str, object] = field(default_factory=dict[str, object])
    uid: int | None = None
    """Of the asset; None: the newest that it has."""


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
    """The plan document, and beside it what a retry needs of the plan."""
    ended_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    error: str | None = None
    priority: int = 0
    """Of several runs that wait for the same thing, the one with the greatest goes first."""
    executor: str = "inline"
    workers: int = 1
    cancel_asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measures:
    """What one call took, in seconds; ``peak_memory`` is the most that its process has ever had, in bytes."""

    load: float
    compute: float
    stage: float
    check: float
    cpu: float
    peak_memory: int | None = None


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
    measures: Measures | None = None
    """Of the call that it was part of."""
    publish: float | None = None
    """Seconds from the end of the attempt until what it made was committed."""
    row_count: int | None = None
    byte_count: int | None = None
    call_size: int | None = None
    """How many partitions the call had; None where nothing was called."""


@dataclass(frozen=True, slots=True, eq=False)
class Fared:
    """The partitions of one asset that ended one way in a run, at their last attempt; aligned, ordinals ascending.

    ``version`` is 0 where the attempt gave none.
    """

    asset: AssetKey
    uid: int
    status: StepStatus
    ordinals: Integers
    version: Integers


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
    added: tuple[KeyAddition, ...] = ()
    """What the candidate adds to dynamic partitions once it is published."""
    fence: int | None = None
    """Of the lease that has to hold the partition, as in :class:`Group`."""


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
