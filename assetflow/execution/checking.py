"""Running an asset's checks on one version, staged or published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from assetflow.definitions.annotations import ANY
from assetflow.definitions.checks import CheckResult, CheckSpec
from assetflow.definitions.context import AssetContext
from assetflow.errors import AssetflowError, CheckFailed, OutputError
from assetflow.execution.copies import no_copies
from assetflow.execution.metadata import plain_metadata
from assetflow.execution.task import (
    CheckOutcome,
)
from assetflow.execution.tracebacks import user_error
from assetflow.execution.workshop import Workshop
from assetflow.keys import CodeVersion, format_address
from assetflow.publish.loading import load_input
from assetflow.publish.stored import StoredInput


def run_checks(
    checks: Sequence[CheckSpec],
    subject: StoredInput,
    workshop: Workshop,
    *,
    done: frozenset[CodeVersion],
) -> tuple[CheckOutcome, ...]:
    """The outcomes of those checks whose present version is not among ``done``, in declaration order.

    A check that raises has not passed. An empty version is not checked.
    """
    if subject.stored is None:
        return ()
    outcomes: list[CheckOutcome] = []
    for check in checks:
        version = workshop.check_versions[check.asset, check.name]
        if version not in done:
            outcomes.append(_run(check, version, subject, workshop))
    return tuple(outcomes)


def _run(check: CheckSpec, version: CodeVersion, subject: StoredInput, workshop: Workshop) -> CheckOutcome:
    passed, severity, metadata, problem = False, check.severity, dict[str, object](), None
    try:
        result = _call(check, subject, workshop)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        place = format_address(check.asset, subject.key)
        problem = str(user_error(error, f"check {check.name} of {place}"))
    else:
        passed, metadata = result.passed, plain_metadata(result.metadata)
        severity = result.severity or severity
    return CheckOutcome(check.name, version, passed, severity, check.blocking, workshop.clock(), metadata, problem)


def _call(check: CheckSpec, subject: StoredInput, workshop: Workshop) -> CheckResult:
    arguments: dict[str, object] = {}
    if check.takes_context:
        keys = () if subject.key is None else (subject.key,)
        arguments["context"] = AssetContext(check.asset, partition_keys=keys)
    if check.parameter is not None:
        arguments[check.parameter] = load_input(check.arrival or ANY, (subject,), workshop.managers)
    with no_copies():
        returned: object = check.function(**arguments)
    return _result(returned, check, format_address(check.asset, subject.key))


def _result(returned: object, check: CheckSpec, place: str) -> CheckResult:
    found: Any = returned if isinstance(returned, CheckResult) else CheckResult(passed=cast("bool", returned))
    given: object = found.passed
    # A comparison of values in an array or a table gives numpy's own kind of truth.
    passed = True if given is np.True_ else False if given is np.False_ else given
    problem, hint = None, "a check returns True or False, or a CheckResult"
    if not isinstance(passed, bool):
        problem = f"passed={passed!r}" if found is returned else type(returned).__name__
    elif found.severity not in (None, "error", "warn"):
        problem, hint = f"severity={found.severity!r}", 'write severity="error" or severity="warn"'
    elif not isinstance(found.metadata, Mapping):
        problem, hint = f"metadata={found.metadata!r}", 'write metadata={"name": value}'
    if problem is None:
        return replace(found, passed=passed)
    message = f"check {check.name} of {place} returned {problem}"
    raise OutputError(message, hint=hint, location=check.location)


def refused(outcomes: Sequence[CheckOutcome]) -> tuple[CheckOutcome, ...]:
    """Those that forbid publishing."""
    return tuple(outcome for outcome in outcomes if outcome.refuses)


def refusal(place: str, outcomes: Sequence[CheckOutcome], *, published: bool = False) -> AssetflowError | None:
    """The error that a partition gets when blocking checks refused it, or None; ``published`` when it was current."""
    failed = refused(outcomes)
    if not failed:
        return None
    names = ", ".join(outcome.name for outcome in failed)
    details = "; ".join(filter(None, (_detail(outcome) for outcome in failed)))
    return CheckFailed(
        f"{place}: blocking check {names} did not pass{f' ({details})' if details else ''}",
        hint="it stays published; mend the data or the check, or roll back"
        if published
        else "what was published before stays; mend the data or the check and materialize again",
    )


def _detail(outcome: CheckOutcome) -> str:
    if outcome.error:
        return outcome.error.splitlines()[0]
    return ", ".join(f"{name}={value!r}" for name, value in outcome.metadata.items())
