"""Runs that are started over HTTP: they agree with their plan, go on beside the server, and can be canceled."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server.conftest import ASSETS, SLOW, Dev, cli, write


def test_a_plan_is_run_as_it_was_shown(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev()
    plan = server.post("/api/plan", {"select": "daily"})
    assert [step["asset"] for step in plan["steps"]] == []
    plan = server.post("/api/plan")
    started = server.post("/api/materialize", {"plan_id": plan["plan_id"]}, 202)
    run = server.finished(started["run_id"])
    assert (run["status"], run["trigger"], started["total"]) == ("success", "ui", 9)
    again = server.post("/api/materialize")
    assert (again["run_id"], again["status"]) == (None, "success")
    assert cli(shop, "status")["assets"][-1]["partitions"]["up_to_date"] == 1


def test_an_outdated_plan_is_refused_with_the_difference(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev()
    plan = server.post("/api/plan")
    cli(shop, "materialize", "--select", "+daily")
    refused = server.post("/api/materialize", {"plan_id": plan["plan_id"]}, 409)
    assert refused["error"]["type"] == "PlanOutdated"
    assert refused["error"]["hint"] == "look at the new plan, and start that one"
    assert [step["asset"] for step in refused["plan"]["steps"]] == ["total"]
    changed = {(each["asset"], each["after"] is None) for each in refused["difference"]}
    assert changed >= {("orders", True), ("daily", True)}
    assert server.get("/api/runs")["total"] == 1
    run = server.finished(server.post("/api/materialize", {"plan_id": refused["plan"]["plan_id"]}, 202)["run_id"])
    assert run["status"] == "success"
    unknown = server.post("/api/materialize", {"plan_id": "p-0"}, 409)
    assert unknown["difference"] is None


def test_a_running_step_keeps_its_code_and_does_not_block(shop: Path, dev: Callable[..., Dev]) -> None:
    write(shop / "shop" / "assets.py", ASSETS + SLOW)
    server = dev()
    run_id = server.post("/api/materialize", {"select": "slow"}, 202)["run_id"]
    write(shop / "shop" / "assets.py", ASSETS + SLOW.replace("return 1", "return 2"))
    load = server.loaded_after(1)
    assert load["changes"]["assets"]["changed"] == [{"asset": "slow", "what": ["code"]}]
    assert server.get("/api/server")["running"] == [run_id]
    (shop / "go").write_text("")
    assert server.finished(run_id)["status"] == "success"
    assert server.get("/api/preview", asset="slow", partition="2024-01-01")["value"] == 1
    assert {cause["kind"] for cause in server.get("/api/why", asset="slow")["causes"]} == {"code_changed"}


def test_a_run_can_be_canceled_and_retried(shop: Path, dev: Callable[..., Dev]) -> None:
    write(shop / "shop" / "assets.py", ASSETS + SLOW)
    server = dev()
    run_id = server.post("/api/materialize", {"select": "slow"}, 202)["run_id"]
    assert server.post(f"/api/runs/{run_id}/cancel") == {"run_id": run_id, "cancel_asked": True}
    assert server.finished(run_id)["status"] == "canceled"
    (shop / "go").write_text("")
    again = server.post(f"/api/runs/{run_id}/retry", status=202)["run_id"]
    assert server.finished(again)["counts"]["materialized"] == 4
    server.wait_for_line(rf"run {run_id}: canceled")
    late = server.post(f"/api/runs/{run_id}/cancel", status=400)
    assert late["error"]["type"] == "UsageError"


def test_stopping_the_server_cancels_its_runs(shop: Path, dev: Callable[..., Dev]) -> None:
    write(shop / "shop" / "assets.py", ASSETS + SLOW)
    server = dev()
    run_id = server.post("/api/materialize", {"select": "slow"}, 202)["run_id"]
    server.stop(signal.SIGTERM)
    assert server.process.returncode == 0
    assert cli(shop, "runs", "show", run_id)["status"] == "canceled"


def test_a_run_ends_with_a_server_that_was_killed(shop: Path, dev: Callable[..., Dev]) -> None:
    write(shop / "shop" / "assets.py", ASSETS + SLOW)
    server = dev()
    run_id = server.post("/api/materialize", {"select": "slow"}, 202)["run_id"]
    left = server.processes()
    server.process.kill()
    server.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left[1:]))
    assert cli(shop, "runs", "show", run_id)["status"] == "canceled"


def test_where_a_copy_would_not_be_whole_a_fresh_interpreter_does_it(shop: Path, dev: Callable[..., Dev]) -> None:
    threads = """

    import threading
    import time

    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    """
    write(shop / "shop" / "assets.py", ASSETS + threads)
    server = dev()
    assert server.post("/api/query", {"sql": "select count(*) from assets"})["rows"] == [[4]]
    run = server.finished(server.post("/api/materialize", status=202)["run_id"])
    assert run["status"] == "success"
    write(shop / "shop" / "assets.py", ASSETS)
    assert server.loaded_after(1)["became"] == {"stale": [], "settled": [], "error": None}
    assert server.get("/api/preview", asset="total")["value"] == 20


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_what_a_run_imports_later_is_of_its_load_too(shop: Path, dev: Callable[..., Dev], executor: str) -> None:
    later = """

    import time

    @asset(partitions=DAYS)
    def slow(context: AssetContext) -> int:
        while not Path("go").exists():
            time.sleep(0.02)
        from shop.later import number

        return number
    """
    write(shop / "shop" / "assets.py", ASSETS + later)
    write(shop / "shop" / "later.py", "number = 1")
    server = dev()
    run_id = server.post("/api/materialize", {"select": "slow", "executor": executor}, 202)["run_id"]
    write(shop / "shop" / "later.py", "number = 2")
    server.loaded_after(1)
    (shop / "go").write_text("")
    assert server.finished(run_id)["status"] == "success"
    assert server.get("/api/preview", asset="slow", partition="2024-01-01")["value"] == 1
