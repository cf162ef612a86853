"""The way from a partition to what made it due, as data: one link for each asset on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assetflow.keys import AssetKey, VersionId
from assetflow.planner.causes import CauseKind

ReasonKind = (
    CauseKind
    | Literal[
        "first_built", "withdrawn", "observed", "rolled_back", "accepted", "tolerated", "reused", "computed_again"
    ]
)
"""A cause, or how a version that is published came to differ from the one before it."""

ChangeKind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class VersionChange:
    """An upstream partition that was read as one version and is another one now; None where there was or is none."""

    partition: str | None
    before: VersionId | None
    after: VersionId | None

    def to_dict(self) -> dict[str, object]:
        """The change as in the documents."""
        return {"partition": self.partition, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class CodeChange:
    """A component of the code that is another one; ``diff`` are the lines of a unified diff of its source."""

    component: str
    kind: ChangeKind
    diff: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The change as in the documents."""
        return {"component": self.component, "kind": self.kind, "diff": list(self.diff)}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the partitions of one link are due, or came to be what they are; ``count`` of them share it.

    ``upstream`` is the asset whose link tells more; ``versions`` are the first few of ``changed`` upstream partitions.
    ``former`` says how the upstream was partitioned then, where it is partitioned otherwise now. ``partitions`` are
    ranges for people; none where the reason is for all partitions of the link, or where that is not told.
    """

    kind: ReasonKind
    detail: str
    count: int
    parameter: str | None = None
    upstream: AssetKey | None = None
    versions: tuple[VersionChange, ...] = ()
    changed: int = 0
    code: tuple[CodeChange, ...] = ()
    former: str | None = None
    partitions: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The reason as in the documents."""
        return {
            "kind": self.kind,
            "detail": self.detail,
            "count": self.count,
            "parameter": self.parameter,
            "upstream": self.upstream,
            "versions": [each.to_dict() for each in self.versions],
            "changed": self.changed,
            "code": [each.to_dict() for each in self.code],
            "former": self.former,
            "partitions": list(self.partitions),
        }

    def onward(self) -> tuple[AssetKey, bool, str | None] | None:
        """What identifies the link that tells more; None where none does."""
        if self.upstream is None:
            return None
        return self.upstream, self.kind in ("upstream_stale", "waiting"), self.former


@dataclass(frozen=True, slots=True)
class Link:
    """One asset on the way: ``planned`` tells of what is to be done, otherwise of what was published already.

    ``partitions`` are ranges for people. ``unexamined`` of the ``count`` partitions were not looked at one by one. What
    was published came from ``runs``, at last ``at``; ``former`` says how the asset was partitioned then, where it is
    partitioned otherwise now.
    """

    asset: AssetKey
    planned: bool
    partitions: tuple[str, ...]
    count: int
    reasons: tuple[Reason, ...]
    unexamined: int = 0
    runs: tuple[str, ...] = ()
    at: datetime | None = None
    former: str | None = None

    @property
    def identity(self) -> tuple[AssetKey, bool, str | None]:
        """What reasons call the link by; no two of a trace have the same."""
        return self.asset, self.planned, self.former

    def to_dict(self) -> dict[str, object]:
        """The link as in the documents."""
        return {
            "asset": self.asset,
            "planned": self.planned,
            "partitions": list(self.partitions),
            "count": self.count,
            "reasons": [each.to_dict() for each in self.reasons],
            "unexamined": self.unexamined,
            "runs": list(self.runs),
            "at": self.at.isoformat() if self.at else None,
            "former": self.former,
        }


@dataclass(frozen=True, slots=True)
class Trace:
    """The links from what was asked about to the roots, each after those that it explains."""

    links: tuple[Link, ...] = ()

    def to_dict(self) -> list[dict[str, object]]:
        """The trace as in the documents."""
        return [link.to_dict() for link in self.links]

    def roots(self) -> tuple[tuple[AssetKey, Reason], ...]:
        """The reasons that no link further on explains, with their assets."""
        told = {link.identity for link in self.links}
        return tuple(
            (link.asset, reason) for link in self.links for reason in link.reasons if reason.onward() not in told
        )


def few(texts: Sequence[str], shown: int = 3) -> tuple[str, ...]:
    """The first few texts, and how many more there are.

    >>> few(["a", "b", "c", "d", "e"])
    ('a', 'b', 'c', '+2 more')
    """
    return tuple(texts) if len(texts) <= shown else (*texts[:shown], f"+{len(texts) - shown:,} more")
