"""What every request has to pass before anything looks at it, and what every response carries.

A page of another site must not be able to read or do anything here, even though the browser that shows it can reach
this server: its name resolution can be made to point here (the Host header tells), and it can send requests (where they
come from, and what type their body has, tells).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assetflow.server.generations import Answer, refused
from assetflow.server.sessions import LOCAL, Sessions, Visitor

MOST_BODY = 1_000_000
"""Bytes of a request."""

_MOST_URL = 16_384
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY = frozenset({"DELETE", "PATCH", "POST", "PUT"})
_OWN_SITE = frozenset({"same-origin", "none"})

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
"""On every response, refusals included."""


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def host_of(header: str) -> str | None:
    """The name in a Host header, without the port, which a forwarded connection may change; None for nonsense.

    >>> host_of("LOCALHOST:8470"), host_of("[::1]:80"), host_of("a b"), host_of("localhost:80@evil.example")
    ('localhost', '::1', None, None)
    """
    try:
        parts = urlsplit(f"//{header}")
        port = parts.port
    except ValueError:
        return None
    name = parts.hostname
    if name is None or not name.isascii() or parts.netloc != header or set(header) & set(" /\\?#@,\t"):
        return None
    written = f"[{name}]" if ":" in name else name
    known = (written, f"{written}:{port}") if port is not None else (written,)
    return name if header.casefold() in known else None


class Guard:
    """Refuses what breaks a rule, says who asks, and adds the headers."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], sessions: Sessions | None, cookie: str) -> None:
        """``hosts`` are names that the server goes by. Without ``sessions``, everybody may do everything."""
        self._app = app
        self._hosts = frozenset(host.casefold() for host in hosts)
        self._sessions = sessions
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._request(scope, headers) or self._origin(scope, headers) or self._body(scope, headers)
        response = as_response(refusal) if refusal else self._visitor(scope, headers)
        if response is not None:
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, _limited(receive), send_with_headers)

    def _request(self, scope: Scope, headers: Headers) -> Answer | None:
        given = headers.getlist("host")
        name = host_of(given[0]) if len(given) == 1 else None
        if name is None:
            return refused(400, "BadRequest", "the request has no valid Host header")
        if name not in self._hosts and not _is_own_address(name, scope):
            return refused(421, "ForeignHost", f"this server does not go by the name {name}", _BY_NAME)
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        if len(raw) + len(scope["query_string"]) > _MOST_URL:
            return refused(414, "TooLarge", f"the address is longer than {_MOST_URL:,} bytes")
        path = unquote(raw.decode("latin-1"))
        if "\\" in path or "\0" in path or any(part in (".", "..") for part in path.split("/")):
            return refused(400, "BadRequest", "the path leads out of the server")
        return None

    def _origin(self, scope: Scope, headers: Headers) -> Answer | None:
        """Refuse what a page of another site has sent; a request without either header comes from no browser."""
        site = headers.get("sec-fetch-site")
        reads = scope["method"] in _SAFE
        if reads and not scope["path"].startswith(("/api", "/openapi")):
            return None
        if site is not None and site not in _OWN_SITE:
            return refused(403, "CrossSite", f"a page of another site asked for this ({site})")
        origin = headers.get("origin")
        if origin is not None and not (site is None and reads) and not _is_own_origin(origin, headers["host"], scope):
            return refused(403, "CrossSite", "a page of another site asked for this")
        return None

    def _body(self, scope: Scope, headers: Headers) -> Answer | None:
        if scope["method"] not in _WITH_BODY:
            return None
        kind = headers.get("content-type", "").partition(";")[0].strip().casefold()
        if kind != "application/json":
            return refused(415, "WrongType", "the body has to be JSON", "send Content-Type: application/json")
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            return refused(400, "BadRequest", "the Content-Length is no number")
        too_long = len(length) > 15 or int(length) > MOST_BODY
        return refused(413, "TooLarge", _TOO_LONG) if too_long else None

    def _visitor(self, scope: Scope, headers: Headers) -> Response | None:
        """Who asks is put into the scope; gives a response instead for those who may not, or who come with a token."""
        if self._sessions is None:
            _set(scope, LOCAL)
            return None
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if scope["path"] == "/" and scope["method"] == "GET" and token:
            session = self._sessions.redeem(token[0])
            if session is not None:
                response = Response(status_code=303, headers={"location": "/"})
                response.set_cookie(
                    self._cookie, session, httponly=True, samesite="strict", secure=scope["scheme"] == "https"
                )
                return response
        visitor = self._sessions.visitor(cookie_parser(headers.get("cookie", "")).get(self._cookie))
        if visitor is not None:
            _set(scope, visitor)
            return None
        if scope["path"].startswith(("/api", "/openapi")):
            return as_response(refused(401, "Unauthorized", "who asks is not known", _TOKEN))
        return PlainTextResponse(f"Who asks is not known: {_TOKEN}.\n", status_code=401)


def as_response(answer: Answer) -> Response:
    """An answer as a response."""
    return Response(answer.body, status_code=answer.status, media_type="application/json")


_BY_NAME = "use the address that `assetflow dev` printed"
_TOKEN = "open the address with a token that `assetflow dev` printed; each works once"
_TOO_LONG = f"the body is larger than {MOST_BODY:,} bytes"


def _limited(receive: Receive) -> Receive:
    """Count the bodies that do not say how long they are."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > MOST_BODY:
                raise HTTPException(413, _TOO_LONG)
        return message

    return counted


def _set(scope: Scope, visitor: Visitor) -> None:
    scope.setdefault("state", {})["visitor"] = visitor


def _is_own_address(name: str, scope: Scope) -> bool:
    """Whether a Host is the very address that the connection came in at: unlike a name, nobody can point it here."""
    server = scope.get("server")
    try:
        return server is not None and ip_address(name) == ip_address(server[0])
    except ValueError:
        return False


def _is_own_origin(origin: str, host: str, scope: Scope) -> bool:
    return origin.casefold() == f"{scope['scheme']}://{host}".casefold()
