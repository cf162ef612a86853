"""The store's two sides, the same for every database: what writes, and what asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from assetflow.keys import AssetKey, CodeVersion, VersionId
from assetflow.store.leases import Claim, ClaimRequest, LeaseRecord
from assetflow.store.pools import SlotAsk, SlotRecord
from assetflow.store.records import (
    AssetHead,
    CheckRecord,
    CodeSource,
    DerivationRecord,
    EventRecord,
    EventRow,
    FailureRecord,
    Fared,
    Group,
    InputRecord,
    LineageRow,
    ObservationRecord,
    Pointers,
    RunRecord,
    RunStatus,
    StageIntent,
    StepRecord,
    Ticket,
    VersionFacts,
    VersionRecord,
)
from assetflow.store.retention import Deletion, Doomed, KeptVersions, PinRecord, PointerLog, ReadLease, RunMoves

if TYPE_CHECKING:
    from datetime import datetime

    from assetflow.partitions.dictionary import KeyDictionary
    from assetflow.partitions.sets import Ints
    from assetflow.planner.changes import Changes
    from assetflow.planner.state import Attempts, Codes, Mark, State

TableName = Literal[
    "assets", "pointers", "versions", "derivations", "lineage", "checks", "runs", "steps", "events", "schemas"
]


class StoreWriter(Protocol):
    """Everything that changes the store; nothing blocks but what says so."""

    def open_environment(self, name: str) -> int:
        """The environment's id (waits); created on first use. Ids start at 1; 0 holds the observations."""
        ...

    def intern_assets(self, keys: list[AssetKey], spaces: Mapping[AssetKey, str] | None = None) -> dict[AssetKey, int]:
        """The uids of assets (waits), given out on first use: one for each asset and space that its ordinals are in.

        ``spaces`` are those that they are in now. A uid that was given out without a space takes it on.
        """
        ...

    def intern_keys(self, keys: list[str]) -> dict[str, int]:
        """The ordinals of partition keys (waits), given out on first use."""
        ...

    def add_partitions(self, name: str, keys: Sequence[str]) -> list[str]:
        """Add keys to dynamic partitions (waits); gives those that were not there. A new one takes a generation."""
        ...

    def remove_partitions(self, name: str, keys: Sequence[str]) -> list[str]:
        """Take keys out of dynamic partitions (waits); gives those that were there. Ordinals and pointers stay."""
        ...

    def reserve_versions(self, count: int) -> range:
        """Version ids that nobody else will use (waits)."""
        ...

    def pin(self, pin: PinRecord, event: EventRecord) -> bool:
        """Write a pin down (waits); False, and nothing done, where there is one of that name."""
        ...

    def unpin(self, name: str, event: EventRecord) -> bool:
        """Forget a pin (waits); False, and nothing done, where there is none of that name."""
        ...

    def lease_reads(self, lease: ReadLease) -> int:
        """Write a read lease down (waits); gives its number."""
        ...

    def release_reads(self, numbers: Sequence[int]) -> Ticket:
        """Forget read leases."""
        ...

    def mark_deletions(self, marked: Sequence[int], unmarked: Sequence[int]) -> Ticket:
        """Note which versions nothing keeps any more, as of now, and which something keeps again."""
        ...

    def delete_versions(self, doomed: Doomed) -> list[VersionId]:
        """Say that versions are gone (waits); gives those that are, whose files may be deleted from then on.

        Left out is what became current, moved, pinned, staged or read since ``doomed`` was found. What is gone is never
        published or offered again.
        """
        ...

    def finish_deletions(self, versions: Sequence[VersionId]) -> Ticket:
        """Note that the files of deleted versions are gone."""
        ...

    def forget_history(self, before: datetime) -> tuple[int, int]:
        """Delete events and steps from before a time that nothing needs (waits); gives how many of each.

        Kept are what people decided, the last event of each asset and kind, and the steps that made what is current or
        that are the last failure.
        """
        ...

    def rename_asset(self, old: AssetKey, new: AssetKey, event: EventRecord) -> bool:
        """Give an asset another key, with all that is recorded of it (waits); False where the new one has versions.

        Uids stay. A uid that the new key has for the same space goes.
        """
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

    def ask_cancel(self, run_id: str) -> bool:
        """Ask a run to stop (waits); False where it is not running. The first time that it was asked for is kept."""
        ...

    def record_steps(self, steps: list[StepRecord], events: list[EventRecord]) -> Ticket:
        """Append step records and events."""
        ...

    def claim(self, request: ClaimRequest) -> Claim:
        """Grant a lease on those of the asset partitions that are in no other (waits), all in one moment.

        Leases that expired, and those of processes that are known to be gone, are removed first.
        """
        ...

    def renew(self, fence: int, seconds: float) -> datetime:
        """Let a lease last for ``seconds`` from now on (waits, but not for other requests); gives until when.

        Raises LeaseLost where it has expired.
        """
        ...

    def release(self, fence: int) -> Ticket:
        """Remove a lease with its claims and slots."""
        ...

    def sweep_leases(self) -> int:
        """Remove leases that expired, and those of processes that are known to be gone (waits); gives how many."""
        ...

    def ask_slots(self, fence: int, asks: Sequence[SlotAsk], limits: Mapping[str, int]) -> list[SlotRecord]:
        """Stand in line for slots of pools, under a lease (waits); some may be granted at once. Raises LeaseLost."""
        ...

    def granted_slots(self, fence: int, ids: Collection[int], limits: Mapping[str, int]) -> set[int]:
        """Those of a lease's slots that are granted by now (waits). Raises LeaseLost."""
        ...

    def release_slots(self, fence: int, ids: Collection[int], limits: Mapping[str, int]) -> Ticket:
        """Give slots back, and those that are next their turn."""
        ...

    def flush(self) -> None:
        """Wait until everything enqueued so far is durable. Raises StoreError."""
        ...


class StoreReader(Protocol):
    """Everything that asks the store; sees committed data only. Each call sees one moment. Raises StoreError."""

    def generation(self) -> int:
        """The last commit's number; 0 before the first."""
        ...

    def mark(self) -> tuple[int, Mark]:
        """The last commit's number, and how far the history goes: those of a state that is read now."""
        ...

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
        """What the planner needs of these assets; those among ``sources`` are given by their last observations.

        ``uids`` are theirs, in the spaces in which their ordinals are now; None: the newest.

        ``verified`` are those of which it needs to know when their data was last computed. ``tolerant`` gives, by
        asset, the parameters of its edges with a late tolerance: what is known of those to tell late data.

        Every asset asked for is in ``State.assets``; assets without a uid yet are not in ``State.uids``. Retained and
        candidate derivations are those under any present code version; check results those of current, retained and
        candidate versions.
        """
        ...

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
        """What to apply to ``state`` to have what :meth:`read_state` would give with these arguments.

        ``state`` is one of this store and environment, read for the codes ``earlier`` (None: for these). Assets that it
        does not have are read anew. Those that it has must have been among ``sources`` and ``verified`` then if they
        are now. What it costs grows with what was committed since, not with the partitions that there are.
        """
        ...

    def environments(self) -> dict[str, int]:
        """Environment ids by name."""
        ...

    def uids(
        self, assets: Sequence[AssetKey] | None = None, spaces: Mapping[AssetKey, str] | None = None
    ) -> dict[AssetKey, int]:
        """The uids of those assets that have one (None: of all), in these spaces; without ``spaces``, the newest."""
        ...

    def spaces_of(self, assets: Sequence[AssetKey] | None = None) -> dict[int, tuple[AssetKey, str | None]]:
        """Every uid of some assets (None: of all) with its asset and space; the space may not be known yet."""
        ...

    def keys(self) -> KeyDictionary:
        """The store-wide dictionary of static and dynamic partition keys."""
        ...

    def dynamic(self) -> Mapping[str, Ints]:
        """The ordinals of dynamic partitions by name, in the order of addition; their keys are in :meth:`keys`."""
        ...

    def removed_partitions(self, name: str) -> list[str]:
        """The keys that dynamic partitions had once and do not have now."""
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

    def generation_at(self, moment: datetime) -> int:
        """The last generation that was committed by then; 0 before the first."""
        ...

    def committed_at(self, generation: int) -> datetime | None:
        """When a generation was committed; None where there is none of that number."""
        ...

    def pointer_log(self) -> PointerLog:
        """Every move of every pointer, in all environments."""
        ...

    def kept_versions(self) -> KeptVersions:
        """All versions that have data, quarantined ones included."""
        ...

    def run_moves(self, environment: int, run_id: str) -> RunMoves:
        """The pointers that a run moved."""
        ...

    def pins(self) -> list[PinRecord]:
        """All pins, by name."""
        ...

    def read_leases(self) -> list[ReadLease]:
        """All read leases, those that have expired too."""
        ...

    def deletions(self, versions: Collection[VersionId]) -> dict[VersionId, Deletion]:
        """Which of the versions are marked or deleted."""
        ...

    def unfinished_deletions(self) -> list[tuple[VersionId, str | None, str | None]]:
        """Deleted versions, with location and IO manager, whose files may be left."""
        ...

    def locations(self) -> set[str]:
        """Every place where a version lies or may be written."""
        ...

    def old_history(self, before: datetime) -> tuple[int, int]:
        """How many events and steps :meth:`StoreWriter.forget_history` would delete."""
        ...

    def last_version(self) -> int:
        """The greatest version id that was given out."""
        ...

    def identity(self) -> str | None:
        """What tells this store from others; None before its first environment is opened."""
        ...

    def version(self, version: VersionId) -> VersionRecord:
        """One version. Raises UnknownVersion."""
        ...

    def versions(self, versions: Collection[VersionId]) -> dict[VersionId, VersionRecord]:
        """Those of the versions that the store has."""
        ...

    def facts_of(self, versions: Collection[int]) -> VersionFacts:
        """What moving pointers needs of those of the versions that the store has, quicker than their records."""
        ...

    def files_of(self, versions: Collection[int]) -> dict[VersionId, tuple[str, tuple[tuple[str, int], ...]]]:
        """Of those of the versions that have files: the location, and the names and sizes in bytes."""
        ...

    def versions_of(self, uid: int, ordinal: int | None = None, *, limit: int | None = None) -> list[VersionRecord]:
        """The versions of an asset, or of one partition, newest first."""
        ...

    def derivations(self, derivations: Collection[int]) -> dict[int, DerivationRecord]:
        """Those of the derivations that the store has."""
        ...

    def derivations_of(self, version: VersionId) -> list[DerivationRecord]:
        """Every derivation of a version, in the order of commits."""
        ...

    def inputs_of(self, derivation: int) -> tuple[InputRecord, ...]:
        """What a derivation read, by parameter."""
        ...

    def lineage_of(self, versions: Collection[VersionId], *, environment: int | None = None) -> list[LineageRow]:
        """What the versions were made from: one row for each range of upstream partitions.

        The derivation that counts is the newest of kind ``computed`` or ``reused`` in ``environment``;
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

    def cancel_asked(self, run_id: str) -> bool:
        """Whether a run was asked to stop; cheap enough to be asked every second."""
        ...

    def runs(self, *, status: RunStatus | None = None, limit: int | None = None) -> list[RunRecord]:
        """Runs, the newest first."""
        ...

    def steps(self, run_id: str) -> list[StepRecord]:
        """How the asset partitions of a run fared, in the order in which they ended."""
        ...

    def attempts(
        self, computed: Sequence[tuple[int, int, int]], checked: Sequence[tuple[int, int, int]] = ()
    ) -> Attempts:
        """What the last attempts that computed some partitions took and gave, in whatever environment.

        Each is a uid, an ordinal, and how many partitions one call of the computation takes at most: a partition's time
        is its share of the call. Failed attempts do not count, nor does what was published without computing. Of those
        ``checked``, the times of the last attempts that only ran checks.
        """
        ...

    def fared(self, run_id: str) -> list[Fared]:
        """The same as columns, by asset and status: for runs of very many partitions."""
        ...

    def events_since(self, seq: int, *, run_id: str | None = None, limit: int | None = None) -> list[EventRow]:
        """Events after ``seq``, in the order of commits."""
        ...

    def intents(self) -> list[StageIntent]:
        """Every stage that was announced and not settled."""
        ...

    def leases(self) -> list[LeaseRecord]:
        """All leases with what they hold, by fence."""
        ...

    def slots(self) -> list[SlotRecord]:
        """The slots of pools that are held or waited for, in the order in which they were asked for."""
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
