"""A project opened: definitions, code, store, storage and formats wired together, and what one can ask of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from assetflow.definitions.collect import Definitions, collect
from assetflow.definitions.inputs import AssetRef
from assetflow.errors import PlanOutdated
from assetflow.graph import AssetGraph
from assetflow.keys import DEFAULT_ENVIRONMENT
from assetflow.opening.loading import working_in
from assetflow.opening.workspace import Workspace
from assetflow.planner.explain import Explanation, explain
from assetflow.planner.freshness import conditions_of
from assetflow.planner.planning import plan_from
from assetflow.planner.selection import parse_selection
from assetflow.planner.targets import choose
from assetflow.publish.limits import NORMAL, limits_of
from assetflow.store.interface import Store

if TYPE_CHECKING:
    from assetflow.catalog import Catalog
    from assetflow.catalog.comparing import Comparison
    from assetflow.catalog.status import Status
    from assetflow.execution.options import RunOptions
    from assetflow.execution.result import Listener
    from assetflow.execution.sources import Sources
    from assetflow.opening.code import ProjectCode
    from assetflow.opening.going_back import Partition
    from assetflow.opening.live import LiveProject
    from assetflow.planner.facts import World
    from assetflow.planner.plan import Plan
    from assetflow.planner.staleness import Assessment
    from assetflow.planner.state import State
    from assetflow.publish.diagnosis import Finding
    from assetflow.publish.folders import Storage
    from assetflow.publish.moments import AsOf
    from assetflow.publish.retention import Retention
    from assetflow.publish.setting import Setting
    from assetflow.results import Result

Partitions = str | Sequence["str | tuple[str, str]"] | None


class Project:
    """Declared assets with their store and storage. Use it as a context manager, or :meth:`close` it.

    Without ``store`` and ``storage`` both live in a temporary folder that goes away on closing. ``clock`` gives aware
    datetimes. ``lease_seconds`` is how long a run that stands still keeps others from its partitions; ``pools`` limits,
    by pool, what runs at once.

    >>> from assetflow import asset
    >>> @asset(code_version="1")
    ... def answer() -> int:
    ...     return 42
    >>> with Project([answer]) as project:
    ...     project.materialize().counts["materialized"], project.load("answer")
    (1, 42)
    """

    def __init__(
        self,
        defs: Definitions | object,
        *,
        store: str | None = None,
        storage: str | Path | None = None,
        environment: str = DEFAULT_ENVIRONMENT,
        root: str | Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        lease_seconds: float = NORMAL.lease_seconds,
        pools: Mapping[str, int] | None = None,
        retention: Retention | None = None,
    ) -> None:
        self.root = Path(root).absolute() if root is not None else Path.cwd()
        self.name = self.root.name
        self.environment = environment
        self.clock = clock
        self._workspace = Workspace(
            collect(defs),
            store=store,
            storage=None if storage is None else str(storage),
            environment=environment,
            root=self.root,
            clock=clock,
            limits=limits_of(lease_seconds, pools),
            retention=retention,
        )
        self.graph: AssetGraph = self._workspace.graph
        self.managers = self._workspace.managers

    @classmethod
    def open(cls, path: str | Path | None = None) -> Self:
        """Open the project at or above ``path`` (default: the working directory).

        Raises ProjectError for its configuration and DefinitionErrors for its definitions.
        """
        from assetflow.opening.loading import load_project

        sources, config, definitions = load_project(path)
        root = sources.root
        with working_in(root):
            project = cls(
                definitions,
                store=config.store,
                storage=config.storage,
                environment=config.environment,
                root=root,
                lease_seconds=config.lease_seconds,
                pools=config.pools,
                retention=config.retention,
            )
        project._workspace.loaded_from(sources, config.definitions, config.executors)
        return project

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store; a temporary project is deleted."""
        self._workspace.close()

    def close_when_dropped(self) -> None:
        """Close once nothing refers to the project any more, at the latest when the process ends."""
        weakref.finalize(self, self._workspace.close)

    def plan(
        self,
        select: str = "*",
        partitions: Partitions = None,
        *,
        now: datetime | None = None,
        force: bool = False,
        due: bool = False,
        workers: int | None = None,
        retry_failed: bool = True,
        include_late: bool = False,
        observe: bool = True,
        strict_observe: bool = False,
    ) -> Plan:
        """What is stale in a selection, why, and what would run; ``now`` decides which partitions exist.

        ``due``: only what freshness policies need. ``workers`` (default: one) is for how long all of it would take.
        ``include_late``: with the data that edges tolerate to be late.

        Raises InvalidSelection, UnknownAsset and InvalidPartition.
        """
        notes = self._workspace.observed(select, observe=observe, strict=strict_observe)
        assessment = self._workspace.assessed(select, now, include_late=include_late)
        plan = plan_from(
            assessment,
            selection=select,
            partitions=partitions or (),
            force=force,
            due=due,
            retry_failed=retry_failed,
            notes=notes,
        )
        plan = self._workspace.estimated(plan, assessment, workers)
        return replace(plan, evidence=self._workspace.evidence())

    def live(self, before: LiveProject | None = None) -> LiveProject:
        """The project's planner as a long-lived object: a second plan costs what has changed since the first.

        ``before`` is one of an earlier load of the project, which goes on with the definitions and code of this one.
        """
        from assetflow.opening.live import LiveProject

        if before is None:
            return LiveProject(self._workspace)
        before.follow(self._workspace)
        return before

    def materialize(
        self,
        select: str = "*",
        partitions: Partitions = None,
        *,
        force: bool = False,
        due: bool = False,
        executor: str | None = None,
        workers: int | None = None,
        fail_fast: bool = False,
        priority: int = 0,
        now: datetime | None = None,
        retry_failed: bool = True,
        include_late: bool = False,
        observe: bool = True,
        strict_observe: bool = False,
        on_event: Listener | None = None,
        trigger: str = "api",
        plan_id: str | None = None,
    ) -> Result:
        """Plan and run: build what is missing or stale (``due``: what freshness needs), check it, publish it.

        ``executor`` (default: ``"inline"``) says where steps run; ``fail_fast`` begins nothing new after a failure;
        ``priority``, from -100 to 100, says who goes first where pools are full.
        A failure of user code is in the result. Raises as :meth:`plan`, and StoreError and StorageError; PlanOutdated
        where ``plan_id`` is given and what would run is not that plan any more.
        """
        options = self._workspace.run_options(executor, workers, fail_fast=fail_fast, priority=priority)
        notes = self._workspace.observed(select, observe=observe, strict=strict_observe)

        def planned(assessment: Assessment) -> Plan:
            return plan_from(
                assessment,
                selection=select,
                partitions=partitions or (),
                force=force,
                due=due,
                retry_failed=retry_failed,
                notes=notes,
            )

        return self._run(select, planned, now, on_event, trigger, options, include_late=include_late, plan_id=plan_id)

    def retry(
        self,
        run_id: str,
        *,
        everything: bool = False,
        executor: str | None = None,
        workers: int | None = None,
        fail_fast: bool = False,
        priority: int = 0,
        observe: bool = True,
        strict_observe: bool = False,
        on_event: Listener | None = None,
        trigger: str = "api",
    ) -> Result:
        """Try again what a run was to do and did not: what failed, was quarantined, blocked or canceled, or waited.

        The partitions are those of then, as are those that exist, dynamic ones too; code and inputs are those of now,
        and what is up to date meanwhile is skipped. ``everything``: what succeeded too, where it is stale now. Raises
        UsageError for a run that there is not, or that cannot be tried again, and as :meth:`materialize`.
        """
        from assetflow.execution.retrying import RunToRetry

        options = self._workspace.run_options(executor, workers, fail_fast=fail_fast, priority=priority)
        earlier = RunToRetry(self.setting, run_id, everything=everything)
        select = earlier.selection(self.graph)
        observe = observe and select is not None
        notes = self._workspace.observed(select or "*", observe=observe, strict=strict_observe)

        def planned(assessment: Assessment) -> Plan:
            return earlier.plan(assessment, notes)

        late, as_of, known = earlier.recorded.include_late, earlier.recorded.as_of, earlier.known
        chosen = select or "*"
        return self._run(chosen, planned, as_of, on_event, trigger, options, include_late=late, known=known)

    def _run(
        self,
        select: str,
        planned: Callable[[Assessment], Plan],
        now: datetime | None,
        on_event: Listener | None,
        trigger: str,
        options: RunOptions,
        *,
        include_late: bool,
        known: Callable[[State], State] | None = None,
        plan_id: str | None = None,
    ) -> Result:
        from assetflow.execution.loop import run_plan
        from assetflow.results import Result

        def made(as_of: datetime | None) -> tuple[Plan, World]:
            assessment = self._workspace.assessed(select, as_of, include_late=include_late, known=known)
            plan = planned(assessment)
            if on_event is not None or options.workers > 1:
                plan = self._workspace.estimated(plan, assessment, options.workers)
            return plan, assessment.world

        def again() -> tuple[Plan, State]:
            latest, world = made(plan.as_of)
            return latest, world.state

        plan, world = made(now)
        if plan_id is not None and plan.plan_id != plan_id:
            raise PlanOutdated(
                f"plan {plan_id} is outdated: what would run now is plan {plan.plan_id}",
                plan=plan.to_dict(),
                hint="look at the new plan, and start that one",
            )
        setting = replace(self.setting, spaces=world.spaces)
        with working_in(self.root):
            run = run_plan(
                plan, world.state, setting, trigger=trigger, listener=on_event, replan=again, options=options
            )
        return Result(run, self)

    def why(
        self,
        asset: AssetRef,
        partition: str | None = None,
        *,
        now: datetime | None = None,
        observe: bool = True,
        strict_observe: bool = False,
    ) -> Explanation:
        """The state of an asset, or of one partition, with its causes. Raises UnknownAsset and InvalidPartition."""
        from assetflow.catalog.reading import override_notes

        key = self.graph.require(asset)
        notes = self._workspace.observed(key, observe=observe, strict=strict_observe)
        assessment = self._workspace.assessed(key, now)
        found = explain(assessment, key, partition, self._workspace.evidence())
        return replace(found, notes=(*notes, *override_notes(self.store.reader, found.version)))

    def status(
        self,
        select: str = "*",
        *,
        now: datetime | None = None,
        observe: bool = True,
        strict_observe: bool = False,
    ) -> Status:
        """Counts by state, watermarks and last materializations. Raises InvalidSelection and UnknownAsset."""
        from assetflow.catalog.status import status_of

        notes = self._workspace.observed(select, observe=observe, strict=strict_observe)
        assessment = self._workspace.assessed(select, now)
        chosen = choose(parse_selection(select), self.graph, conditions_of(assessment)).selected
        heads = self.store.reader.heads(self.setting.environment)
        assets = {uid: asset for asset, uid in self.setting.uids.items()}
        by_asset = {assets[uid]: head for uid, head in heads.items() if uid in assets}
        names = [name for name in assessment.facts if name in chosen]
        return status_of(assessment, names, by_asset, notes)

    def load(
        self,
        asset: AssetRef,
        partition: str | None = None,
        *,
        version: int | None = None,
        as_of: AsOf | None = None,
        as_type: object = None,
    ) -> object:
        """The published value of an asset, of one partition or of all of them together; or of one ``version``.

        ``as_of`` is a generation or a moment with its zone: what was published then. ``as_type`` is an annotation as
        for a parameter: ``pa.Table``, ``dict[str, int]``; None: as it was stored.

        Raises UnknownAsset, InvalidPartition, UnknownVersion, VersionDeleted, DataMissing and DataUnreadable.
        """
        from assetflow.catalog.reading import load_value

        key, hold = self.graph.require(asset), self._workspace.read_leases.hold
        return load_value(self.setting, key, partition, version, as_type, as_of=as_of, hold=hold)

    def versions(self, asset: AssetRef, partition: str | None = None) -> list[dict[str, object]]:
        """The versions of an asset or of one partition, the newest first, as in the versions document."""
        from assetflow.catalog.reading import version_rows

        return version_rows(self.setting, self.graph.require(asset), partition)

    def rollback(
        self,
        asset: AssetRef | None = None,
        partition: Partition = None,
        *,
        to: int | None = None,
        as_of: AsOf | None = None,
        run: str | None = None,
        with_downstream: bool = False,
        reason: str | None = None,
    ) -> dict[str, object]:
        """Publish again, as one publication: a version, what was there as of a moment, or what was there before a run.

        It is held until code or inputs change. Raises UnknownVersion, VersionDeleted, InvalidPartition and UsageError.
        """
        from assetflow.opening.going_back import rolled_back

        key = None if asset is None else self.graph.require(asset)
        found = rolled_back(
            self._workspace,
            key,
            partition,
            to=to,
            as_of=as_of,
            run=run,
            with_downstream=with_downstream,
            reason=reason,
        )
        return found.to_dict()

    def publish(self, version: int, *, reason: str, override: bool = True) -> dict[str, object]:
        """Publish a version that blocking checks refused; who did it, when and why is recorded.

        Raises UnknownVersion, UsageError, and CheckFailed unless ``override``.
        """
        from assetflow.opening.going_back import published

        return published(self._workspace, version, override=override, reason=reason).to_dict()

    def wipe(self, asset: AssetRef, partition: Partition = None, *, reason: str) -> dict[str, object]:
        """Take what is published of an asset, or of some partitions, out of what readers see; versions stay until gc.

        Raises InvalidPartition and UsageError.
        """
        from assetflow.opening.going_back import wiped

        return wiped(self._workspace, self.graph.require(asset), partition, reason=reason).to_dict()

    def accept(self, asset: AssetRef, reason: str) -> dict[str, object]:
        """Take what is published as what today's code and inputs give; the reason is kept."""
        from assetflow.execution.repointing import accept

        key = self.graph.require(asset)
        return accept(self._workspace.assessed(key, None), self.setting, key, reason).to_dict()

    def pin(
        self,
        name: str,
        asset: AssetRef | None = None,
        partition: str | None = None,
        *,
        version: int | None = None,
        as_of: AsOf | None = None,
        reason: str | None = None,
    ) -> dict[str, object]:
        """Keep what is current of an asset partition, a version, or everything as of a moment (default: now).

        Raises UsageError, UnknownVersion, VersionDeleted and InvalidPartition.
        """
        from assetflow.opening.keeping import pin

        key = None if asset is None else self.graph.require(asset)
        return pin(self.setting, name, key, partition, version=version, as_of=as_of, reason=reason)

    def pins(self) -> list[dict[str, object]]:
        """What is pinned, by name."""
        from assetflow.opening.keeping import pins

        return pins(self.setting)

    def unpin(self, name: str) -> dict[str, object]:
        """Let go of a pin. Raises UsageError."""
        from assetflow.opening.keeping import unpin

        return unpin(self.setting, name)

    def gc(self, *, apply: bool = False) -> dict[str, object]:
        """What nothing keeps; with ``apply`` it is marked, and deleted once its grace is over.

        Raises UsageError for what an asset says of its retention.
        """
        from assetflow.opening.collecting import collected

        return collected(self.setting, self._workspace.retention, apply=apply)

    def rename(self, old: str, new: str) -> dict[str, object]:
        """Call an asset by the key that the definitions give it now: all that is recorded of it stays with it.

        Raises UnknownAsset and UsageError.
        """
        from assetflow.opening.keeping import rename

        self.__dict__.pop("catalog", None)
        return rename(self._workspace, old, new)

    def partitions(self, name: str) -> list[str]:
        """The keys of dynamic partitions, in the order in which they were added. Raises UsageError."""
        from assetflow.opening.key_sets import listed

        return listed(self.setting, name)

    def add_partitions(self, name: str, keys: Iterable[str]) -> list[str]:
        """Add keys to dynamic partitions; gives those that are new. Raises UsageError and InvalidPartition."""
        from assetflow.opening.key_sets import add

        return add(self.setting, name, keys)

    def remove_partitions(self, name: str, keys: Iterable[str], *, force: bool = False) -> list[str]:
        """Take keys out of dynamic partitions; gives those that were there. Versions stay, and come back with the key.

        Raises UsageError, InvalidPartition, and PartitionInUse where something refers to one, unless ``force``.
        """
        from assetflow.opening.key_sets import remove

        return remove(self.setting, name, keys, force=force)

    def runs(self, limit: int = 50) -> list[dict[str, object]]:
        """The last runs, the newest first."""
        from assetflow.catalog.reading import run_rows

        return run_rows(self.setting, limit)

    def run(self, run_id: str) -> dict[str, object]:
        """One run with its steps and failures. Raises UsageError for an unknown one."""
        from assetflow.catalog.reading import run_document

        return run_document(self.setting, run_id)

    def cancel(self, run_id: str) -> None:
        """Ask a run, also one of another process, to stop: it does within seconds, between two steps at the latest.

        What it has published stays. Raises UsageError for a run that there is not, or that has ended.
        """
        from assetflow.execution.canceling import cancel_run

        cancel_run(self.setting, run_id)

    def logs(self, run_id: str, step: str | None = None) -> list[dict[str, object]]:
        """The lines that user code printed and logged in a run, or in one asset's step. Raises UsageError."""
        from assetflow.opening.logs import run_lines

        return [line.to_dict() for line in run_lines(self.setting, run_id, step)]

    def explain(
        self, first: str, second: str, asset: AssetRef | None = None, partition: str | None = None
    ) -> Comparison:
        """Why partitions ran in one of two runs and not in the other. Raises UsageError for a run that there is not."""
        from assetflow.catalog.comparing import compare_runs

        return compare_runs(self.setting, first, second, asset, partition)

    def doctor(self) -> list[Finding]:
        """Check definitions, store and storage, and clear what dead processes left."""
        from assetflow.publish.diagnosis import diagnose

        return diagnose(self.setting, self.code.untracked)

    @cached_property
    def catalog(self) -> Catalog:
        """The read side: ``query`` for SQL, ``lineage``."""
        from assetflow.opening.setting import PresentSpaces, catalog_of

        def clock() -> datetime:
            # Asking the project for the time keeps it open, even a temporary one, while its catalog is in use.
            return self.clock()

        return catalog_of(self.setting, PresentSpaces(lambda: self.setting), clock)

    @property
    def sources(self) -> Sources:
        """The files that the project was loaded from, as they were then."""
        return self._workspace.loaded

    @property
    def code(self) -> ProjectCode:
        """The code versions of all computations and checks. Raises DefinitionErrors."""
        return self._workspace.code

    @property
    def store(self) -> Store:
        """The metadata store, created on first use. Raises StoreError."""
        return self._workspace.store

    @property
    def storage(self) -> Storage:
        """Where data files lie."""
        return self._workspace.storage

    @property
    def setting(self) -> Setting:
        """All of it as runs take it, with dynamic partitions as they are at the moment.

        Opening it clears what dead processes left behind.
        """
        return self._workspace.setting

    def state(self) -> State:
        """Everything recorded that a plan depends on, as of the last commit."""
        return self._workspace.state()
