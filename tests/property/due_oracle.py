"""Which partitions freshness policies need, found slowly: one partition at a time, with what it reads, by recursion."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from assetflow.definitions.durations import parse_duration
from assetflow.definitions.freshness import FreshnessPolicy
from assetflow.graph import Node
from assetflow.keys import AssetKey
from tests.property.oracle import Decision, Key, Model, Window, defined_keys, window_of

Row = tuple[str, Key]


@dataclass
class DueModel:
    """What a model's policies need. Cron expressions are daily at six in the morning, UTC."""

    model: Model
    taken: set[Row] = field(default_factory=set)
    expired: set[Row] = field(default_factory=set)

    @cached_property
    def full(self) -> Decision:
        return self.model.decide()

    def timed(self, node: Node) -> bool:
        if node.partitions is None:
            return False
        return any(window_of(node.partitions, key) for key in defined_keys(node.partitions)[:1])

    def data_time(self, asset: str, key: Key) -> datetime | None:
        """As of when a partition's data is; None where nothing is published."""
        node = self.model.graph.node_of(AssetKey(asset))
        row = (node.name, key)
        if key not in self.model.content(asset):
            return None
        if self.timed(node):
            return self.watermark(node, asset)
        if node.kind == "source":
            return self.model.observed_at[node.name]
        record = self.model.current[node.name][key]
        own = self.model.computed_at[asset, record.version[asset]]
        if not node.edges or row in self.full.due | self.full.lacks | self.full.moves:
            return own
        times = [self.model.now]
        for edge in node.edges:
            read = [self.data_time(edge.upstream, each) for each in self.model.asked(edge, key)[0]]
            times += [time for time in read if time is not None]
        return max(own, min(times))

    def watermark(self, node: Node, asset: str) -> datetime:
        """Up to where all windows are published; now, if those are all that there will ever be."""
        content = self.model.content(asset)
        missing = [key for key in defined_keys(node.partitions) if key not in content]
        begins = [window[0] for key in missing if (window := window_of(node.partitions, key))]
        return datetime.combine(min(begins), datetime.min.time(), UTC) if begins else self.model.now

    def demanded(self, policy: FreshnessPolicy) -> tuple[datetime, bool]:
        """Data must be as of this moment; the flag says whether exactly that moment is late."""
        lag = parse_duration(policy.warn_lag or policy.max_lag or "0s")
        if policy.cron is None:
            return self.model.now - lag, True
        tick = datetime(2024, 2, 2, 6, tzinfo=UTC)
        while tick > self.model.now - lag:
            tick -= timedelta(days=1)
        return tick, False

    def too_old(self, time: datetime | None, demand: tuple[datetime, bool]) -> bool:
        return time is None or time < demand[0] or (demand[1] and time == demand[0])

    def solve(self) -> None:
        """Fill ``taken`` and ``expired``."""
        for asset, spec in self.model.graph.specs.items():
            node = self.model.graph.node_of(asset)
            if spec.freshness_policy is None:
                continue
            demand = self.demanded(spec.freshness_policy)
            if self.timed(node):
                self.windows(node, asset, spec.freshness_policy, demand)
                continue
            for key in self.model.existing(node.name):
                if self.too_old(self.data_time(asset, key), demand):
                    self.refresh(node, key, demand)
        reasons: set[Row] = set()
        for node in self.model.graph.nodes.values():
            for key in self.model.existing(node.name):
                row = (node.name, key)
                if row in self.taken and (
                    row in self.full.moves
                    or row in self.expired
                    or any(
                        (self.model.graph.owner[edge.upstream], each) in reasons
                        and self.model.in_time(edge, each, self.model.now)
                        for edge in node.edges
                        for each in self.model.asked(edge, key)[0]
                    )
                ):
                    reasons.add(row)
        self.taken = reasons

    def windows(self, node: Node, asset: str, policy: FreshnessPolicy, demand: tuple[datetime, bool]) -> None:
        content, moves = self.model.content(asset), self.full.moves
        windows: dict[Window, list[Key]] = {}
        for key in self.model.existing(node.name):
            window = window_of(node.partitions, str(key))
            assert window is not None
            windows.setdefault(window, []).append(key)
        for (first, last), keys in sorted(windows.items()):
            begin, end = (datetime.combine(day, datetime.min.time(), UTC) for day in (first, last))
            reached = end > demand[0] if policy.cron is not None else not self.too_old(begin, demand)
            missing = [key for key in keys if key not in content]
            if reached or any((node.name, key) not in moves for key in missing):
                return
            for key in missing:
                self.rebuild(node, key)

    def rebuild(self, node: Node, key: Key) -> None:
        """A partition that the full plan builds, with all that the full plan builds for it."""
        row = (node.name, key)
        if row not in self.full.moves:
            return
        self.taken.add(row)
        for edge in node.edges:
            for each in self.model.asked(edge, key)[0]:
                self.rebuild(self.model.graph.node_of(edge.upstream), each)

    def refresh(self, node: Node, key: Key, demand: tuple[datetime, bool]) -> None:
        row = (node.name, key)
        old = not self.timed(node) and any(self.too_old(self.data_time(each, key), demand) for each in node.outputs)
        if node.kind == "source" or row in self.full.lacks or not (old or row in self.full.moves):
            return
        self.taken.add(row)
        steps = self.full.steps.get(node.name, {})
        again = key in steps.get("reuse", set()) | steps.get("candidate", set())
        published = key in self.model.current.get(node.name, {})
        if not node.edges and not self.timed(node) and (again or (old and published)):
            self.expired.add(row)
        sure = key in self.full.steps.get(node.name, {}).get("will", set())
        if sure:
            self.rebuild(node, key)
            return
        for edge in node.edges:
            for each in self.model.asked(edge, key)[0]:
                self.refresh(self.model.graph.node_of(edge.upstream), each, demand)
