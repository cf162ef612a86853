"""Two environments on different code that gives the same output leave each other alone."""

from __future__ import annotations

from typing import Any

import pytest

CODE = """
    from pathlib import Path

    from assetflow import asset

    def called(name: str) -> None:
        with Path("calls").open("a") as file:
            file.write(f"{name}\\n")

    @asset
    def number() -> int:
        called("number")
        return 1 + 1

    @asset
    def tenfold(number: int) -> int:
        called("tenfold")
        return number * 10
"""


def switch(folder: Any, monkeypatch: pytest.MonkeyPatch, environment: str, formula: str) -> None:
    """Work in an environment, on its code."""
    monkeypatch.setenv("ASSETFLOW_ENVIRONMENT", environment)
    folder.code(CODE.replace("1 + 1", formula))


def test_they_do_not_rebuild_each_other(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    formulas = {"prod": "1 + 1", "dev": "3 - 1"}
    switch(folder, monkeypatch, "prod", formulas["prod"])
    folder.run()
    assert folder.calls() == ["number", "tenfold"]
    switch(folder, monkeypatch, "dev", formulas["dev"])
    assert folder.run().status == "success"
    assert folder.calls() == ["number"], "the output is equal, so what prod has of tenfold fits"

    for environment in ("prod", "dev", "prod", "dev"):
        switch(folder, monkeypatch, environment, formulas[environment])
        assert folder.steps() == {}
        assert folder.run().run_id is None
        assert folder.value("tenfold") == 20
    assert folder.calls() == []


def test_a_change_in_one_is_not_seen_in_the_other(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    switch(folder, monkeypatch, "prod", "1 + 1")
    folder.run()
    switch(folder, monkeypatch, "dev", "1 + 4")
    folder.run()
    assert folder.value("tenfold") == 50
    switch(folder, monkeypatch, "prod", "1 + 1")
    assert folder.steps() == {}
    assert folder.value("tenfold") == 20


def test_a_new_environment_of_the_same_code_computes_nothing(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    switch(folder, monkeypatch, "prod", "1 + 1")
    folder.run()
    folder.calls()
    switch(folder, monkeypatch, "dev", "1 + 1")
    assert folder.run().counts["reused"] == 2
    assert folder.calls() == []
    assert folder.value("tenfold") == 20
