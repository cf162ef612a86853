"""From a decorated function to its declaration, and from whatever names an asset to the asset's key."""

from __future__ import annotations

from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.computations import ATTRIBUTE, Computation
from assetflow.errors import DefinitionError
from assetflow.keys import AssetKey


def definition_of(value: object) -> Computation | CheckSpec | None:
    """What a decorated function declares; None for anything else.

    >>> definition_of(len) is None
    True
    """
    declared = getattr(value, ATTRIBUTE, None)
    return declared if isinstance(declared, Computation | CheckSpec) else None


def referenced_key(reference: object) -> AssetKey:
    """The key that ``reference`` names: a key, or an asset's decorated function. Raises DefinitionError.

    >>> referenced_key("raw/orders")
    'raw/orders'
    """
    if isinstance(reference, str):
        return AssetKey(reference)
    declared = definition_of(reference)
    name = getattr(reference, "__name__", repr(reference))
    if isinstance(declared, CheckSpec):
        raise DefinitionError(f"{name} is a check, not an asset", hint="name the asset")
    if declared is None:
        raise DefinitionError(f"{name} is no asset", hint="write the asset's key, or the function below @asset")
    if len(declared.outputs) == 1:
        return declared.outputs[0].key
    keys = [output.key for output in declared.outputs]
    raise DefinitionError(f"{name} gives several assets: {', '.join(keys)}", hint="write the key of one of them")
