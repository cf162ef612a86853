"""Bookkeeping for the planned partitions of one computation: entries, derivations, commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from assetflow.errors import AssetflowError
from assetflow.execution.commits import Commit, awaited, enqueue
from assetflow.execution.decisions import Decision
from assetflow.execution.journal import Call, Entry
from assetflow.execution.parts import RunParts
from assetflow.execution.records import Derived, check_records, derived, lane_bytes
from assetflow.execution.result import Outcome
from assetflow.execution.task import StagedVersion
from assetflow.execution.together import Together
from assetflow.keys import AssetKey, VersionId, format_address
from assetflow.planner.decide import tries_of
from assetflow.planner.spans import Flags, Integers
from assetflow.store.records import DerivationKind, EventRecord, KeyAddition, Publication, VersionRecord

HAPPENED: Mapping[DerivationKind, str] = {
    "reused": "reused",
    "rollback": "rolled_back",
    "accept": "accepted",
    "tolerated": "tolerated",
}


class Ledger:
    """The rows of one decision, and what is said of them. Rows count from 0; keys are partition keys."""

    def __init__(self, parts: RunParts, decision: Decision, together: Together | None = None) -> None:
        self.parts = parts
        self.together = together
        self.decision = decision
        self.node = decision.node
        self.space = parts.setting.spaces[decision.node.name]
        self.code = parts.setting.codes.computations[decision.node.name].version
        self.keys = self.space.keys(decision.ordinals)
        self._queued = parts.setting.clock()
        self._pointed: Mapping[AssetKey, tuple[Flags, Integers, Integers]] = {
            asset: parts.pointed(asset, decision.ordinals) for asset in decision.node.outputs
        }

    def ordinal(self, row: int) -> int:
        """The partition of a row."""
        return int(self.decision.ordinals[row])

    def place(self, row: int, asset: AssetKey | None = None) -> str:
        """The address of a row's partition, for messages."""
        return format_address(asset or self.node.name, self.keys[row])

    def current(self, row: int, asset: AssetKey) -> VersionId | None:
        """The version that is published of a row's partition."""
        present, versions, _ = self._pointed[asset]
        return VersionId(int(versions[row])) if present[row] else None

    def expected(self, row: int, asset: AssetKey) -> int:
        """The generation of the pointer that the row was planned against; 0 for none."""
        return int(self._pointed[asset][2][row])

    def derived(self, row: int) -> Derived:
        """What the row is made from."""
        made = derived(self.decision, row, self.code, self.parts.live, self.parts.setting.uids)
        return self.together.apart(made) if self.together else made

    def try_key(self, row: int) -> bytes:
        """The key under which a failure of the row is remembered."""
        setting = self.parts.setting
        keys = self.decision.keys[row : row + 1]
        return lane_bytes(tries_of(keys, setting.graph, self.node, setting.codes.checks), 0)

    def entry(
        self,
        row: int,
        asset: AssetKey,
        outcome: Outcome,
        times: tuple[datetime, datetime],
        *,
        version: VersionId | None = None,
        error: AssetflowError | None = None,
        call: Call | None = None,
        staged: StagedVersion | None = None,
    ) -> Entry:
        """How one output of a row fared, between two ``times``, in a ``call`` and with what was ``staged``, if any."""
        uid = self.parts.setting.uids[asset]
        started, ended = times
        queued = call.queued_at if call and call.queued_at else self._queued
        rows, size = (staged.row_count, staged.byte_count) if staged else (None, None)
        return Entry(
            asset,
            uid,
            self.ordinal(row),
            self.keys[row],
            outcome,
            queued,
            started,
            ended,
            version,
            error,
            call,
            rows,
            size,
        )

    def attempted(self, entry: Entry) -> None:
        """Record an attempt after which there is another one; it does not count yet."""
        self.parts.journal.attempted(entry)

    def close(self, rows: Sequence[int], outcome: Outcome, error: AssetflowError | None = None) -> None:
        """Note an outcome that publishes nothing for all outputs of the rows."""
        now = self.parts.setting.clock()
        for row in rows:
            for asset in self.node.outputs:
                self.note(self.entry(row, asset, outcome, (now, now), error=error))

    def note(self, entry: Entry) -> None:
        """Count an entry that publishes nothing."""
        if self.together:
            self.together.note(entry)
        self.parts.journal.note(entry)
        self.parts.note(entry)

    def lose(self, rows: Sequence[int]) -> None:
        """Nothing in this run may read these partitions any more."""
        for asset in self.node.outputs:
            self.parts.live.lose(asset, [self.ordinal(row) for row in rows])

    def publication(
        self,
        row: int,
        version: VersionRecord | VersionId,
        staged: StagedVersion,
        made: Derived,
        kind: DerivationKind,
        at: datetime,
        *,
        reason: str | None = None,
    ) -> Publication:
        """The pointer move that publishes a version, new or known, for one output of a row."""
        setting, run_id, ordinal = self.parts.setting, self.parts.run_id, self.ordinal(row)
        uid = setting.uids[staged.asset]
        happened = HAPPENED.get(kind) or ("unchanged" if staged.same else "materialized")
        payload: dict[str, object] = {
            "version": staged.version,
            "rows": staged.row_count,
            "bytes": staged.byte_count,
            "empty": staged.empty,
        }
        if reason is not None:
            payload["reason"] = reason
        return Publication(
            environment=setting.environment,
            asset=staged.asset,
            uid=uid,
            ordinal=ordinal,
            kind=kind,
            version=version,
            data_hash=staged.data_hash,
            empty=staged.empty,
            code=made.code,
            key=made.key,
            inputs=made.inputs,
            expected_generation=self.expected(row, staged.asset),
            run_id=run_id or None,
            created_at=at,
            held=kind == "rollback",
            tolerated=kind == "tolerated",
            reason=reason,
            checks=check_records(staged.checks, staged.asset, uid, ordinal, staged.version),
            events=(EventRecord(at, happened, staged.asset, ordinal, run_id or None, payload),),
            partition=self.keys[row],
        )

    def commit(
        self,
        publications: Sequence[Publication],
        entries: Sequence[Entry],
        made: Sequence[Derived],
        *,
        finished: Sequence[VersionId] = (),
        added: tuple[KeyAddition, ...] = (),
    ) -> None:
        """Publish together, and let this run read it from now on; a publish group may keep it back for a while."""
        commit = Commit(tuple(publications), tuple(entries), awaited(made), tuple(finished), added)
        if self.together is None:
            enqueue(self.parts, commit)
        else:
            self.together.keep(self.parts, commit)
