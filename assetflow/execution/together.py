"""Publish groups in a run: what the members would publish is kept back until all of a partition are made."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import numpy as np

from assetflow.errors import AssetflowError, GroupIncomplete, StoreError
from assetflow.execution.commits import Commit, enqueue, move
from assetflow.execution.journal import Entry
from assetflow.execution.parts import RunParts
from assetflow.execution.records import Derived
from assetflow.execution.result import Outcome
from assetflow.keys import VersionId, format_address
from assetflow.planner.spans import Integers
from assetflow.store.records import Publication, Ticket, VersionRecord

_SPOILING: dict[Outcome, str] = {
    "failed": "failed",
    "quarantined": "was quarantined",
    "blocked": "was blocked",
    "waiting": "waits",
}


class Pending:
    """Stands for the commit of a group that is yet to come; nothing outside the group sees it."""

    def result(self, timeout: float | None = None) -> int:
        raise StoreError("a group was asked for a commit that it has not enqueued yet")

    def done(self) -> bool:
        return False

    @property
    def answered_at(self) -> datetime | None:
        return None


class Together:
    """One publish group in one run. Its members come one after the other, and have the same partitions."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._pending: Ticket = Pending()
        self._kept: dict[int, list[Commit]] = {}
        self._spoiled: dict[int, Entry] = {}

    def keep(self, parts: RunParts, commit: Commit) -> None:
        """Keep a commit back, partition by partition; the members that come later read it already."""
        finished = set(commit.finished)
        for ordinal in sorted({publication.ordinal for publication in commit.publications}):
            publications = tuple(each for each in commit.publications if each.ordinal == ordinal)
            entries = tuple(entry for entry in commit.entries if entry.ordinal == ordinal)
            settled = tuple(each for each in map(_new_version, publications) if each in finished)
            self._kept.setdefault(ordinal, []).append(
                Commit(publications, entries, commit.after, settled, commit.added)
            )
        move(parts, commit.publications, self._pending)

    def apart(self, made: Derived) -> Derived:
        """What a row was made from, as it will stand in the group's own commit."""
        return apart(made, self._pending)

    def note(self, entry: Entry) -> None:
        """Learn how a member fared: some outcomes keep the whole partition from being published."""
        if entry.outcome in _SPOILING:
            self._spoiled.setdefault(entry.ordinal, entry)

    def spoiled(self) -> Integers:
        """The partitions that will not be published, ascending."""
        return np.array(sorted(self._spoiled), np.int64)

    def refusal(self, entry: Entry) -> GroupIncomplete:
        """Why a member's partition is not published although nothing is wrong with it."""
        cause = self._spoiled[entry.ordinal]
        reason = f"{format_address(cause.asset, cause.key)} of its publish group {self._name!r}"
        return GroupIncomplete(
            f"{format_address(entry.asset, entry.key)}: not published, for {reason} {_SPOILING[cause.outcome]}",
            hint="they are published together, once all of them can be",
        )

    def publish(self, parts: RunParts) -> None:
        """Publish each partition that all members made, as one commit; let go of the others."""
        while self._kept:
            ordinal = min(self._kept)
            commits = self._kept[ordinal]
            if ordinal in self._spoiled:
                self._let_go(parts, commits)
            else:
                enqueue(parts, _joined(commits))
            del self._kept[ordinal]

    def abandon(self, parts: RunParts) -> None:
        """Let go of everything without a word, when the run breaks off."""
        for commits in self._kept.values():
            for commit in commits:
                _discard(parts, commit)
        self._kept.clear()

    def _let_go(self, parts: RunParts, commits: Sequence[Commit]) -> None:
        for commit in commits:
            _discard(parts, commit)
            for entry in commit.entries:
                blocked = replace(entry, outcome="blocked", version=None, error=self.refusal(entry))
                parts.live.lose(entry.asset, [entry.ordinal])
                parts.journal.note(blocked)
                parts.note(blocked)


def apart(made: Derived, pending: Ticket) -> Derived:
    """What a row was made from, where the commit that ``pending`` stands for is the row's own."""
    if all(read.as_of is not pending for read in made.inputs) and pending not in made.after:
        return made
    inputs = tuple(replace(read, as_of=None) if read.as_of is pending else read for read in made.inputs)
    return replace(made, inputs=inputs, after=tuple(each for each in made.after if each is not pending))


def _new_version(publication: Publication) -> VersionId:
    version = publication.version
    return version.version if isinstance(version, VersionRecord) else version


def _joined(commits: Sequence[Commit]) -> Commit:
    after = {id(ticket): ticket for commit in commits for ticket in commit.after}
    return Commit(
        tuple(publication for commit in commits for publication in commit.publications),
        tuple(entry for commit in commits for entry in commit.entries),
        tuple(after.values()),
        tuple(version for commit in commits for version in commit.finished),
        tuple(dict.fromkeys(addition for commit in commits for addition in commit.added)),
    )


def _discard(parts: RunParts, commit: Commit) -> None:
    with suppress(AssetflowError):
        for location in commit.locations:
            parts.setting.storage.discard(location)
        if commit.finished:
            parts.setting.writer.settle(list(commit.finished))
