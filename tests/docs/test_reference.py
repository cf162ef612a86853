"""The reference is complete: it is compared with the program."""

from __future__ import annotations

import inspect
import re
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import assetflow
from assetflow import Input, Project, errors
from assetflow.catalog.columns import VIEW_NAMES, view_schema
from assetflow.definitions import decorators
from assetflow.execution.result import OUTCOMES
from assetflow.io import IOManager
from assetflow.opening.config import ProjectConfig
from assetflow.planner.causes import Cause, CauseKind, PartitionState

TOP = Path(__file__).parents[2]
REFERENCE = TOP / "docs/reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def first_cells(text: str) -> list[str]:
    """What the tables of a text have in backquotes at the start of a row."""
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


def test_the_command_line_is_written_from_the_program() -> None:
    script = runpy.run_path(str(TOP / "scripts/cli_reference.py"))
    assert page("cli.md") == script["page"](), "run scripts/cli_reference.py"


def test_the_http_api_is_written_from_the_program() -> None:
    script = runpy.run_path(str(TOP / "scripts/api_reference.py"))
    assert page("http-api.md") == script["page"](), "run scripts/api_reference.py"


def test_every_error_is_explained_and_none_that_does_not_exist() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.AssetflowError)
    }
    assert sorted(re.findall(r"^### (\w+)", page("errors.md"), re.MULTILINE)) == sorted(classes)


def test_every_error_says_its_exit_code_and_whether_to_try_again() -> None:
    for name, text in re.findall(
        r"^### (\w+)\n\n(.+?)(?=\n### |\n## |\Z)", page("errors.md"), re.DOTALL | re.MULTILINE
    ):
        error: type[errors.AssetflowError] = getattr(errors, name)
        facts = re.search(r"exit code (\d+)(, transient)?", text, re.IGNORECASE)
        assert facts, name
        assert (int(facts[1]), bool(facts[2])) == (error.exit_code, error.transient), name


def test_every_view_has_its_columns() -> None:
    sections = dict(re.findall(r"^## (\w+)\n(.+?)(?=^## |\Z)", page("catalog.md"), re.DOTALL | re.MULTILINE))
    assert [name for name in sections if name in VIEW_NAMES] == list(VIEW_NAMES)
    for view in VIEW_NAMES:
        assert first_cells(sections[view]) == view_schema(view).names, view


@pytest.mark.parametrize(
    ("section", "keywords"),
    [
        ("@asset", decorators.AssetKeywords),
        ("@multi_asset", decorators.MultiAssetKeywords),
        ("@observable_source", decorators.SourceKeywords),
        ("@asset_check", decorators.CheckKeywords),
    ],
)
def test_every_keyword_of_a_decorator_is_listed(section: str, keywords: Any) -> None:
    later: set[str] = set(decorators._NOT_YET) | (
        set(decorators._NOT_YET_OF_SOURCES) if section == "@observable_source" else set()
    )
    text = page("declaring.md").split(f"\n## {section}\n")[1].split("\n## ")[0]
    table = text.split("\n| Keyword | |\n")[1].split("\n\n")[0]
    listed = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    known: set[str] = (keywords.__required_keys__ | keywords.__optional_keys__) - later
    if section == "@multi_asset":
        known -= decorators.AssetKeywords.__optional_keys__
    assert listed == known


def test_every_argument_of_an_input_is_listed() -> None:
    text = page("declaring.md").split("\n## Input\n")[1].split("\n## ")[0]
    assert first_cells(text) == [each.name for each in fields(Input) if each.name != "schema"]


def test_every_method_of_a_project_is_listed() -> None:
    methods = [name for name, value in vars(Project).items() if inspect.isfunction(value) and name[0] != "_"]
    # The planner's own state, and what materialize() does with its temporary project.
    inner = {"state", "close_when_dropped"}
    text = page("python.md")
    assert [name for name in methods if name not in inner and f"`{name}(" not in text] == []


def test_every_outcome_is_explained() -> None:
    assert [outcome for outcome in OUTCOMES if outcome not in first_cells(page("json.md"))] == []


def test_everything_that_an_io_manager_has_is_listed() -> None:
    members = {name for name in vars(IOManager) if name[0] != "_"} | set(IOManager.__annotations__)
    listed = {cell.split("(")[0] for cell in first_cells(page("io-managers.md"))}
    assert members - listed == set()


def test_every_public_name_is_somewhere_in_the_reference() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md"))
    assert [name for name in assetflow.__all__ if f"`{name}" not in text and f"`@{name}" not in text] == []


def test_every_setting_is_listed() -> None:
    assert [each.name for each in fields(ProjectConfig) if each.name not in first_cells(page("project.md"))] == []


def test_every_state_and_cause_is_explained() -> None:
    states = (TOP / "docs/concepts/states.md").read_text(encoding="utf-8")
    causes = (TOP / "docs/concepts/staleness.md").read_text(encoding="utf-8")
    assert [state for state in PartitionState.__args__ if f"## {state}" not in states] == []
    assert [kind for kind in CauseKind.__args__ if f"`{kind}`" not in causes] == []


def test_every_cause_is_shown_and_every_field_of_one_is_listed() -> None:
    assert sorted(re.findall(r"^## (\w+)$", page("causes.md"), re.MULTILINE)) == sorted(CauseKind.__args__)
    assert first_cells(page("causes.md")) == [each.name for each in fields(Cause)]


def test_the_code_of_the_readme_is_that_of_the_template() -> None:
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    excerpt = re.search(r"```python[^\n]*\n(.+?)```", readme, re.DOTALL)
    assert excerpt
    assert excerpt[1].count("\n") < 25
    template = "\n\n\n".join(path.read_text(encoding="utf-8") for path in (TOP / "project_template/shop").glob("*.py"))
    for piece in excerpt[1].strip().split("\n\n\n"):
        assert piece in template, piece


def test_every_relative_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)", (TOP / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (TOP / link).exists()] == []
