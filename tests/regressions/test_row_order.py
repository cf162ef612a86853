"""Rows in another order are no change where none was asked for: DuckDB gives them so on several threads."""

from __future__ import annotations

from typing import Any

CODE = """
    from pathlib import Path

    import duckdb
    import pandas as pd
    from assetflow import asset

    def called(name: str) -> None:
        with Path("calls").open("a") as file:
            file.write(f"{name}\\n")

    @asset
    def counts() -> duckdb.DuckDBPyRelation:
        called("counts")
        connection = duckdb.connect(config={"threads": 2})
        return connection.sql("select range % 150000 as key, count(*) as n from range(600000) group by key")

    @asset
    def total(counts: pd.DataFrame) -> int:
        called("total")
        return int(counts["n"].sum())
"""

SHUFFLED = """
    from pathlib import Path

    import duckdb
    from assetflow import asset

    @asset
    def counts() -> duckdb.DuckDBPyRelation:
        seed = Path("seed").read_text()
        counted = duckdb.sql("select range % 101 as key, count(*) as n from range(1000) group by key")
        shuffled = counted.order(f"hash(key + {seed})")
        with Path("calls").open("a") as file:
            file.write(",".join(str(key) for key, _ in shuffled.fetchall()) + "\\n")
        return shuffled
"""

ORDERED = """
    from pathlib import Path

    import pandas as pd
    from assetflow import asset, observable_source

    @observable_source
    def row_file() -> str:
        return Path("rows").read_text()

    @asset(deps=[row_file])
    def rows() -> pd.DataFrame:
        return pd.DataFrame({"row": Path("rows").read_text().split()})
"""


def test_a_group_by_on_two_threads_does_not_defeat_early_cutoff(folder: Any) -> None:
    folder.code(CODE)
    assert folder.run().counts["materialized"] == 2
    folder.calls()
    for _ in range(4):
        with folder.open() as project:
            project.materialize(select="counts", force=True)
            assert len(project.versions("counts")) == 1
            result = project.materialize()
            assert result.run_id is None
    assert folder.calls() == ["counts"] * 4, "computed each time, and nothing downstream"


def test_rows_that_do_come_in_another_order_are_the_same_data(folder: Any) -> None:
    folder.code(SHUFFLED)
    for seed, outcome in (("1", "materialized"), ("2", "unchanged"), ("3", "unchanged")):
        folder.write("seed", seed)
        assert folder.run(force=True).counts[outcome] == 1
    assert len(set(folder.calls())) == 3, "the order of the keys was another each time"


def test_a_changed_group_is_a_change(folder: Any) -> None:
    folder.code(CODE)
    folder.run()
    folder.edit("range(600000)", "range(600001)")
    assert folder.run().counts["materialized"] == 2
    assert folder.value("total") == 600001


def test_where_rows_are_ordered_their_order_counts(folder: Any) -> None:
    folder.code(ORDERED)
    folder.write("rows", "a b")
    folder.run()
    folder.write("rows", "b a")
    assert folder.run().counts["materialized"] == 1
    folder.edit("@asset(deps=[row_file])", '@asset(deps=[row_file], hashing="rows")')
    folder.run()
    folder.write("rows", "a  b")
    assert folder.run().counts["unchanged"] == 1
