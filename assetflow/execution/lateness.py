"""Which changes of a partition's inputs are late data that it leaves out, told from what a run has published too."""

from __future__ import annotations

import numpy as np

from assetflow.execution.live import LiveAsset
from assetflow.execution.parts import RunParts
from assetflow.graph import Edge
from assetflow.planner.decide import EdgeSignature, UpstreamView, inputs_differ
from assetflow.planner.moments import micros
from assetflow.planner.spans import Flags, Integers
from assetflow.planner.state import AssetState, InputColumn
from assetflow.planner.tolerance import History, Recorded


def changes(
    edge: Edge,
    upstream: LiveAsset,
    signature: EdgeSignature,
    recorded: AssetState,
    places: Integers,
    parts: RunParts,
) -> tuple[Flags, Flags]:
    """By row: whether what an edge reads is not what the pointer at ``places`` was made from, and whether it is that
    but for late data. What this run published is as late as the plan says.
    """
    column = recorded.inputs.get(edge.parameter)
    column = column if column is None else _at(column, places)
    changed = inputs_differ(column, signature.sums)
    late = np.zeros(len(places), np.bool_)
    kept = recorded.tolerated[places]
    if column is None or column.as_of is None or not (edge.late_tolerance is not None or kept.any()):
        return changed, late
    suspects = np.flatnonzero((kept | changed if edge.late_tolerance is not None else kept) & column.present)
    if len(suspects):
        space = parts.setting.spaces[parts.setting.graph.owner[edge.upstream]]
        uid = parts.setting.uids[edge.upstream]
        history = History(edge, uid, space, parts.state.moves.get(edge.upstream))
        made_here = upstream.sequence > 0
        at = micros(parts.as_of)
        history = history.followed_by(upstream.ordinals[made_here], upstream.hashes[made_here], at)
        stamped = recorded.generation[places][suspects]
        judged = Recorded(suspects, column.sums[suspects], column.as_of[suspects], kept[suspects], stamped)
        view = UpstreamView(
            parts.existing(parts.setting.graph.owner[edge.upstream]), upstream.ordinals, upstream.hashes
        )
        verdict = history.judge(signature.existing, view, judged)
        changed[suspects] = verdict.stale | verdict.late if parts.include_late else verdict.stale
        late[suspects] = verdict.late & (not parts.include_late)
    return changed, late


def _at(column: InputColumn, places: Integers) -> InputColumn:
    as_of = None if column.as_of is None else column.as_of[places]
    return InputColumn(column.sums[places], column.present[places], as_of)
