"""A timeline carried out for real: a project with its store on disk, whose functions do what they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from assetflow import (
    NO_DATA,
    AssetContext,
    Batch,
    Definitions,
    Out,
    Project,
    asset,
    asset_check,
    multi_asset,
    observable_source,
)
from assetflow.keys import AssetKey
from assetflow.results import Result
from tests.property.oracle import Key, Model
from tests.property.pairs import NOW, input_of, options_of
from tests.property.run_oracle import Behaviour, Row
from tests.property.timelines import Declared, Operation, Timeline, declared_from, value_of


class Laboratory:
    """The real thing and the model, told the same. ``calls`` are those of the last run."""

    def __init__(self, timeline: Timeline, folder: Path, store: str | None = None) -> None:
        waits = sum(operation[1] for operation in timeline.operations if operation[0] == "wait")
        self.now: datetime = NOW - timedelta(hours=waits)
        self.folder = folder
        self.store = store or f"sqlite:///{folder}/store.db"
        self.assets = timeline.assets
        self.codes = {each.name: "1" for each in self.assets if each.kind != "source"}
        self.observations: dict[str, dict[Key, str | None]] = {each.name: {} for each in self.assets}
        self.recorded: dict[Row, str | None] = {}
        """The observations that the store has."""
        self.calls: list[tuple[Row, dict[str, object]]] = []
        self.behaviour = Behaviour(None)
        self.check_versions = {each.outputs[-1]: 1 for each in self.assets if each.checked}
        self.project = self._opened()
        self.model = Model(self.project.graph, self.now, {}, self.check_versions, observed=self.observations)
        self._coded()

    def close(self) -> None:
        self.project.close()

    @property
    def computations(self) -> list[str]:
        return list(self.codes)

    @property
    def world(self) -> SimpleNamespace:
        """What plans are compared by."""
        return SimpleNamespace(spaces=self.project.setting.spaces, graph=self.project.graph)

    def apply(self, operation: Operation) -> None:
        """Let one thing happen that is no run."""
        match operation:
            case ["wait", hours]:
                self.now += timedelta(hours=hours)
                self.model.now = self.now
                return
            case ["observe", name, key, content]:
                self.observations[name][key] = content
                return
            case ["withdraw", name, key]:
                self.observations[name].pop(key, None)
                return
            case ["add_keys", name, keys]:
                self.project.add_partitions(name, keys)
                self.model.add_keys(name, keys)
                return
            case ["remove_keys", name, keys]:
                there = [key for key in keys if key in self.model.dynamic.get(name, ())]
                self.project.remove_partitions(name, there, force=True)
                self.model.remove_keys(name, keys)
                return
            case ["declare", declared]:
                changed = declared if isinstance(declared, Declared) else declared_from(declared)
                self.assets = tuple(changed if each.name == changed.name else each for each in self.assets)
            case ["edit", name, code]:
                self.codes[name] = code
            case ["mend", checked]:
                self.check_versions[checked] += 1
            case _:
                raise AssertionError(operation)
        self.project.close()
        self.project = self._opened()
        self.model.graph = self.project.graph
        self._coded()

    def observe(self) -> None:
        """Ask all sources, not only those that a selection needs."""
        self.project.plan()
        for name in self.model.graph.nodes.keys() - self.codes.keys():
            seen = self.observations[name]
            for key in self.model.existing(name):
                content = seen.get(key, "gone")
                if content != self.recorded.get((name, key), "gone"):
                    self.model.log.append((name, key, content, self.now))
                    self.recorded[name, key] = content

    def run(self, behaviour: Behaviour, selection: str, **options: Any) -> Result:
        self.behaviour = behaviour
        self.calls.clear()
        return self.project.materialize(selection, observe=False, **options)

    def _coded(self) -> None:
        for name, code in self.codes.items():
            self.model.codes[name] = f"{code} {options_of(self.project.graph.nodes[name])}"

    def _opened(self) -> Project:
        functions = [self._function(each) for each in self.assets]
        checks = [self._check(each.outputs[-1]) for each in self.assets if each.checked]
        return Project(
            Definitions(assets=functions, checks=checks),
            store=self.store,
            storage=self.folder / "data",
            clock=lambda: self.now,
        )

    # What user code does

    def _function(self, declared: Declared) -> Callable[..., Any]:
        partitions = value_of(declared.partitions)
        if declared.kind == "source":
            return observable_source(name=declared.name, partitions=partitions)(self._observing(declared))
        inputs = {f"from_{read.upstream}": input_of(read) for read in declared.reads}
        loaded = {f"from_{read.upstream}" for read in declared.reads if read.loaded and self._loads(read.upstream)}
        loaded = set() if declared.batched else loaded
        keywords: dict[str, Any] = {
            "partitions": partitions,
            "inputs": {name: inputs[name] for name in inputs if name in loaded},
            "deps": [each for name, each in inputs.items() if name not in loaded],
            "code_version": self.codes[declared.name],
            "batch": Batch(max_partitions=2) if declared.batched else None,
        }
        function = self._computing(declared, sorted(loaded))
        if declared.kind == "two":
            outs = {output: Out() for output in declared.outputs}
            return multi_asset(name=declared.name, outs=outs, **keywords)(function)
        return asset(name=declared.name, **keywords)(function)

    def _loads(self, upstream: str) -> bool:
        return self._owner(upstream).kind != "source"

    def _owner(self, output: str) -> Declared:
        return next(each for each in self.assets if output in each.outputs)

    def _observing(self, declared: Declared) -> Callable[[], Any]:
        def observe() -> Any:
            seen = self.observations[declared.name]
            if declared.partitions is None:
                return seen[None]
            gone = {key for _, key in self.model.removed} - set(self.model.existing(declared.name))
            return {key: content for key, content in seen.items() if key not in gone}

        return observe

    def _computing(self, declared: Declared, loaded: list[str]) -> Callable[..., Any]:
        """A function with real parameters, for they say what is read."""
        forms = {name: self._owner(name.removeprefix("from_")).partitions for name in loaded}
        parameters = [f"{name}: {'str' if form is None else 'dict[str, str]'}" for name, form in forms.items()]
        returned = "tuple[str, str]" if declared.kind == "two" else "dict[str, str]" if declared.batched else "str"
        arguments = ", ".join(f"{name!r}: {name}" for name in loaded)
        text = (
            f"def compute({', '.join(['context: AssetContext', *parameters])}) -> {returned}:\n"
            f"    return called(context, {{{arguments}}})\n"
        )

        def called(context: AssetContext, given: Mapping[str, object]) -> Any:
            keys: list[Any] = [None] if declared.partitions is None else list(context.partition_keys)
            self.calls += [((declared.name, key), dict(given)) for key in keys]
            content = self.behaviour.returned(declared.name)
            made = tuple(NO_DATA if content is None else f"{output}:{content}" for output in declared.outputs)
            broken = [key for key in keys if (declared.name, key) in self.behaviour.failing]
            if declared.batched:
                return {key: made[0] for key in keys if key not in broken}  # what is not returned has failed
            if broken:
                raise RuntimeError("told to fail")
            return made if declared.kind == "two" else made[0]

        names: dict[str, Any] = {"AssetContext": AssetContext, "called": called}
        exec(text, names)
        return names["compute"]

    def _check(self, output: str) -> Callable[..., Any]:
        partitioned = self._owner(output).partitions is not None

        def ok(context: AssetContext) -> bool:
            key = context.partition_key if partitioned else None
            return (output, key) not in self.behaviour.refused

        return asset_check(asset=AssetKey(output), blocking=True, code_version=str(self.check_versions[output]))(ok)
