"""Readers that go away and streams that are closed: the command does its work and says nothing about it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

LOUD = """
@asset(partitions=StaticPartitions([f"{number:03}" for number in range(200)]))
def many() -> int: return 1

@asset
def loud(many: dict[str, int]) -> int:
    print("hello " * 50_000)
    return len(many)

@asset
def last(loud: int) -> int: return loud
"""


def in_shell(shop: Shop, line: str) -> tuple[int, str]:
    """The exit code of the first command of a pipeline, and everything that was seen of it."""
    written = f"{line.replace('assetflow', f'{sys.executable} -m assetflow')}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", written], cwd=shop.folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "assetflow materialize 2>&1 | head -1",
        "assetflow materialize 2>&1 | true",
        "assetflow materialize --json | true",
        "assetflow materialize >&-",
        "assetflow materialize 2>&-",
        "assetflow materialize >&- 2>&- <&-",
        "assetflow materialize --json >&-",
    ],
)
def test_a_run_goes_on_when_nobody_reads_its_progress(shop: Shop, line: str) -> None:
    shop.write(LOUD)
    code, text = in_shell(shop, line)
    assert "Traceback" not in text
    assert "error" not in text
    assert code == 0
    said = shop.run("status --json")
    assert said.document is not None
    assert {each["asset"]: each["partitions"]["up_to_date"] for each in said.document["assets"]} == {
        "many": 200,
        "loud": 1,
        "last": 1,
    }


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("assetflow query 'select * from partitions a, partitions b' --limit 1000 | head -1", 0),
        ("assetflow query 'select * from partitions a, partitions b' --json | head -c 10", 0),
        ("assetflow status | true", 0),
        ("assetflow why nope 2>&1 | true", 2),
        ("assetflow query - <&-", 2),
    ],
)
def test_an_answer_that_nobody_reads_to_the_end_is_no_error(shop: Shop, line: str, code: int) -> None:
    shop.write(LOUD)
    assert shop.run("materialize --select many").code == 0
    found, text = in_shell(shop, line)
    assert "Traceback" not in text
    assert found == code
