"""Moving what is current of an opened project, from arguments as users give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetflow.errors import InvalidPartition, UsageError
from assetflow.execution.overriding import publish_refused
from assetflow.execution.repointing import Moved
from assetflow.execution.rollbacks import roll_back, roll_back_run, roll_back_to
from assetflow.execution.wiping import wipe
from assetflow.keys import AssetKey, VersionId, format_address, parse_range
from assetflow.partitions.sets import PartitionSet
from assetflow.publish.moments import AsOf, generation_of
from assetflow.publish.setting import Setting

if TYPE_CHECKING:
    from assetflow.opening.workspace import Workspace

Partition = str | tuple[str, str] | None
"""A key, a range ``A...B`` or ``(A, B)``, or all."""


def rolled_back(
    workspace: Workspace,
    asset: AssetKey | None,
    partition: Partition,
    *,
    to: int | None,
    as_of: AsOf | None,
    run: str | None,
    with_downstream: bool,
    reason: str | None,
) -> Moved:
    """Go back to a version, a moment, or before a run: exactly one of them. Raises as these do."""
    given = [name for name, value in (("to", to), ("as_of", as_of), ("run", run)) if value is not None]
    if len(given) != 1:
        told = f"both {given[0]} and {given[1]} are given" if given else "it does not say where to"
        raise UsageError(f"rollback: {told}", hint="give a version, a moment (as-of), or a run: one of them")
    if run is not None:
        if asset is not None:
            raise UsageError(
                f"a run is rolled back with all that it published, not {asset} alone",
                hint="leave the asset out, or roll the asset back to a version or a moment",
            )
        assessment = workspace.assessed("*", None)
        return roll_back_run(assessment, workspace.setting, run, with_downstream=with_downstream, reason=reason)
    if asset is None:
        raise UsageError("rollback: it does not say which asset", hint="name an asset, or a run")
    setting = workspace.setting
    assessment = workspace.assessed(f"{asset}+", None)
    if to is not None:
        if isinstance(partition, tuple) or (partition is not None and "..." in partition):
            raise UsageError(
                f"version {to} is of one partition, and {asset} is to be rolled back for a range of them",
                hint=f"say when they were right: assetflow rollback {asset}@A...B --as-of TIME or GENERATION",
            )
        return roll_back(
            assessment,
            setting,
            asset,
            partition,
            VersionId(to),
            with_downstream=with_downstream,
            reason=reason,
        )
    assert as_of is not None
    generation = generation_of(setting.reader, as_of, setting.clock())
    chosen = partitions_of(setting, asset, partition)
    return roll_back_to(assessment, setting, asset, chosen, generation, with_downstream=with_downstream, reason=reason)


def published(workspace: Workspace, version: int, *, override: bool, reason: str) -> Moved:
    """Publish a version that checks refused."""
    assessment = workspace.assessed("*", None)
    return publish_refused(assessment, workspace.setting, VersionId(version), override=override, reason=reason)


def wiped(workspace: Workspace, asset: AssetKey, partition: Partition, *, reason: str) -> Moved:
    """Take partitions out of what is published."""
    setting = workspace.setting
    chosen = partitions_of(setting, asset, partition)
    return wipe(workspace.assessed(asset, None), setting, asset, chosen, reason)


def partitions_of(setting: Setting, asset: AssetKey, partition: Partition) -> PartitionSet | None:
    """The partitions that are meant; None for all. Raises InvalidPartition."""
    if partition is None:
        return None
    space = setting.spaces[setting.graph.owner[asset]]
    if isinstance(partition, tuple):
        first, last = partition
    else:
        first, last = parse_range(partition) if "..." in partition else (partition, partition)
    try:
        found = space.within(first) if first == last else space.between(first, last)
    except InvalidPartition as error:
        raise InvalidPartition(f"{asset}: {error.message}", hint=error.hint) from None
    if found is None:
        told = first if first == last else f"{first}...{last}"
        raise InvalidPartition(
            f"{format_address(asset, None)} has no partition {told}", hint=f"assetflow versions {asset}"
        )
    return found
