"""Every error that assetflow raises on purpose.

    AssetflowError                     what is wrong, where, what to do
    ├── DefinitionError                one mistake in a declaration
    ├── DefinitionErrors               all mistakes of one load, together
    ├── UsageError                     a wrong request: nothing was started
    │   ├── ProjectError               no project, or a bad pyproject.toml
    │   ├── UnknownAsset               a name that no asset has
    │   ├── InvalidSelection           a selection that cannot be parsed
    │   ├── InvalidPartition           a key or range outside the definition
    │   ├── PartitionInUse           a dynamic partition that something refers to
    │   ├── UnknownVersion             a version id that the store does not have
    │   ├── VersionDeleted             a version that retention has let go of
    │   ├── UnknownRun                 a run id that the store does not have
    │   ├── InvalidQuery               SQL that the catalog cannot run
    │   └── PlanOutdated               what would run is not what was agreed to any more
    ├── StepError                      one asset partition could not be built
    │   ├── UserCodeError              the user's function raised
    │   ├── InputError                 what an upstream holds cannot arrive as asked
    │   ├── OutputError                what the function returned cannot be published
    │   ├── SchemaMismatch             the output contradicts the declared schema
    │   ├── CheckFailed                a blocking check did not pass
    │   ├── GroupIncomplete            another asset of its publish group could not be built
    │   ├── StepTimeout                it took longer than its timeout
    │   ├── WorkerDied                 the process that built it ended (transient)
    │   └── StepCanceled               it was stopped because its run was canceled
    ├── StorageError                   a data file
    │   ├── DataMissing                a recorded version has lost its file
    │   ├── DataUnreadable             a data file cannot be read
    │   └── StorageFull                no space left (transient)
    ├── StoreError                     the metadata store
    │   ├── StoreTooNew                written by a newer assetflow
    │   ├── StoreDamaged               not a store, or a broken one
    │   ├── StoreUnreachable           the database cannot be reached (transient)
    │   ├── CommitUnknown              whether a commit was written cannot be told (transient)
    │   └── StoreLocked                another process holds the lock (transient)
    ├── PublishConflict                the pointer moved since the plan (transient)
    │   └── LeaseLost                  whoever publishes does not hold the partition any more (transient)
    └── Interrupted                    Ctrl-C or SIGTERM

``exit_code`` is what the command line returns; ``transient`` says whether trying again unchanged can help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """A place in the user's files; lines count from 1.

    >>> str(SourceLocation("shop/assets.py", 12))
    'shop/assets.py:12'
    """

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


class AssetflowError(Exception):
    """Base of all errors raised on purpose: ``message``, ``hint`` (the next step) and ``location``.

    >>> print(AssetflowError("orders: no such column 'price'", hint="add it to the schema"))
    orders: no such column 'price'
      hint: add it to the schema
    """

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False
    raised: tuple[str, ...] = ()
    """The qualified names of what a user's function raised and of its base classes; empty where nothing was."""

    def __init__(self, message: str, *, hint: str | None = None, location: SourceLocation | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.location = location

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{self.message}{hint}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), dict(self.__dict__), self.args)

    def document(self) -> dict[str, object]:
        """The ``error`` document's fields: type, message, hint and location (``path:line``)."""
        return {
            "type": type(self).__name__,
            "message": self.message,
            "hint": self.hint,
            "location": str(self.location) if self.location else None,
        }


def class_names(kind: type[BaseException]) -> tuple[str, ...]:
    """The qualified names of an exception class and of its bases, which tell in another process what was raised.

    >>> class_names(KeyError)[:2]
    ('builtins.KeyError', 'builtins.LookupError')
    """
    return tuple(f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__[:-1])


def _rebuild(kind: type[AssetflowError], fields: dict[str, object], args: tuple[object, ...]) -> AssetflowError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class DefinitionError(AssetflowError):
    """One mistake in a declaration, with its place; ``traceback`` where importing the user's code raised, as text."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        traceback: str = "",
        hint: str | None = None,
        location: SourceLocation | None = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location)
        self.traceback = traceback

    def document(self) -> dict[str, object]:
        fields = super().document()
        return {**fields, "traceback": self.traceback} if self.traceback else fields


class DefinitionErrors(AssetflowError):
    """All mistakes found in one load, in the order of their places.

    >>> error = DefinitionErrors([DefinitionError("orders: declared twice", location=SourceLocation("shop.py", 3))])
    >>> print(error)
    1 definition error
    shop.py:3: orders: declared twice
    """

    exit_code = 2

    def __init__(self, errors: Sequence[DefinitionError]) -> None:
        noun = "definition error" if len(errors) == 1 else "definition errors"
        super().__init__(f"{len(errors)} {noun}")
        self.errors = tuple(errors)
        self.location = errors[0].location if len(errors) == 1 else None

    def __str__(self) -> str:
        return "\n".join([self.message, *(str(error) for error in self.errors)])

    def document(self) -> dict[str, object]:
        fields = super().document()
        fields["message"] = str(self)
        return {**fields, "errors": [error.document() for error in self.errors]}


class UsageError(AssetflowError):
    """A request that cannot be carried out as asked; nothing was started."""

    exit_code = 2


class ProjectError(UsageError):
    """There is no project here, or its configuration is wrong."""


class UnknownAsset(UsageError):
    """A name that no asset has; the hint gives the nearest names."""


class InvalidSelection(UsageError):
    """A selection expression that cannot be parsed."""


class InvalidPartition(UsageError):
    """A partition key or range that the partition definition does not have."""


class PartitionInUse(UsageError):
    """A dynamic partition that cannot be removed without force, because something refers to it."""


class UnknownVersion(UsageError):
    """A version id that the store does not have."""


class VersionDeleted(UsageError):
    """A version whose data retention has let go of; its record is still there."""


class UnknownRun(UsageError):
    """A run id that the store does not have."""


class InvalidQuery(UsageError):
    """SQL that the catalog cannot run."""


class PlanOutdated(UsageError):
    """What would run is not the plan that was agreed to any more; ``plan`` is the document of the new one."""

    def __init__(self, message: str, *, plan: Mapping[str, object], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.plan = plan

    def document(self) -> dict[str, object]:
        return {**super().document(), "plan": dict(self.plan)}


class StepError(AssetflowError):
    """One asset partition could not be built."""


class UserCodeError(StepError):
    """The user's function raised; ``traceback`` holds the user's frames only, as text."""

    def __init__(
        self,
        message: str,
        *,
        traceback: str = "",
        hint: str | None = None,
        location: SourceLocation | None = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location)
        self.traceback = traceback

    def document(self) -> dict[str, object]:
        return {**super().document(), "traceback": self.traceback}


class InputError(StepError):
    """What is stored upstream cannot arrive as the parameter's annotation asks."""


class OutputError(StepError):
    """What the function returned cannot be published."""


class SchemaMismatch(StepError):
    """The output contradicts the declared schema."""


class CheckFailed(StepError):
    """A blocking check did not pass; the candidate version is quarantined."""


class GroupIncomplete(StepError):
    """The partition could be built, but not all that is published together with it."""


class StepTimeout(StepError):
    """An attempt took longer than the ``timeout`` of its computation, and was ended."""


class WorkerDied(StepError):
    """The process that built the partition ended before it had an answer; ``output``: the last that it printed."""

    transient = True

    def __init__(
        self,
        message: str,
        *,
        output: str = "",
        hint: str | None = None,
        location: SourceLocation | None = None,
    ) -> None:
        super().__init__(message, hint=hint, location=location)
        self.output = output

    def document(self) -> dict[str, object]:
        return {**super().document(), "output": self.output}


class StepCanceled(StepError):
    """An attempt was stopped because its run was canceled."""


class StorageError(AssetflowError):
    """Reading or writing a data file failed."""


class DataMissing(StorageError):
    """A recorded version has lost its data file."""


class DataUnreadable(StorageError):
    """A data file is there but cannot be read."""


class StorageFull(StorageError):
    """No space is left where the data goes."""

    transient = True


class StoreError(AssetflowError):
    """The metadata store cannot be used."""


class StoreTooNew(StoreError):
    """The store was written by a newer assetflow than this one."""


class StoreDamaged(StoreError):
    """The file is no assetflow store, or a broken one."""


class StoreUnreachable(StoreError):
    """The database of the store cannot be reached, or does not let us in."""

    transient = True


class CommitUnknown(StoreError):
    """The connection broke during a commit, and whether that was written could not be found out yet."""

    transient = True


class StoreLocked(StoreError):
    """Another process held the store's write lock for too long."""

    transient = True


class PublishConflict(AssetflowError):
    """A pointer is no longer the one that the step was planned against."""

    transient = True


class LeaseLost(PublishConflict):
    """The lease under which something was to be published expired, or somebody else has claimed the partition."""


class Interrupted(AssetflowError):
    """Stopped by Ctrl-C or SIGTERM."""

    exit_code = 130
