"""What a run says and tallies: outcomes count once their commit is acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from assetflow.errors import PublishConflict, StorageFull, StoreError
from assetflow.execution.journal import Entry, Journal
from assetflow.execution.result import Outcome
from assetflow.keys import AssetKey, DataHash, VersionId
from assetflow.store.records import EventRecord, Group, Publication, StepRecord, VersionRecord

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ONE = AssetKey("one")


class Ticket:
    """A commit whose answer the test gives."""

    answered_at = None

    answer: int | Exception | None = None

    def done(self) -> bool:
        return self.answer is not None

    def result(self, timeout: float | None = None) -> int:
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None, "nobody should have to wait"
        return self.answer


@dataclass
class Writer:
    """A store writer that remembers what it is told."""

    tickets: list[Ticket] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)

    def publish(self, group: Group) -> Ticket:
        self.tickets.append(Ticket())
        return self.tickets[-1]

    def record_steps(self, steps: Sequence[StepRecord], events: Sequence[EventRecord]) -> None:
        self.steps += steps
        self.events += events

    def flush(self) -> None:
        pass


def entry(outcome: Outcome, ordinal: int = 0, error: Any = None) -> Entry:
    return Entry(ONE, 1, ordinal, str(ordinal), outcome, NOW, NOW, NOW, VersionId(ordinal), error)


def group(*versions: int) -> Group:
    records = [VersionRecord(VersionId(n), ONE, 1, n, "run", "published", NOW, DataHash("")) for n in versions]
    return Group(
        tuple(
            Publication(1, ONE, 1, r.ordinal, "computed", r, r.data_hash, False, None, b"", (), 0, "run", NOW)
            for r in records
        )
    )


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
def lost() -> list[tuple[list[int], list[int]]]:
    return []


@pytest.fixture
def journal(writer: Writer, lost: list[tuple[list[int], list[int]]]) -> Journal:
    def refused(entries: Sequence[Entry], staged: Sequence[VersionRecord]) -> None:
        lost.append(([each.ordinal for each in entries], [each.version for each in staged]))

    return Journal(cast("Any", writer), "run", refused)


def test_an_outcome_counts_when_its_commit_is_acknowledged(journal: Journal, writer: Writer) -> None:
    journal.publish(group(1, 2), [entry("materialized", 1), entry("unchanged", 2)])
    assert journal.counts == {}
    writer.tickets[0].answer = 7
    journal.settle()
    counts = journal.counts[ONE]
    assert (counts["materialized"], counts["unchanged"], sum(counts.values())) == (1, 1, 2)
    assert [(step.ordinal, step.status) for step in writer.steps] == [(1, "materialized"), (2, "unchanged")]
    assert writer.events == [], "what is published has its event in the commit"


@pytest.mark.parametrize("refusal", [PublishConflict("one: somebody else"), StorageFull("one: no space")])
def test_a_refused_commit_fails_all_its_entries_and_gives_up_what_was_staged(
    journal: Journal, writer: Writer, lost: list[Any], refusal: Exception
) -> None:
    known = group(3).publications[0]
    both = Group((*group(1).publications, Publication(*_fields(known, version=VersionId(2)))))
    journal.publish(both, [entry("materialized", 1), entry("reused", 2)])
    writer.tickets[0].answer = refusal
    journal.conclude()
    assert {outcome: n for outcome, n in journal.counts[ONE].items() if n} == {"failed": 2}
    assert lost == [([1, 2], [1])], "a version that the store has stays"
    assert [(step.status, step.version) for step in writer.steps] == [("failed", None)] * 2
    assert [event.kind for event in writer.events] == ["failed"] * 2
    assert [str(failure) for failure in journal.failures] == [f"one@{n}: {refusal.args[0]}" for n in (1, 2)]


def test_a_store_that_fails_is_not_an_outcome(journal: Journal, writer: Writer) -> None:
    journal.publish(group(1), [entry("materialized", 1)])
    writer.tickets[0].answer = StoreError("the disk is gone")
    with pytest.raises(StoreError):
        journal.settle()
    assert journal.counts == {}


def test_waiting_is_counted_and_leaves_no_step(journal: Journal, writer: Writer) -> None:
    journal.note(entry("waiting"))
    journal.note(entry("blocked", 1))
    journal.conclude()
    assert (journal.counts[ONE]["waiting"], journal.counts[ONE]["blocked"]) == (1, 1)
    assert [step.status for step in writer.steps] == ["blocked"]
    assert [event.kind for event in writer.events] == ["blocked"]
    assert journal.failures == []


def test_what_is_answered_already_is_counted_on_the_way(journal: Journal, writer: Writer) -> None:
    for n in range(300):
        if writer.tickets:
            writer.tickets[-1].answer = n
        journal.publish(group(n), [entry("materialized", n)])
    assert sum(journal.counts[ONE].values()) >= 255
    writer.tickets[-1].answer = 300
    journal.settle()
    assert journal.counts[ONE]["materialized"] == 300
    assert [step.ordinal for step in writer.steps] == list(range(300))


def _fields(publication: Publication, **changed: Any) -> list[Any]:
    names = list(Publication.__dataclass_fields__)
    return [changed.get(name, getattr(publication, name)) for name in names]


def test_conflicts_and_what_they_blocked_can_be_tried_again(journal: Journal, writer: Writer) -> None:
    journal.publish(group(1), [entry("materialized", 1)])
    journal.note(entry("blocked", 2))
    writer.tickets[0].answer = PublishConflict("one: somebody else")
    journal.settle()
    assert (journal.conflicting, journal.unsettled()) == (True, {ONE: [1, 2]})
    journal.reopen()
    assert (journal.conflicting, journal.unsettled()) == (False, {})
    journal.note(entry("unchanged", 1))
    journal.note(entry("unchanged", 2))
    journal.conclude()
    assert {outcome: n for outcome, n in journal.counts[ONE].items() if n} == {"unchanged": 2}
    assert journal.failures == []


def test_what_a_failure_blocked_is_not_tried_again(journal: Journal) -> None:
    journal.note(entry("blocked", 1))
    assert not journal.conflicting
    journal.conclude()
    assert journal.counts[ONE]["blocked"] == 1
