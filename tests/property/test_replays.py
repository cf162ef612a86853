"""Timelines that once broke a rule, kept in ``replays/``, and those that broke one here the last time, run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.property import test_planner, timelines
from tests.property.pairs import NOW, Pair
from tests.property.timelines import Declared, Read, Timeline, holds, replay

FILES = [*sorted(timelines.KEPT.glob("*.json")), *sorted(timelines.BROKEN.glob("*.json"))]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_kept_timeline_holds(path: Path) -> None:
    replay(path)


def never_stale(timeline: Timeline, asset: str) -> None:
    """A rule that does not hold."""
    assert "stale" not in Pair.after(timeline).world.states(asset).values()


def test_a_broken_rule_leaves_a_file_that_breaks_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "BROKEN", tmp_path / "broken")
    days = "DailyPartitions('2024-01-30')"
    assets = (
        Declared("raw", "source", days),
        Declared("table", "two", days, (Read("raw", "TimeWindow(0, 0)"),), checked=True),
    )
    longer = Declared("raw", "source", "DailyPartitions('2024-01-28')")
    happened = (("observe", "raw", "2024-01-30", "one"), ("run", "one"), ("declare", longer), ("wait", 24))
    sound = Timeline(assets, happened)
    holds(never_stale, sound, asset="table_x")
    assert not (tmp_path / "broken").exists()

    broken = Timeline(assets, (*happened, ("observe", "raw", "2024-01-30", "two")))
    with pytest.raises(AssertionError) as raised:
        holds(never_stale, broken, asset="table_x")
    (path,) = (tmp_path / "broken").iterdir()
    assert raised.value.__notes__ == [f"kept as {path}; pytest tests/property/test_replays.py runs it again"]
    with pytest.raises(AssertionError):
        replay(path)
    assert Pair.after(sound).world.now == NOW


@given(test_planner.timelines())
@settings(max_examples=20)
def test_a_timeline_that_was_written_leads_to_the_same(timeline: Timeline) -> None:
    written = Timeline.from_document(json.loads(timeline.to_json("any:rule", {})))
    assert written.assets == timeline.assets
    assert Pair.after(written).world.plan().plan_id == Pair.after(timeline).world.plan().plan_id
