"""Importing a project's definitions: a fresh import of its modules, from its folder, without writing bytecode."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from assetflow.definitions.collect import Definitions, collect
from assetflow.errors import (
    AssetflowError,
    DefinitionError,
    DefinitionErrors,
    ProjectError,
    SourceLocation,
    UserCodeError,
)
from assetflow.execution.sources import Sources, importing_from
from assetflow.execution.tracebacks import user_error
from assetflow.keys import nearest_names

if TYPE_CHECKING:
    from assetflow.opening.config import ProjectConfig


@contextmanager
def working_in(root: Path) -> Generator[None]:
    """User code runs with the project's folder as working directory and with it, and its ``src``, on ``sys.path``."""
    before, path = os.getcwd(), list(sys.path)
    own = [str(folder) for folder in (root, root / "src") if folder.is_dir() and str(folder) not in path]
    try:
        os.chdir(root)
    except OSError as error:
        raise ProjectError(
            f"{root}: {error.strerror}", hint="name a folder that exists as the project's root"
        ) from error
    sys.path[:0] = own
    try:
        yield
    finally:
        sys.path[:] = [entry for entry in sys.path if entry not in own]
        os.chdir(before)


def load_project(path: str | Path | None) -> tuple[Sources, ProjectConfig, Definitions]:
    """The sources, settings and definitions of the project at ``path``, or at or above the working directory.

    Raises ProjectError and DefinitionErrors.
    """
    from assetflow.opening.config import find_root, read_config

    root = find_root(Path.cwd()) if path is None else Path(path).absolute()
    config = read_config(root)
    sources = Sources(root, [root / ".assetflow"])
    with importing_from(sources):
        return sources, config, load_definitions(config.definitions, root, sources.inside)


def load_definitions(target: str, root: Path, inside: Callable[[str], bool]) -> Definitions:
    """Import ``module`` or ``module:name`` afresh. Raises DefinitionErrors for what goes wrong in the user's code.

    Modules of the project that were imported before, and modules of another project under the same name, are
    imported again.
    """
    module_name, _, attribute = target.partition(":")
    with working_in(root):
        _forget(module_name.partition(".")[0], inside)
        importlib.invalidate_caches()
        writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            module = importlib.import_module(module_name)
            found: object = getattr(module, attribute) if attribute else module
            return collect(found)
        except AssetflowError as error:
            raise _definition_errors(error) from None
        except AttributeError as error:
            if attribute and attribute in str(error) and module_name in sys.modules:
                raise _no_attribute(target, sys.modules[module_name], attribute) from None
            raise _broken(error, module_name) from None
        except ModuleNotFoundError as error:
            if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise ProjectError(
                    f"definitions = {target!r}: there is no module {error.name} in {root}",
                    hint="name a module or package that lies in the project folder or its src/",
                ) from None
            raise _broken(error, module_name, hint=_missing_module(error, root)) from None
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit, and what some test and Rust libraries raise, too
            raise _broken(error, module_name) from None
        finally:
            sys.dont_write_bytecode = writes_bytecode


def _forget(top: str, inside: Callable[[str], bool]) -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        of_project = name == top or name.startswith(f"{top}.") or (file is not None and inside(file))
        if of_project and name != "__main__":
            del sys.modules[name]


def _definition_errors(error: AssetflowError) -> AssetflowError:
    return DefinitionErrors([error]) if isinstance(error, DefinitionError) else error


def _no_attribute(target: str, module: ModuleType, attribute: str) -> AssetflowError:
    near = nearest_names(attribute, [name for name in vars(module) if not name.startswith("_")])
    return ProjectError(
        f"definitions = {target!r}: {module.__name__} has no {attribute}",
        hint=near or f"define {attribute} = Definitions(...) there, or name the module alone for all assets in it",
        location=SourceLocation(module.__file__, 1) if module.__file__ else None,
    )


def _missing_module(error: ModuleNotFoundError, root: Path) -> str | None:
    if error.name is None:
        return None
    top = error.name.partition(".")[0]
    folders = [folder for folder in (root, root / "src") if folder.is_dir()]
    own = {path.stem for folder in folders for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    return nearest_names(top, own - {top}) or f"install the package that provides {top}, or mend the import"


def _broken(error: BaseException, module_name: str, *, hint: str | None = None) -> DefinitionErrors:
    if isinstance(error, SyntaxError) and error.filename:
        place = SourceLocation(_shown(error.filename), error.lineno or 1)
        text = (error.text or "").strip()
        return DefinitionErrors([DefinitionError(f"{error.msg}: {text}" if text else error.msg, location=place)])
    problem = user_error(error, f"importing {module_name}")
    trace = problem.traceback if isinstance(problem, UserCodeError) else ""
    return DefinitionErrors(
        [DefinitionError(problem.message, traceback=trace, hint=hint or problem.hint, location=problem.location)]
    )


def _shown(filename: str) -> str:
    try:
        return str(Path(filename).relative_to(Path.cwd()))
    except ValueError:
        return filename
