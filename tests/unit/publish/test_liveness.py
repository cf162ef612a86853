"""Whether the process that owns a run is known to be gone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from assetflow.publish import liveness
from assetflow.publish.liveness import is_gone, this_process


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_this_process_is_there() -> None:
    assert not is_gone(this_process())


def test_a_process_that_ended_is_gone() -> None:
    assert is_gone(replace(this_process(), pid=ended_process()))


def test_another_process_with_the_same_id_does_not_keep_it_alive() -> None:
    assert is_gone(replace(this_process(), started=this_process().started + 1))


def test_before_the_machine_was_started_anew_everything_is_gone() -> None:
    if not this_process().boot_id:
        pytest.skip("this system does not tell")
    assert is_gone(replace(this_process(), boot_id="another"))


def test_nothing_is_known_of_other_machines() -> None:
    assert not is_gone(replace(this_process(), host="elsewhere", pid=ended_process()))


def test_without_proc_only_existence_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = this_process()
    monkeypatch.setattr(liveness, "_PROC", tmp_path)
    there = this_process()
    assert (there.boot_id, there.started) == ("", 0.0)
    assert not is_gone(there)
    assert is_gone(replace(there, pid=ended_process()))
    monkeypatch.undo()
    assert not is_gone(replace(recorded, started=0.0)), "a start that was not seen says nothing"


def test_the_hidden_process_of_another_user_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Mounted with hidepid, /proc has no entry for it, but it can be seen that it exists.
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text(f"{this_process().boot_id}\n")
    recorded = this_process()
    monkeypatch.setattr(liveness, "_PROC", proc)

    def refused(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refused)
    assert not is_gone(recorded)


def test_a_process_that_only_waits_for_its_parent_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    if Path(f"/proc/{child.pid}").exists():
        assert is_gone(replace(this_process(), pid=child.pid, started=0.0))
    child.wait()
