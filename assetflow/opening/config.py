"""The ``[tool.assetflow]`` table of a project's pyproject.toml, and where a project is found."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from assetflow.errors import ProjectError, SourceLocation
from assetflow.keys import DEFAULT_ENVIRONMENT, ENVIRONMENT_NAME
from assetflow.opening.executors import EXECUTORS, ExecutorSettings
from assetflow.publish.limits import NORMAL, is_lease, is_limit

if TYPE_CHECKING:
    from assetflow.publish.retention import Retention

_EXECUTION: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "executor": (lambda value: value in EXECUTORS, 'write "inline" or "processes"'),
    "workers": (lambda value: type(value) is int and value > 0, "write a whole number from 1"),
    "isolation": (lambda value: isinstance(value, bool), "write true or false"),
}
"""Where steps run: what is accepted, and what to write."""

FILE = "pyproject.toml"


# Checked by hand: importing pydantic for a few values would take a third of a command's time.
_FORMS = {
    "definitions": (re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?"), '"package.module" or "package.module:name"'),
    "store": (re.compile(r".+"), 'a URL such as "sqlite:///.assetflow/store.db" or "postgresql://user@host/database"'),
    "storage": (re.compile(r".+"), 'a folder such as ".assetflow/data"'),
    "environment": (ENVIRONMENT_NAME, "a name of letters, digits, '_' and '-', at most 63 of them"),
}


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """A project's settings; only ``definitions`` is required.

    >>> ProjectConfig(definitions="shop.definitions:defs").environment
    'prod'
    """

    definitions: str
    store: str = field(default="sqlite:///.assetflow/store.db", repr=False)
    """Not shown: it may hold a password."""
    storage: str = ".assetflow/data"
    environment: str = DEFAULT_ENVIRONMENT
    lease_seconds: float = NORMAL.lease_seconds
    pools: Mapping[str, int] | None = None
    executor: str = "inline"
    workers: int | None = None
    isolation: bool = False
    retention: Retention | None = None
    """What ``[tool.assetflow.retention]`` says; None: the defaults."""

    @property
    def executors(self) -> ExecutorSettings:
        """Where steps run."""
        return ExecutorSettings(self.executor, self.workers, self.isolation)


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
        what = f"{root} has no {FILE}" if root.is_dir() else f"there is no folder {root}"
        raise ProjectError(what, hint="run `assetflow init NAME` for a new project")
    written = _table(path)
    if written is None:
        raise ProjectError(f"{path} has no [tool.assetflow] table", hint='add it, with definitions = "package.module"')
    given = {name: environ.get(f"ASSETFLOW_{name.upper()}") for name in ("store", "storage", "environment")}
    overriding = {name: value for name, value in given.items() if value}
    retention = _retention(path, written.pop("retention", None))
    checked: dict[str, Any] = {**_checked(path, written), **_checked_variables(overriding)}
    return ProjectConfig(**checked, retention=retention)


def _retention(path: Path, given: object) -> Retention | None:
    if given is None:
        return None
    from assetflow.publish.retention import read_retention

    place = SourceLocation(str(path), _line_of(path, "retention"))
    if not isinstance(given, dict):
        raise ProjectError(
            f"[tool.assetflow] retention = {given!r} cannot be used",
            hint='write a table [tool.assetflow.retention] with lines such as keep_for = "30d"',
            location=place,
        )
    try:
        return read_retention(cast("dict[str, object]", given))
    except ValueError as error:
        raise ProjectError(
            f"[tool.assetflow.retention]: {error}", hint="mend that line of pyproject.toml", location=place
        ) from None


def _table(path: Path) -> dict[str, object] | None:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}", hint="check its permissions") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        found = re.search(r"at line (\d+)", str(error))
        place = SourceLocation(str(path), int(found[1])) if found else None
        raise ProjectError(f"{path} is not valid TOML: {error}", hint="mend that line", location=place) from None
    tool: object = document.get("tool", {})
    table = cast("dict[str, object]", tool).get("assetflow") if isinstance(tool, dict) else None
    if table is None or isinstance(table, dict):
        return None if table is None else dict(cast("dict[str, object]", table))
    raise ProjectError(
        f"{path}: assetflow = {table!r} under [tool] is no table",
        hint="write a line [tool.assetflow], and settings below it",
    )


def _checked(path: Path, settings: Mapping[str, object]) -> dict[str, object]:
    checked: dict[str, object] = {}
    for name, value in settings.items():
        place = SourceLocation(str(path), _line_of(path, name))
        if name in _EXECUTION:
            accepted, hint = _EXECUTION[name]
            if not accepted(value):
                raise ProjectError(f"[tool.assetflow] {name} = {value!r} cannot be used", hint=hint, location=place)
            checked[name] = value
            continue
        if name not in (*_FORMS, "lease_seconds", "pools"):
            known = (*_FORMS, *_EXECUTION, "lease_seconds", "pools", "retention")
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"
            raise ProjectError(f"[tool.assetflow] has no setting {name}", hint=hint, location=place)
        if name == "lease_seconds":
            checked[name] = _lease_seconds(value, place)
            continue
        if name == "pools":
            checked[name] = _pools(path, value, place)
            continue
        form, description = _FORMS[name]
        if not isinstance(value, str) or not form.fullmatch(value):
            raise ProjectError(
                f"[tool.assetflow] {name}{_shown(name, value, f' = {value!r}')} cannot be used",
                hint=f"write {description}",
                location=place,
            )
        checked[name] = value
    if "definitions" not in checked:
        raise ProjectError(
            "[tool.assetflow] needs definitions",
            hint='add definitions = "package.module:defs"',
            location=SourceLocation(str(path), _line_of(path, "definitions")),
        )
    return checked


def _lease_seconds(value: object, place: SourceLocation) -> float:
    if is_lease(value):
        return float(cast("float", value))
    raise ProjectError(
        f"[tool.assetflow] lease_seconds = {value!r} cannot be used",
        hint="write a number of seconds from 1 to 3600; 15 is the default",
        location=place,
    )


def _pools(path: Path, value: object, place: SourceLocation) -> Mapping[str, int]:
    if not isinstance(value, dict):
        raise ProjectError(
            f"[tool.assetflow] pools = {value!r} is no table",
            hint="write a line [tool.assetflow.pools], and limits such as warehouse = 4 below it",
            location=place,
        )
    pools: dict[str, int] = {}
    for name, limit in cast("dict[str, object]", value).items():
        if not is_limit(limit):
            raise ProjectError(
                f"[tool.assetflow.pools] {name} = {limit!r} is no limit",
                hint=f"write a whole number from 1: {name} = 4",
                location=SourceLocation(str(path), _line_of(path, name, "[tool.assetflow.pools]")),
            )
        pools[name] = cast("int", limit)
    return pools


def _checked_variables(overriding: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in overriding.items():
        form, description = _FORMS[name]
        if not form.fullmatch(value):
            raise ProjectError(
                f"ASSETFLOW_{name.upper()}{_shown(name, value, f'={value}')} cannot be used",
                hint=f"set it to {description}",
            )
    return overriding


def _shown(name: str, value: object, text: str) -> str:
    """A value in a message; a URL of the store may hold a password."""
    return "" if name == "store" and isinstance(value, str) else text


def _line_of(path: Path, name: str, table: str = "[tool.assetflow]") -> int:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    start = next((n for n, line in enumerate(lines, 1) if line == table), 1)
    found = (n for n, line in enumerate(lines[start:], start + 1) if line.split("=")[0].strip() == name)
    subtable = table.replace("]", f".{name}]")
    return next(found, lines.index(subtable) + 1 if subtable in lines else start)
