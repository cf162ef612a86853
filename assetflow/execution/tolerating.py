"""Recording that late data is left out: the version stays, under a derivation that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assetflow.execution.ledger import Ledger
from assetflow.execution.task import StagedVersion
from assetflow.planner.spans import Flags
from assetflow.planner.state import AssetState
from assetflow.store.records import InputRecord, Publication


def record_left_out(ledger: Ledger, rows: Flags) -> None:
    """Give the rows that leave late data out a derivation of today's inputs; where it has been recorded, it stays.

    Its inputs keep the generation that they were read in, from which it follows what is left out.
    """
    parts, decision = ledger.parts, ledger.decision
    todo: list[int] = np.flatnonzero(rows & decision.tolerated & ~decision.recorded).tolist()
    wanted = {row: {asset: ledger.current(row, asset) for asset in ledger.node.outputs} for row in todo}
    parts.fetch(version for versions in wanted.values() for version in versions.values() if version)
    now = parts.setting.clock()
    for row, versions in wanted.items():
        made = ledger.derived(row)
        publications: list[Publication] = []
        for asset, version in versions.items():
            state = parts.state.assets.get(asset)
            if version is None or state is None:
                continue
            record = parts.version(version)
            staged = StagedVersion(
                asset,
                version,
                record.data_hash,
                empty=record.empty,
                row_count=record.row_count,
                byte_count=record.byte_count,
            )
            place = int(state.ordinals.searchsorted(ledger.ordinal(row)))
            inputs = _as_read(made.inputs, state, place)
            publication = ledger.publication(row, version, staged, replace(made, inputs=inputs), "tolerated", now)
            publications.append(replace(publication, held=bool(state.held[place])))
        ledger.commit(publications, (), [made])


def _as_read(inputs: Sequence[InputRecord], state: AssetState, place: int) -> tuple[InputRecord, ...]:
    """The inputs, each as of the generation in which what is published was made from it."""
    found: list[InputRecord] = []
    for each in inputs:
        column = state.inputs.get(each.parameter)
        known = column is not None and column.as_of is not None and column.as_of[place] >= 0
        found.append(
            replace(each, as_of=int(column.as_of[place])) if column and known and column.as_of is not None else each
        )
    return tuple(found)
