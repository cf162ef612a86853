"""One atomic publication of a run: enqueued, and read by the rest of the run from then on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assetflow.execution.journal import Entry
from assetflow.execution.live import Move
from assetflow.execution.parts import RunParts
from assetflow.execution.records import Derived
from assetflow.keys import AssetKey, VersionId
from assetflow.store.records import Group, KeyAddition, Publication, Ticket, VersionRecord


@dataclass(frozen=True, slots=True)
class Commit:
    """Publications with the entries that count once they are committed, and the commits that must come before.

    ``finished`` are the stage intents that it settles; ``added`` become dynamic partitions with it.
    """

    publications: tuple[Publication, ...]
    entries: tuple[Entry, ...]
    after: tuple[Ticket, ...] = ()
    finished: tuple[VersionId, ...] = ()
    added: tuple[KeyAddition, ...] = ()

    @property
    def locations(self) -> list[str]:
        """Where the new versions with files lie."""
        versions = (publication.version for publication in self.publications)
        return [each.location for each in versions if isinstance(each, VersionRecord) and each.location is not None]


def awaited(made: Iterable[Derived]) -> tuple[Ticket, ...]:
    """The commits that must come before what was made from them, each once."""
    return tuple({id(ticket): ticket for each in made for ticket in each.after}.values())


def enqueue(parts: RunParts, commit: Commit) -> Ticket:
    """Enqueue a commit, and let this run read what it publishes."""
    locations = commit.locations
    sync = parts.setting.storage.debts.owe(locations) if locations else None
    group = Group(
        commit.publications,
        sync=sync,
        after=commit.after,
        finished_intents=commit.finished,
        added=commit.added,
        fence=parts.fence,
    )
    ticket = parts.journal.publish(group, commit.entries)
    for asset in move(parts, commit.publications, ticket):
        moved = (each.version for each in commit.publications if each.asset == asset)
        records = (parts.version(each.version if isinstance(each, VersionRecord) else each) for each in moved)
        parts.projection.moved(asset, ticket, with_files=any(record.location for record in records))
    for addition in commit.added:
        for asset in parts.setting.graph.assets_of_set(addition.name):
            parts.projection.moved(asset, ticket, with_files=False)
    for entry in commit.entries:
        parts.note(entry)
    return ticket


def move(parts: RunParts, publications: Sequence[Publication], ticket: Ticket) -> list[AssetKey]:
    """Let this run read the publications, which ``ticket`` commits; gives the assets that they are of."""
    moves: dict[AssetKey, list[Move]] = {}
    for publication in publications:
        version = publication.version
        if isinstance(version, VersionRecord):
            parts.versions[version.version] = version
            version = version.version
        moved = Move(publication.ordinal, version, publication.data_hash, publication.empty, ticket)
        moves.setdefault(publication.asset, []).append(moved)
    for asset, made in moves.items():
        parts.live.move(asset, made)
    return list(moves)
