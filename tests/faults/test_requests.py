"""Requests that cannot be carried out: exit code 2, the cause, the next step, and nothing is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

PROJECT = """
@observable_source
def raw() -> str: return "1"

@asset(deps=[raw], partitions=DailyPartitions("2024-01-30", end="2024-02-03"))
def orders(context: AssetContext) -> pd.DataFrame: return pd.DataFrame({"price": [1, 2]})

@asset
def total(orders: pd.DataFrame) -> int: return len(orders)

@asset(partitions=HourlyPartitions("2013-11-03", end="2013-11-04", timezone="America/New_York"))
def hourly() -> int: return 1

@asset_check(asset=total, blocking=True)
def small(total: int) -> bool: return total < 100
"""

UNKNOWN_ASSET = [
    *("plan --select ordrs", "plan --select +ordrs+", "materialize --select ordrs", "status --select ordrs"),
    *("why ordrs", "show ordrs", "lineage ordrs", "versions ordrs", "rollback ordrs --to 1", "accept ordrs --reason x"),
]

SELECTIONS = {
    "orders and": ("a selection is missing at the end", 10),
    "(orders": ("the parenthesis is never closed", 0),
    "orders )": ("')' is not expected here", 7),
    "nosuch:x": ("'nosuch' is nothing to select by", 0),
    "status:purple": ("'purple' is no status", 0),
    "tag:x": ("'tag:x' has no value", 0),
    "+": ("'+' names no asset", 0),
    "orders total": ("'total' is not expected here", 7),
    "and": ("a selection is missing before 'and'", 0),
}

PARTITIONS = {
    "why orders@2024-02-30": ("'2024-02-30' is no key of one day", "write it like 2024-01-30"),
    "why orders@2030-01-01": ("there is no partition '2030-01-01'", "the nearest is 2024-02-02"),
    "show orders@2019-01-01": ("there is no partition '2019-01-01'", "the nearest is 2024-01-30"),
    "lineage orders@2019-01-01": ("there is no partition '2019-01-01'", "the nearest is 2024-01-30"),
    "versions orders@2019-01-01": ("there is no partition '2019-01-01'", "the nearest is 2024-01-30"),
    "rollback orders@2019-01-01 --to 2": ("there is no partition '2019-01-01'", "the nearest is 2024-01-30"),
    "why total@2024-01-30": ("there is no partition '2024-01-30': the asset is not partitioned", "name it without @"),
    "why orders@": ("'orders@' has an empty partition key", "write orders@KEY, or orders alone"),
    "why @x": ("'' is no asset key", "write ASSET or ASSET@PARTITION, for example orders@2024-01-31"),
    "why hourly@2013-11-03T01:00": (
        "the hour '2013-11-03T01:00' occurs twice in America/New_York",
        "write 2013-11-03T01:00-04:00 or 2013-11-03T01:00-05:00",
    ),
    "plan --select hourly --partition 2013-11-03T01:00": (
        "the hour '2013-11-03T01:00' occurs twice in America/New_York",
        "write 2013-11-03T01:00-04:00 or 2013-11-03T01:00-05:00",
    ),
    "plan --partition 2024-02-02...2024-01-30": (
        "'2024-01-30' is before '2024-02-02'",
        "write 2024-01-30...2024-02-02",
    ),
    "materialize --select orders --from 2024-02-02 --to 2024-01-30": (
        "'2024-01-30' is before '2024-02-02'",
        "write 2024-01-30...2024-02-02",
    ),
    "plan --select orders --partition 2031-01-01": (
        "nothing that is selected has the partition 2031-01-01",
        "orders is daily from 2024-01-30 until 2024-02-03, UTC",
    ),
    "materialize --select total --partition 2024-01-30": (
        "nothing that is selected has the partition 2024-01-30",
        "nothing that is selected is partitioned: leave the partition out",
    ),
}

VERSIONS = {
    "show total --version 999": ("there is no version 999", None),
    "show total --version 1": ("total has no version 1: that is one of raw", None),
    "rollback orders --to 999": ("there is no version 999", None),
    "rollback orders --to 99999999999999999999999": ("there is no version 99999999999999999999999", None),
    "rollback total --to 2": ("version 2 is one of orders, not of total", "see `assetflow versions total`"),
    "rollback orders@2024-01-30 --to 3": ("version 3 is one of orders@2024-01-31, not of orders@2024-01-30", None),
    "rollback raw --to 1": ("raw is a source: its versions are observed, not published", None),
    "accept raw --reason x": ("raw is a source: there is nothing to accept", None),
    "accept orders@2024-01-30 --reason x": ("accept takes an asset, not a partition", None),
    "runs show nowhere": ("there is no run 'nowhere'", "`assetflow runs` lists them"),
}

QUERIES = {
    "selec 1": ('syntax error at or near "selec"', "write one select statement"),
    "select '": ("unterminated string literal", "write one select statement"),
    "select 1; select 2": ("the query has 2 statements", "write one select statement"),
    "select * from nope": ("there is no table nope", None),
    "select * from data.ordrs": ("there is no table ordrs", "did you mean data.orders?"),
    "select pric from data.orders": (
        'Referenced column "pric" not found in FROM clause!',
        'did you mean "price", "partition"?',
    ),
    "select abss(1)": ("Scalar Function with name abss does not exist!", 'did you mean "abs"?'),
    "select cast('x' as int)": ("Could not convert string 'x' to INT32", None),
    "select * from data.total": ("total does not read as a table: it is stored as json", None),
    "select * from read_csv('/etc/passwd')": (
        'Cannot access file "/etc/passwd"',
        "a query reads the views and data.ASSET, and no files",
    ),
    "select * from glob('/*')": ('Cannot access file "/*"', "a query reads the views and data.ASSET, and no files"),
    "select * from '/etc/passwd'": ("there is no table /etc/passwd", None),
    "delete from assets": ("the catalog answers questions only, and this is a delete statement", None),
    "insert into assets values (1)": ("the catalog answers questions only, and this is an insert statement", None),
    "drop table assets": ("the catalog answers questions only, and this is a drop statement", None),
    "attach 'other.db'": ("the catalog answers questions only, and this is an attach statement", None),
    "copy assets to 'assets.csv'": ("the catalog answers questions only, and this is a copy statement", None),
    "install httpfs": ("the catalog answers questions only, and this is a load statement", None),
    "set enable_external_access = true": ("the catalog answers questions only, and this is a set statement", None),
    "create table copied as select 1": ("the catalog answers questions only, and this is a create statement", None),
    "export database 'all'": ("the catalog answers questions only, and this is an export statement", None),
}


@pytest.fixture
def built(shop: Shop) -> Shop:
    """The project with version 1 of raw, 2 to 5 of orders, then total."""
    shop.write(PROJECT)
    assert shop.run("materialize").code == 0
    return shop


def test_every_request_is_refused_with_a_reason_and_a_way_out(built: Shop) -> None:
    before = built.published()
    requests: dict[str, tuple[str, str, str | None]] = {
        **dict.fromkeys(UNKNOWN_ASSET, ("UnknownAsset", "there is no asset 'ordrs'", "did you mean orders?")),
        **{command: ("InvalidPartition", *told) for command, told in PARTITIONS.items()},
        **{command: ("", *told) for command, told in VERSIONS.items()},
    }
    for command, (kind, message, hint) in requests.items():
        said = built.run(f"{command} --json")
        assert said.code == 2, command
        assert message in said.error["message"], command
        assert said.error["hint"], command
        asked = command.split()[1].partition("@")[0]
        assert kind != "InvalidPartition" or asked.startswith("--") or asked in said.error["message"], command
        assert hint is None or said.error["hint"] == hint, command
        if kind == "UnknownAsset":
            assert said.error["type"] == kind, command
        text = built.run(command)
        assert (text.code, text.out) == (2, "")
        assert text.err.startswith("error: "), command
        assert message in text.err, command
        assert f"\n  hint: {said.error['hint']}\n" in text.err, command
    assert built.published() == before


def test_a_selection_is_told_where_it_goes_wrong(built: Shop) -> None:
    for text, (message, column) in SELECTIONS.items():
        for command in ("plan", "materialize", "status"):
            said = built.run([command, "--select", text])
            assert said.code == 2
            assert said.err.startswith(f"error: {message}\n  {text}\n  {' ' * column}^\n  hint: "), said.err


def test_a_query_is_told_what_is_wrong_with_it(built: Shop) -> None:
    before = built.published()
    for text, (message, hint) in QUERIES.items():
        said = built.run(["query", text, "--json"])
        assert said.code == 2, text
        assert said.error["type"] == "InvalidQuery", text
        assert said.error["message"].startswith(message), said
        assert said.error["hint"], text
        assert hint is None or said.error["hint"] == hint, said
    assert built.published() == before
    assert sorted(path.name for path in built.folder.iterdir() if path.name != "__pycache__") == [
        ".assetflow",
        "pyproject.toml",
        "shop.py",
    ]


def test_a_quarantined_version_is_not_published_by_a_rollback(built: Shop) -> None:
    built.write(PROJECT.replace("len(orders)", "1000 + len(orders)"))
    assert built.run("materialize").code == 1
    rows = built.run("versions total --json").document
    assert rows is not None
    (candidate,) = [row["version"] for row in rows["versions"] if row["state"] == "quarantined"]
    before = built.published()
    said = built.run(f"rollback total --to {candidate} --json")
    assert said.code == 2
    assert said.error["message"] == f"version {candidate} of total is quarantined: it was never published"
    assert said.error["hint"].startswith("mend the data or the check and materialize again, or overrule the check: ")
    assert built.published() == before
