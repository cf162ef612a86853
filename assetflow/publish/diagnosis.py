"""``doctor``: whether definitions, store and data files are whole, and what dead processes left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from assetflow.keys import VersionId, format_address
from assetflow.publish.projection import project_all
from assetflow.publish.recovery import clear, find_leftovers
from assetflow.publish.setting import Setting
from assetflow.store.interface import StoreReader

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that doctor looked at; ``cleaned`` when it was wrong and is not any more."""

    level: Literal["ok", "info", "warning", "error"]
    subject: str
    message: str
    hint: str | None = None
    cleaned: bool = False


def diagnose(setting: Setting, untracked: Mapping[str, tuple[str, ...]]) -> list[Finding]:
    """Look at everything; cleans what is safe to clean: stages and runs of dead processes, lagging projections.

    ``untracked`` says by computation what its code version does not follow.
    """
    leftovers = find_leftovers(setting.reader)
    problems = clear(leftovers, setting.storage, setting.reader, setting.writer, setting.clock) if leftovers else ()
    graph = setting.graph
    findings = [
        Finding("ok", "definitions", f"{len(graph.owner)} assets, {len(graph.nodes)} computations"),
        *_untracked(untracked),
        *_store(setting.reader),
    ]
    findings += [Finding("warning", "recovery", problem.message, problem.hint) for problem in problems]
    stages, runs, leases = len(leftovers.stages) - len(problems), len(leftovers.runs), len(leftovers.leases)
    if leases:
        message = f"{leases} leases that nobody could use any more were removed"
        findings.append(Finding("info", "recovery", message, cleaned=True))
    if stages or runs:
        message = f"{stages} half-written versions and {runs} runs of dead processes were cleared"
        findings.append(Finding("info", "recovery", message, cleaned=True))
    findings += _leases(setting)
    findings += _files(setting)
    return findings


def _untracked(untracked: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    for name, sentences in untracked.items():
        hint = "give it code_version=, or write it so that it can be followed"
        yield Finding("info", name, f"not followed by its code version: {'; '.join(sentences)}", hint)


def _store(reader: StoreReader) -> Iterator[Finding]:
    problems = reader.integrity()
    if not problems:
        yield Finding("ok", "store", "whole")
    for problem in problems:
        yield Finding("error", "store", problem, "restore the store from a backup, or rebuild into a new one")
    for advice in reader.advice():
        yield Finding("info", "store", advice)


def _leases(setting: Setting) -> Iterator[Finding]:
    """Who holds what at the moment."""
    assets = {uid: asset for asset, uid in setting.uids.items()}
    for lease in setting.reader.leases():
        held = {assets.get(uid, "an asset of another project"): len(some) for uid, some in lease.claims.items() if some}
        names = sorted(held)
        more = f" (+{len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
        yield Finding(
            "info",
            "leases",
            f"{lease.holder} holds {sum(held.values())} asset partitions of {', '.join(names[:_SHOWN])}{more}, "
            f"until {lease.expires_at:%H:%M:%S} UTC unless it goes on (process {lease.process.pid} on "
            f"{lease.process.host}, fence {lease.fence})",
        )


def _files(setting: Setting) -> Iterator[Finding]:
    """Every published version has its files in their recorded size; projections are brought up to the pointers."""
    checked = 0
    for asset in setting.graph.owner:
        node = setting.graph.node_of(asset)
        if node.kind == "source":
            continue
        space = setting.spaces[node.name]
        pointers = setting.reader.pointers(setting.environment, setting.uids[asset])
        published = pointers.version[space.has(pointers.ordinals)].tolist()
        records = setting.reader.versions([VersionId(version) for version in published])
        checked += len(records)
        broken = (record for record in records.values() if not setting.storage.holds(record))
        lost = [format_address(asset, space.key(record.ordinal)) for record in broken]
        if lost:
            more = f" (+{len(lost) - _SHOWN} more)" if len(lost) > _SHOWN else ""
            yield Finding(
                "error",
                asset,
                f"the data files of {', '.join(lost[:_SHOWN])}{more} are missing or cut short",
                f"assetflow materialize --select {asset} --force",
            )
    project_all(setting)
    yield Finding("ok", "storage", f"{checked} published versions looked at")
