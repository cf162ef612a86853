"""Several processes materialize one project at once: whoever is later is told, and nothing is lost or mixed up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

PROJECT = """
import time
from pathlib import Path

@observable_source
def raw() -> str: return Path("raw").read_text()

@asset(deps=[raw], partitions=StaticPartitions([f"{number:02}" for number in range(20)]))
def many(context: AssetContext) -> pd.DataFrame:
    time.sleep(0.005)
    return pd.DataFrame({"key": [context.partition_key], "raw": [Path("raw").read_text()]})

@asset
def total(many: pd.DataFrame) -> list[str]: return [*many["key"], *many["raw"].unique()]
"""


def test_both_end_and_what_is_published_is_whole(shop: Shop) -> None:
    shop.write(PROJECT)
    for turn in ("first", "second"):
        (shop.folder / "raw").write_text(turn)
        started = [shop.start("materialize --json") for _ in range(3)]
        ended = [shop.end(process) for process in started]
        for said in ended:
            assert said.code in (0, 1)
            assert said.document is not None
            failures = said.failures
            assert bool(failures) == (said.code == 1)
            for error in failures.values():
                assert error["type"] == "PublishConflict"
                assert "somebody else changed it since the plan was made" in error["message"]
                assert error["hint"]
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
