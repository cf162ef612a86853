"""``wipe``: taking partitions out of what is published, as one publication."""

from __future__ import annotations

import numpy as np

from assetflow.errors import UsageError
from assetflow.execution.repointing import Moved, Moves
from assetflow.keys import AssetKey
from assetflow.partitions.sets import PartitionSet
from assetflow.planner.staleness import Assessment
from assetflow.publish.setting import Setting


def wipe(
    assessment: Assessment, setting: Setting, asset: AssetKey, partitions: PartitionSet | None, reason: str
) -> Moved:
    """Withdraw what is published of some partitions (None: all), and forget their failures.

    Versions stay until gc; they are not published again because code and inputs are the same. Raises UsageError and
    PublishConflict.
    """
    if setting.graph.node_of(asset).kind == "source":
        raise UsageError(f"{asset} is a source: what it was observed to be cannot be wiped")
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say why it is wiped; it is kept with the event")
    pointers = setting.reader.pointers(setting.environment, setting.uids[asset])
    failures = assessment.world.state.failures.get(asset)
    known = pointers.ordinals if failures is None else np.union1d(pointers.ordinals, failures.ordinals)
    space = setting.spaces[setting.graph.owner[asset]]
    known = known[space.has(known)]
    chosen = known if partitions is None else (PartitionSet.from_ordinals(known) & partitions).array()
    moves = Moves(assessment, setting)
    if len(chosen):
        moves.withdraw(asset, chosen, "wiped", reason, forget=True)
    return moves.publish()
