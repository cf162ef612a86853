"""The shapes of requests and documents, as the OpenAPI document tells them. Documents may have more fields."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from assetflow.server.sessions import Role

_Text = Annotated[str, Field(max_length=10_000)]
Rows = list[list[Any]]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Document(BaseModel):
    model_config = ConfigDict(extra="allow")


class PlanRequest(_Request):
    """What to plan; as the options of ``assetflow plan``. ``partitions`` are keys and ranges ``A...B``."""

    select: _Text = "*"
    partitions: list[_Text] | None = Field(None, max_length=10_000)
    due: bool = False
    force: bool = False
    retry_failed: bool = True
    include_late: bool = False
    observe: bool = True
    strict_observe: bool = False
    workers: int | None = Field(None, ge=1, le=10_000)
    explain: bool = Field(False, description="each step with its trace, as `plan --explain`")


class MaterializeRequest(_Request):
    """What to build; as the options of ``assetflow materialize``."""

    plan_id: str | None = Field(
        None, max_length=100, description="the plan that was agreed to; refused with 409 if it is outdated"
    )
    select: _Text = "*"
    partitions: list[_Text] | None = Field(None, max_length=10_000)
    due: bool = False
    force: bool = False
    retry_failed: bool = True
    include_late: bool = False
    observe: bool = True
    strict_observe: bool = False
    executor: str | None = Field(None, max_length=100)
    workers: int | None = Field(None, ge=1, le=10_000)
    fail_fast: bool = False


class RetryRequest(_Request):
    """As the options of ``assetflow runs retry``."""

    everything: bool = False
    executor: str | None = Field(None, max_length=100)
    workers: int | None = Field(None, ge=1, le=10_000)
    fail_fast: bool = False
    observe: bool = True
    strict_observe: bool = False


class NothingRequest(_Request):
    """An empty object: there is nothing to say."""


class QueryRequest(_Request):
    """One select statement over the catalog views and ``data.ASSET``."""

    sql: str = Field(max_length=100_000)
    limit: int = Field(1_000, ge=1, le=10_000)


class RollbackRequest(_Request):
    """Which version to publish again."""

    asset: _Text
    partition: _Text | None = None
    to: int = Field(ge=1, lt=2**63)
    with_downstream: bool = False
    reason: _Text | None = None


class AcceptRequest(_Request):
    """What to take as right for today's code and inputs, and why."""

    asset: _Text
    reason: _Text


class InviteRequest(_Request):
    """The role of somebody who is to get in."""

    role: Role


class Problem(_Document):
    """The fields of an error."""

    type: str
    message: str
    hint: str | None
    location: str | None


class ErrorDocument(_Document):
    """What went wrong; the same document as the command line's."""

    error: Problem


class GraphEdge(_Document):
    """An edge; ``from`` is the upstream asset."""

    source: str = Field(alias="from")
    to: str
    parameter: str
    mapping: str
    missing: str
    loaded: bool


class AssetRow(_Document):
    """What is declared of an asset."""

    asset: str
    kind: str
    computation: str
    partitions: str | None
    group: str | None
    publish_group: str | None
    description: str | None
    owners: list[str]
    tags: dict[str, Any]
    kinds: list[str]
    io_manager: str | None
    upstream: list[str]
    checks: list[str]
    location: str | None


class GraphNode(AssetRow):
    """An asset with its ``level``: the longest way down to it."""

    level: int


class GraphDocument(_Document):
    """Every asset and every edge, as ``assetflow graph --json``."""

    nodes: list[GraphNode]
    edges: list[GraphEdge]


class PageDocument(_Document):
    """Part of a list: ``total`` entries in all; ``next`` goes into ``after`` for the page that follows."""

    total: int
    next: str | None


class AssetsDocument(PageDocument):
    """Assets, as ``assetflow list --json``, a page at a time."""

    assets: list[AssetRow]


class Freshness(_Document):
    """Whether data is as new as its policy asks."""

    state: Literal["pass", "warn", "fail", "none"]
    lag_seconds: float | None


class AssetStatusRow(_Document):
    """One asset's partitions by state."""

    asset: str
    kind: str
    partitions: dict[str, int]
    watermark: str | None
    gaps: list[str]
    freshness: Freshness
    last_materialized: str | None


class StatusDocument(PageDocument):
    """As ``assetflow status --json``, a page at a time."""

    assets: list[AssetStatusRow]
    notes: list[str]


class AssetDocument(AssetRow):
    """One asset: what is declared, its status and its code version."""

    status: AssetStatusRow
    code_version: str | None


class CauseRow(_Document):
    """Why something is not up to date."""

    kind: str
    detail: str
    root: list[str]


class WhyDocument(_Document):
    """As ``assetflow why --json``."""

    asset: str
    partition: str | None
    state: str
    held: bool
    causes: list[CauseRow]
    version: int | None


class LineageNodeRow(_Document):
    """An asset, or a version of a partition."""

    id: str
    asset: str
    partition: str | None
    column: str | None
    version: int | None
    level: int


class LineageEdgeRow(_Document):
    """From the id of an upstream node to that of a downstream one."""

    source: str = Field(alias="from")
    to: str
    kind: str


class LineageDocument(PageDocument):
    """As ``assetflow lineage --json``, a page of nodes at a time with the edges that touch them."""

    nodes: list[LineageNodeRow]
    edges: list[LineageEdgeRow]


class VersionRow(_Document):
    """One version."""

    version: int
    asset: str
    partition: str | None
    state: str
    run_id: str | None
    created_at: str
    published_at: str | None
    row_count: int | None
    data_hash: str
    current: bool


class VersionsDocument(PageDocument):
    """As ``assetflow versions --json``, a page at a time."""

    versions: list[VersionRow]


class RunRow(_Document):
    """One run."""

    run_id: str
    status: str
    trigger: str
    started_at: str
    ended_at: str | None
    seconds: float | None
    counts: dict[str, int]
    error: str | None


class RunsDocument(PageDocument):
    """As ``assetflow runs --json``, a page at a time."""

    runs: list[RunRow]


class StepRow(_Document):
    """How one asset partition fared; ``step`` is its place in the run."""

    step: int
    asset: str
    partition: str | None
    attempt: int
    status: str
    version: int | None
    error: dict[str, Any] | None


class RunDocument(RunRow, PageDocument):
    """As ``assetflow runs show --json``, a page of steps at a time; ``progress`` of a run that goes on here."""

    steps: list[StepRow]
    plan: dict[str, Any]
    progress: dict[str, Any] | None


class LogLine(_Document):
    """One line that user code printed or logged."""

    line: int
    at: str
    step: str
    partition: str | None
    attempt: int
    stream: str
    text: str


class LogsDocument(_Document):
    """As ``assetflow runs logs --json``, a page at a time; to follow a run, ask again ``after`` the last line."""

    run_id: str
    lines: list[LogLine]
    next: int | None


class PlanPartitions(_Document):
    """How many partitions, and which."""

    count: int
    ranges: list[list[str]]


class PlanStepRow(_Document):
    """What would be done for one computation."""

    asset: str
    outputs: list[str]
    certainty: Literal["will", "may", "reuse", "check"]
    partitions: PlanPartitions | None
    causes: list[CauseRow]
    estimate: dict[str, Any] | None


class PlanDocument(_Document):
    """As ``assetflow plan --json``."""

    plan_id: str
    as_of: str
    steps: list[PlanStepRow]
    totals: dict[str, Any]
    waiting: list[dict[str, Any]]
    outside: list[str]
    notes: list[str]


class OutdatedPlan(ErrorDocument):
    """The plan that was agreed to is outdated: the new one, and how they differ where the old one is still known."""

    plan: PlanDocument
    difference: list[dict[str, Any]] | None


class ResultDocument(_Document):
    """As ``assetflow materialize --json``."""

    run_id: str | None
    status: str
    counts: dict[str, int]
    seconds: float
    failures: list[dict[str, Any]]


class StartedDocument(_Document):
    """A run that has begun; `/api/events` tells how it goes."""

    run_id: str
    status: Literal["running"]
    load: int
    total: int


class QueryDocument(_Document):
    """As ``assetflow query --json``."""

    columns: list[str]
    types: list[str]
    rows: Rows
    row_count: int
    truncated: bool


class PreviewDocument(_Document):
    """As ``assetflow show --json``."""

    asset: str
    partition: str | None
    version: int | None
    kind: Literal["table", "value", "empty", "observed"]


class LoadDocument(_Document):
    """The last load of the definitions: ``error`` if it failed, what it ``changes``, and what that made stale."""

    load: int
    at: str
    seconds: float
    files: list[str]
    error: Problem | None
    changes: dict[str, Any] | None
    became: dict[str, Any] | None
    current: int | None
    loading: bool


class ServerDocument(_Document):
    """What serves, and who asks."""

    name: str
    project: str
    environment: str | None
    version: str
    visitor: str
    role: Role
    running: list[str]


class InviteDocument(_Document):
    """A path that works once; behind it the visitor has the role."""

    role: Role
    path: str


class DoneDocument(_Document):
    """It was done; more fields say what."""
