"""``doctor``: looks for what is broken or left over, and cleans what is safe to clean."""

from __future__ import annotations

from argparse import Namespace

from assetflow.cli.options import open_project
from assetflow.cli.parsing import Command, no_arguments
from assetflow.cli.terminal import Answer, Page
from assetflow.cli.words import count

_STYLES = {"ok": "green", "info": "cyan", "warning": "yellow", "error": "bold red"}


def doctor(arguments: Namespace) -> Answer:
    """Tell what is wrong; the exit code is 1 when something is broken."""
    with open_project(arguments) as project:
        findings = project.doctor()
    errors = sum(finding.level == "error" for finding in findings)
    document = {
        "ok": not errors,
        "findings": [
            {
                "level": finding.level,
                "subject": finding.subject,
                "message": finding.message,
                "hint": finding.hint,
                "cleaned": finding.cleaned,
            }
            for finding in findings
        ],
    }

    def show(page: Page) -> None:
        for finding in findings:
            cleaned = " (cleaned)" if finding.cleaned else ""
            lead = f"{finding.level:<8}"
            page.line(f"{lead} {finding.subject}: {finding.message}{cleaned}", style=_STYLES[finding.level], lead=lead)
            if finding.hint:
                page.line(f"         hint: {finding.hint}")
        page.line()
        page.line(f"{count(errors, 'error')} found." if errors else "No errors found.")

    return Answer(lambda: document, show, 1 if errors else 0)


COMMANDS = {
    "doctor": Command(
        no_arguments,
        doctor,
        "Look for what is broken or left over, clean what is safe to clean, exit with 1 when something is broken.",
    )
}
