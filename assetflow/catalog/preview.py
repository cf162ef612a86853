"""A look at what is published: the first rows of a table, or a plain value as text."""

from __future__ import annotations

import json
import pprint
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from assetflow.catalog.query import QueryResult, json_value, unreadable_data
from assetflow.io import InputContext, IOManager, StoredPartition, json_problem
from assetflow.keys import AssetKey, VersionId

if TYPE_CHECKING:
    import pyarrow.dataset as ds

PreviewKind = Literal["table", "value", "empty", "observed"]

_LINE_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Preview:
    """What ``show`` prints of an asset, one partition or one version.

    ``table`` holds the first rows, ``row_count`` counts all (None: not known). ``text`` holds a plain value, the
    observed data version of a source, or nothing; ``truncated`` where there is more of either.
    """

    asset: AssetKey
    partition: str | None
    version: VersionId | None
    kind: PreviewKind
    row_count: int | None = None
    table: QueryResult | None = None
    value: object = None
    text: str = ""
    truncated: bool = False

    def to_dict(self) -> dict[str, object]:
        """``asset``, ``partition``, ``version``, ``kind``, then ``columns``, ``types``, ``rows`` or ``value``."""
        rows: Mapping[str, object] = self.table.to_dict() if self.table else {"columns": [], "types": [], "rows": []}
        return {
            "asset": self.asset,
            "partition": self.partition,
            "version": self.version,
            "kind": self.kind,
            **rows,
            "value": self.value,
            "row_count": self.row_count,
            "truncated": self.truncated,
        }


def first_rows(asset: AssetKey, dataset: ds.Dataset, limit: int) -> QueryResult:
    """The first ``limit`` rows of an asset's dataset, with Arrow's types; reads no more files than it needs.

    Raises DataUnreadable.
    """
    import pyarrow as pa

    try:
        head = dataset.head(limit + 1)
    except (OSError, pa.ArrowException) as error:
        raise unreadable_data(asset, error) from error
    types = tuple(str(kind) for kind in head.schema.types)
    return QueryResult(head.slice(0, limit), types, truncated=head.num_rows > limit)


def plain_value(manager: IOManager, stored: StoredPartition, limit: int) -> tuple[object, str, bool]:
    """A value as JSON, as text of at most ``limit`` lines, and whether that is not all.

    What JSON cannot hold is given as the text that Python has for it.
    """
    value = manager.load(InputContext((stored,)), object)
    if json_problem(value) is None:
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        document = json_value(value)
    else:
        text = document = pprint.pformat(value, width=_LINE_WIDTH)
    lines = text.splitlines()
    return document, "\n".join(lines[:limit]), len(lines) > limit
