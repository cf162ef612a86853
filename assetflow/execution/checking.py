"""Running an asset's checks on one version, staged or published."""

from __future__ import annotations

from collections.abc import Sequence

from assetflow.definitions.annotations import ANY
from assetflow.definitions.checks import CheckResult, CheckSpec
from assetflow.definitions.context import AssetContext
from assetflow.errors import AssetflowError, CheckFailed, OutputError
from assetflow.execution.task import CheckOutcome, StoredInput
from assetflow.execution.tracebacks import user_error
from assetflow.execution.workshop import Workshop
from assetflow.keys import CodeVersion, format_address
from assetflow.publish.loading import load_input


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
    except Exception as error:
        place = format_address(check.asset, subject.key)
        problem = str(user_error(error, f"check {check.name} of {place}"))
    else:
        passed, metadata = result.passed, dict(result.metadata)
        severity = result.severity or severity
    return CheckOutcome(check.name, version, passed, severity, check.blocking, workshop.clock(), metadata, problem)


def _call(check: CheckSpec, subject: StoredInput, workshop: Workshop) -> CheckResult:
    arguments: dict[str, object] = {}
    if check.takes_context:
        keys = () if subject.key is None else (subject.key,)
        arguments["context"] = AssetContext(check.asset, partition_keys=keys)
    if check.parameter is not None:
        arguments[check.parameter] = load_input(check.arrival or ANY, (subject,), workshop.managers)
    result: object = check.function(**arguments)
    if isinstance(result, CheckResult):
        return result
    if isinstance(result, bool):
        return CheckResult(passed=result)
    raise OutputError(
        f"check {check.name} of {format_address(check.asset, subject.key)} returned {type(result).__name__}",
        hint="a check returns True or False, or a CheckResult",
        location=check.location,
    )


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
