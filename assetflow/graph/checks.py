"""Settling checks: which parameter of each takes the asset's value, and in which form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from assetflow.definitions.annotations import Annotations, Arrival
from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.functions import Parameters, parameters_of
from assetflow.definitions.validation import check_errors
from assetflow.errors import DefinitionError
from assetflow.graph.edges import Upstreams
from assetflow.keys import AssetKey


def settle_checks(
    checks: Iterable[CheckSpec], upstreams: Upstreams
) -> tuple[Mapping[AssetKey, tuple[CheckSpec, ...]], list[DefinitionError]]:
    """The checks of each asset, as they will be called, and all that is wrong with them."""
    errors: list[DefinitionError] = []
    found: dict[AssetKey, dict[str, CheckSpec]] = {}
    for check in checks:
        parameters = parameters_of(check.function)
        errors += check_errors(check, parameters)
        settled = check
        if check.asset:
            try:
                settled = _settled(check, parameters, upstreams)
            except DefinitionError as error:
                errors.append(_placed(check, error))
        of_asset = found.setdefault(check.asset, {})
        earlier = of_asset.setdefault(check.name, settled)
        if earlier is not settled:
            errors.append(
                _placed(
                    check,
                    DefinitionError(
                        f"{check.asset} has a check of this name already, at {earlier.location}",
                        hint="rename one of the two functions, or give one another name=",
                    ),
                )
            )
    return {key: tuple(named.values()) for key, named in found.items()}, errors


def _placed(check: CheckSpec, error: DefinitionError) -> DefinitionError:
    return DefinitionError(f"check {check.name}: {error.message}", hint=error.hint, location=check.location)


def _settled(check: CheckSpec, parameters: Parameters, upstreams: Upstreams) -> CheckSpec:
    upstream = upstreams.get(check.asset)
    if upstream is None:
        near = upstreams.nearest(check.asset) or "declare it, or add it to the Definitions"
        raise DefinitionError(f"asset={check.asset!r} is no asset", hint=near)
    if upstream.computation.kind == "source":
        raise DefinitionError(
            f"{check.asset} is a source, which has no stored value", hint="check an asset that is made from it"
        )
    if upstream.returns.container == "none":
        raise DefinitionError(
            f"{check.asset} returns None: it has no value", hint="check an asset that has one, or let it return one"
        )
    parameter = _value_parameter(check, parameters)
    takes_context = "context" in parameters.names
    if parameter is None:
        return replace(check, takes_context=takes_context)
    arrival = Annotations(check.function).parameter(parameter)
    # A check sees one partition at a time, so that there is nothing to be keyed by partition.
    arrival = Arrival("one", "value", dict) if arrival.container == "dict" else arrival
    return replace(check, parameter=parameter, arrival=arrival, takes_context=takes_context)


def _value_parameter(check: CheckSpec, parameters: Parameters) -> str | None:
    names = [name for name in parameters.names if name != "context"]
    required = [name for name in names if name not in parameters.optional]
    wanted = check.asset.rpartition("/")[2]
    parameter = wanted if wanted in names else required[0] if required else None
    others = [name for name in required if name != parameter]
    if others:
        raise DefinitionError(
            f"nobody provides the parameter {others[0]!r}: a check reads its asset only",
            hint=f"keep one parameter, {wanted!r}, and context if needed",
        )
    return parameter
