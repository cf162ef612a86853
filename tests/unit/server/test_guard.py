from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from assetflow.server.guard import Guard, host_of
from assetflow.server.sessions import Sessions


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says who asks."""
    body = await Request(scope, receive).body()
    visitor: Any = scope["state"]["visitor"]
    await JSONResponse({"role": visitor.role, "bytes": len(body)})(scope, receive, send)


class Client:
    """Asks an application without a network; keeps cookies."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._cookies = httpx.Cookies()

    def get(self, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost:8470", cookies=self._cookies
            ) as client:
                response = await client.get(path, **options)
                self._cookies = client.cookies
                return response

        return asyncio.run(ask())


def client(sessions: Sessions | None = None, *hosts: str) -> Client:
    return Client(Guard(echo, hosts=("localhost", *hosts), sessions=sessions, cookie="assetflow_1"))


def test_without_sessions_everybody_is_an_admin() -> None:
    assert client().get("/api/graph").json() == {"role": "admin", "bytes": 0}


def test_names_that_the_server_goes_by() -> None:
    found = client(None, "build.example")
    assert found.get("/", headers={"host": "Build.Example:1"}).status_code == 200
    assert found.get("/", headers={"host": "other.example"}).status_code == 421
    error = found.get("/", headers={"host": "other.example"}).json()["error"]
    assert (error["type"], error["message"]) == ("ForeignHost", "this server does not go by the name other.example")


NONSENSE = ["", " ", "a b", "localhost:", "localhost:x", "localhost:99999", "[::1", "::1", "a/b", "a@b", "a?b", "a#b"]


@pytest.mark.parametrize("header", NONSENSE)
def test_nonsense_is_no_host(header: str) -> None:
    assert host_of(header) is None


def test_a_session_lives_in_its_cookie() -> None:
    sessions = Sessions()
    visitor = client(sessions)
    assert visitor.get("/api/graph").status_code == 401
    token = sessions.invite("viewer")
    response = visitor.get(f"/?token={token}")
    assert response.headers["set-cookie"].startswith("assetflow_1=")
    assert visitor.get("/api/graph").json()["role"] == "viewer"
    stranger = client(sessions)
    for cookie in ("x", "", "é"):
        assert stranger.get("/api/graph", headers={"cookie": f"assetflow_1={cookie}".encode()}).status_code == 401
    for wrong in ("", "é", token):
        assert stranger.get("/", params={"token": wrong}).status_code == 401


def test_a_page_of_the_server_may_read_and_others_may_link_to_it() -> None:
    found = client()
    assert found.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200
    assert found.get("/api/graph", headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert found.get("/api/graph", headers={"sec-fetch-site": "same-origin"}).status_code == 200
