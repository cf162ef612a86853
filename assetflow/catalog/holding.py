"""What runs hold at the moment: asset partitions under leases, and slots of pools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from assetflow.catalog.naming import PartitionNames
from assetflow.publish.setting import Setting
from assetflow.store.leases import LeaseRecord


def holds_of(leases: Sequence[LeaseRecord], run_id: str) -> int:
    """How many asset partitions a run holds."""
    held = [lease.claims for lease in leases if lease.run_id == run_id and lease.live]
    return sum(len(partitions) for claims in held for partitions in claims.values())


def holding_of(setting: Setting, names: PartitionNames, run_id: str) -> dict[str, object]:
    """What one run holds, asset by asset and slot by slot, as part of its document."""
    leases = [lease for lease in setting.reader.leases() if lease.run_id == run_id and lease.live]
    fences = {lease.fence for lease in leases}
    slots = [
        {
            "pool": slot.pool,
            "step": slot.step,
            "weight": slot.weight,
            "asked_at": slot.asked_at.isoformat(),
            "granted_at": slot.granted_at.isoformat() if slot.granted_at else None,
        }
        for slot in setting.reader.slots()
        if slot.fence in fences
    ]
    return {"held": [row for lease in leases for row in _rows(setting, names, lease)], "slots": slots}


def _rows(setting: Setting, names: PartitionNames, lease: LeaseRecord) -> Iterator[dict[str, object]]:
    assets = {uid: asset for asset, uid in setting.uids.items()}
    for uid, partitions in lease.claims.items():
        if uid not in assets or not partitions:
            continue
        ends = np.array(partitions.ranges(), np.int64)
        firsts, lasts = (names.keys(assets[uid], ends[:, side], uid) for side in (0, 1))
        partitioned = setting.graph.node_of(assets[uid]).partitions is not None
        yield {
            "asset": assets[uid],
            "count": len(partitions),
            "ranges": [list(pair) for pair in zip(firsts, lasts, strict=True)] if partitioned else None,
            "until": lease.expires_at.isoformat(),
            "fence": lease.fence,
        }
