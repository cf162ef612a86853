"""Several processes materialize one project at once: they share the work, and nothing is lost or mixed up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

TURNS = {"first": ["first"], "second": ["first", "second"]}
PROJECT = """
import time
from pathlib import Path

@observable_source
def raw() -> str: return Path("raw").read_text()

@asset(deps=[raw], partitions=StaticPartitions([f"{number:02}" for number in range(20)]))
def many(context: AssetContext) -> pd.DataFrame:
    with open("computed", "a") as computed:
        computed.write(f"{context.partition_key} {Path('raw').read_text()}\\n")
    time.sleep(0.005)
    return pd.DataFrame({"key": [context.partition_key], "raw": [Path("raw").read_text()]})

@asset
def total(many: pd.DataFrame) -> list[str]: return [*many["key"], *many["raw"].unique()]
"""


def test_they_compute_everything_once_and_what_is_published_is_whole(shop: Shop) -> None:
    shop.write(PROJECT)
    for turn in ("first", "second"):
        (shop.folder / "raw").write_text(turn)
        started = [shop.start("materialize --json") for _ in range(3)]
        ended = [shop.end(process) for process in started]
        counts: Counter[str] = Counter()
        for said in ended:
            assert said.code == 0, said.err
            assert said.document is not None
            counts.update(said.document["counts"])
        # What one of them does is unchanged to the others, or was up to date before they looked.
        assert counts["materialized"] == 21
        assert {outcome for outcome, number in counts.items() if number} <= {"materialized", "unchanged"}
        computed = (shop.folder / "computed").read_text().splitlines()
        assert sorted(computed) == sorted({f"{key:02} {each}" for key in range(20) for each in TURNS[turn]})
        assert shop.run("materialize").code == 0
        assert shop.run("plan --fail-if-stale").code == 0
        assert shop.run("doctor").code == 0
        keys = [f"{number:02}" for number in range(20)]
        total = shop.run("show total --limit 100 --json").document
        assert total is not None
        assert total["value"] == [*keys, turn]
        rows = shop.run("query 'select partition, key, raw from data.many order by all' --json").document
        assert rows is not None
        assert rows["rows"] == [[key, key, turn] for key in keys]

    versions = shop.run("query 'select count(*) from versions where location is not null' --json").document
    assert versions is not None
    folders = list((shop.folder / ".assetflow" / "data").rglob("v-*"))
    assert versions["rows"] == [[len(folders)]]


WAITING = """
import time
from pathlib import Path

@asset
def slow() -> int:
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    return 1
"""


def test_one_that_waits_says_for_whom_and_runs_tell_who_holds_what(shop: Shop) -> None:
    shop.write(WAITING)
    first = shop.start("materialize --json")
    while not (shop.folder / "begun").exists():
        assert first.poll() is None
    told = shop.run("runs").out
    assert "holds 1 asset partition" in told
    run_id = told.splitlines()[-1].split()[0]
    assert "holds slow until" in shop.run(["runs", "show", run_id]).out
    assert f"leases: run {run_id} holds 1 asset partitions of slow, until" in shop.run("doctor").out
    second = shop.start("materialize")
    assert second.stderr is not None
    assert second.stderr.readline() == f"[0/1] waiting for run {run_id}\n"
    (shop.folder / "go").touch()
    _, rest = second.communicate()
    assert second.returncode == 0, rest
    assert shop.end(first).code == 0
    assert "holds" not in shop.run("runs").out
    assert "leases:" not in shop.run("doctor").out
