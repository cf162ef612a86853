"""``publish``: somebody answers for a version that blocking checks refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from assetflow.errors import CheckFailed, DataMissing, UsageError, VersionDeleted
from assetflow.execution.repointing import Moved, Moves
from assetflow.keys import CodeVersion, VersionId, format_address
from assetflow.planner.staleness import Assessment
from assetflow.publish.liveness import this_user
from assetflow.publish.past import OVERRIDDEN
from assetflow.publish.setting import Setting
from assetflow.store.records import CheckRecord, EventRecord, Publication, VersionRecord


def publish_refused(
    assessment: Assessment, setting: Setting, version: VersionId, *, override: bool, reason: str
) -> Moved:
    """Publish a version although blocking checks refused it; who, when, why and which checks are recorded.

    It keeps the code and inputs that it was made from. From then on those results warn; a changed check judges anew.
    Raises CheckFailed without ``override``, UnknownVersion, UsageError, DataMissing and PublishConflict.
    """
    record = setting.reader.version(version)
    place = _place(setting, record)
    current = setting.reader.pointers(setting.environment, record.uid)
    (at,) = np.nonzero(current.ordinals == record.ordinal)
    standing = int(current.generation[at[0]]) if len(at) else 0
    is_current = len(at) > 0 and int(current.version[at[0]]) == version
    results = [result for result in setting.reader.check_results([version]) if _refuses(result)]
    if record.state == "deleted":
        raise VersionDeleted(
            f"{place}: version {version} was deleted by gc: it was not published in time",
            hint="materialize it again; [tool.assetflow.retention] quarantined says how long such versions are kept",
        )
    if record.state != "quarantined" and not (is_current and results):
        told = "is what is published" if is_current else f"is {record.state}"
        hint = "nothing stands in its way" if is_current else f"assetflow rollback {place} --to {version}"
        raise UsageError(f"version {version} of {place} {told}: no check refuses it", hint=hint)
    if not override:
        raise CheckFailed(
            f"version {version} of {place} was refused by {_told(results)}",
            hint=f"if it is right all the same: assetflow publish {version} --override --reason TEXT",
        )
    if not reason.strip():
        raise UsageError("the reason is empty", hint="say why it is published although a check refused it")
    if not setting.storage.holds(record):
        raise DataMissing(
            f"{place}: the files of version {version} are missing or cut short", hint="materialize it again"
        )
    moves = Moves(assessment, setting)
    now, by = setting.clock(), this_user()
    told = {"by": by, "at": now.isoformat(), "reason": reason}
    checks = tuple(
        replace(result, severity="warn", metadata={**result.metadata, OVERRIDDEN: told}) for result in results
    )
    payload = {"version": version, "by": by, "reason": reason, "checks": sorted({check.name for check in results})}
    event = EventRecord(now, "overridden", record.asset, record.ordinal, record.run_id, payload, record.uid)
    moves.add(_publication(setting, record, standing, checks, reason), record, event)
    return moves.publish()


def _publication(
    setting: Setting, record: VersionRecord, expected: int, checks: tuple[CheckRecord, ...], reason: str
) -> Publication:
    """Of the version as it was made."""
    reader = setting.reader
    rows = reader.derivations_of(record.version)
    made = rows[-1]
    return Publication(
        environment=setting.environment,
        asset=record.asset,
        uid=record.uid,
        ordinal=record.ordinal,
        kind="computed",
        version=record.version,
        data_hash=record.data_hash,
        empty=record.empty,
        code=CodeVersion(made.code) if made.code else None,
        key=made.key,
        inputs=reader.inputs_of(made.derivation),
        expected_generation=expected,
        run_id=made.run_id,
        created_at=made.created_at,
        reason=reason,
        checks=checks,
        partition=_key(setting, record),
    )


def _refuses(result: CheckRecord) -> bool:
    return result.blocking and not result.passed and result.severity == "error"


def _told(results: Sequence[CheckRecord]) -> str:
    if not results:
        return "a check of what it was made together with"
    told = [f"{result.name}{_details(result)}" for result in results]
    return f"the blocking check {told[0]}" if len(told) == 1 else f"the blocking checks {', '.join(told)}"


def _details(result: CheckRecord) -> str:
    if result.error:
        return f" ({result.error.splitlines()[0]})"
    shown = ", ".join(f"{name}={value!r}" for name, value in result.metadata.items())
    return f" ({shown})" if shown else ""


def _place(setting: Setting, record: VersionRecord) -> str:
    """The address. Raises UsageError where the version cannot be published as things are declared now."""
    asset = record.asset
    if asset not in setting.graph.owner:
        raise UsageError(f"version {record.version} is one of {asset}, which is not declared any more")
    if setting.graph.node_of(asset).kind == "source":
        raise UsageError(f"{asset} is a source: its versions are observed, not published")
    space = setting.spaces[setting.graph.owner[asset]]
    if record.uid != setting.uids[asset] or not space.has(np.array([record.ordinal], np.int64)).all():
        raise UsageError(
            f"version {record.version} is of a partition that {asset} no longer has",
            hint=f"see `assetflow versions {asset}`",
        )
    return format_address(asset, space.key(record.ordinal))


def _key(setting: Setting, record: VersionRecord) -> str | None:
    return setting.spaces[setting.graph.owner[record.asset]].key(record.ordinal)
