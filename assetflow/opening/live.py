"""A project whose plan is kept: a question costs what has happened since the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from assetflow.definitions.inputs import AssetRef
from assetflow.opening.workspace import Workspace, checked_moment
from assetflow.planner.data_times import ageing_assets
from assetflow.planner.explain import Explanation, explain
from assetflow.planner.holdings import needs_everything
from assetflow.planner.incremental import LivePlanner
from assetflow.planner.plan import Plan

Partitions = str | Sequence["str | tuple[str, str]"] | None


class LiveProject:
    """Plans of a project, each equal to that of :meth:`Project.plan`; the planner's arrays stay in memory between them.

    Before each answer it reads what any process has committed since the last. Not for several threads at once, and not
    after the project is closed.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._planner: LivePlanner | None = None

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
        estimate: bool = False,
        observe: bool = True,
        strict_observe: bool = False,
    ) -> Plan:
        """What would run, as :meth:`Project.plan`; what its steps are expected to take, with ``estimate`` only.

        The plan of everything costs what is not up to date. A selection and estimates are worked out over all
        partitions. A live plan cannot :meth:`Plan.explain`; :meth:`why` can.
        """
        notes = self._workspace.observed(select, observe=observe, strict=strict_observe)
        planner = self._told(now)
        made = planner.plan(
            select, partitions or (), force=force, due=due, retry_failed=retry_failed, include_late=include_late
        )
        made = replace(made, notes=(*made.notes, *notes))
        return self._workspace.estimated(made, planner.assessment(), workers) if estimate else made

    def why(
        self,
        asset: AssetRef,
        partition: str | None = None,
        *,
        now: datetime | None = None,
        observe: bool = True,
        strict_observe: bool = False,
    ) -> Explanation:
        """The state of an asset, or of one partition, with its causes, as :meth:`Project.why`."""
        key = self._workspace.graph.require(asset)
        notes = self._workspace.observed(key, observe=observe, strict=strict_observe)
        assessment = self._told(now).assessment([self._workspace.graph.owner[key]])
        return replace(explain(assessment, key, partition, self._workspace.evidence()), notes=notes)

    def counts(self, asset: AssetRef, *, now: datetime | None = None) -> dict[str, int]:
        """How many partitions of an asset are in each state, as last observed: ``total``, the states, and ``empty``."""
        return self._told(now).counts(self._workspace.graph.require(asset))

    def _told(self, now: datetime | None) -> LivePlanner:
        """The planner, told of everything that has happened."""
        workspace = self._workspace
        moment = checked_moment(now) or workspace.clock()
        # One that was interrupted while it was told of something is not asked again.
        planner, self._planner = self._planner, None
        changes = None if planner is None or planner.begins_anew else workspace.changes_since(planner.recorded)
        if planner is None or changes is None or needs_everything(workspace.graph, changes.state):
            planner = LivePlanner(workspace.graph, workspace.state(), workspace.setting.codes, moment)
        else:
            if changes or changes.observed or changes.state.generation != planner.recorded.generation:
                planner.apply(changes)
            planner.advance(moment)
        self._planner = planner
        return planner

    def follow(self, workspace: Workspace) -> None:
        """Go on with the definitions and the code of another workspace; what is kept serves again where it can."""
        before, self._workspace = self._workspace, workspace
        planner, self._planner = self._planner, None
        alike = before.sources() == workspace.sources() and ageing_assets(before.graph) == ageing_assets(
            workspace.graph
        )
        if planner is None or planner.begins_anew or not alike or not before.shares_store(workspace):
            return
        changes = workspace.changes_since(planner.recorded, earlier=planner.codes)
        if not needs_everything(workspace.graph, changes.state):
            planner.redefine(workspace.graph, workspace.setting.codes, changes)
            self._planner = planner
