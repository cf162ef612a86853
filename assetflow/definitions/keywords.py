"""Reading the keywords of a decorator: what is wrong is noted, never raised, so that a load reports all mistakes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

from assetflow.definitions.batch import Batch
from assetflow.definitions.durations import parse_duration
from assetflow.definitions.freshness import FreshnessPolicy, policy_problems
from assetflow.definitions.inputs import AssetRef, Hashing, Input
from assetflow.definitions.problems import Problem
from assetflow.definitions.references import referenced_key
from assetflow.definitions.retries import RetryPolicy, retry_problems
from assetflow.definitions.schema import Schema, is_schema
from assetflow.definitions.sizes import parse_size
from assetflow.errors import DefinitionError
from assetflow.keys import nearest_names

if TYPE_CHECKING:
    from assetflow.partitions.definitions import PartitionsDefinition

_HASHINGS = ("ordered", "rows", "none")
_POOL = re.compile(r"[A-Za-z_][\w.-]{0,62}")
_UNSUPPORTED_INPUT = ("schema",)


class Keywords:
    """The keywords that one declaration was given; each method reads one and notes what is wrong in ``problems``."""

    def __init__(self, decorator: str, given: Mapping[str, object], known: Iterable[str]) -> None:
        self.problems: list[Problem] = []
        self.given = {name: value for name, value in given.items() if value is not None}
        known = frozenset(known)
        for name in given:
            if name not in known:
                self.note(f"{decorator} has no keyword {name!r}", nearest_names(name, known) or f"remove {name}=")

    def note(self, message: str, hint: str) -> None:
        """Remember one mistake."""
        self.problems.append(Problem(message, hint))

    def unsupported(self, names: Mapping[str, object]) -> tuple[str, ...]:
        """Which of ``names`` were given something other than the value beside them."""
        return tuple(name for name, default in names.items() if self.given.get(name, default) != default)

    def text(self, name: str) -> str | None:
        """A text that is not empty."""
        value = self.given.get(name)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self.note(f"{name}={value!r} is not a text", f'write {name}="..."')
        return None

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.given.get(name, ())
        if isinstance(value, list | tuple | set | frozenset):
            texts = [each for each in cast("Iterable[object]", value) if isinstance(each, str) and each.strip()]
            if len(texts) == len(cast("Sequence[object]", value)):
                return tuple(texts if isinstance(value, list | tuple) else sorted(texts))
        self.note(f"{name}={value!r} is not a list of texts", f'write {name}=["..."]')
        return ()

    def tags(self) -> Mapping[str, str]:
        """Texts by text: ``tag:k=v`` selects by them."""
        value = self.given.get("tags", {})
        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value)
            tags = {key: each for key, each in items.items() if isinstance(key, str) and isinstance(each, str)}
            if len(tags) == len(items):
                return tags
        self.note(f"tags={value!r} are not texts by text", 'write tags={"domain": "sales"}')
        return {}

    def metadata(self) -> Mapping[str, object]:
        """Anything by text."""
        value = self.given.get("metadata", {})
        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value)
            if all(isinstance(key, str) for key in items):
                return dict(cast("Mapping[str, object]", items))
        self.note(f"metadata={value!r} is not a dict by text", 'write metadata={"source": "..."}')
        return {}

    def schema(self) -> type[Schema] | None:
        """A subclass of ``Schema``."""
        value = self.given.get("schema")
        if value is None or is_schema(value):
            return value
        self.note(f"schema={value!r} is no schema", "declare one: class Orders(Schema): price: float")
        return None

    def hashing(self) -> Hashing | None:
        """How the data hash of a table is computed."""
        value = self.given.get("hashing")
        if value is None or value in _HASHINGS:
            return value
        self.note(f"hashing={value!r} is unknown", 'write "ordered", "rows" or "none"')
        return None

    def flag(self, name: str) -> bool:
        """True or False; False without it."""
        value = self.given.get(name, False)
        if isinstance(value, bool):
            return value
        self.note(f"{name}={value!r} is neither True nor False", f"write {name}=True")
        return False

    def severity(self) -> Literal["error", "warn"]:
        """How bad a failed check is."""
        value = self.given.get("severity", "error")
        if value not in ("error", "warn"):
            self.note(f"severity={value!r} is unknown", 'write "error" or "warn"')
        return "warn" if value == "warn" else "error"

    def duration(self, name: str) -> timedelta | None:
        """A duration such as ``"15m"``."""
        try:
            return parse_duration(self.given[name]) if name in self.given else None
        except DefinitionError as error:
            self.note(f"{name}: {error.message}", error.hint or "")
            return None

    def size(self, name: str) -> int | None:
        """A number of bytes, such as ``"2GB"``."""
        try:
            return parse_size(self.given[name]) if name in self.given else None
        except DefinitionError as error:
            self.note(f"{name}: {error.message}", error.hint or "")
            return None

    def partitions(self) -> PartitionsDefinition | None:
        """A partition definition; whether it is a sound one is seen when the graph is built."""
        value = self.given.get("partitions")
        if value is None or (callable(getattr(value, "problems", None)) and not isinstance(value, type)):
            return cast("PartitionsDefinition | None", value)
        self.note(
            f"partitions={value!r} is no partition definition",
            'write DailyPartitions("2024-01-01") or StaticPartitions(["a", "b"])',
        )
        return None

    def freshness_policy(self) -> FreshnessPolicy | None:
        """A ``FreshnessPolicy``; None where it is not a sound one."""
        value = self.given.get("freshness_policy")
        if value is None:
            return None
        if not isinstance(value, FreshnessPolicy):
            self.note(
                f"freshness_policy={value!r} is no FreshnessPolicy",
                'write freshness_policy=FreshnessPolicy(max_lag="36h")',
            )
            return None
        problems = policy_problems(value)
        self.problems += problems
        return None if problems else value

    def batch(self) -> Batch | None:
        """A ``Batch``."""
        value = self.given.get("batch")
        if value is None:
            return None
        if not isinstance(value, Batch):
            self.note(f"batch={value!r} is no Batch", "write batch=Batch(max_partitions=24)")
            return None
        size: Any = value.max_partitions
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            self.note(f"Batch(max_partitions={size!r}) holds no partition", "write a whole number from 1")
        column: Any = value.column
        if not isinstance(column, str) or not column or column == "_partition":
            self.note(f"Batch(column={column!r}) cannot name a column", 'write a name, such as "partition"')
        if self.given.get("partitions") is None:
            self.note("batch= needs partitions, and there are none", "give it partitions=, or remove batch=")
        return value

    def timeout(self) -> timedelta | None:
        """How long one call may take."""
        timeout = self.duration("timeout")
        if timeout == timedelta(0):
            self.note(f"timeout={self.given['timeout']!r} leaves no time", 'write a duration such as "10m"')
            return None
        return timeout

    def retry_policy(self) -> RetryPolicy | None:
        """A ``RetryPolicy``; None where it is not a sound one."""
        value = self.given.get("retry_policy")
        if value is None:
            return None
        if not isinstance(value, RetryPolicy):
            self.note(f"retry_policy={value!r} is no RetryPolicy", "write retry_policy=RetryPolicy(max_retries=3)")
            return None
        problems = retry_problems(value)
        for problem in problems:
            self.note(f"retry_policy: {problem.message}", problem.hint or "")
        return None if problems else value

    def pool(self) -> tuple[str, int] | None:
        """The name of a pool, and how much of it each step takes."""
        value: Any = self.given.get("pool")
        if value is None:
            return None
        pair = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value, 1)
        name, weight = pair if len(pair) == 2 else (None, None)
        if not isinstance(name, str) or not _POOL.fullmatch(name):
            self.note(f"pool={value!r} names no pool", 'write pool="warehouse", or pool=("warehouse", 2) with a weight')
        elif name == "default":
            self.note(
                'pool="default" cannot be used: that stands for the pools that the settings do not name',
                "choose another name",
            )
        elif not isinstance(weight, int) or isinstance(weight, bool) or weight < 1:
            self.note(f"pool={value!r}: the weight {weight!r} is no whole number from 1", f'write pool=("{name}", 2)')
        else:
            return name, weight
        return None

    def inputs(self) -> Mapping[str, Input]:
        """Inputs by parameter; one that cannot be read names the asset ``""``."""
        value = self.given.get("inputs", {})
        if not isinstance(value, Mapping):
            self.note(f"inputs={value!r} is not a dict", 'write inputs={"parameter": Input("asset")}')
            return {}
        items = cast("Mapping[str, Any]", value).items()
        return {str(name): self._input(each, f"inputs[{name!r}]") for name, each in items}

    def deps(self) -> tuple[Input, ...]:
        """Upstreams that are not loaded."""
        value = self.given.get("deps", ())
        if not isinstance(value, list | tuple | set | frozenset):
            self.note(f"deps={_shown(value)} is not a list", f"write deps=[{_shown(value)}]")
            return ()
        items = enumerate(cast("Iterable[AssetRef | Input]", value))
        found: dict[object, Input] = {}
        for position, each in items:
            read = self._input(each, f"deps[{position}]")
            if read.asset and read.asset in found:
                self.note(f"deps names {read.asset!r} twice", "name it once")
            found[read.asset] = read
        return tuple(found.values())

    def _input(self, value: Input | AssetRef, place: str) -> Input:
        given = value if isinstance(value, Input) else Input(value)
        try:
            key = referenced_key(given.asset)
        except DefinitionError as error:
            self.note(f"{place}: {error.message}", error.hint or "")
            return Input("")
        for name in _UNSUPPORTED_INPUT:
            if getattr(given, name) is not None:
                self.note(f"{place}: Input({name}=) is not supported yet by this version", f"remove {name}=")
        missing: object = given.missing
        if missing not in (None, "wait", "allow"):
            self.note(f"{place}: missing={missing!r} is unknown", 'write "wait" or "allow"')
        sound = missing in (None, "wait", "allow") and self._sound_columns(given, place)
        columns = tuple(given.columns) if sound and given.columns is not None else None
        tolerance = self._tolerance(given, place)
        return Input(
            key, given.mapping, columns=columns, missing=given.missing if sound else None, late_tolerance=tolerance
        )

    def _tolerance(self, given: Input, place: str) -> timedelta | None:
        if given.late_tolerance is None:
            return None
        try:
            return parse_duration(given.late_tolerance)
        except DefinitionError as error:
            self.note(f"{place}: late_tolerance: {error.message}", error.hint or "")
            return None

    def _sound_columns(self, given: Input, place: str) -> bool:
        columns: object = given.columns
        if columns is None:
            return True
        names = cast("Sequence[object]", columns) if isinstance(columns, list | tuple) else ()
        if not names or not all(isinstance(name, str) and name for name in names):
            self.note(f"{place}: columns={columns!r} is not a list of names", 'write columns=["price"]')
            return False
        if len(set(names)) < len(names):
            self.note(f"{place}: columns={columns!r} names a column twice", "name each once")
            return False
        return True


def _shown(value: object) -> str:
    return getattr(value, "__name__", repr(value)) if callable(value) else repr(value)


def first_paragraph(function: Callable[..., object]) -> str | None:
    """The first paragraph of a docstring, on one line; the description where none is given."""
    text = function.__doc__ or ""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if not line.strip():
            break
        lines.append(line.strip())
    return " ".join(lines) or None
