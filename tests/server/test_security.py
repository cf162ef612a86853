"""What a page of another site, or a stranger on the network, must not be able to do: every rule, on a real server."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from assetflow.server.guard import HEADERS, MOST_BODY
from tests.server.conftest import ASSETS, Dev, write


@pytest.fixture
def server(dev: Callable[..., Dev]) -> Dev:
    return dev()


def asked(server: Dev, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, Any]:
    """A request exactly as written: clients put paths in order, and choose headers themselves."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def test_only_names_of_this_machine_are_answered(server: Dev) -> None:
    good = ("localhost", "127.0.0.1", "[::1]", "LOCALHOST:9999", "127.0.0.1:80", f"localhost:{server.port}")
    for host in good:  # the port may be another one: `ssh -L 9999:localhost:8470`
        assert asked(server, "GET", "/api/server", {"Host": host})[0] == 200, host
    foreign = ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "192.168.0.7")
    for host in foreign:
        for path in ("/", "/api/graph", "/static/app.js", "/openapi.json"):
            assert asked(server, "GET", path, {"Host": host})[0] == 421, host
    malformed = ("", "a b", "localhost@evil.example", "evil.example/localhost", "localhost:x", "[::1", "localhost:1:2")
    for host in malformed:
        assert asked(server, "GET", "/api/graph", {"Host": host})[0] == 400, host
    assert asked(server, "GET", "/api/graph", {})[0] == 400


CROSS_SITE = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Origin": "https://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
)


def test_pages_of_other_sites_can_do_nothing(server: Dev) -> None:
    json = {"Host": "localhost", "Content-Type": "application/json"}
    for headers in CROSS_SITE:
        for path in ("/api/plan", "/api/materialize", "/api/query", "/api/rollback", "/api/load"):
            assert asked(server, "POST", path, json | headers, b"{}")[0] == 403, (path, headers)
    for headers in CROSS_SITE[:4]:
        assert asked(server, "GET", "/api/graph", {"Host": "localhost"} | headers)[0] == 403
        assert asked(server, "GET", "/api/events", {"Host": "localhost"} | headers)[0] == 403
    own: tuple[dict[str, str], ...] = (
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {},
    )
    for headers in own:
        assert asked(server, "POST", "/api/plan", json | headers, b"{}")[0] == 200, headers
    assert server.get("/api/runs")["total"] == 0


def test_bodies_are_json(server: Dev) -> None:
    forms = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/json", "")
    for kind in forms:
        status, _ = asked(server, "POST", "/api/plan", {"Host": "localhost", "Content-Type": kind}, b"{}")
        assert status == 415, kind
    assert asked(server, "POST", "/api/plan", {"Host": "localhost"}, b"{}")[0] == 415
    assert asked(server, "DELETE", "/api/graph", {"Host": "localhost"})[0] == 415
    json = {"Host": "localhost", "Content-Type": "Application/JSON; charset=utf-8"}
    assert asked(server, "POST", "/api/plan", json, b"{}")[0] == 200


def test_bodies_and_addresses_have_limits(server: Dev) -> None:
    json = {"content-type": "application/json"}
    big = b'{"select": "' + b"a" * MOST_BODY + b'"}'
    assert server.client.post("/api/plan", content=big, headers=json).status_code == 413

    def in_parts() -> Any:
        for start in range(0, len(big), 65_536):
            yield big[start : start + 65_536]

    assert server.client.post("/api/plan", content=in_parts(), headers=json).status_code == 413
    assert server.client.get("/api/why", params={"asset": "a" * 20_000}).status_code == 414
    assert server.client.post("/api/plan", json={"select": "a" * 20_000}).status_code == 422
    lie = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": "x"}
    assert asked(server, "POST", "/api/plan", lie)[0] == 400
    assert server.get("/api/server")["name"] == "shop_project"


def test_paths_lead_nowhere_else(server: Dev, shop: Path) -> None:
    (shop / "secret.txt").write_text("secret")
    for way in ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..\\", "..%5c", "./../", "//../", "%2e/%2e%2e/"):
        for base in ("/static/", "/api/assets/", "/api/runs/", "/"):
            for target in ("secret.txt", "etc/passwd", "assetflow/server/app.py"):
                status, body = asked(server, "GET", f"{base}{way}{way}{target}", {"Host": "localhost"})
                assert status in (400, 404), (base, way)
                assert b"secret" not in body.replace(b"secret.txt", b"")
    names = ("../secret.txt", "../../etc/passwd", "/etc/passwd", "..\\secret", "a\0b", "%2e%2e/secret.txt")
    for name in names:
        for path, parameter in (("/api/why", "asset"), ("/api/lineage", "asset"), ("/api/preview", "asset")):
            assert server.client.get(path, params={parameter: name}).status_code in (400, 404, 422), (path, name)
        found = server.client.get("/api/preview", params={"asset": "orders", "partition": name})
        assert found.status_code == 400, found.text
        assert server.client.get("/api/explain", params={"first": name, "second": name}).status_code == 404
        assert server.client.post("/api/plan", json={"select": name}).status_code in (400, 404)
        assert server.client.post("/api/plan", json={"partitions": [name]}).status_code == 400


def test_every_response_carries_the_headers_and_no_leave_for_others(server: Dev) -> None:
    for path in ("/", "/static/app.js", "/static/style.css", "/api/graph", "/api/nothing", "/openapi.json", "/nothing"):
        response = server.client.get(path, headers={"origin": f"http://127.0.0.1:{server.port}"})
        for name, value in HEADERS.items():
            assert response.headers[name] == value, (path, name)
        assert not [name for name in response.headers if name.startswith("access-control-")]
    preflight = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    refused = server.client.options("/api/plan", headers=preflight)
    assert refused.status_code in (403, 405)
    assert not [name for name in refused.headers if name.startswith("access-control-")]
    assert "server" not in server.client.get("/").headers


def test_the_page_needs_no_script_inside_it(server: Dev) -> None:
    page = server.client.get("/").text
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="/static/app.js">']
    assert '<script type="module" src="/static/app.js"></script>' in page
    assert not re.search(r"\son\w+=|style=|javascript:", page)
    script = server.client.get("/static/app.js").text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", script)


def test_markup_in_names_stays_text(shop: Path, dev: Callable[..., Dev]) -> None:
    evil = '"<script>alert(1)</script><img src=x onerror=alert(1)>"'
    text = ASSETS.replace('"""Orders by day."""', f"return_ = {evil}").replace('group="raw"', f"group={evil}")
    write(shop / "shop" / "assets.py", text)
    server = dev()
    response = server.client.get("/api/graph")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in server.client.get("/").text


def test_nonsense_on_the_wire_is_survived(server: Dev) -> None:
    cut_off = b"POST /api/plan HTTP/1.1\r\nHost: x"
    for data in (b"\0\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 100_000, cut_off):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(data)
    assert server.get("/api/server")


def test_beyond_this_machine_a_token_lets_in_once_and_roles_hold(shop: Path, dev: Callable[..., Dev]) -> None:
    server = dev("--host", "0.0.0.0")
    for _ in range(100):
        entrances = dict(re.findall(r"(viewer|operator|admin): +http://\S+(/\?token=\S+)", "\n".join(server.told)))
        if len(entrances) == 3:
            break
    base = f"http://127.0.0.1:{server.port}"
    for path in ("/", "/api/graph", "/api/events", "/openapi.json"):
        assert httpx.get(base + path).status_code == 401, path
    assert httpx.get(f"{base}/?token=wrong").status_code == 401
    assert httpx.get(f"{base}/api/graph?token={entrances['admin'].partition('=')[2]}").status_code == 401
    visitors: dict[str, httpx.Client] = {}
    for role, path in entrances.items():
        visitors[role] = httpx.Client(base_url=base)
        response = visitors[role].get(path)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        cookie = response.headers["set-cookie"].casefold()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert httpx.get(base + path).status_code == 401, "a token works once"
        assert visitors[role].get("/api/server").json()["role"] == role
    allowed = {
        "/api/plan": ("viewer", {}),
        "/api/query": ("viewer", {"sql": "select 1"}),
        "/api/load": ("operator", {}),
        "/api/materialize": ("operator", {"select": "prices"}),
        "/api/runs/none/cancel": ("operator", {}),
        "/api/runs/none/retry": ("operator", {}),
        "/api/rollback": ("admin", {"asset": "total", "to": 1}),
        "/api/accept": ("admin", {"asset": "total", "reason": "x"}),
        "/api/invite": ("admin", {"role": "viewer"}),
    }
    ranks = ("viewer", "operator", "admin")
    for path, (least, body) in allowed.items():
        for role, client in visitors.items():
            status = client.post(path, json=body).status_code
            assert (status == 403) is (ranks.index(role) < ranks.index(least)), (path, role, status)
    invited = visitors["admin"].post("/api/invite", json={"role": "viewer"}).json()["path"]
    assert httpx.get(base + invited).status_code == 303
    rows = visitors["viewer"].post("/api/query", json={"sql": "select payload from events where kind = 'action'"})
    assert "operator-" in rows.text or "admin-" in rows.text
    for client in visitors.values():
        client.close()
