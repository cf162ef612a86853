"""What is wrong with one computation, check or schema, whatever the others are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from assetflow.definitions.checks import CheckSpec
from assetflow.definitions.computations import Computation
from assetflow.definitions.functions import Parameters, not_plain
from assetflow.definitions.problems import Problem
from assetflow.definitions.schema import Schema, schema_problems
from assetflow.errors import DefinitionError
from assetflow.keys import is_asset_key

_NO_KEY_HINT = "write letters, digits and _ in parts joined by /, not starting with a digit, and not and, or, not"


def computation_errors(computation: Computation, parameters: Parameters) -> list[DefinitionError]:
    """The mistakes in one declaration: its keywords, its keys, and a function that cannot be called plainly."""
    problems = [
        *_key_problems(computation),
        *computation.problems,
        *(
            Problem(f"{name}= is not supported yet by this version", f"remove {name}=")
            for name in computation.unsupported
        ),
        *_function_problems(computation.function, parameters),
    ]
    return [problem.error(computation.name, computation.location) for problem in problems]


def check_errors(check: CheckSpec, parameters: Parameters) -> list[DefinitionError]:
    """The mistakes in one check, apart from what it checks."""
    problems = [*check.problems, *_function_problems(check.function, parameters)]
    if not is_asset_key(check.name) or "/" in check.name:
        problems.append(Problem(f"{check.name!r} is no name for a check", "write letters, digits and _"))
    return [problem.error(f"check {check.name}", check.location) for problem in problems]


def schema_errors(schema: type[Schema], computation: Computation) -> list[DefinitionError]:
    """The mistakes in a schema, at the place of a computation that uses it."""
    return [
        DefinitionError(
            f"{computation.name}: schema {schema.__name__} (in {schema.__module__}): {problem}",
            hint="correct the schema",
            location=computation.location,
        )
        for problem in schema_problems(schema)
    ]


def _key_problems(computation: Computation) -> Iterator[Problem]:
    if computation.multiple and not is_asset_key(computation.name):
        yield Problem(f"{computation.name!r} is no name for a computation", f"{_NO_KEY_HINT}: name=")
    for spec in computation.outputs:
        if not is_asset_key(spec.key):
            yield Problem(f"{spec.key!r} is no asset key", _NO_KEY_HINT)


def _function_problems(function: Callable[..., object], parameters: Parameters) -> Iterator[Problem]:
    kind = not_plain(function)
    if kind:
        yield Problem(f"it is {kind}, which returns no value when called", "write a plain function that returns it")
    for written in parameters.refused:
        yield Problem(
            f"nobody provides the parameter {written}: values are passed by name", "name each parameter, without * or /"
        )
