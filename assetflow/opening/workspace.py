"""Definitions bound to a store and a storage: each part is opened when it is first asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from assetflow.definitions.collect import Definitions
from assetflow.errors import UsageError
from assetflow.execution.sources import Sources
from assetflow.fingerprint.sources import project_predicate
from assetflow.graph import AssetGraph, build_graph
from assetflow.keys import DEFAULT_ENVIRONMENT, AssetKey, is_environment_name
from assetflow.opening.executors import ExecutorSettings
from assetflow.opening.loading import working_in
from assetflow.partitions.sets import Ints
from assetflow.planner.data_times import ageing_assets
from assetflow.planner.selection import parse_selection
from assetflow.planner.staleness import Assessment, assess
from assetflow.planner.targets import choose
from assetflow.planner.tolerance import tolerant_edges
from assetflow.publish.limits import NORMAL, Limits, check_pools, checked_priority
from assetflow.publish.registry import Managers, check_managers
from assetflow.store.interface import Store

if TYPE_CHECKING:
    from assetflow.execution.executors.setup import WorkerCode
    from assetflow.execution.options import RunOptions
    from assetflow.opening.code import ProjectCode
    from assetflow.planner.changes import Changes
    from assetflow.planner.evidence import Evidence
    from assetflow.planner.plan import Plan
    from assetflow.planner.state import Codes, State
    from assetflow.publish.folders import Storage
    from assetflow.publish.read_leases import ReadLeases
    from assetflow.publish.retention import Retention
    from assetflow.publish.setting import Setting


class Workspace:
    """What a project is made of. Without ``store`` and ``storage``, both are temporary until :meth:`close`.

    Raises UsageError, and DefinitionErrors for the definitions.
    """

    def __init__(
        self,
        definitions: Definitions,
        *,
        store: str | None,
        storage: str | None,
        environment: str,
        root: Path,
        clock: Callable[[], datetime],
        limits: Limits = NORMAL,
        retention: Retention | None = None,
    ) -> None:
        self.retention = retention
        self._closing = ExitStack()
        if (store is None) != (storage is None):
            given, lacking = ("storage", "store") if store is None else ("store", "storage")
            raise UsageError(
                f"Project({given}=...) needs {lacking}= too: versions are recorded in the one and lie in the other",
                hint="give both, or neither for a temporary project",
            )
        if not is_environment_name(environment):
            raise UsageError(
                f"environment={environment!r} is no name for an environment",
                hint="letters, digits, '_' and '-', at most 63 of them, the first no digit",
            )
        self.root = root
        self.environment = environment
        self.clock = clock
        self.limits = limits
        self._store_url, self._storage_url = store, storage
        self.graph: AssetGraph = build_graph(definitions)
        self.definitions = definitions
        self.loaded, self._target = Sources(root, [root / ".assetflow"]), cast("str | None", None)
        self._executors = ExecutorSettings()
        self._dynamic = self.graph.dynamic_names()
        self._keyed: tuple[Mapping[str, Ints], Setting] | None = None
        self.managers = Managers(definitions.io_managers)
        other = None if environment == DEFAULT_ENVIRONMENT else environment
        check_managers(self.graph, self.managers, temporary=store is None, environment=other)
        check_pools(self.graph, limits)

    def loaded_from(self, sources: Sources, target: str, executors: ExecutorSettings) -> None:
        """Remember what the definitions were imported from, and the project's settings for runs."""
        self.loaded, self._target, self._executors = sources, target, executors

    def run_options(self, executor: str | None, workers: int | None, *, fail_fast: bool, priority: int) -> RunOptions:
        """How a run is carried out that is asked to use an executor. Raises UsageError."""
        from assetflow.execution.options import RunOptions
        from assetflow.opening.executors import chosen_executor

        chosen = chosen_executor(executor, workers, self._executors, self.worker_code)
        urgency = checked_priority(priority)
        return RunOptions(chosen.make, fail_fast, name=chosen.name, workers=chosen.workers, priority=urgency)

    def worker_code(self) -> WorkerCode:
        """What worker processes need to have the same definitions. Raises UsageError."""
        from assetflow.opening.workers import check_cross_process, worker_code

        check_cross_process(self.graph, self.managers)
        return worker_code(self.definitions, self._target, self.loaded)

    def close(self) -> None:
        """Let go of the store; what is temporary is deleted."""
        self._closing.close()

    @cached_property
    def code(self) -> ProjectCode:
        """The code versions of all computations and checks. Raises DefinitionErrors."""
        from assetflow.opening.code import project_code

        with working_in(self.root):
            inside = project_predicate(self.root, [self.root / ".assetflow", self.storage.root])
            return project_code(self.graph, inside, self.loaded.text)

    @cached_property
    def store(self) -> Store:
        """The metadata store, created on first use. Raises StoreError."""
        from assetflow.opening.setting import store_of

        store = store_of(self._url, self.root, self.clock)
        self._closing.callback(store.close)
        return store

    @cached_property
    def storage(self) -> Storage:
        """Where data files lie."""
        from assetflow.publish.folders import open_storage

        return open_storage(self._storage_url or str(self._temporary / "data"), relative_to=self.root)

    def reopen(self) -> None:
        """Ask the store anew for the ids of assets, after one was renamed."""
        self.__dict__.pop("_opened", None)
        self._keyed = None

    @cached_property
    def read_leases(self) -> ReadLeases:
        """What was handed out to be read lazily; given back on closing."""
        from assetflow.publish.read_leases import ReadLeases

        assert self.store  # opened first, for it is closed last
        leases = ReadLeases(lambda: self.setting)
        self._closing.callback(leases.release)
        return leases

    @property
    def setting(self) -> Setting:
        """All of it as runs take it, with dynamic partitions as they are at the moment."""
        if not self._dynamic:
            return self._opened
        opened = self._opened
        present = opened.reader.dynamic()
        before = self._keyed
        # The reader gives the same array until a set changes.
        if before is None or any(present.get(name) is not before[0].get(name) for name in self._dynamic):
            from assetflow.opening.setting import with_present_keys

            before = self._keyed = (present, with_present_keys(opened, present))
        return before[1]

    @cached_property
    def _opened(self) -> Setting:
        """Opening it clears what dead processes left behind."""
        from assetflow.opening.setting import logs_folder, setting_of

        return setting_of(
            self.graph,
            self.code,
            store=self.store,
            storage=self.storage,
            managers=self.managers,
            environment=self.environment,
            clock=self.clock,
            limits=self.limits,
            logs=logs_folder(self._url, self.root),
        )

    @property
    def _url(self) -> str:
        return self._store_url or f"sqlite:///{self._temporary / 'store.db'}"

    @cached_property
    def _temporary(self) -> Path:
        return Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="assetflow-")))

    def observed(self, select: str, *, observe: bool, strict: bool = False) -> tuple[str, ...]:
        """Ask the sources upstream of a selection; gives sentences for people. Raises in the strict case."""
        if not observe:
            return ()
        from assetflow.execution.observe import observe_upstream

        with working_in(self.root):
            return observe_upstream(self.setting, parse_selection(select), strict=strict)

    def assessed(
        self,
        select: str,
        now: datetime | None,
        *,
        include_late: bool = False,
        known: Callable[[State], State] | None = None,
    ) -> Assessment:
        """The assessment of a selection and its upstreams; ``now`` None: by the clock. Raises UsageError.

        ``known`` gives what shall be gone by of what is recorded; None: all of it.
        """
        setting = self.setting
        selection = parse_selection(select)
        only = None if selection.needs_states else choose(selection, self.graph, {}).every
        moment = checked_moment(now) or self.clock()
        state = self.state() if known is None else known(self.state())
        return assess(self.graph, state, setting.codes, moment, only=only, include_late=include_late)

    def estimated(self, plan: Plan, assessment: Assessment, workers: int | None) -> Plan:
        """The plan with what its steps are expected to cost, judged by the store's past. Raises UsageError."""
        from assetflow.planner.estimates import estimated
        from assetflow.planner.history import asked_of

        number = 1 if workers is None else workers
        if number < 1:
            raise UsageError(f"workers={number} is no whole number from 1 on", hint="leave it out for one worker")
        asked = asked_of(plan, self.graph, assessment.world.state)
        attempts = self.store.reader.attempts(asked.computed, asked.checked)
        return estimated(plan, assessment, attempts, workers=number)

    def evidence(self) -> Evidence:
        """The past, for explanations."""
        from assetflow.catalog.evidence import StoreEvidence

        return StoreEvidence(self.setting)

    def state(self) -> State:
        """Everything recorded that a plan depends on, as of the last commit."""
        setting = self.setting
        return setting.reader.read_state(
            setting.environment,
            list(self.graph.owner),
            setting.codes,
            sources=self.sources(),
            verified=ageing_assets(self.graph),
            tolerant=tolerant_edges(self.graph),
            uids=setting.uids,
        )

    def changes_since(self, state: State, *, earlier: Codes | None = None) -> Changes:
        """What was recorded after a state of this project; ``earlier`` is the code that it was read for, if another."""
        setting = self.setting
        return setting.reader.changes_since(
            state,
            setting.environment,
            list(self.graph.owner),
            setting.codes,
            sources=self.sources(),
            verified=ageing_assets(self.graph),
            uids=setting.uids,
            earlier=earlier,
        )

    def shares_store(self, other: Workspace) -> bool:
        """Whether another workspace is of the same store and environment; a temporary store is nobody else's."""
        place = (self._store_url, self.root, self.environment)
        return self is other or (
            self._store_url is not None and place == (other._store_url, other.root, other.environment)
        )

    def sources(self) -> list[AssetKey]:
        """What others produce and this project observes."""
        return [key for node in self.graph.nodes.values() if node.kind == "source" for key in node.outputs]


def checked_moment(now: datetime | None) -> datetime | None:
    """The same moment. Raises UsageError for one without a time zone."""
    if now is not None and now.tzinfo is None:
        raise UsageError(f"now={now.isoformat()} has no time zone", hint="write datetime(..., tzinfo=UTC)")
    return now
