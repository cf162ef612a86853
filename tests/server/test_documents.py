"""The API gives the documents of the command line, in the shapes that OpenAPI tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assetflow.server import models
from tests.server.conftest import ASSETS, Dev, cli, write


@pytest.fixture
def built(shop: Path, dev: Callable[..., Dev]) -> Dev:
    cli(shop, "materialize")
    return dev()


def rest(document: dict[str, Any], *left_out: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in left_out}


def test_documents_equal_those_of_the_command_line(shop: Path, built: Dev) -> None:
    paging = ("total", "next")
    assert built.get("/api/graph") == cli(shop, "graph")
    assert rest(built.get("/api/assets"), *paging) == cli(shop, "list")
    assert rest(built.get("/api/status"), *paging) == cli(shop, "status")
    assert built.get("/api/why", asset="total") == cli(shop, "why", "total")
    assert built.get("/api/why", asset="daily", partition="2024-01-02") == cli(shop, "why", "daily@2024-01-02")
    assert rest(built.get("/api/lineage", asset="total"), *paging) == cli(shop, "lineage", "total")
    address = {"asset": "daily", "partition": "2024-01-02", "direction": "both"}
    told = cli(shop, "lineage", "daily@2024-01-02", "--upstream", "--downstream")
    assert rest(built.get("/api/lineage", **address), *paging) == told
    assert rest(built.get("/api/versions", asset="daily"), *paging) == cli(shop, "versions", "daily")
    assert rest(built.get("/api/runs"), *paging) == cli(shop, "runs")
    sql = "select asset, state, count(*) as n from partitions group by all order by all"
    assert built.post("/api/query", {"sql": sql}) == cli(shop, "query", sql)
    assert built.get("/api/preview", asset="total") == cli(shop, "show", "total")
    left_out = ("as_of",)
    force = built.post("/api/plan", {"force": True})
    assert rest(built.post("/api/plan"), *left_out) == rest(cli(shop, "plan"), *left_out)
    assert len(force["steps"]) == 3
    [run] = built.get("/api/runs")["runs"]
    mine, theirs = built.get(f"/api/runs/{run['run_id']}"), cli(shop, "runs", "show", run["run_id"])
    assert [rest(step, "step") for step in mine["steps"]] == theirs["steps"]
    assert rest(mine, "steps", "progress", *paging) == rest(theirs, "steps")


def test_explained_plans_and_compared_runs_equal_those_of_the_command_line(shop: Path, built: Dev) -> None:
    left_out = ("as_of",)
    (shop / "prices.txt").write_text("2")
    assert rest(built.post("/api/plan", {"explain": True}), *left_out) == rest(
        cli(shop, "plan", "--explain"), *left_out
    )
    cli(shop, "materialize")
    second, first = (run["run_id"] for run in built.get("/api/runs")["runs"])
    assert built.get("/api/explain", first=first, second=second) == cli(shop, "explain", first, second)


def test_documents_have_the_shapes_that_openapi_tells(built: Dev) -> None:
    run_id = built.get("/api/runs")["runs"][0]["run_id"]
    shapes: dict[str, tuple[type[Any], dict[str, Any]]] = {
        "/api/graph": (models.GraphDocument, {}),
        "/api/assets": (models.AssetsDocument, {}),
        "/api/assets/total": (models.AssetDocument, {}),
        "/api/status": (models.StatusDocument, {}),
        "/api/why": (models.WhyDocument, {"asset": "total"}),
        "/api/lineage": (models.LineageDocument, {"asset": "total"}),
        "/api/versions": (models.VersionsDocument, {"asset": "daily"}),
        "/api/runs": (models.RunsDocument, {}),
        f"/api/runs/{run_id}": (models.RunDocument, {}),
        "/api/preview": (models.PreviewDocument, {"asset": "daily", "partition": "2024-01-01"}),
        "/api/load": (models.LoadDocument, {}),
        "/api/server": (models.ServerDocument, {}),
    }
    for path, (shape, parameters) in shapes.items():
        shape.model_validate(built.get(path, **parameters), strict=True)
    models.PlanDocument.model_validate(built.post("/api/plan", {"force": True}), strict=True)
    models.QueryDocument.model_validate(built.post("/api/query", {"sql": "select 1"}), strict=True)


def test_long_lists_come_in_pages(built: Dev) -> None:
    first = built.get("/api/assets", limit=3)
    second = built.get("/api/assets", limit=3, after=first["next"])
    names = [each["asset"] for each in (*first["assets"], *second["assets"])]
    assert (names, first["total"], second["next"]) == (["prices", "orders", "daily", "total"], 4, None)
    run_id = built.get("/api/runs")["runs"][0]["run_id"]
    pages, after = [], None
    while True:
        page = built.get(f"/api/runs/{run_id}", limit=4, **({"after": after} if after else {}))
        pages.append(len(page["steps"]))
        if (after := page["next"]) is None:
            break
    assert pages == [4, 4, 1]
    versions = built.get("/api/versions", asset="daily", limit=1)
    assert (len(versions["versions"]), versions["total"]) == (1, 4)


REFUSED: dict[str, tuple[int, str, str]] = {
    "/api/assets/ordesr": (404, "UnknownAsset", "there is no asset 'ordesr'"),
    "/api/why?asset=daily&partition=2023": (400, "InvalidPartition", "daily: "),
    "/api/status?select=(": (400, "InvalidSelection", ""),
    "/api/runs/nowhere": (404, "UnknownRun", "there is no run 'nowhere'"),
    "/api/assets?after=nothing": (400, "UsageError", "after=nothing: the list has no such entry"),
    "/api/assets?limit=0": (422, "UsageError", "query.limit: Input should be greater than or equal to 1"),
    "/api/why": (422, "UsageError", "query.asset: Field required"),
    "/api/nothing": (404, "NotFound", "Not Found"),
    "/api/plan": (405, "WrongMethod", "Method Not Allowed"),
    "/static/../app.py": (404, "NotFound", "Not Found"),
    "/static/secret.js": (404, "NotFound", "there is no file secret.js"),
}


def test_what_cannot_be_answered_is_an_error_document(built: Dev) -> None:
    for path, (status, kind, message) in REFUSED.items():
        response = built.client.get(path)
        error = response.json()["error"]
        assert (response.status_code, error["type"]) == (status, kind), (path, response.text)
        assert error["message"].startswith(message), path
        assert set(error) >= {"type", "message", "hint", "location"}


def test_bad_requests_are_refused_with_their_mistakes(built: Dev) -> None:
    bodies: list[tuple[str, Any, int]] = [
        ("/api/plan", {"selecct": "*"}, 422),
        ("/api/plan", {"workers": "2"}, 422),
        ("/api/plan", [], 422),
        ("/api/plan", {"partitions": ["2023"]}, 400),
        ("/api/query", {"sql": "drop table assets"}, 400),
        ("/api/query", {"sql": "select 1; select 2"}, 400),
        ("/api/query", {"sql": "select * from read_csv('/etc/passwd')"}, 400),
        ("/api/materialize", {"executor": "nothing"}, 400),
        ("/api/rollback", {"asset": "total", "to": 99}, 404),
        ("/api/accept", {"asset": "nothing", "reason": "because"}, 404),
        ("/api/invite", {"role": "admin"}, 400),
        ("/api/runs/nowhere/cancel", {}, 404),
        ("/api/runs/nowhere/retry", {}, 404),
    ]
    for path, body, status in bodies:
        response = built.client.post(path, json=body)
        assert response.status_code == status, (path, body, response.text)
        assert response.json()["error"]["message"]
    broken = built.client.post("/api/plan", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 422


def test_what_a_run_printed_comes_in_pages(shop: Path, dev: Callable[..., Dev]) -> None:
    text = ASSETS.replace("return context.partition_start.day", 'print("<b>", context.partition_key); return 1')
    write(shop / "shop" / "assets.py", text)
    server = dev()
    run_id = server.finished(server.post("/api/materialize", status=202)["run_id"])["run_id"]
    whole = server.get(f"/api/runs/{run_id}/logs")
    models.LogsDocument.model_validate(whole, strict=True)
    assert [rest(line, "line") for line in whole["lines"]] == cli(shop, "runs", "logs", run_id)["lines"]
    assert whole["lines"][0]["text"] == "<b> 2024-01-01"
    first = server.get(f"/api/runs/{run_id}/logs", limit=3)
    second = server.get(f"/api/runs/{run_id}/logs", limit=3, after=first["next"])
    assert (first["lines"] + second["lines"], second["next"]) == (whole["lines"], None)
    assert server.get(f"/api/runs/{run_id}/logs", step="daily")["lines"] == []
    assert server.client.get("/api/runs/nowhere/logs").status_code in (400, 404)


def test_a_partitioned_source_has_no_rows_to_preview(shop: Path, dev: Callable[..., Dev]) -> None:
    by_day = "@observable_source(partitions=DAYS)\n    def prices() -> dict[str, str]:"
    text = ASSETS.replace("@observable_source\n    def prices() -> str:", by_day)
    write(shop / "shop" / "assets.py", text.replace('Path("prices.txt").read_text()', '{"2024-01-01": "1"}'))
    cli(shop, "plan")
    server = dev()
    refused = server.client.get("/api/preview", params={"asset": "prices"})
    assert refused.status_code == 400
    assert refused.json() == cli(shop, "show", "prices")
    assert refused.json()["error"]["message"] == "prices is a source: there are no rows of all its partitions together"


def test_answers_of_a_query_are_capped(built: Dev) -> None:
    found = built.post("/api/query", {"sql": "select * from range(5000)", "limit": 10})
    assert (found["row_count"], found["truncated"]) == (10, True)


def test_versions_can_be_rolled_back_and_accepted(shop: Path, built: Dev) -> None:
    before = built.get("/api/versions", asset="daily", partition="2024-01-01")["versions"][0]["version"]
    rules = shop / "shop" / "rules.py"
    rules.write_text(rules.read_text().replace("* 2", "* 3"))
    built.loaded_after(1)
    built.finished(built.post("/api/materialize", status=202)["run_id"])
    body = {"asset": "daily", "partition": "2024-01-01", "to": before}
    assert built.post("/api/rollback", body)
    assert built.get("/api/why", asset="daily", partition="2024-01-01")["held"]
    assert built.post("/api/accept", {"asset": "total", "reason": "known"})
    actions = [each["payload"] for each in cli_events(built) if each["kind"] == "action"]
    assert [each["action"] for each in actions] == ["materialize", "rollback", "accept"]
    assert actions[1]["asked"] == {**body, "with_downstream": False, "reason": None}
    assert (actions[1]["visitor"], actions[1]["role"], actions[1]["client"]) == ("local", "admin", "127.0.0.1")


def cli_events(dev: Dev) -> list[dict[str, Any]]:
    import json

    rows = dev.post("/api/query", {"sql": "select kind, payload from events order by seq"})["rows"]
    return [{"kind": kind, "payload": json.loads(payload)} for kind, payload in rows]
