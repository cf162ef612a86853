"""Short ways to say what goes into a store, for its tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from assetflow.keys import AssetKey, CodeVersion, DataHash, VersionId
from assetflow.store.interface import Store
from assetflow.store.records import (
    CheckRecord,
    DerivationKind,
    EventRecord,
    FailureRecord,
    FileRecord,
    Group,
    InputRecord,
    ProcessRecord,
    Publication,
    RunRecord,
    StepRecord,
    Ticket,
    VersionRecord,
    Withdrawal,
)

NOON = datetime(2024, 5, 17, 12, 0, 0, 123456, tzinfo=UTC)
CODE = CodeVersion("c1:" + "0" * 32)
NEWER_CODE = CodeVersion("c1:" + "1" * 32)
PROCESS = ProcessRecord("host", "boot", 4711, 12345.25)


def data(number: int) -> DataHash:
    """A data hash."""
    return DataHash(f"a1:{number:032x}")


def octets(number: int) -> bytes:
    """A signature or key."""
    return number.to_bytes(16, "big")


@dataclass
class Filler:
    """Fills one store: every method writes something with as few words as possible."""

    store: Store
    environment: int = 0
    sync: Callable[[], None] | None = None
    _uids: dict[AssetKey, int] = field(default_factory=dict[AssetKey, int])

    def __post_init__(self) -> None:
        self.environment = self.environment or self.store.writer.open_environment("prod")

    def uid(self, asset: str) -> int:
        key = AssetKey(asset)
        if key not in self._uids:
            self._uids |= self.store.writer.intern_assets([key])
        return self._uids[key]

    def version(self, asset: str, ordinal: int = 0, content: int = 1, **changes: Any) -> VersionRecord:
        """A new version with an id of its own."""
        number = VersionId(self.store.writer.reserve_versions(1)[0])
        fields: dict[str, Any] = {
            "run_id": "r1",
            "state": "published",
            "created_at": NOON,
            "data_hash": data(content),
            "io_manager": "parquet",
            "storage": "parquet;zstd",
            "location": f"{asset}/v-{number}",
            "files": (FileRecord("data.parquet", 10, "blake3:" + "ab" * 32),),
            "row_count": 3,
            "byte_count": 10,
        }
        return VersionRecord(
            version=number, asset=AssetKey(asset), uid=self.uid(asset), ordinal=ordinal, **fields | changes
        )

    def read(
        self,
        upstream: str,
        sums: int = 7,
        ranges: Sequence[tuple[int, int]] = ((0, 0),),
        as_of: int | Ticket = 0,
        parameter: str | None = None,
    ) -> InputRecord:
        """What one edge read."""
        count = sum(last - first + 1 for first, last in ranges)
        return InputRecord(
            parameter or upstream, AssetKey(upstream), self.uid(upstream), octets(sums), tuple(ranges), count, as_of
        )

    def publication(
        self,
        asset: str,
        ordinal: int = 0,
        content: int = 1,
        *,
        expected: int | None = 0,
        key: int = 5,
        code: CodeVersion | None = CODE,
        kind: DerivationKind = "computed",
        version: VersionRecord | VersionId | None = None,
        environment: int | None = None,
        inputs: Sequence[InputRecord] = (),
        checks: Sequence[CheckRecord] = (),
        events: Sequence[EventRecord] = (),
        **changes: Any,
    ) -> Publication:
        """A pointer move; a new version unless one is given."""
        return Publication(
            environment=self.environment if environment is None else environment,
            asset=AssetKey(asset),
            uid=self.uid(asset),
            ordinal=ordinal,
            kind=kind,
            version=self.version(asset, ordinal, content) if version is None else version,
            data_hash=data(content),
            empty=bool(changes.pop("empty", False)),
            code=code,
            key=octets(key),
            inputs=tuple(inputs),
            expected_generation=expected,
            run_id="r1",
            created_at=NOON,
            checks=tuple(checks),
            events=tuple(events),
            **changes,
        )

    def publish(self, asset: str, ordinal: int = 0, content: int = 1, **changes: Any) -> int:
        """Publish one partition and wait; the generation."""
        return self.commit(self.publication(asset, ordinal, content, **changes)).result()

    def commit(self, *publications: Publication, after: Sequence[Ticket] = ()) -> Ticket:
        """Enqueue publications as one group."""
        return self.store.writer.publish(Group(publications, sync=self.sync, after=tuple(after)))

    def observe(self, source: str, answers: dict[int, int]) -> int:
        """Publish observations and wait."""
        moves = [
            self.publication(
                source,
                ordinal,
                content,
                expected=None,
                key=0,
                code=None,
                kind="observed",
                environment=0,
                version=self.version(source, ordinal, content, state="observed", files=(), location=None),
            )
            for ordinal, content in answers.items()
        ]
        return self.commit(*moves).result()

    def withdraw(self, source: str, ordinal: int) -> int:
        """Take an observation back and wait."""
        gone = Withdrawal(0, AssetKey(source), self.uid(source), ordinal, "r1", NOON)
        return self.store.writer.publish(Group((), (gone,))).result()

    def check(
        self, version: VersionRecord, name: str = "positive", *, passed: bool = True, code: CodeVersion = CODE
    ) -> CheckRecord:
        """The result of a blocking check."""
        return CheckRecord(
            version.asset, version.uid, version.ordinal, version.version, name, code, passed, "error", True, NOON
        )

    def failure(
        self, asset: str, ordinal: int = 0, *, key: int = 9, candidate: VersionRecord | None = None
    ) -> FailureRecord:
        """A failed try, perhaps with what it made."""
        return FailureRecord(
            environment=self.environment,
            uid=self.uid(asset),
            ordinal=ordinal,
            key=octets(key),
            run_id="r1",
            error="it broke",
            candidate=candidate,
            candidate_key=octets(key + 1) if candidate else None,
            code=CODE,
        )

    def run(self, run_id: str = "r1", **changes: Any) -> RunRecord:
        """A run that begins."""
        fields: dict[str, Any] = {"status": "running", "started_at": NOON, "trigger": "cli", "process": PROCESS}
        return RunRecord(run_id=run_id, environment=self.environment, **fields | changes)

    def step(self, asset: str, ordinal: int = 0, **changes: Any) -> StepRecord:
        """How a partition fared."""
        fields: dict[str, Any] = {"attempt": 1, "status": "materialized"}
        times = {"queued_at": NOON, "started_at": NOON, "ended_at": NOON}
        return StepRecord("r1", AssetKey(asset), self.uid(asset), ordinal, **fields | times | changes)
