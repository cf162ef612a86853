"""``@asset``, ``@multi_asset``, ``@observable_source`` and ``@asset_check``.

A decorator returns the function itself, with its declaration attached, and never raises for a user's mistake in a
keyword: mistakes are kept with the declaration, and building the graph reports all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict, TypeVar, Unpack, cast, overload

from assetflow.definitions.batch import Batch
from assetflow.definitions.checks import CheckSpec, Severity
from assetflow.definitions.computations import ATTRIBUTE, REPLACES, AssetSpec, Computation
from assetflow.definitions.freshness import FreshnessPolicy
from assetflow.definitions.functions import caller_location, location_of, name_of, parameters_of, replaced_by
from assetflow.definitions.inputs import AssetRef, Hashing, Input, Out
from assetflow.definitions.keywords import Keywords, first_paragraph
from assetflow.definitions.problems import Problem
from assetflow.definitions.references import definition_of, referenced_key
from assetflow.definitions.retries import RetryPolicy
from assetflow.definitions.schema import Schema
from assetflow.errors import DefinitionError
from assetflow.keys import AssetKey

if TYPE_CHECKING:
    from assetflow.partitions.definitions import PartitionsDefinition

F = TypeVar("F", bound=Callable[..., Any])


class SharedKeywords(TypedDict, total=False):
    """What every computation takes."""

    name: str | None
    partitions: PartitionsDefinition | None
    group: str | None
    owners: Sequence[str] | None
    tags: Mapping[str, str] | None
    kinds: Sequence[str] | None
    description: str | None
    metadata: Mapping[str, object] | None


class ComputedKeywords(SharedKeywords, total=False):
    """What ``@asset`` and ``@multi_asset`` take."""

    deps: Sequence[AssetRef | Input] | None
    inputs: Mapping[str, Input] | None
    batch: Batch | None
    code_version: str | None
    io_manager: str | None
    hashing: Hashing | None
    freshness_policy: FreshnessPolicy | None
    automation_condition: object
    retry_policy: RetryPolicy | None
    timeout: str | timedelta | None
    max_memory: str | int | None
    isolated: bool
    pool: str | tuple[str, int] | None
    publish_group: str | None
    on_drift: Literal["fail", "evolve", "warn"]


class AssetKeywords(ComputedKeywords, total=False):
    """What ``@asset`` takes."""

    schema: type[Schema] | None


class MultiAssetKeywords(ComputedKeywords, total=False):
    """What ``@multi_asset`` takes."""

    outs: Required[Mapping[str, Out]]
    can_subset: bool


class SourceKeywords(SharedKeywords, total=False):
    """What ``@observable_source`` takes."""

    min_interval: str | timedelta | None
    loader: object
    io_manager: object


class CheckKeywords(TypedDict, total=False):
    """What ``@asset_check`` takes."""

    asset: Required[AssetRef]
    name: str | None
    blocking: bool
    severity: Severity
    description: str | None
    code_version: str | None


_NOT_YET: Mapping[str, object] = {
    "automation_condition": None,
    "on_drift": "fail",
    "can_subset": False,
}
_NOT_YET_OF_SOURCES: Mapping[str, object] = {"loader": None, "io_manager": None}


@overload
def asset(function: F, /) -> F: ...
@overload
def asset(**keywords: Unpack[AssetKeywords]) -> Callable[[F], F]: ...
def asset(function: Callable[..., Any] | None = None, /, **keywords: Any) -> Callable[..., Any]:
    """Declare that a function produces an asset; its parameters name the upstream assets.

    The key is the function's name, or ``name``. ``deps`` are upstreams that are not loaded; ``inputs`` says more about
    a parameter; ``partitions`` and ``batch`` cut the asset into parts; ``schema``, ``hashing`` and ``io_manager``
    concern what is published, ``freshness_policy`` how late it may be; assets of one ``publish_group`` are published
    together, partition by partition; ``pool``, a name or ``(name, weight)``, limits how many steps run at once; a call
    that fails is tried again as its ``retry_policy`` says, and one that takes longer than its ``timeout`` has failed;
    where steps run in processes, one that takes more than ``max_memory`` (``"2GB"``) is ended, and ``isolated`` gives
    each call a process of its own;
    ``code_version`` replaces the automatic one;
    ``group``, ``owners``, ``tags``, ``kinds``, ``description`` (otherwise the docstring's first paragraph) and
    ``metadata`` are for people.

    >>> @asset(group="sales")
    ... def doubled(amount: int) -> int:
    ...     return 2 * amount
    >>> doubled(4)
    8
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        read = Keywords("@asset", keywords, _known(AssetKeywords))
        name = read.text("name") or name_of(function)
        shared = _shared_spec(read, name, function)
        spec = replace(
            shared,
            io_manager=read.text("io_manager"),
            schema=read.schema(),
            hashing=read.hashing(),
            freshness_policy=read.freshness_policy(),
        )
        return _attach(function, _computation(function, read, name, (spec,), multiple=False))

    return _applied("@asset", function, declare)


def multi_asset(**keywords: Unpack[MultiAssetKeywords]) -> Callable[[F], F]:
    """Declare that a function produces several assets, published together.

    It returns a dict by the names in ``outs``, or a tuple in their order. Other keywords are those of
    :func:`asset`; what ``group``, ``owners``, ``tags``, ``kinds``, ``metadata``, ``io_manager``, ``hashing`` and
    ``freshness_policy`` say holds for each output that does not say otherwise in its :class:`Out`.

    >>> @multi_asset(outs={"low": Out(), "high": Out()})
    ... def bounds(amounts: list[int]) -> tuple[int, int]:
    ...     return min(amounts), max(amounts)
    >>> bounds([3, 1, 2])
    (1, 3)
    """

    def declare(function: F) -> F:
        read = Keywords("@multi_asset", keywords, _known(MultiAssetKeywords))
        name = read.text("name") or name_of(function)
        outs = read.given.get("outs")
        if not isinstance(outs, Mapping) or not outs:
            read.note(f"outs={outs!r} names no output", 'write outs={"orders": Out(), "items": Out()}')
            outs = {}
        shared = replace(
            _shared_spec(read, name, function),
            io_manager=read.text("io_manager"),
            hashing=read.hashing(),
            freshness_policy=read.freshness_policy(),
        )
        specs = tuple(_output_spec(read, str(key), out, shared) for key, out in cast("dict[str, object]", outs).items())
        return _attach(function, _computation(function, read, name, specs, multiple=True))

    return declare


@overload
def observable_source(function: F, /) -> F: ...
@overload
def observable_source(**keywords: Unpack[SourceKeywords]) -> Callable[[F], F]: ...
def observable_source(function: Callable[..., Any] | None = None, /, **keywords: Any) -> Callable[..., Any]:
    """Declare something that others produce; the function gives its data version.

    It returns a text, or, with ``partitions``, a dict from partition key to text: None for a key that is known to be
    empty, no entry for one that is missing. ``min_interval`` is the least time between two observations.

    >>> @observable_source(min_interval="15m")
    ... def price_list() -> str:
    ...     return "2024-01-31"
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        read = Keywords("@observable_source", keywords, _known(SourceKeywords))
        name = read.text("name") or name_of(function)
        source = Computation(
            name,
            function,
            "source",
            (_shared_spec(read, name, function),),
            partitions=read.partitions(),
            min_interval=read.duration("min_interval"),
            location=location_of(function),
            unsupported=read.unsupported(_NOT_YET_OF_SOURCES),
        )
        return _attach(function, replace(source, problems=tuple(read.problems)))

    return _applied("@observable_source", function, declare)


def asset_check(**keywords: Unpack[CheckKeywords]) -> Callable[[F], F]:
    """Declare a check of ``asset``: a function that returns True, False or a :class:`CheckResult`.

    The parameter with the name of the asset (its last part), or the only one beside ``context``, takes the value; its
    annotation decides the form. A ``blocking`` check that fails keeps the new version from being published.

    >>> @asset_check(asset="orders", blocking=True)
    ... def has_orders(orders: list[str]) -> bool:
    ...     return len(orders) > 0
    >>> has_orders([])
    False
    """

    def declare(function: F) -> F:
        read = Keywords("@asset_check", keywords, _known(CheckKeywords))
        blocking, severity = read.flag("blocking"), read.severity()
        if blocking and severity == "warn":
            read.note("a blocking check cannot have severity 'warn'", 'remove blocking=True or severity="warn"')
        check = CheckSpec(
            read.text("name") or name_of(function),
            _checked_asset(read),
            blocking,
            severity,
            function,
            parameters=parameters_of(function).names,
            description=read.text("description") or first_paragraph(function),
            code_version=read.text("code_version"),
            location=location_of(function),
        )
        return _attach(function, replace(check, problems=tuple(read.problems)))

    return declare


def _known(keywords: type) -> frozenset[str]:
    return cast("Any", keywords).__required_keys__ | cast("Any", keywords).__optional_keys__


def _applied(
    decorator: str, function: Callable[..., Any] | None, declare: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[..., Any]:
    if function is None:
        return declare
    if not callable(function):
        raise DefinitionError(
            f"{decorator} decorates a function, not {function!r}",
            hint=f'write {decorator}(name="...") above a function',
            location=caller_location(),
        )
    return declare(function)


def _attach(function: F, declared: Computation | CheckSpec) -> F:
    if isinstance(function, type) or not hasattr(function, "__dict__"):
        raise DefinitionError(
            f"{declared.name}: {function!r} is not a function", hint="decorate a function", location=caller_location()
        )
    earlier = definition_of(function)
    # functools.wraps copies attributes: only a declaration of this very function is in the way.
    if earlier and earlier.function is function:
        kind = "a check" if isinstance(earlier, CheckSpec) else "an asset"
        problem = Problem(
            f"this function is declared already, as {kind} {earlier.name!r}", "write a function for each declaration"
        )
        declared = replace(declared, problems=(*declared.problems, problem))
    setattr(function, ATTRIBUTE, declared)
    replaced = definition_of(replaced_by(function))
    if replaced:
        setattr(function, REPLACES, replaced)
    return function


def _shared_spec(read: Keywords, name: str, function: Callable[..., Any]) -> AssetSpec:
    return AssetSpec(
        AssetKey(name),
        description=read.text("description") or first_paragraph(function),
        group=read.text("group"),
        owners=read.texts("owners"),
        tags=read.tags(),
        kinds=read.texts("kinds"),
        metadata=read.metadata(),
    )


def _output_spec(read: Keywords, key: str, out: object, shared: AssetSpec) -> AssetSpec:
    if not isinstance(out, Out):
        read.note(f"outs[{key!r}]={out!r} is no Out", f'write outs={{"{key}": Out()}}')
        out = Out()
    given = {name: getattr(out, name) for name in Out.__slots__}
    own = Keywords("Out", given, given)
    spec = AssetSpec(
        AssetKey(key),
        description=own.text("description") or shared.description,
        group=own.text("group") or shared.group,
        owners=own.texts("owners") if out.owners is not None else shared.owners,
        tags=own.tags() if out.tags is not None else shared.tags,
        kinds=own.texts("kinds") if out.kinds is not None else shared.kinds,
        metadata=own.metadata() if out.metadata is not None else shared.metadata,
        io_manager=own.text("io_manager") or shared.io_manager,
        schema=own.schema(),
        hashing=own.hashing() or shared.hashing,
        freshness_policy=own.freshness_policy() or shared.freshness_policy,
    )
    for problem in own.problems:
        read.note(f"outs[{key!r}]: {problem.message}", problem.hint or "")
    return spec


def _computation(
    function: Callable[..., Any], read: Keywords, name: str, specs: tuple[AssetSpec, ...], *, multiple: bool
) -> Computation:
    computation = Computation(
        name,
        function,
        "asset",
        specs,
        inputs=read.inputs(),
        deps=read.deps(),
        partitions=read.partitions(),
        batch=read.batch(),
        code_version=read.text("code_version"),
        publish_group=read.text("publish_group"),
        retry_policy=read.retry_policy(),
        timeout=read.timeout(),
        pool=read.pool(),
        max_memory=read.size("max_memory"),
        isolated=read.flag("isolated"),
        multiple=multiple,
        location=location_of(function),
        unsupported=read.unsupported(_NOT_YET),
    )
    return replace(computation, problems=tuple(read.problems))


def _checked_asset(read: Keywords) -> AssetKey:
    if "asset" not in read.given:
        read.note("asset= is missing", 'write @asset_check(asset="...")')
        return AssetKey("")
    try:
        return referenced_key(read.given["asset"])
    except DefinitionError as error:
        read.note(f"asset=: {error.message}", error.hint or "")
        return AssetKey("")
