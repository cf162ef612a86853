"""A slow, obvious planner: dictionaries by partition key, sets instead of signatures, one partition at a time.

It shares nothing with the planner but the declared graph. All windows are in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, product

from assetflow.graph import AssetGraph, Edge, Node
from assetflow.partitions.definitions import (
    DailyPartitions,
    DynamicPartitions,
    MonthlyPartitions,
    MultiPartitions,
    StaticPartitions,
    WeeklyPartitions,
)
from assetflow.partitions.keyed import PartitionMapping, StaticMapping
from assetflow.partitions.mappings import AllPartitions, Identity, LastN, TimeWindow, WholeUpstream

Key = str | None
Window = tuple[date, date]
Inputs = Mapping[str, frozenset[tuple[str, Key, str | None]]]
Steps = dict[str, dict[str, set[Key]]]
"""Computation, certainty, partitions."""


class Listed(PartitionMapping):
    """A mapping as a user may write it: a table by downstream key, which has no answer for some keys."""

    def __init__(self, table: Mapping[str, Sequence[str]], refused: frozenset[str]) -> None:
        self.table, self.refused = table, refused

    def __repr__(self) -> str:
        return f"Listed({self.table!r}, {self.refused!r})"

    def upstream_keys(self, partition_keys: Sequence[str], upstream: object) -> list[Sequence[str]]:
        if self.refused.intersection(partition_keys):
            raise LookupError("no answer")
        return [self.table.get(key, ()) for key in partition_keys]


POOL = ("zoe", "acme", "south", "bert")
"""The keys that dynamic partitions may have."""

CALENDAR_FROM, CALENDAR_TO = date(2023, 1, 2), date(2024, 6, 3)


@dataclass(frozen=True, eq=False)
class Record:
    """One derivation: the versions of all outputs, and what they were made from."""

    code: str
    inputs: Inputs
    content: Mapping[str, str | None]
    version: Mapping[str, int]
    place: int = 0
    """How many publications there had been when it read its inputs."""


@dataclass
class Model:
    """All that happened to a graph."""

    graph: AssetGraph
    now: datetime
    codes: dict[str, str]
    checks: dict[str, int]
    """The present version of each asset's check, where it has one (always blocking)."""
    observed: dict[str, dict[Key, str | None]] = field(default_factory=dict)
    current: dict[str, dict[Key, Record]] = field(default_factory=dict)
    history: dict[str, dict[Key, list[Record]]] = field(default_factory=dict)
    tries: dict[str, dict[Key, object]] = field(default_factory=dict)
    candidates: dict[str, dict[Key, list[Record]]] = field(default_factory=dict)
    results: dict[tuple[str, int, int], bool] = field(default_factory=dict)
    """By asset, check version and version."""
    numbers: int = 0
    at: datetime | None = None
    """When things happen; None: at ``now``."""
    computed_at: dict[tuple[str, int], datetime] = field(default_factory=dict)
    observed_at: dict[str, datetime] = field(default_factory=dict)
    log: list[tuple[str, Key, str | None, datetime]] = field(default_factory=list)
    """Every publication of an asset: partition, content (``"gone"`` when it was taken away), and when."""
    dynamic: dict[str, list[str]] = field(default_factory=dict)
    """The keys that dynamic partitions have or had, in the order of addition."""
    removed: set[tuple[str, str]] = field(default_factory=set)
    """By set and key: what is not there now."""

    # Partitions

    def existing(self, name: str) -> list[Key]:
        """The partitions whose window has ended."""
        definition = self.graph.nodes[name].partitions
        match definition:
            case None:
                return [None]
            case StaticPartitions():
                return list(definition.keys)
            case MultiPartitions():
                keys = [defined_keys(each) for _, each in definition.pairs]
                ended = [window_of(definition, "|".join(each)) for each in product(*keys)]
                pairs = zip(product(*keys), ended, strict=True)
                return ["|".join(each) for each, window in pairs if not window or window[1] <= self.now.date()]
            case DynamicPartitions():
                known = self.dynamic.get(definition.name, [])
                return [key for key in known if (definition.name, key) not in self.removed]
            case _:
                return [key for key, (_, end) in _defined(definition) if end <= self.now.date()]

    def asked(self, edge: Edge, key: Key) -> tuple[list[Key], bool]:
        """The existing upstream partitions that an edge reads, and whether it asks for others that it must wait for."""
        down = self.graph.nodes[edge.computation].partitions
        up_name = self.graph.owner[edge.upstream]
        up, existing = self.graph.nodes[up_name].partitions, self.existing(up_name)
        match edge.mapping:
            case StaticMapping(pairs):
                named = [each for each, readers in pairs.items() if key in readers]
                return [each for each in existing if each in named], bool(set(named) - set(existing))
            case Listed():
                listed = [] if self.unmapped(edge, key) else edge.mapping.table.get(str(key), ())
                return [each for each in existing if each in listed], bool(set(listed) - set(existing))
            case WholeUpstream() | AllPartitions():
                return existing, False
            case Identity():
                return [each for each in existing if each == key], False
            case LastN(n):
                if down is None or isinstance(down, StaticPartitions | DynamicPartitions):
                    return existing[-n:], False
                end = dict(_calendar(down))[str(key)][1]
                before = [each for each, window in _defined(up) if window[1] <= end]
                wanted = before[-n:]
                return [each for each in existing if each in wanted], bool(set(wanted) - set(existing))
            case TimeWindow(start, stop, allow_nonexistent):
                calendar = _calendar(up)
                window = dict(_calendar(down))[str(key)]
                places = [n for n, (_, each) in enumerate(calendar) if each[0] < window[1] and window[0] < each[1]]
                wanted = [calendar[n][0] for n in range(places[0] + start, places[-1] + stop + 1)]
                defined = {each for each, _ in _defined(up)}
                early = bool((set(wanted) & defined) - set(existing))
                impossible = bool(set(wanted) - defined) and not allow_nonexistent
                return [each for each in existing if each in wanted], early or impossible
        raise AssertionError(edge.mapping)

    def unmapped(self, edge: Edge, key: Key) -> bool:
        """Whether nobody can tell what an edge reads, or it reads what does not come before."""
        if not isinstance(edge.mapping, Listed):
            return False
        upstream = self.graph.owner[edge.upstream]
        definition = self.graph.nodes[upstream].partitions
        known = self.existing(upstream) if isinstance(definition, DynamicPartitions) else defined_keys(definition)
        named = set(edge.mapping.table.get(str(key), ()))
        if key in edge.mapping.refused or not named <= set(known):
            return True
        if upstream != edge.computation:
            return False
        existing = self.existing(edge.computation)
        return bool(named.intersection(existing[existing.index(key) :]))

    # Facts

    def content(self, asset: str) -> dict[Key, str | None]:
        """What is published of an asset."""
        name = self.graph.owner[asset]  # type: ignore[index]
        if self.graph.nodes[name].kind == "source":
            return self.observed.get(name, {})
        return {key: record.content[asset] for key, record in self.current.get(name, {}).items()}

    def inputs(self, node: Node, key: Key) -> Inputs:
        """What each edge would read now."""
        found: dict[str, frozenset[tuple[str, Key, str | None]]] = {}
        for edge in node.edges:
            published = self.content(edge.upstream)
            reads, _ = self.asked(edge, key)
            found[edge.parameter] = frozenset(
                (edge.upstream, each, published[each]) for each in reads if each in published
            )
        return found

    def attempt(self, node: Node, key: Key) -> object:
        """What identifies a try of a partition."""
        checks = tuple((output, self.checks[output]) for output in node.outputs if output in self.checks)
        return self.codes[node.name], self.inputs(node, key), checks

    # Events

    def add_keys(self, name: str, keys: Sequence[str]) -> None:
        """Add keys to dynamic partitions; those that come back have their old place."""
        known = self.dynamic.setdefault(name, [])
        known += [key for key in keys if key not in known]
        self.removed -= {(name, key) for key in keys}

    def remove_keys(self, name: str, keys: Sequence[str]) -> None:
        """Take keys out of dynamic partitions."""
        self.removed |= {(name, key) for key in keys if key in self.dynamic.get(name, [])}

    def number(self) -> int:
        """A new version."""
        self.numbers += 1
        return self.numbers

    def publish(self, name: str, key: Key, content: str | None) -> None:
        """Publish a partition of all outputs; equal content keeps the version."""
        node = self.graph.nodes[name]
        earlier = self.current.setdefault(name, {}).get(key)
        contents = {output: None if content is None else f"{output}:{content}" for output in node.outputs}
        versions = {
            output: earlier.version[output]
            if earlier and earlier.content[output] == contents[output]
            else self.number()
            for output in node.outputs
        }
        for asset_version in versions.items():
            at = self.at or self.now
            self.computed_at[asset_version] = max(at, self.computed_at.get(asset_version, at))
        record = Record(self.codes[name], self.inputs(node, key), contents, versions, len(self.log))
        self.current[name][key] = record
        self.tell(record, key)
        self.history.setdefault(name, {}).setdefault(key, []).append(record)
        self.settle(name, key)

    def settle(self, name: str, key: Key) -> None:
        """After a publication: no failure is left, and all checks passed."""
        self.tries.get(name, {}).pop(key, None)
        self.settle_checks(name, key)

    def settle_checks(self, name: str, key: Key) -> None:
        """All checks of the current version passed."""
        for output, version in self.current[name][key].version.items():
            if output in self.checks and self.current[name][key].content[output] is not None:
                self.results[output, self.checks[output], version] = True

    def fail(self, name: str, key: Key, *, candidate: bool) -> None:
        """A failed try; with a candidate, because the check refused it."""
        node = self.graph.nodes[name]
        self.tries.setdefault(name, {})[key] = self.attempt(node, key)
        if candidate:
            versions = {output: self.number() for output in node.outputs}
            contents = {output: f"candidate {version}" for output, version in versions.items()}
            record = Record(self.codes[name], self.inputs(node, key), contents, versions)
            self.candidates.setdefault(name, {}).setdefault(key, []).append(record)
            for output, version in versions.items():
                self.computed_at[output, version] = self.at or self.now
                if output in self.checks:
                    self.results[output, self.checks[output], version] = False

    def republish(self, name: str, key: Key, offered: Record) -> None:
        """Publish an earlier version again."""
        node = self.graph.nodes[name]
        record = Record(self.codes[name], self.inputs(node, key), offered.content, offered.version, len(self.log))
        self.current.setdefault(name, {})[key] = record
        self.tell(record, key)
        self.settle(name, key)

    def fitting(
        self, offers: Mapping[str, Mapping[Key, Sequence[Record]]], node: Node, key: Key, *, sound: bool = False
    ) -> Record | None:
        """The newest of some earlier versions that has the present code and inputs; a ``sound`` one failed no check."""
        current = self.current.get(node.name, {}).get(key)
        fits = [
            each
            for each in offers.get(node.name, {}).get(key, ())
            if each is not current and each.code == self.codes[node.name] and each.inputs == self.inputs(node, key)
            if not (sound and any(self.results.get(seen) is False for seen in self._results_of(node, each)))
        ]
        return fits[-1] if fits else None

    def tell(self, record: Record, key: Key) -> None:
        """Note what was published when."""
        self.log += [(output, key, content, self.at or self.now) for output, content in record.content.items()]

    # Late data

    def judge(self, record: Record, edge: Edge, key: Key, inputs: Inputs, *, include_late: bool) -> str | None:
        """Whether what an edge reads changed since, or did so too late only."""
        if edge.parameter not in record.inputs:
            return "changed"
        read = {key: content for _, key, content in record.inputs[edge.parameter]}
        reads = {key: content for _, key, content in inputs[edge.parameter]}
        changed = [key for key in {*read, *reads} if read.get(key, "gone") != reads.get(key, "gone")]
        if not changed:
            return None
        if include_late or edge.late_tolerance is None or read != self.published_at(edge, key, record.place):
            return "changed"
        for each in changed:
            since = [
                content
                for asset, published, content, at in self.log[record.place :]
                if (asset, published) == (edge.upstream, each) and self.in_time(edge, each, at)
            ]
            if since and since[-1] != read.get(each, "gone"):
                return "changed"
        return "late"

    def published_at(self, edge: Edge, key: Key, place: int) -> dict[Key, str | None]:
        """What there was, at a place of the log, of what an edge reads now."""
        asked = self.asked(edge, key)[0]
        last = {each: content for asset, each, content, _ in self.log[:place] if asset == edge.upstream}
        return {each: last[each] for each in asked if last.get(each, "gone") != "gone"}

    def in_time(self, edge: Edge, key: Key, at: datetime) -> bool:
        """Whether an edge takes what is published of an upstream partition at a moment."""
        if edge.late_tolerance is None:
            return True
        definition = self.graph.node_of(edge.upstream).partitions
        end = dict(_calendar(definition))[str(key)][1]
        return at <= datetime.combine(end, datetime.min.time(), UTC) + edge.late_tolerance

    # Decisions

    def decide(
        self,
        chosen: Mapping[str, set[Key]] | None = None,
        *,
        force: bool = False,
        retry_failed: bool = True,
        include_late: bool = False,
    ) -> Decision:
        """What each partition would do."""
        made = Decision(include_late=include_late)
        for node in self.graph.nodes.values():
            for key in self.existing(node.name) if node.kind == "asset" else ():
                self._decide(
                    made, node, key, chosen is None or key in chosen.get(node.name, set()), force, retry_failed
                )
        return made

    def _decide(self, made: Decision, node: Node, key: Key, asked: bool, force: bool, retry_failed: bool) -> None:
        row = (node.name, key)
        record = self.current.get(node.name, {}).get(key)
        inputs = self.inputs(node, key)
        recoded = record is not None and record.code != self.codes[node.name]
        judged = {
            edge.parameter: self.judge(record, edge, key, inputs, include_late=made.include_late)
            for edge in (node.edges if record else ())
            if record
        }
        changed = [edge for edge in node.edges if judged.get(edge.parameter) == "changed"]
        failed = self.tries.get(node.name, {}).get(key) == self.attempt(node, key)
        own = record is None or recoded or bool(changed)

        pending: list[tuple[str, Key]] = []
        lacks = False
        for edge in node.edges:
            reads, early = self.asked(edge, key)
            upstream = self.graph.owner[edge.upstream]
            taken = own or failed or force or made.include_late
            pending += [
                (upstream, each)
                for each in reads
                if (upstream, each) in made.moves and (taken or self.in_time(edge, each, self.now))
            ]
            lacks |= self.unmapped(edge, key)
            if edge.missing == "wait":
                published = self.content(edge.upstream)
                lacks |= early
                lacks |= any(each not in published and (upstream, each) not in made.moves for each in reads)

        step: str | None = None
        if asked and not lacks:
            if force:
                step = "will" if retry_failed or not failed else None
            elif own and not pending and self.fitting(self.history, node, key, sound=True):
                step = "reuse"
            elif own and not pending and not failed and self.fitting(self.candidates, node, key):
                step = "candidate"
            elif failed and not retry_failed:
                step = None
            elif record is None or recoded or failed or (changed and not pending):
                step = "will"
            elif changed or pending:
                step = "may"
            if step is None and (self.unchecked(node, key) or (retry_failed and self.refused(node, key))):
                step = "check"

        if step is not None:
            made.steps.setdefault(node.name, {}).setdefault(step, set()).add(key)
        if step not in (None, "check"):
            made.moves.add(row)
            roots: set[str] = {edge.upstream for edge in changed}
            if record is None or recoded or failed or force:
                roots |= set(node.outputs)
            made.roots[row] = roots or set().union(*(made.roots[each] for each in pending))
        made.inherited[row] = set().union(*(made.roots[each] for each in pending))
        if lacks:
            made.lacks.add(row)
        if own or pending:
            made.due.add(row)
        if "late" in judged.values():
            made.late.add(row)
            if asked and not lacks and row not in made.moves:
                made.tolerated.add(row)
        if failed:
            made.failed.add(row)

    def unchecked(self, node: Node, key: Key) -> bool:
        """Whether a check has not seen the current version."""
        return any(result is None for result in self._looked_at(node, key).values())

    def refused(self, node: Node, key: Key) -> bool:
        """Whether a check failed on the current version."""
        return any(result is False for result in self._looked_at(node, key).values())

    def _looked_at(self, node: Node, key: Key) -> dict[str, bool | None]:
        record = self.current.get(node.name, {}).get(key)
        if record is None:
            return {}
        return {seen[0]: self.results.get(seen) for seen in self._results_of(node, record)}

    def _results_of(self, node: Node, record: Record) -> list[tuple[str, int, int]]:
        return [
            (output, self.checks[output], record.version[output])
            for output in node.outputs
            if output in self.checks and record.content[output] is not None
        ]

    def ignoring(self, asset: str) -> int:
        """How many partitions are up to date and leave late data out."""
        node = self.graph.nodes[self.graph.owner[asset]]  # type: ignore[index]
        late = {key for name, key in self.decide().late if name == node.name}
        return sum(state == "up_to_date" and key in late for key, state in self.states(asset).items())

    def states(self, asset: str, *, include_late: bool = False) -> dict[Key, str]:
        """The state of each existing partition."""
        node = self.graph.nodes[self.graph.owner[asset]]  # type: ignore[index]
        published = self.content(asset)
        full = self.decide(include_late=include_late)
        found: dict[Key, str] = {}
        for key in self.existing(node.name):
            row = (node.name, key)
            if row in full.failed or self._looked_at(node, key).get(asset) is False:
                found[key] = "failed"
            elif row in full.lacks:
                found[key] = "waiting"
            elif key not in published:
                found[key] = "missing"
            else:
                found[key] = "stale" if row in full.due else "up_to_date"
        return found

    def waiting(self, made: Decision, chosen: Mapping[str, set[Key]], *, force: bool) -> dict[str, set[Key]]:
        """What was asked for and cannot be built."""
        full = self.decide(include_late=made.include_late)
        found: dict[str, set[Key]] = {}
        for name, key in made.lacks:
            row = (name, key)
            due = force or row in made.due | made.failed | full.lacks
            if key in chosen.get(name, set()) and due:
                found.setdefault(name, set()).add(key)
        return found

    def outside(self, chosen: Mapping[str, set[Key]], *, include_late: bool = False) -> set[str]:
        """The assets upstream of what was chosen, and outside it, that a full plan would build."""
        moves = self.decide(include_late=include_late).moves
        found: set[str] = set()
        seen: set[tuple[str, Key]] = set()
        rows = [(name, key) for name, keys in chosen.items() for key in keys]
        while rows:
            name, key = rows.pop()
            for edge in self.graph.nodes[name].edges:
                upstream = self.graph.owner[edge.upstream]
                for each in self.asked(edge, key)[0]:
                    row = (upstream, each)
                    if row in moves and each not in chosen.get(upstream, set()):
                        found.add(edge.upstream)
                        if row not in seen:
                            seen.add(row)
                            rows.append(row)
        return found

    # Requests

    def above(self, name: str, keys: set[Key]) -> dict[str, set[Key]]:
        """The partitions that some partitions read, all the way up."""
        found: dict[str, set[Key]] = {name: set(keys)}
        rows = [(name, key) for key in keys]
        while rows:
            each, key = rows.pop()
            for edge in self.graph.nodes[each].edges:
                upstream = self.graph.owner[edge.upstream]
                for read in self.asked(edge, key)[0]:
                    if read not in found.setdefault(upstream, set()):
                        found[upstream].add(read)
                        rows.append((upstream, read))
        return found

    def below(self, name: str, keys: set[Key]) -> dict[str, set[Key]]:
        """The partitions that read some partitions, all the way down."""
        found: dict[str, set[Key]] = {name: set(keys)}
        for node in self.graph.nodes.values():
            for key in self.existing(node.name):
                for edge in node.edges:
                    upstream = self.graph.owner[edge.upstream]
                    if found.get(upstream, set()) & set(self.asked(edge, key)[0]):
                        found.setdefault(node.name, set()).add(key)
        return found


@dataclass
class Decision:
    """What a plan does: steps, rows that may move, and facts by row."""

    steps: Steps = field(default_factory=dict)
    moves: set[tuple[str, Key]] = field(default_factory=set)
    roots: dict[tuple[str, Key], set[str]] = field(default_factory=dict)
    inherited: dict[tuple[str, Key], set[str]] = field(default_factory=dict)
    lacks: set[tuple[str, Key]] = field(default_factory=set)
    due: set[tuple[str, Key]] = field(default_factory=set)
    failed: set[tuple[str, Key]] = field(default_factory=set)
    late: set[tuple[str, Key]] = field(default_factory=set)
    """Rows that read late data that is left out."""
    tolerated: set[tuple[str, Key]] = field(default_factory=set)
    """Those of the late rows that were asked for, and are neither computed nor wait."""
    include_late: bool = False


@cache
def _calendar(definition: object) -> list[tuple[str, Window]]:
    """Every window of a grain, whatever the bounds."""
    day = timedelta(days=1)
    days = [CALENDAR_FROM + n * day for n in range((CALENDAR_TO - CALENDAR_FROM).days)]
    match definition:
        case DailyPartitions():
            return [(str(each), (each, each + day)) for each in days]
        case WeeklyPartitions():
            return [(str(each), (each, each + 7 * day)) for each in days if each.weekday() == 0]
        case MonthlyPartitions():
            firsts = [each for each in days if each.day == 1]
            return [(f"{a:%Y-%m}", (a, b)) for a, b in pairwise(firsts)]
    raise AssertionError(definition)


def defined_keys(definition: object) -> list[str]:
    """The keys of a definition, of an open one those of some months, of a dynamic one those that it may ever have."""
    if isinstance(definition, DynamicPartitions):
        return list(POOL)
    if isinstance(definition, StaticPartitions):
        return list(definition.keys)
    if isinstance(definition, MultiPartitions):
        return ["|".join(keys) for keys in product(*(defined_keys(each) for _, each in definition.pairs))]
    return [key for key, _ in _defined(definition)]


def window_of(definition: object, key: str) -> Window | None:
    """The window that a key lies in, if it does; at most one dimension is of time."""
    if isinstance(definition, MultiPartitions):
        pairs = zip(definition.pairs, key.split("|"), strict=True)
        return next((window for (_, each), part in pairs if (window := window_of(each, part))), None)
    return None if isinstance(definition, StaticPartitions | DynamicPartitions) else dict(_defined(definition))[key]


@cache
def _defined(definition: object) -> list[tuple[str, Window]]:
    """The windows within a definition's start and end."""
    assert isinstance(definition, DailyPartitions | WeeklyPartitions | MonthlyPartitions)
    start = date.fromisoformat(f"{definition.start}-01"[:10])
    end = CALENDAR_TO if definition.end is None else date.fromisoformat(f"{definition.end}-01"[:10])
    return [(key, window) for key, window in _calendar(definition) if start <= window[0] and window[1] <= end]
