"""What starting assetflow costs: the libraries it loads are those that the user's request needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "assetflow"
WEB = {"anyio", "fastapi", "httpx", "pydantic", "starlette", "uvicorn", "watchfiles"}
COSTLY = WEB | {"alembic", "duckdb", "fsspec", "pandas", "psycopg", "pyarrow", "rich", "sqlalchemy"}


def costly_libraries_loaded_by(statement: str) -> set[str]:
    script = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(run.stdout.split()) & COSTLY


def pure_modules() -> list[str]:
    """The modules that declare and plan, whose import the user pays for in every command."""
    files = [PACKAGE / f"{name}.py" for name in ("errors", "keys", "io", "graph")]
    for folder in ("partitions", "definitions", "planner"):
        files += (PACKAGE / folder).rglob("*.py")
    modules = [file.relative_to(PACKAGE.parent).with_suffix("").parts for file in files]
    return sorted(".".join(part for part in module if part != "__init__") for module in modules)


def test_importing_assetflow_loads_no_costly_library() -> None:
    assert costly_libraries_loaded_by("import assetflow") == set()


def test_declaring_and_planning_load_no_costly_library() -> None:
    assert costly_libraries_loaded_by("import " + ", ".join(pure_modules())) == set()


def test_names_for_declaring_load_no_costly_library() -> None:
    running = "{'Project', 'materialize'}"
    statement = f"import assetflow\n[getattr(assetflow, name) for name in set(assetflow.__all__) - {running}]"
    assert costly_libraries_loaded_by(statement) == set()


def test_the_processes_that_run_user_code_load_nothing_of_the_web() -> None:
    modules = ", ".join(
        f"assetflow.server.processes.{name}" for name in ("template", "loading", "answering", "running")
    )
    assert costly_libraries_loaded_by(f"import {modules}") & WEB == set()


def test_the_command_line_loads_nothing_of_the_web_before_dev_runs() -> None:
    assert costly_libraries_loaded_by("import assetflow.cli.main, assetflow.cli.dev") & WEB == set()
