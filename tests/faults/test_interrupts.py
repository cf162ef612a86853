"""Ctrl-C and SIGTERM in the middle of a run: it ends at once, says so, and the next run goes on from there."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

STOPPED = """
import os
import subprocess
import time

def wait():
    {waiting}

@asset
def first() -> pd.DataFrame: return pd.DataFrame({{"n": [1]}})

@asset(partitions=StaticPartitions(["0", "1", "2", "3"]))
def slow(context: AssetContext, first: pd.DataFrame) -> pd.DataFrame:
    if context.partition_key == "2" and not os.path.exists("go"):
        open("here", "w").close()
        wait()
    return first

@asset
def last(slow: pd.DataFrame) -> int: return len(slow)

@asset_check(asset=last, blocking=True)
def checked(last: int) -> bool: return last == 4
"""


def stop_at(shop: Shop, process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal once the process is where it waits, and wait until it has ended.

    Python sees a signal only afterwards that comes between its last look and the system call that sleeps: then, as
    people do, the signal is sent again.
    """
    here = shop.folder / "here"
    while not here.exists() and process.poll() is None:
        time.sleep(0.01)
    for _ in range(10):
        process.send_signal(number)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
        return
    raise AssertionError(f"{number.name} does not end the process")


def folders(shop: Shop) -> set[Path]:
    return set((shop.folder / ".assetflow" / "data").rglob("v-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize(
    "waiting", ["time.sleep(60)", "while True: pass", "subprocess.run(['sleep', '60'])"], ids=["sleep", "loop", "child"]
)
def test_a_run_ends_at_once_and_the_next_one_completes_it(shop: Shop, number: signal.Signals, waiting: str) -> None:
    shop.write(STOPPED.format(waiting=waiting))
    process = shop.start("materialize --json")
    stop_at(shop, process, number)
    said = shop.end(process)
    assert said.code == 130
    assert said.document is not None
    assert said.document["status"] == "canceled"
    counts = {outcome: count for outcome, count in said.document["counts"].items() if count}
    assert counts == {"materialized": 3, "canceled": 3}
    assert said.document["failures"] == []

    runs = shop.run("query 'select run_id, status from runs' --json").document
    assert runs is not None
    assert runs["rows"] == [[said.document["run_id"], "canceled"]]
    assert shop.run("doctor").code == 0
    assert len(folders(shop)) == 3

    (shop.folder / "go").touch()
    completed = shop.run("materialize --json").document
    assert completed is not None
    assert completed["status"] == "success"
    assert completed["counts"]["materialized"] == 3
    assert shop.run("plan --fail-if-stale").code == 0


def test_people_are_told_what_was_done_and_how_to_go_on(shop: Shop) -> None:
    shop.write(STOPPED.format(waiting="time.sleep(60)"))
    process = shop.start("materialize")
    stop_at(shop, process, signal.SIGINT)
    said = shop.end(process)
    assert said.code == 130
    assert "Canceled in " in said.out
    assert ": 3 materialized, 3 canceled (run " in said.out
    assert "hint: what was published stays; assetflow materialize goes on from there" in said.out


def test_another_process_asks_a_run_to_stop(shop: Shop) -> None:
    shop.write(STOPPED.format(waiting="time.sleep(2.5)"))
    process = shop.start("materialize --json")
    while not (shop.folder / "here").exists() and process.poll() is None:
        time.sleep(0.01)
    runs = shop.run("runs --json").document
    assert runs is not None
    (run,) = runs["runs"]
    asked = shop.run(f"runs cancel {run['run_id']} --json")
    assert asked.document == {"run_id": run["run_id"], "cancel_asked": True}
    said = shop.end(process)
    assert said.code == 130
    assert said.document is not None
    assert said.document["status"] == "canceled"
    counts = {outcome: count for outcome, count in said.document["counts"].items() if count}
    assert counts == {"materialized": 4, "canceled": 2}
    again = shop.run(f"runs cancel {run['run_id']} --json")
    assert (again.code, again.error["message"]) == (2, f"run {run['run_id']} has ended: canceled")
    assert shop.run("materialize").code == 0


def test_what_was_published_before_stays(shop: Shop) -> None:
    (shop.folder / "go").touch()
    shop.write(STOPPED.format(waiting="time.sleep(60)"))
    assert shop.run("materialize").code == 0
    before = shop.published()
    (shop.folder / "go").unlink()
    process = shop.start("materialize --select slow --force --json")
    stop_at(shop, process, signal.SIGINT)
    assert shop.end(process).code == 130
    assert shop.published() == before


def test_an_interrupt_in_a_check_is_no_failed_check(shop: Shop) -> None:
    shop.write("@asset\ndef one() -> int: return 1\n")
    shop.write(
        """
        @asset
        def one() -> int: return 1

        @asset_check(asset=one, blocking=True)
        def stopped(one: int) -> bool: raise KeyboardInterrupt
        """
    )
    said = shop.run("materialize --json")
    assert said.code == 130
    assert said.document is not None
    assert (said.document["status"], said.document["counts"]["canceled"]) == ("canceled", 1)
    checks = shop.run("query 'select count(*) from checks' --json").document
    assert checks is not None
    assert checks["rows"] == [[0]]


def test_an_interrupt_while_sources_are_asked_starts_nothing(shop: Shop) -> None:
    shop.write(
        """
        @observable_source
        def prices() -> str: raise KeyboardInterrupt

        @asset(deps=[prices])
        def total() -> int: return 1
        """
    )
    for command in ("materialize", "plan", "status", "why total"):
        said = shop.run(f"{command} --json")
        assert (said.code, said.error["type"]) == (130, "Interrupted"), command
    assert shop.run("runs --json").document == {"runs": []}


def test_a_killed_run_is_told_as_such_and_its_leftovers_are_cleared(shop: Shop) -> None:
    shop.write(STOPPED.format(waiting="time.sleep(60)"))
    process = shop.start("materialize")
    stop_at(shop, process, signal.SIGKILL)
    process.communicate()
    (shop.folder / "go").touch()
    assert shop.run("materialize").code == 0
    runs = shop.run("query 'select status from runs order by started_at' --json").document
    assert runs is not None
    assert runs["rows"] == [["failed"], ["success"]]
    assert shop.run("doctor").code == 0
