"""``doctor``: whether definitions, store and data files are whole, and what dead processes left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from assetflow.keys import VersionId, format_address
from assetflow.partitions.spaces import PartitionSpace
from assetflow.publish.recovery import clear, find_leftovers
from assetflow.wiring import refresh_projections

if TYPE_CHECKING:
    from assetflow.project import Project

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that doctor looked at; ``cleaned`` when it was wrong and is not any more."""

    level: Literal["ok", "info", "warning", "error"]
    subject: str
    message: str
    hint: str | None = None
    cleaned: bool = False


def diagnose(project: Project) -> list[Finding]:
    """Look at everything; cleans what is safe to clean: stages and runs of dead processes, lagging projections."""
    leftovers = find_leftovers(project.store.reader)
    if leftovers:
        clear(leftovers, project.storage, project.store.reader, project.store.writer, project.clock)
    findings = [
        Finding("ok", "definitions", f"{len(project.graph.owner)} assets, {len(project.graph.nodes)} computations"),
        *_untracked(project),
        *_store(project),
    ]
    if leftovers:
        stages, runs = len(leftovers.stages), len(leftovers.runs)
        message = f"{stages} half-written versions and {runs} runs of dead processes were cleared"
        findings.append(Finding("info", "recovery", message, cleaned=True))
    findings += _files(project)
    return findings


def _untracked(project: Project) -> Iterator[Finding]:
    for name, sentences in project.code.untracked.items():
        hint = "give it code_version=, or write it so that it can be followed"
        yield Finding("info", name, f"not followed by its code version: {'; '.join(sentences)}", hint)


def _store(project: Project) -> Iterator[Finding]:
    problems = project.store.reader.integrity()
    if not problems:
        yield Finding("ok", "store", "whole")
    for problem in problems:
        yield Finding("error", "store", problem, "restore the store's file from a backup, or rebuild into a new one")
    for advice in project.store.reader.advice():
        yield Finding("info", "store", advice)


def _files(project: Project) -> Iterator[Finding]:
    """Every published version has its files in their recorded size; projections are brought up to the pointers."""
    setting = project.setting
    checked = 0
    for asset in project.graph.owner:
        node = project.graph.node_of(asset)
        if node.kind == "source":
            continue
        lost: list[str] = []
        space = setting.spaces[node.name]
        pointers = setting.reader.pointers(setting.environment, setting.uids[asset])
        records = setting.reader.versions([VersionId(version) for version in pointers.version.tolist()])
        for record in records.values():
            checked += 1
            folder = project.storage.folder(record.location) if record.location else None
            for file in record.files:
                path = folder / file.name if folder else None
                if path is None or not path.is_file() or path.stat().st_size != file.size:
                    lost.append(format_address(asset, _key(space, record.ordinal)))
                    break
        if lost:
            more = f" (+{len(lost) - _SHOWN} more)" if len(lost) > _SHOWN else ""
            yield Finding(
                "error",
                asset,
                f"the data files of {', '.join(lost[:_SHOWN])}{more} are missing or cut short",
                f"assetflow materialize --select {asset} --force",
            )
    refresh_projections(setting)
    yield Finding("ok", "storage", f"{checked} published versions looked at")


def _key(space: PartitionSpace, ordinal: int) -> str | None:
    try:
        return space.key(ordinal)
    except (KeyError, ValueError):
        return f"#{ordinal}"
