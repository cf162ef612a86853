"""Choosing an executor, and handing definitions to worker processes."""

from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from assetflow import Definitions, Project, asset
from assetflow.errors import UsageError
from assetflow.execution.executors.setup import WorkerCode
from assetflow.opening.config import read_config
from assetflow.opening.executors import ExecutorSettings, chosen_executor

FACTOR = 3


def helper(value: int) -> int:
    return FACTOR * value


@asset
def numbers() -> int:
    return helper(14)


@dataclass
class Basket:
    """A value of a class that no other process can import."""

    apples: int


@asset
def baskets() -> Basket:
    return Basket(3)


@asset
def apples(baskets: Basket) -> int:
    return baskets.apples


def no_code() -> WorkerCode:
    raise AssertionError("nobody needs it")


def test_the_inline_executor_is_the_default() -> None:
    assert chosen_executor(None, None, ExecutorSettings(), no_code).name == "inline"
    assert chosen_executor(None, 1, ExecutorSettings(workers=4), no_code).workers == 1


@pytest.mark.parametrize(
    ("executor", "workers", "message", "hint"),
    [
        ("threads", None, "there is no executor 'threads'", "there are inline and processes"),
        (
            "inline",
            2,
            "the inline executor has one worker, not 2",
            'use executor="processes" (--executor processes) for several, or leave workers out',
        ),
        ("processes", 0, "workers=0 is no whole number from 1 on", "leave it out for one worker"),
    ],
)
def test_what_cannot_be_had(executor: str, workers: int, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        chosen_executor(executor, workers, ExecutorSettings(), no_code)
    assert (raised.value.message, raised.value.hint) == (message, hint)


def test_definitions_of_a_test_reach_the_workers() -> None:
    with Project([numbers]) as project:
        result = project.materialize(executor="processes", workers=2)
        assert result.status == "success"
        assert project.load("numbers") == 42
        recorded = project.store.reader.run(result.run_id or "")
        assert recorded is not None
        assert (recorded.executor, recorded.workers) == ("processes", 2)


def test_objects_of_classes_of_a_test_go_from_worker_to_worker() -> None:
    with Project([baskets, apples]) as project:
        assert project.materialize(executor="processes", workers=2).failures == ()
        assert project.load("baskets") == Basket(3)
        assert project.load("apples") == 3


def test_definitions_that_cannot_be_handed_over_are_refused_before_the_run() -> None:
    lock = threading.Lock()

    @asset(code_version="1")
    def held() -> int:
        with lock:
            return 1

    with Project([held]) as project:
        with pytest.raises(UsageError) as raised:
            project.materialize(executor="processes")
        assert raised.value.message.startswith("the definitions cannot be handed to worker processes: ")
        assert raised.value.hint is not None
        assert 'use executor="inline"' in raised.value.hint
        assert project.runs() == []


def test_values_that_stay_in_this_process_are_refused_before_the_run() -> None:
    @asset(io_manager="memory")
    def kept() -> int:
        return 1

    with Project(Definitions(assets=[kept])) as project:
        with pytest.raises(UsageError) as raised:
            project.materialize(executor="processes")
        assert raised.value.message == (
            "kept: IO manager 'memory' keeps values in this process only, so worker processes cannot use it"
        )
        assert raised.value.hint == 'use executor="inline", or another IO manager'
        assert project.runs() == []


def test_definitions_are_pickled_once_for_all_workers() -> None:
    with Project([numbers]) as project:
        code = project._workspace.worker_code()
        definitions = pickle.loads(code.loader)()
        assert [each.name for each in definitions.computations] == ["numbers"]
        assert definitions.computations[0].function() == 42


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('executor = "threads"', "executor = 'threads'", 'write "inline" or "processes"'),
        ("workers = 0", "workers = 0", "write a whole number from 1"),
        ("workers = true", "workers = True", "write a whole number from 1"),
        ('isolation = "yes"', "isolation = 'yes'", "write true or false"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, line: str, message: str, hint: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.assetflow]\ndefinitions = "shop"\n{line}\n')
    with pytest.raises(UsageError) as raised:
        read_config(tmp_path)
    assert raised.value.message == f"[tool.assetflow] {message} cannot be used"
    assert raised.value.hint == hint
    assert str(raised.value.location).endswith("pyproject.toml:3")


def test_settings_that_can_be_used(tmp_path: Path) -> None:
    settings = 'executor = "processes"\nworkers = 3\nisolation = true\n'
    (tmp_path / "pyproject.toml").write_text(f'[tool.assetflow]\ndefinitions = "shop"\n{settings}')
    assert read_config(tmp_path).executors == ExecutorSettings("processes", 3, True)
