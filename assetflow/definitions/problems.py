"""One mistake noted while declaring: reported with all others when the graph is built."""

from __future__ import annotations

from dataclasses import dataclass

from assetflow.errors import DefinitionError, SourceLocation


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, without saying whose it is, and what to do."""

    message: str
    hint: str | None = None

    def error(self, subject: str, location: SourceLocation | None) -> DefinitionError:
        """The same as an error of ``subject``, with its place."""
        return DefinitionError(f"{subject}: {self.message}", hint=self.hint, location=location)


def problem_of(error: DefinitionError) -> Problem:
    """The problem that a raised error without a place describes."""
    return Problem(error.message, error.hint)
