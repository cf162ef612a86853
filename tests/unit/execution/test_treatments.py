"""Publishing earlier versions again: only whole ones, and none that a blocking check refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from assetflow import Out, asset, asset_check, multi_asset

CALLS: list[str] = []


def counted(result: Any) -> dict[str, int]:
    return {outcome: number for outcome, number in result.counts.items() if number}


def steps(project: Any, **options: Any) -> dict[str, str]:
    return {step.computation: step.certainty for step in project.plan(**options).steps}


def stock(pieces: int) -> Any:
    @asset(name="stock", code_version=str(pieces))
    def made() -> pd.DataFrame:
        CALLS.append(f"stock {pieces}")
        return pd.DataFrame({"pieces": [pieces]})

    return made


@asset_check(asset="stock", blocking=True)
def enough(stock: pd.DataFrame) -> bool:
    CALLS.append("check")
    return bool((stock["pieces"] > 1).all())


def pieces(project: Any) -> int:
    return int(project.load("stock")["pieces"][0])


def test_an_earlier_version_that_the_check_never_saw_is_checked_before_it_is_published_again(opened: Any) -> None:
    with opened(stock(1)) as project:
        project.materialize()
    with opened(stock(2), checks=[enough]) as project:
        project.materialize()
    CALLS.clear()

    with opened(stock(1), checks=[enough]) as project:
        assert steps(project) == {"stock": "reuse"}
        assert counted(project.materialize()) == {"quarantined": 1}
        assert CALLS == ["check"]
        assert pieces(project) == 2, "what was published before stays"
        assert project.why("stock").state == "failed"
        assert steps(project, retry_failed=False) == {}

        assert steps(project) == {"stock": "will"}, "it is known to be bad, so that only computing can help"
        assert counted(project.materialize()) == {"quarantined": 1}
        assert CALLS == ["check", "stock 1", "check"]
        assert pieces(project) == 2

    with opened(stock(1)) as project:
        assert counted(project.materialize()) == {"reused": 1}
        assert pieces(project) == 1


def test_an_earlier_version_that_passes_is_published_with_its_results(opened: Any) -> None:
    with opened(stock(3)) as project:
        project.materialize()
    with opened(stock(2), checks=[enough]) as project:
        project.materialize()
    CALLS.clear()
    with opened(stock(3), checks=[enough]) as project:
        assert counted(project.materialize()) == {"reused": 1}
        assert CALLS == ["check"]
        assert (pieces(project), project.plan().steps) == (3, ())
    with opened(stock(2), checks=[enough]) as project:
        assert counted(project.materialize()) == {"reused": 1}
        assert CALLS == ["check"], "that one has been seen"


def test_an_earlier_version_without_its_files_is_computed_anew(opened: Any, tmp_path: Path) -> None:
    with opened(stock(1)) as project:
        project.materialize()
        lost = project.why("stock").version
    with opened(stock(2)) as project:
        project.materialize()
    shutil.rmtree(tmp_path / "data" / "stock" / f"v-{lost}")
    with opened(stock(1)) as project:
        assert counted(project.materialize()) == {"materialized": 1}
        assert (pieces(project), project.plan().steps) == (1, ())


def test_a_candidate_that_passes_now_is_told_as_published(opened: Any) -> None:
    with opened(stock(1), checks=[enough]) as project:
        assert counted(project.materialize()) == {"quarantined": 1}

    @asset_check(asset="stock", name="enough", blocking=True)
    def mended(stock: pd.DataFrame) -> bool:
        return bool((stock["pieces"] > 0).all())

    with opened(stock(1), checks=[mended]) as project:
        run_id = project.materialize().run_id
        ((kind, payload),) = [
            (row.event.kind, row.event.payload) for row in project.store.reader.events_since(0, run_id=run_id)
        ]
        assert (kind, payload["rows"]) == ("materialized", 1)
        assert payload["bytes"] > 0


def test_a_check_step_counts_every_output_also_one_that_has_no_version_yet(opened: Any) -> None:
    def both(*names: str) -> Any:
        @multi_asset(name="both", outs={name: Out() for name in names})
        def made() -> dict[str, int]:
            if len(names) == 2:
                raise ValueError("cannot make two")
            return dict.fromkeys(names, 1)

        return made

    @asset_check(asset="first")
    def seen(first: int) -> bool:
        return True

    with opened(both("first")) as project:
        project.materialize()
    with opened(both("first", "second")) as project:
        assert counted(project.materialize()) == {"failed": 2}
    with opened(both("first", "second"), checks=[seen]) as project:
        result = project.materialize(retry_failed=False)
        assert sum(result.counts.values()) == result.plan.totals["partitions"]
