"""What functions of users do wrong in worker processes: each failure is told in its step's record, the run goes on."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

MATERIALIZE = "materialize --executor processes --workers 2 --json"

WRONG = """
import ctypes, os, signal, sys, threading, time

@asset
def base() -> pd.DataFrame:
    return pd.DataFrame({"a": [1, 2, 3]})

@asset
def unpicklable() -> object:
    return threading.Lock()

@asset
def wrong_type() -> pd.DataFrame:
    return 7

@asset
def none() -> int:
    return None

@asset
def generator() -> list:
    return (number for number in range(3))

@asset
def mutates(base: pd.DataFrame) -> int:
    base["a"] = 0
    return int(base["a"].sum())

@asset
def after(base: pd.DataFrame, mutates: int) -> int:
    return int(base["a"].sum())

@asset
def exits() -> int:
    sys.exit(3)

@asset
def exits_hard() -> int:
    print("last words")
    os._exit(3)

@asset
def forks() -> int:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return 5

@asset
def forks_and_raises() -> int:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    raise ValueError("both of them")

@asset(timeout="1s")
def hangs() -> int:
    print("hanging")
    time.sleep(60)

@asset
def crashes() -> int:
    ctypes.string_at(0)

@asset
def is_killed() -> int:
    os.kill(os.getpid(), signal.SIGKILL)

@asset
def interrupts() -> int:
    raise KeyboardInterrupt

@asset(max_memory="300MB")
def huge() -> list:
    held = []
    while True:
        held.append(b"x" * 10_000_000)

@asset
def class_of_its_own() -> int:
    from assetflow.errors import AssetflowError
    class Mine(AssetflowError):
        pass
    raise Mine("mine alone")

@asset
def good(base: pd.DataFrame) -> int:
    return len(base)
"""


def test_each_mistake_fails_its_own_step_only(shop: Shop) -> None:
    shop.write(WRONG)
    said = shop.run(MATERIALIZE)
    assert said.code == 1
    assert said.document is not None
    assert said.document["status"] == "failed"
    messages = {asset: error["message"].splitlines()[0] for asset, error in said.failures.items()}
    assert messages == {
        "unpicklable": messages["unpicklable"],
        "wrong_type": messages["wrong_type"],
        "none": messages["none"],
        "generator": messages["generator"],
        "exits": "exits called sys.exit(3)",
        "exits_hard": "exits_hard: the worker process ended with exit code 3 during attempt 1",
        "forks_and_raises": "forks_and_raises raised ValueError: both of them",
        "hangs": "hangs: attempt 1 took longer than its timeout of 1 s, and was ended",
        "crashes": "crashes: the worker process crashed (SIGSEGV) during attempt 1",
        "is_killed": "is_killed: the worker process was killed (SIGKILL) during attempt 1",
        "interrupts": "interrupts raised KeyboardInterrupt",
        "huge": messages["huge"],
        "class_of_its_own": "mine alone",
    }
    assert "unpicklable" in messages["unpicklable"]
    assert "wrong_type" in messages["wrong_type"]
    assert "none" in messages["none"]
    assert "generator" in messages["generator"]
    assert messages["huge"].startswith("huge: took ")
    assert messages["huge"].endswith("more than its max_memory of 300 MB, and was ended")
    assert said.failures["exits_hard"]["output"] == "last words"
    assert "in crashes" in said.failures["crashes"]["output"]
    assert said.failures["crashes"]["location"] == shop.place("def crashes").replace(
        str(line_of(shop, "def crashes")), str(line_of(shop, "def crashes") - 1)
    )
    assert said.document["counts"]["materialized"] == 5
    for name, value in {"mutates": "0", "after": "6", "forks": "5", "good": "3"}.items():
        assert shop.run(f"show {name}").out.endswith(f"{value}\n"), name
    shown = shop.run(f"runs show {said.document['run_id']}")
    assert "| last words" in shown.out


def line_of(shop: Shop, text: str) -> int:
    return int(shop.place(text).rpartition(":")[2])


def test_the_inline_executor_ends_a_forked_copy_too(shop: Shop) -> None:
    shop.write(
        """
        import os

        @asset
        def forks() -> int:
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
            return 5
        """
    )
    process = shop.start("materialize --json")
    said = shop.end(process)
    assert said.document is not None
    assert said.document["counts"]["materialized"] == 1


def test_a_hundred_megabytes_of_output_are_cut(shop: Shop) -> None:
    shop.write(
        """
        @asset
        def talks() -> int:
            for number in range(1_000_000):
                print("x" * 99)
            print("the end")
            return 1
        """
    )
    said = shop.run(MATERIALIZE)
    assert said.code == 0
    assert said.document is not None
    run_id = said.document["run_id"]
    size = sum(path.stat().st_size for path in (shop.folder / ".assetflow" / "logs" / run_id).iterdir())
    assert size < 60_000_000
    lines = document(shop, f"runs logs {run_id} --json")["lines"]
    assert [line["text"] for line in lines][-1] == "the end"
    (notice,) = [line["text"] for line in lines if line["stream"] == "notice"]
    said_of_rest = "bytes were left out here, for an attempt keeps 10,000,000 of its output; its last 50 lines follow"
    omitted, rest = notice.split(" ", 1)
    assert rest == said_of_rest
    assert 89_000_000 < int(omitted.replace(",", "")) < 90_100_000


def test_output_is_kept_with_its_place(shop: Shop) -> None:
    shop.write(
        r"""
        import logging, os, subprocess, sys

        @asset(partitions=StaticPartitions(["a", "b"]))
        def talks(context: AssetContext) -> str:
            print("to stdout", context.partition_key)
            sys.stderr.write("10%\r50%\r100%\n")
            os.write(1, b"bytes \xff\n")
            subprocess.run(["echo", "from a subprocess"])
            context.log.info("logged %s", 1)
            logging.getLogger("mine").warning("careful")
            logging.getLogger("mine").debug("unseen")
            sys.stdout.write("without an end")
            return context.partition_key
        """
    )
    for command in (MATERIALIZE, "materialize --force --json"):
        said = shop.run(command)
        assert said.code == 0
        assert said.document is not None
        run_id = said.document["run_id"]
        found = document(shop, f"runs logs {run_id} --json")
        assert found["run_id"] == run_id
        mine = [line for line in found["lines"] if line["partition"] == "a"]
        told = {(line["stream"], line["text"]) for line in mine}
        expected = {
            ("stdout", "to stdout a"),
            ("stderr", "100%"),
            ("log", "logged 1"),
            ("log", "careful"),
            ("stdout", "without an end"),
        }
        if "processes" in command:
            expected |= {("stdout", "bytes \\xff"), ("stdout", "from a subprocess")}
        assert told == expected
        assert {(line["run"], line["step"], line["attempt"]) for line in mine} == {(run_id, "talks", 1)}
        assert {(line["level"], line["logger"]) for line in mine if line["stream"] == "log"} == {
            ("INFO", "assetflow.assets.talks"),
            ("WARNING", "mine"),
        }
    text = shop.run(f"runs logs {run_id} --step talks --follow").out
    assert " talks@a INFO | logged 1\n" in text
    assert shop.run(f"runs logs {run_id} --step other").out == "Nothing was printed or logged.\n"
    assert shop.run("runs logs nonsense --json").error["message"] == "there is no run 'nonsense'"


def test_an_edit_during_a_run_changes_nothing_in_it(shop: Shop) -> None:
    shop.write("FACTOR = 1\n", "factors/early.py", header="")
    shop.write("FACTOR = 10\n", "factors/late.py", header="")
    shop.write("", "factors/__init__.py", header="")
    shop.write(
        """
        from pathlib import Path
        from factors import early

        @asset
        def edits() -> int:
            Path("factors/early.py").write_text("FACTOR = 2\\n")
            Path("factors/late.py").write_text("FACTOR = 20\\n")
            Path("factors/new.py").write_text("FACTOR = 5\\n")
            Path("shop.py").write_text("raise RuntimeError('half saved')\\n")
            return 1

        @asset(isolated=True)
        def reads(edits: int) -> list[int]:
            from factors import late
            try:
                from factors import new
            except ImportError:
                return [early.FACTOR, late.FACTOR]
            return [new.FACTOR]

        @asset(isolated=True)
        def fails(edits: int) -> int:
            raise ValueError("on this line")
        """
    )
    text = (shop.folder / "shop.py").read_text()
    said = shop.run(MATERIALIZE)
    (shop.folder / "shop.py").write_text(text)
    assert said.document is not None
    assert list(said.failures) == ["fails"]
    assert '    raise ValueError("on this line")' in said.failures["fails"]["traceback"].splitlines()
    assert said.failures["fails"]["location"] == shop.place("on this line")
    assert shop.run("show reads").out.split()[-4:] == ["[", "1,", "10", "]"]
    assert not list(shop.folder.rglob("*.pyc"))


def test_user_code_runs_in_the_folder_of_the_project(shop: Shop) -> None:
    shop.write(
        """
        import os, sys

        @asset
        def place() -> list[str]:
            return [os.getcwd(), __file__, __name__, os.environ["SHOP_SECRET"]]
        """
    )
    process = shop.start(MATERIALIZE, SHOP_SECRET="open")
    assert shop.end(process).code == 0
    shown = shop.run("show place").out
    assert str(shop.folder) in shown
    assert str(shop.folder / "shop.py") in shown
    assert "'shop'" in shown or "shop" in shown
    assert "open" in shown


def test_definitions_that_differ_from_process_to_process_are_refused(shop: Shop) -> None:
    shop.write(
        """
        import os

        @asset(name=f"made_by_{os.getpid()}")
        def made() -> int:
            return 1
        """
    )
    assert shop.run(MATERIALIZE).error["message"] == (
        "the definitions that a worker loaded differ from those that the run was planned with"
    )


def test_a_project_that_workers_cannot_load(shop: Shop) -> None:
    shop.write(
        """
        import os
        from pathlib import Path

        if Path("loaded").exists():
            print("cannot be loaded twice", flush=True)
            os._exit(4)
        Path("loaded").touch()

        @asset
        def made() -> int:
            return 1
        """
    )
    error = shop.run(MATERIALIZE).error
    assert error["message"] == (
        "the worker processes end while they load the project (ended with exit code 4):\ncannot be loaded twice"
    )
    assert error["hint"] == ("import the definitions in a fresh interpreter to see why, or use the inline executor")


def test_the_settings_choose_the_executor(shop: Shop) -> None:
    shop.write(
        """
        import os
        MAIN = os.getpid()

        @asset
        def elsewhere() -> bool:
            return os.environ["COORDINATOR"] != str(os.getpid())
        """
    )
    settings = 'executor = "processes"\nworkers = 1\nisolation = true\n'
    (shop.folder / "pyproject.toml").write_text(f'[tool.assetflow]\ndefinitions = "shop"\n{settings}')
    process = shop.start("materialize --json", COORDINATOR="1")
    assert shop.end(process).code == 0
    assert shop.run("show elsewhere").out.endswith("true\n") or "True" in shop.run("show elsewhere").out
    assert shop.run("materialize --executor inline --workers 2 --json").error["message"] == (
        "the inline executor has one worker, not 2"
    )
    assert shop.run("materialize --executor threads --json").error["message"] == "there is no executor 'threads'"


def document(shop: Shop, command: str) -> dict[str, Any]:
    found = shop.run(command).document
    assert found is not None
    return found


def test_an_interrupt_ends_the_run_and_its_workers(shop: Shop) -> None:
    shop.write(
        """
        import os, time
        from pathlib import Path

        @asset
        def quick() -> int:
            return 1

        @asset
        def hangs(quick: int) -> int:
            Path("pid").write_text(str(os.getpid()))
            time.sleep(60)
            return 1
        """
    )
    process = shop.start(MATERIALIZE)
    note = shop.folder / "pid"
    until = time.monotonic() + 30
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = shop.end(process)
    assert said.code == 130
    assert said.document is not None
    assert said.document["status"] == "canceled"
    assert said.document["counts"]["materialized"] == 1
    assert said.document["counts"]["canceled"] == 1
    while Path(f"/proc/{note.read_text()}").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert shop.run("show quick").out.endswith("1\n")


def test_what_user_code_prints_does_not_tear_the_progress(shop: Shop) -> None:
    shop.write(
        """
        @asset
        def talks() -> int:
            for number in range(50):
                print("line", number)
            return 1
        """
    )
    main, other = pty.openpty()
    command = [sys.executable, "-m", "assetflow", "materialize", "--executor", "processes", "--workers", "1"]
    seen = b""
    with subprocess.Popen(command, cwd=shop.folder, stdin=other, stdout=other, stderr=other) as process:
        os.close(other)
        with suppress(OSError):
            while data := os.read(main, 65536):
                seen += data
        os.close(main)
        assert process.wait() == 0
    shown = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen).decode()
    lines = [line.rpartition("\r")[2] for line in shown.replace("\r\n", "\n").splitlines()]
    assert [line.strip() for line in lines if "talks | " in line] == [f"talks | line {number}" for number in range(50)]
