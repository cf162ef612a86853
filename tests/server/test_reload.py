"""Hot reload: what each save changes, what it makes stale, and that the last good graph outlives a broken edit."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import ASSETS, RULES, Dev, cli, environment, write

ONE = "from assetflow import asset\n\n@asset\ndef {name}() -> int:\n    return 1\n"


def names(dev: Dev) -> list[str]:
    return [node["asset"] for node in dev.get("/api/graph")["nodes"]]


def test_an_edit_of_a_helper_says_what_became_stale_and_why(shop: Path, dev: Callable[..., Dev]) -> None:
    cli(shop, "materialize")
    server = dev()
    assert server.loaded_after(0)["became"] == {"stale": [], "settled": [], "error": None}
    write(shop / "shop" / "rules.py", RULES.replace("n * 2", "n * 3"))
    load = server.loaded_after(1)
    assert load["files"] == ["shop/rules.py"]
    assert load["changes"]["assets"] == {"added": [], "removed": [], "changed": [{"asset": "daily", "what": ["code"]}]}
    daily, total = load["became"]["stale"]
    assert (daily["asset"], daily["partitions"]) == (
        "daily",
        {"count": 4, "ranges": [["2024-01-01", "2024-01-04"]]},
    )
    assert [cause["kind"] for cause in daily["causes"]] == ["code_changed"]
    assert (total["asset"], total["partitions"], total["certainty"]) == ("total", None, "may")
    server.wait_for_line(r"1 asset changed \(daily: code\)")
    server.wait_for_line(r"to build: 4 partitions of daily \(.*\), 1 partition of total")
    write(shop / "shop" / "rules.py", RULES)
    settled = server.loaded_after(load["load"])["became"]
    assert (settled["stale"], [each["asset"] for each in settled["settled"]]) == ([], ["daily", "total"])


def test_assets_edges_and_schemas_come_and_go(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev()
    more = ASSETS.replace("def total(daily: dict[str, int])", "def total(orders: dict[str, int])").replace(
        "sum(daily.values())", "sum(orders.values())"
    )
    write(
        shop / "shop" / "assets.py",
        more
        + """
    from assetflow import Schema
    import pandas as pd

    class Line(Schema):
        n: int
        name: str

    @asset(schema=Line)
    def lines(total: int) -> pd.DataFrame:
        return pd.DataFrame({"n": [total], "name": ["a"]})
""",
    )
    changes = server.loaded_after(1)["changes"]
    assert changes["assets"]["added"] == ["lines"]
    assert changes["assets"]["changed"] == [{"asset": "total", "what": ["code"]}]
    edges = {word: {(edge["from"], edge["to"]) for edge in found} for word, found in changes["edges"].items()}
    assert edges == {"added": {("orders", "total"), ("total", "lines")}, "removed": {("daily", "total")}}
    text = (shop / "shop" / "assets.py").read_text()
    text = text.replace("    name: str", "    title: str").replace("n: int\n", "n: float\n")
    (shop / "shop" / "assets.py").write_text(text)
    schemas = server.loaded_after(2)["changes"]["schemas"]
    assert schemas == [{"asset": "lines", "added": ["title"], "removed": ["name"], "changed": ["n"]}]
    write(shop / "shop" / "assets.py", ASSETS)
    assert server.loaded_after(3)["changes"]["assets"]["removed"] == ["lines"]


def test_a_broken_edit_keeps_the_last_good_graph(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev()
    before = names(server)
    write(shop / "shop" / "rules.py", RULES + "\n    def broken(:\n        pass\n")
    load = server.loaded_after(1)
    assert (load["load"], load["current"]) == (2, 1)
    assert load["error"]["location"] == "shop/rules.py:5"
    assert names(server) == before
    server.wait_for_line(r"the definitions cannot be loaded; the last graph that could be loaded stays")
    server.wait_for_line(r"at shop/rules.py:5")
    write(shop / "shop" / "rules.py", RULES + "\n    1 / 0\n")
    error = server.loaded_after(2)["error"]
    assert "division by zero" in error["message"]
    [first] = error["errors"]
    assert f'File "{shop}/shop/rules.py", line 5' in first["traceback"]
    assert f'File "{shop}/shop/assets.py", line 8' in first["traceback"]
    assert "assetflow" not in first["traceback"].replace("from assetflow import", "")
    write(shop / "shop" / "rules.py", RULES)
    assert server.loaded_after(3)["error"] is None


def test_a_first_load_that_is_broken_recovers(shop: Path, dev: Callable[..., Dev]) -> None:
    write(shop / "shop" / "rules.py", "def doubled(:")
    server = dev()
    refused = server.client.get("/api/graph")
    assert (refused.status_code, refused.json()["error"]["location"]) == (503, "shop/rules.py:1")
    assert server.client.get("/").status_code == 200
    assert server.client.post("/api/materialize", json={}).status_code == 503
    write(shop / "shop" / "rules.py", RULES)
    assert server.loaded_after(1)["error"] is None
    assert "total" in names(server)


def test_files_and_packages_come_and_go(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev()
    write(
        shop / "shop" / "more" / "deep" / "extra.py",
        ONE.format(name="extra"),
    )
    write(shop / "shop" / "more" / "__init__.py", "")
    write(shop / "shop" / "more" / "deep" / "__init__.py", "from shop.more.deep.extra import extra\n")
    write(shop / "pyproject.toml", '[tool.assetflow]\ndefinitions = "shop"\n')
    write(shop / "shop" / "__init__.py", "from shop.assets import *\nfrom shop.more.deep import extra\n")
    server.until(lambda: "extra" in names(server))
    write(
        shop / "shop" / "more" / "deep" / "extra.py",
        ONE.format(name="other"),
    )
    write(shop / "shop" / "more" / "deep" / "__init__.py", "from shop.more.deep.extra import other as extra\n")
    server.until(lambda: "other" in names(server))
    shutil.rmtree(shop / "shop" / "more")
    write(shop / "shop" / "__init__.py", "from shop.assets import *\n")
    server.until(lambda: "other" not in names(server) and server.get("/api/load")["error"] is None)


def test_settings_sql_env_and_files_that_definitions_read_count_as_saves(shop: Path, dev: Callable[..., Dev]) -> None:
    write(
        shop / "shop" / "assets.py",
        ASSETS
        + """
    import json

    NAMES = json.loads(Path("names.json").read_text())
    TEXT = Path("shop/total.sql").read_text()

    for name in NAMES:

        @asset(name=name, code_version="1")
        def each() -> int:
            return 1
""",
    )
    write(shop / "names.json", '["one"]')
    write(shop / "shop" / "total.sql", "select 1")
    server = dev()
    assert "one" in names(server)
    write(shop / "names.json", '["one", "two"]')
    assert server.loaded_after(1)["changes"]["assets"]["added"] == ["two"]
    write(shop / "shop" / "total.sql", "select 2")
    assert server.loaded_after(2)["files"] == ["shop/total.sql"]
    write(shop / ".env", "A=1\n")
    assert server.loaded_after(3)["files"] == [".env"]
    write(shop / "pyproject.toml", '[tool.assetflow]\ndefinitions = "shop.rules"\n')
    assert server.loaded_after(4)["files"] == ["pyproject.toml"]
    assert names(server) == []


def test_what_is_not_part_of_the_definitions_is_no_save(shop: Path, dev: Callable[..., Dev]) -> None:
    write(shop / ".venv" / "pyvenv.cfg", "")
    write(shop / "env" / "pyvenv.cfg", "")
    write(shop / "env" / "lib.py", "")
    server = dev()
    cli(shop, "materialize")
    for path in (
        ".venv/lib.py",
        "env/other.py",
        ".git/hook.py",
        "shop/__pycache__/x.py",
        ".assetflow/data/a.py",
        "b.csv",
    ):
        write(shop / path, "x = 1\n")
    write(shop / "shop" / "rules.py", RULES + "\n    # a comment\n")
    load = server.loaded_after(1)
    assert (load["load"], load["files"]) == (2, ["shop/rules.py"])


def test_a_newer_save_cancels_a_load_and_a_load_that_hangs_is_given_up(
    shop: Path, dev: Callable[..., Dev], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = dev()
    write(shop / "shop" / "rules.py", RULES + "\n    import time\n    time.sleep(1000)\n")
    server.until(lambda: server.get("/api/load")["loading"])
    assert "total" in names(server)
    write(shop / "shop" / "rules.py", RULES)
    load = server.loaded_after(2)
    assert (load["load"], load["error"]) == (3, None)
    write(shop / "shop" / "rules.py", RULES + "\n    import os\n    os._exit(7)\n")
    error = server.loaded_after(3)["error"]
    assert error["message"] == "the process that loaded the definitions ended with exit code 7"


def test_two_saves_within_a_second_are_both_seen_with_bytecode_on(shop: Path, dev: Callable[..., Dev]) -> None:
    cli(shop, "list")
    # Bytecode of the project from elsewhere, as a test run leaves it: of the same second and size as the next save.
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", "import shop.rules"], cwd=shop, env=environment(), check=True)
    assert list((shop / "shop" / "__pycache__").glob("rules*.pyc"))
    server = dev()
    seen: list[str] = []
    for digit in "3456789345678934567893":
        load = server.get("/api/load")["load"]
        write(shop / "shop" / "rules.py", RULES.replace("n * 2", f"n * {digit}"))
        server.loaded_after(load)
        code = server.get("/api/assets/daily")["code_version"]
        seen.append(f"{digit} {code}")
    assert len(set(seen)) == 7


@pytest.mark.parametrize("change", ["rules", "folder"])
def test_polling_finds_the_same(shop: Path, dev: Callable[..., Dev], change: str) -> None:
    server = dev("--poll")
    if change == "rules":
        write(shop / "shop" / "rules.py", RULES.replace("n * 2", "n * 3"))
    else:
        write(shop / "new" / "module.py", "x = 1\n")
    load = server.loaded_after(1)
    assert load["files"] == [{"rules": "shop/rules.py", "folder": "new/module.py"}[change]]


def test_events_tell_of_loads_and_can_be_resumed(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev()
    server.loaded_after(0)

    def read(wanted: str, last: str | None = None) -> list[tuple[str, str]]:
        headers = {"last-event-id": last} if last else {}
        found: list[tuple[str, str]] = []
        until = time.monotonic() + 30
        with server.client.stream("GET", "/api/events", headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            name = ""
            for line in response.iter_lines():
                assert time.monotonic() < until
                if line.startswith("id: "):
                    name = line.removeprefix("id: ")
                elif line.startswith("event: "):
                    found.append((name, line.removeprefix("event: ")))
                    if found[-1][1] == "hello":
                        write(shop / "shop" / "rules.py", RULES + f"\n    # {time.monotonic()}\n")
                    if found[-1][1] == wanted:
                        return found
        return found

    first = read("stale")
    assert [kind for _, kind in first] == ["hello", "loaded", "stale"]
    again = read("stale", last=first[0][0])
    assert again == first[1:]
    other: Any = read("resync", last="3.0.abc")
    assert [kind for _, kind in other] == ["resync"]
