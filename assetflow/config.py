"""The ``[tool.assetflow]`` table of a project's pyproject.toml, and where a project is found."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assetflow.errors import ProjectError, SourceLocation

FILE = "pyproject.toml"


class ProjectConfig(BaseModel):
    """A project's settings; only ``definitions`` is required.

    >>> ProjectConfig(definitions="shop.definitions:defs").environment
    'prod'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    definitions: str = Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")
    store: str = Field(default="sqlite:///.assetflow/store.db", min_length=1)
    storage: str = Field(default=".assetflow/data", min_length=1)
    environment: str = Field(default="prod", pattern=r"^[A-Za-z_][\w-]{0,62}$")


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` whose pyproject.toml has ``[tool.assetflow]``. Raises ProjectError."""
    for folder in (start, *start.parents):
        path = folder / FILE
        if path.is_file() and _table(path) is not None:
            return folder
    raise ProjectError(
        f"no project at or above {start}: no {FILE} there has a [tool.assetflow] table",
        hint="run `assetflow init NAME` for a new project, or name one with --project DIR",
    )


def read_config(root: Path, environ: Mapping[str, str] = os.environ) -> ProjectConfig:
    """Read the settings under ``root``; ASSETFLOW_STORE, ASSETFLOW_STORAGE and ASSETFLOW_ENVIRONMENT override them.

    Raises ProjectError, naming the setting.
    """
    path = root / FILE
    if not path.is_file():
        raise ProjectError(f"{root} has no {FILE}", hint="run `assetflow init NAME` for a new project")
    settings: dict[str, object] = dict(_table(path) or {})
    for name in ("store", "storage", "environment"):
        if value := environ.get(f"ASSETFLOW_{name.upper()}"):
            settings[name] = value
    try:
        return ProjectConfig.model_validate(settings)
    except ValidationError as error:
        raise _config_error(path, error) from None


def _table(path: Path) -> dict[str, object] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} is not valid TOML: {error}") from None
    tool: object = document.get("tool", {})
    table: object = tool.get("assetflow") if isinstance(tool, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return dict(table) if isinstance(table, dict) else None  # pyright: ignore[reportUnknownArgumentType]


def _config_error(path: Path, error: ValidationError) -> ProjectError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    known = list(ProjectConfig.model_fields)
    place = SourceLocation(str(path), _line_of(path, name))
    match first["type"]:
        case "missing":
            return ProjectError(
                f"[tool.assetflow] needs {name}", hint=f'add {name} = "package.module:defs"', location=place
            )
        case "extra_forbidden":
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"
            return ProjectError(f"[tool.assetflow] has no setting {name}", hint=hint, location=place)
        case _:
            return ProjectError(
                f"[tool.assetflow] {name} = {first['input']!r}: {first['msg']}",
                hint='definitions is "package.module" or "package.module:name"' if name == "definitions" else None,
                location=place,
            )


def _line_of(path: Path, name: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next((n for n, line in enumerate(lines, 1) if line.strip() == "[tool.assetflow]"), 1)
    return next((n for n, line in enumerate(lines[start:], start + 1) if line.split("=")[0].strip() == name), start)
