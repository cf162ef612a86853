"""CONTRACT, "Command line" and "A project": documents, exit codes and settings, through the command as a subprocess."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Outside

Inside = Callable[..., dict[str, Any]]

ASSETS = '''
    """Assets of the shop."""
    import os
    import sys
    from pathlib import Path

    import duckdb
    import pandas as pd
    from assetflow import AssetContext, CheckResult, DailyPartitions, Input, asset, asset_check, observable_source

    from shop.rules import FACTOR, doubled

    print("imported", file=sys.stdout)
    DAYS = DailyPartitions("2024-01-01", end="2024-01-05", timezone="Europe/Berlin")


    @observable_source(partitions=DAYS, group="raw")
    def files() -> dict[str, str]:
        print("observed")
        return {line.split()[0]: line.split()[1] for line in Path("incoming.txt").read_text().splitlines()}


    @asset(name="raw/orders", deps=[files], partitions=DAYS, group="raw", tags={"pii": "no"})
    def orders(context: AssetContext) -> pd.DataFrame:
        """Orders by day."""
        print("building", context.partition_key)
        return pd.DataFrame({"n": [context.partition_start.day * FACTOR, 0]})


    @asset(partitions=DAYS, inputs={"orders": Input("raw/orders")})
    def daily(orders: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"n": [doubled(int(orders["n"].sum()))]})


    @asset
    def summary(daily: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        return daily.aggregate("sum(n)::bigint as total")


    @asset
    def where() -> list[str]:
        return [os.getcwd(), __file__]


    @asset_check(asset="daily", blocking=True)
    def positive(daily: pd.DataFrame) -> CheckResult:
        return CheckResult(passed=(daily["n"] >= 0).all(), metadata={"least": daily["n"].min()})
'''


@pytest.fixture(scope="module")
def shop(outside: Callable[[str], Outside]) -> Outside:
    """A project in ``src/`` layout, materialized but for one day whose file has not come."""
    shop = outside("shop")
    shop.write("pyproject.toml", '[tool.assetflow]\ndefinitions = "shop.assets"\n')
    shop.write("src/shop/__init__.py", "")
    shop.write("src/shop/rules.py", "FACTOR = 1\n\n\ndef doubled(n: int) -> int:\n    return 2 * n\n")
    shop.write("src/shop/assets.py", ASSETS.replace("def daily(orders:", "def daily(orders:"))
    shop.write("incoming.txt", "2024-01-01 a\n2024-01-02 b\n2024-01-03 c\n")
    document = shop.document("materialize")
    assert document["status"] == "success"
    assert document["counts"]["materialized"] == 3 + 3 + 1 + 1
    assert document["counts"]["waiting"] == 2
    return shop


def test_progress_and_what_user_code_prints_go_to_stderr(shop: Outside) -> None:
    done = shop.run("materialize", "--select", "raw/orders", "--force", "--json")
    assert len(done.stdout.splitlines()) == 1
    json.loads(done.stdout)
    for said in ("imported", "observed", "building 2024-01-01"):
        assert said in done.stderr
    assert "nanobind" not in done.stderr


def test_nothing_that_user_code_prints_by_whatever_way_gets_between(outside: Callable[[str], Outside]) -> None:
    loud = outside("loud")
    loud.write("pyproject.toml", '[tool.assetflow]\ndefinitions = "loud"\n')
    loud.write(
        "loud.py",
        """
        import atexit
        import logging
        import os
        import sys
        from assetflow import AssetContext, asset

        atexit.register(lambda: print("leaving"))
        os.system("echo from a shell")
        logging.basicConfig(stream=sys.stdout, level="INFO")


        @asset
        def one(context: AssetContext) -> int:
            os.write(1, b"raw\\n")
            sys.__stdout__.write("the first stdout\\n")
            logging.getLogger("mine").info("logged")
            context.log.warning("told")
            return 1
        """,
    )
    done = loud.run("materialize", "--json")
    assert json.loads(done.stdout)["status"] == "success"
    for said in ("leaving", "from a shell", "raw", "the first stdout", "logged", "told"):
        assert said in done.stderr


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_stream_that_the_caller_closed_is_no_crash(shop: Outside, closed: str) -> None:
    command = f'exec "{sys.executable}" -m assetflow status --json {closed}>&-'
    done = subprocess.run(["sh", "-c", command], cwd=shop.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert closed == "1" or json.loads(done.stdout)["assets"]


def test_user_code_runs_in_the_project_folder_and_src_is_importable(shop: Outside) -> None:
    found = shop.document("show", "where")
    text = json.dumps(found)
    assert str(shop.folder) in text
    assert str(shop.folder / "src" / "shop" / "assets.py") in text


def test_a_project_is_found_upwards_or_by_its_option(shop: Outside, tmp_path: Path) -> None:
    names = {row["asset"] for row in shop.document("list", cwd=shop.folder / "src" / "shop")["assets"]}
    assert names == {"files", "raw/orders", "daily", "summary", "where"}
    assert shop.document("list", "--project", str(shop.folder), cwd=tmp_path)["assets"]
    assert shop.document("--project", str(shop.folder), "list", cwd=tmp_path)["assets"]
    error = shop.document("list", code=2, cwd=tmp_path)["error"]
    assert {"type", "message", "hint", "location"} <= set(error)
    assert error["hint"]
    assert not (tmp_path / ".assetflow").exists()


def test_the_defaults_of_store_and_storage_lie_in_the_project(shop: Outside) -> None:
    assert (shop.folder / ".assetflow" / "store.db").is_file()
    assert (shop.folder / ".assetflow" / "data" / "raw" / "orders" / "_current.json").is_file()


def test_plan_is_idle_and_says_what_waits(shop: Outside, inside: Inside) -> None:
    plan = inside(shop, "plan")
    assert (plan["steps"], plan["totals"]["partitions"], plan["outside"]) == ([], 0, [])
    assert [(entry["asset"], entry["for"]) for entry in plan["waiting"]] == [
        ("raw/orders", ["files@2024-01-04"]),
        ("daily", ["raw/orders@2024-01-04"]),
    ]
    assert inside(shop, "plan", "--fail-if-stale"), "what waits is ignored"
    again = inside(shop, "materialize")
    assert (again["run_id"], again["status"], again["counts"]["waiting"]) == (None, "success", 2)


def test_plan_of_a_forced_run_is_the_dry_run(shop: Outside, inside: Inside) -> None:
    plan = inside(shop, "materialize", "--dry-run", "--force", "--select", "daily", "--partition", "2024-01-02")
    (step,) = plan["steps"]
    assert step["partitions"] == {"count": 1, "ranges": [["2024-01-02", "2024-01-02"]]}
    assert [cause["kind"] for cause in step["causes"]] == ["forced"]
    assert inside(shop, "runs")["runs"][0]["trigger"] == "cli"


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("status",), {"assets"}),
        (("why", "daily"), {"asset", "partition", "state", "held", "causes", "version", "partitions"}),
        (("why", "daily@2024-01-02"), {"asset", "partition", "state", "held", "causes", "version"}),
        (("why", "daily@2024-01-04"), {"asset", "partition", "state", "held", "causes", "version"}),
        (("lineage", "daily@2024-01-02"), {"nodes", "edges"}),
        (("lineage", "daily", "--downstream", "--depth", "1"), {"nodes", "edges"}),
        (("query", "select 1 as a, 'x' as b"), {"columns", "types", "rows", "row_count", "truncated"}),
        (("versions", "daily"), {"versions"}),
        (("versions", "daily@2024-01-02"), {"versions"}),
        (("runs",), {"runs"}),
        (("graph",), {"nodes", "edges"}),
        (("validate",), set()),
        (("doctor",), set()),
        (("show", "daily@2024-01-02"), set()),
        (("show", "summary"), set()),
    ],
)
def test_every_command_prints_one_document(
    shop: Outside, inside: Inside, arguments: tuple[str, ...], keys: set[str]
) -> None:
    assert keys <= set(inside(shop, *arguments))


def test_why_of_a_source_does_not_offer_to_materialize_it(shop: Outside) -> None:
    said = shop.run("why", "files@2024-01-04").stdout
    assert "files@2024-01-04 is missing" in said
    assert "materialize" not in said


def test_the_query_document(shop: Outside, inside: Inside) -> None:
    sql = 'select partition, n, n > 1 as many, null as nothing from "data"."raw/orders" where n > 0 order by 1'
    found = inside(shop, "query", sql)
    assert found["columns"] == ["partition", "n", "many", "nothing"]
    assert found["rows"] == [
        ["2024-01-01", 1, False, None],
        ["2024-01-02", 2, True, None],
        ["2024-01-03", 3, True, None],
    ]
    assert (found["row_count"], found["truncated"], len(found["types"])) == (3, False, 4)
    assert inside(shop, "query", "select * from data.summary")["rows"] == [[12]]


def test_the_status_document_sums_up(shop: Outside, inside: Inside) -> None:
    rows = {row["asset"]: row for row in inside(shop, "status")["assets"]}
    daily = rows["daily"]
    assert {"asset", "partitions", "watermark", "gaps", "freshness", "last_materialized"} <= set(daily)
    assert daily["partitions"] == {
        "total": 4,
        "up_to_date": 3,
        "stale": 0,
        "missing": 0,
        "waiting": 1,
        "failed": 0,
        "empty": 0,
    }
    assert datetime.fromisoformat(daily["watermark"]) == datetime.fromisoformat("2024-01-04T00:00:00+01:00")
    only = inside(shop, "status", "--select", "group:raw")["assets"]
    assert {row["asset"] for row in only} == {"files", "raw/orders"}


def test_the_version_and_run_documents(shop: Outside, inside: Inside) -> None:
    (version,) = inside(shop, "versions", "daily@2024-01-02")["versions"]
    keys = "version asset partition state run_id created_at published_at row_count data_hash current"
    assert set(keys.split()) <= set(version)
    assert (version["partition"], version["row_count"], version["current"]) == ("2024-01-02", 1, True)
    run = inside(shop, "runs", "show", version["run_id"])
    assert run["run_id"] == version["run_id"]
    assert inside(shop, "runs", "show", "nonsense", code=2)["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("why", "dayly"),
        ("show", "dayly"),
        ("lineage", "dayly"),
        ("versions", "dayly"),
        ("plan", "--select", "dayly"),
        ("materialize", "--select", "+dayly"),
        ("status", "--select", "dayly"),
        ("rollback", "dayly", "--to", "1"),
        ("accept", "dayly", "--reason", "because"),
    ],
)
def test_an_unknown_asset_anywhere_is_exit_code_2_with_the_nearest_names(
    shop: Outside, inside: Inside, arguments: tuple[str, ...]
) -> None:
    error = inside(shop, *arguments, code=2)["error"]
    assert error["type"] == "UnknownAsset"
    assert "daily" in error["hint"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--nonsense"),
        ("plam",),
        ("why",),
        ("plan", "--select"),
        ("plan", "--select", "("),
        ("plan", "--partition", ""),
        ("plan", "--partition", "1999"),
        ("plan", "--from", "2024-01-01"),
        ("why", "daily@"),
        ("why", "daily@1999-01-01"),
        ("why", "@x"),
        ("query", "drop table versions"),
        ("query", "select * from nothing"),
        ("rollback", "daily@2024-01-01", "--to", "999999"),
        ("rollback", "daily@2024-01-01", "--to", "x"),
        ("materialize", "--executor", "nonsense"),
        ("materialize", "--workers", "0"),
        ("list", "--project", "/nowhere/at/all"),
        ("accept", "daily"),
        ("accept", "daily", "--reason", " "),
        ("list", "superfluous"),
        (),
    ],
)
def test_a_usage_error_is_exit_code_2_and_one_document(
    shop: Outside, inside: Inside, arguments: tuple[str, ...]
) -> None:
    error = inside(shop, *arguments, code=2)["error"]
    assert {"type", "message", "hint", "location"} <= set(error)
    assert error["message"]


def test_environment_variables_override(shop: Outside, tmp_path: Path) -> None:
    variables = {
        "ASSETFLOW_STORE": f"sqlite:///{tmp_path}/other.db",
        "ASSETFLOW_STORAGE": str(tmp_path / "elsewhere"),
        "ASSETFLOW_ENVIRONMENT": "dev",
    }
    done = shop.document("materialize", "--select", "+daily", **variables)
    assert done["counts"]["materialized"] == 6
    assert (tmp_path / "other.db").is_file()
    assert (tmp_path / "elsewhere" / "daily" / "_current.dev.json").is_file()
    relative = {"ASSETFLOW_STORE": "sqlite:///var/s.db", "ASSETFLOW_STORAGE": "var/data"}
    assert shop.document("materialize", "--select", "where", "--project", str(shop.folder), cwd=tmp_path, **relative)[
        "counts"
    ] == {**dict.fromkeys(done["counts"], 0), "materialized": 1}
    assert (shop.folder / "var" / "s.db").is_file(), "relative paths are relative to the project's file"


def test_a_changed_helper_is_named_accepted_and_taken_back(shop: Outside, inside: Inside) -> None:
    shop.edit("src/shop/rules.py", "return 2 * n", "return n + n + 1")
    try:
        steps = inside(shop, "plan", "--fail-if-stale", code=3)["steps"]
        assert [(step["asset"], step["certainty"]) for step in steps] == [("daily", "will"), ("summary", "may")]
        (cause,) = [cause for cause in steps[0]["causes"] if cause["kind"] == "code_changed"]
        assert "doubled" in json.dumps(cause)
        why = inside(shop, "why", "daily@2024-01-02")
        assert why["state"] == "stale"
        assert "doubled" in json.dumps(why["causes"])
        accepted = inside(shop, "accept", "daily", "--reason", "same thing")
        assert len(accepted["published"]) == 3
        assert inside(shop, "plan", "--fail-if-stale")
    finally:
        shop.edit("src/shop/rules.py", "return n + n + 1", "return 2 * n")
    done_again = inside(shop, "materialize")
    assert done_again["counts"]["materialized"] == 0
    assert inside(shop, "plan", "--fail-if-stale")


def test_two_environments_on_different_code_do_not_rebuild_each_other(shop: Outside, inside: Inside) -> None:
    first = inside(shop, "materialize", ASSETFLOW_ENVIRONMENT="dev")
    assert first["counts"]["reused"] > 0, "what prod has computed is not computed again"
    shop.edit("src/shop/rules.py", "FACTOR = 1", "FACTOR = 10")
    try:
        inside(shop, "materialize", ASSETFLOW_ENVIRONMENT="dev")
        assert inside(shop, "query", "from data.summary", ASSETFLOW_ENVIRONMENT="dev")["rows"] == [[120]]
        assert inside(shop, "query", "from data.summary")["rows"] == [[12]]
    finally:
        shop.edit("src/shop/rules.py", "FACTOR = 10", "FACTOR = 1")
    assert inside(shop, "plan")["steps"] == []


@pytest.fixture(scope="module")
def trouble(outside: Callable[[str], Outside]) -> Outside:
    """A project whose parts go wrong."""
    trouble = outside("trouble")
    trouble.write("pyproject.toml", '[tool.assetflow]\ndefinitions = "assets:defs"\n')
    trouble.write(
        "assets.py",
        """
        import sys
        import time
        from pathlib import Path
        from assetflow import Definitions, asset, asset_check, observable_source


        @observable_source
        def unreachable() -> str:
            raise OSError("ftp is down")


        @asset(deps=[unreachable])
        def behind() -> int:
            return 1


        @asset
        def fails() -> int:
            sys.stdout.write("some text")
            raise ValueError("no network")


        @asset
        def below(fails: int) -> int:
            return fails


        @asset
        def leaves() -> int:
            sys.exit(7)


        @asset
        def fine() -> int:
            return 1


        @asset_check(asset=fine, blocking=True)
        def never(fine: int) -> bool:
            return False


        @asset
        def slow() -> int:
            Path("started").touch()
            time.sleep(60)
            return 1


        defs = Definitions(assets=[unreachable, behind, fails, below, leaves, fine, slow], checks=[never])
        """,
    )
    return trouble


def test_a_run_that_failed_prints_its_own_document(trouble: Outside) -> None:
    document = trouble.document("materialize", "--select", "not slow", code=1)
    assert document["status"] == "failed"
    counts = {name: number for name, number in document["counts"].items() if number}
    assert counts == {"failed": 2, "blocked": 1, "quarantined": 1, "waiting": 1}
    failures = {failure["asset"]: failure for failure in document["failures"]}
    assert set(failures) == {"fails", "leaves", "fine"}
    for failure in failures.values():
        assert {"asset", "partition", "error"} <= set(failure)
        assert {"type", "message", "hint", "location"} <= set(failure["error"])
    assert "no network" in failures["fails"]["error"]["message"]
    assert failures["fails"]["error"]["location"].endswith("assets.py:21")


def test_a_source_that_cannot_be_observed(trouble: Outside, inside: Inside) -> None:
    plan = inside(trouble, "plan", "--select", "behind")
    assert "ftp is down" in json.dumps(plan)
    error = inside(trouble, "plan", "--select", "behind", "--strict-observe", code=1)["error"]
    assert "ftp is down" in error["message"]
    assert "ftp" not in json.dumps(inside(trouble, "plan", "--select", "behind", "--no-observe"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_exit_code_130_and_one_document(trouble: Outside, number: signal.Signals) -> None:
    (trouble.folder / "started").unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "assetflow", "materialize", "--select", "slow", "--json"],
        cwd=trouble.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("ASSETFLOW_")},
    )
    for _ in range(600):
        if (trouble.folder / "started").exists():
            break
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    document = json.loads(out)
    assert (document["status"], document["counts"]["canceled"]) == ("canceled", 1)
    assert trouble.document("doctor", code=0)
    assert trouble.document("runs")["runs"][0]["status"] == "canceled"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from assetflow import asset\n@asset\ndef a(b: int) -> int:\n    return b\ndefs = [a]\n", "b"),
        ("raise RuntimeError('at import')\n", "at import"),
        ("def broken(:\n", "assets.py"),
        ("x = 1\n", "defs"),
        ("defs = 3\n", "3"),
        ("from assetflow import AutomationCondition\n", "AutomationCondition"),
        ("import sys\nsys.exit(3)\n", "3"),
        (
            "from assetflow import asset\n@asset(freshness_policy=1)\ndef a() -> int:\n    return 1\ndefs = [a]\n",
            "freshness_policy",
        ),
    ],
)
def test_definitions_that_cannot_be_loaded_are_exit_code_2(
    outside: Callable[[str], Outside], inside: Inside, text: str, said: str
) -> None:
    broken = outside("broken")
    broken.write("pyproject.toml", '[tool.assetflow]\ndefinitions = "assets:defs"\n')
    broken.write("assets.py", text)
    for command in ("validate", "materialize"):
        document = inside(broken, command, code=2)
        assert said in json.dumps(document["error"])
    assert not (broken.folder / ".assetflow").exists()


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "[tool.assetflow]\n",
        '[tool.assetflow]\ndefinitions = "assets"\nstorre = "x"\n',
        '[tool.assetflow]\ndefinitions = "nowhere.at.all"\n',
        "[tool.assetflow\n",
        "[tool.assetflow]\ndefinitions = 3\n",
    ],
)
def test_settings_that_cannot_be_read_are_exit_code_2(
    outside: Callable[[str], Outside], inside: Inside, settings: str
) -> None:
    broken = outside("settings")
    broken.write("pyproject.toml", settings)
    broken.write("assets.py", "")
    error = inside(broken, "plan", code=2)["error"]
    assert error["message"]


def test_a_new_project_runs_as_it_is(outside: Callable[[str], Outside]) -> None:
    home = outside("home")
    made: Any = home.document("init", "my_shop")
    folder = home.folder / "my_shop"
    assert isinstance(made, dict)
    assert home.document("materialize", cwd=folder)["status"] == "success"
    assert home.document("materialize", cwd=folder)["run_id"] is None
    assert home.run("plan", "--fail-if-stale", cwd=folder).returncode == 0
    error = home.document("init", "my_shop", code=2)["error"]
    assert "my_shop" in error["message"]


def test_errors_go_to_stderr_as_text_without_a_trace(shop: Outside) -> None:
    done = shop.run("why", "dayly")
    assert (done.returncode, done.stdout) == (2, "imported\n"), "what user code prints while it is loaded is its own"
    assert "dayly" in done.stderr
    assert "Traceback" not in done.stderr
    told = shop.run("--help")
    assert told.returncode == 0
    due = "init list graph validate plan materialize why status show lineage query runs versions rollback accept doctor"
    assert all(f"  {command} " in told.stdout for command in due.split())
