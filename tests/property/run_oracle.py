"""A slow, obvious run: one partition at a time, upstreams first, each judged on what is published at that moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assetflow.graph import Node
from tests.property.oracle import Decision, Key, Model, Record

Row = tuple[str, Key]


@dataclass(frozen=True)
class Behaviour:
    """What user code does when it is called: what computations return, where they raise, and what checks refuse."""

    content: str | None
    others: Mapping[str, str | None] = field(default_factory=dict)
    """What single computations return instead."""
    failing: frozenset[Row] = frozenset()
    refused: frozenset[Row] = frozenset()
    """Asset partitions."""

    def returned(self, name: str) -> str | None:
        return self.others.get(name, self.content)


@dataclass
class Ran:
    """How a run went: which functions were called, with what, and what became of every asset partition."""

    calls: dict[Row, dict[str, object]] = field(default_factory=dict)
    outcomes: dict[Row, str] = field(default_factory=dict)
    lost: set[Row] = field(default_factory=set)
    """Partitions of computations that nothing may read in this run."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.outcomes.values())


@dataclass
class Running:
    """One run of what was decided; the model is told what happens."""

    model: Model
    made: Decision
    behaviour: Behaviour
    force: bool
    ran: Ran = field(default_factory=Ran)

    def carry_out(self) -> Ran:
        for node in self.model.graph.nodes.values():
            step_of = {key: step for step, keys in self.made.steps.get(node.name, {}).items() for key in keys}
            for key in self.model.existing(node.name):
                if key in step_of:
                    self._treat(node, key, step_of[key])
        return self.ran

    def _treat(self, node: Node, key: Key, step: str) -> None:
        model, row = self.model, (node.name, key)
        reads = [(model.graph.owner[edge.upstream], each) for edge in node.edges for each in model.asked(edge, key)[0]]
        if self.ran.lost.intersection(reads):
            self._close(node, key, "blocked", lost=True)
            return
        if any(self._lacks(node, key)):
            self._close(node, key, "waiting")
            return
        record = model.current.get(node.name, {}).get(key)
        same = record is not None and record.code == model.codes[node.name] and not self._changed(record, node, key)
        if self.force or (step == "will" and same):
            self._build(node, key)
        elif step == "candidate" and not same:
            found = model.fitting(model.candidates, node, key)
            assert found is not None, row
            self._publish_again(node, key, found, "materialized")
        elif step == "check" or (same and model.unchecked(node, key)):
            self._check(node, key)
        elif same:
            self._close(node, key, "unchanged")
        elif found := model.fitting(model.history, node, key, sound=True):
            self._publish_again(node, key, found, "reused")
        else:
            self._build(node, key)

    def _changed(self, record: Record, node: Node, key: Key) -> bool:
        """Whether the inputs are other ones, but for late data that is left out."""
        inputs = self.model.inputs(node, key)
        late = self.made.include_late
        judged = [self.model.judge(record, edge, key, inputs, include_late=late) for edge in node.edges]
        return "changed" in judged or bool(record.inputs.keys() - inputs.keys())

    def _lacks(self, node: Node, key: Key) -> list[bool]:
        model = self.model
        found: list[bool] = []
        for edge in node.edges:
            reads, early = model.asked(edge, key)
            published = model.content(edge.upstream)
            absent = early or any(each not in published for each in reads)
            found.append(model.unmapped(edge, key) or (edge.missing == "wait" and absent))
        return found

    def _close(self, node: Node, key: Key, outcome: str, *, lost: bool = False) -> None:
        for output in node.outputs:
            self.ran.outcomes[output, key] = outcome
        if lost:
            self.ran.lost.add((node.name, key))

    def arguments(self, node: Node, key: Key) -> dict[str, object] | None:
        """What the loaded parameters get; None when there are some, and none of them has anything to load."""
        loaded = [edge for edge in node.edges if edge.loaded]
        found: dict[str, object] = {}
        for edge in loaded:
            published = self.model.content(edge.upstream)
            held = {each: published.get(each) for each in self.model.asked(edge, key)[0]}
            values = {each: content for each, content in held.items() if content is not None}
            found[edge.parameter] = values.get(None) if None in held else values
        own = all(self.model.graph.owner[edge.upstream] == node.name for edge in loaded)  # has to begin somewhere
        return found if own or any(found.values()) else None

    def _build(self, node: Node, key: Key) -> None:
        model, row, behaviour = self.model, (node.name, key), self.behaviour
        arguments = self.arguments(node, key)
        content = behaviour.returned(node.name)
        if arguments is None:
            content = None
        else:
            self.ran.calls[row] = arguments
            if row in behaviour.failing:
                model.tries.setdefault(node.name, {})[key] = model.attempt(node, key)
                self._close(node, key, "failed", lost=True)
                return
        earlier = model.current.get(node.name, {}).get(key)
        contents = {output: None if content is None else f"{output}:{content}" for output in node.outputs}
        versions = {
            output: earlier.version[output]
            if earlier and earlier.content[output] == contents[output]
            else model.number()
            for output in node.outputs
        }
        record = Record(model.codes[node.name], model.inputs(node, key), contents, versions, len(model.log))
        if self._refused(record, key):
            model.tries.setdefault(node.name, {})[key] = model.attempt(node, key)
            model.candidates.setdefault(node.name, {}).setdefault(key, []).append(record)
            self._close(node, key, "quarantined", lost=True)
            return
        for output in node.outputs:
            kept = earlier is not None and earlier.version[output] == versions[output]
            self.ran.outcomes[output, key] = "unchanged" if kept else "materialized"
        model.current.setdefault(node.name, {})[key] = record
        model.tell(record, key)
        model.history.setdefault(node.name, {}).setdefault(key, []).append(record)
        model.tries.get(node.name, {}).pop(key, None)

    def _publish_again(self, node: Node, key: Key, found: Record, outcome: str) -> None:
        model = self.model
        if self._refused(found, key):
            model.tries.setdefault(node.name, {})[key] = model.attempt(node, key)
            self._close(node, key, "quarantined", lost=True)
            return
        inputs = model.inputs(node, key)
        record = Record(model.codes[node.name], inputs, found.content, found.version, len(model.log))
        model.current.setdefault(node.name, {})[key] = record
        model.tell(record, key)
        model.tries.get(node.name, {}).pop(key, None)
        if outcome == "materialized":
            model.candidates[node.name][key].remove(found)
            model.history.setdefault(node.name, {}).setdefault(key, []).append(record)
        self._close(node, key, outcome)

    def _check(self, node: Node, key: Key) -> None:
        record = self.model.current[node.name][key]
        refused = self._refused(record, key)
        for output in node.outputs:
            self.ran.outcomes[output, key] = "quarantined" if output in refused else "unchanged"
        if refused:
            self.ran.lost.add((node.name, key))

    def _refused(self, record: Record, key: Key) -> Sequence[str]:
        """Run the checks that have not passed yet on a version; gives the outputs that one refuses."""
        model = self.model
        refused: list[str] = []
        for output, content in record.content.items():
            seen = (output, model.checks.get(output, 0), record.version[output])
            if output in model.checks and content is not None and model.results.get(seen) is not True:
                model.results[seen] = (output, key) not in self.behaviour.refused
                if not model.results[seen]:
                    refused.append(output)
        return refused
