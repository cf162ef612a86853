"""An upstream that is rewritten while its downstream runs leaves the downstream stale."""

from __future__ import annotations

from typing import Any

CODE = """
    import subprocess
    import sys
    from pathlib import Path

    from assetflow import asset, observable_source

    @observable_source
    def number_file() -> str:
        return Path("number").read_text()

    @asset(deps=[number_file])
    def number() -> int:
        return int(Path("number").read_text())

    @asset
    def tenfold(number: int) -> int:
        if Path("next").exists():
            Path("next").rename("number")
            again = "from assetflow import Project; Project.open('.').materialize(select='number')"
            subprocess.run([sys.executable, "-c", again], check=True)
        return number * 10
"""


def test_the_downstream_is_stale_until_it_has_read_the_new_version(folder: Any) -> None:
    folder.code(CODE)
    folder.write("number", "1")
    folder.write("next", "2")
    assert folder.run().counts["materialized"] == 2
    assert folder.value("number") == 2
    assert folder.value("tenfold") == 10, "made from what it had read"

    why = folder.why("tenfold")
    assert why.state == "stale"
    assert [(cause.kind, cause.root) for cause in why.causes] == [("input_changed", ("number",))]
    assert folder.steps() == {"tenfold": "will"}
    assert folder.run().counts["materialized"] == 1
    assert folder.value("tenfold") == 20
    assert folder.steps() == {}


def test_lineage_names_the_version_that_was_read(folder: Any) -> None:
    folder.code(CODE)
    folder.write("number", "1")
    folder.write("next", "2")
    folder.run()
    with folder.open() as project:
        newest, read = (row["version"] for row in project.versions("number"))
        found = project.catalog.query("select upstream_version from lineage where asset = 'tenfold'")
    assert newest != read
    assert found.column("upstream_version").to_pylist() == [read]
