"""The HTTP API: everything that the command line answers, with the same documents, and one event stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Any, Literal, cast

from fastapi import Depends, FastAPI, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from assetflow.documents import dumps
from assetflow.server import models
from assetflow.server.generations import Answer, refused
from assetflow.server.guard import Guard, as_response
from assetflow.server.loads import Loads
from assetflow.server.runs import Runs
from assetflow.server.sessions import Role, Sessions, Visitor

QUERY_SECONDS = 30.0
_MOST_STREAMS = 100
_STATIC = {"app.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8"}

AssetName = Annotated[str, Query(max_length=1_000, description="the key of an asset")]
Partition = Annotated[str | None, Query(max_length=10_000, description="a partition key")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="entries of a page")]
After = Annotated[str | None, Query(max_length=11_000, description="`next` of the page before")]
Select = Annotated[str, Query(max_length=10_000, description="a selection, as `--select`")]
Observe = Annotated[bool, Query(description="ask the sources first")]
RunId = Annotated[str, Path(max_length=100, description="the id of a run")]


def create_app(
    loads: Loads, runs: Runs, *, hosts: Iterable[str], sessions: Sessions | None = None, cookie: str = "assetflow"
) -> Guard:
    """The application: the API behind its guard. ``hosts`` and ``sessions`` are as :class:`Guard` takes them.

    Starting and stopping ``loads`` and ``runs`` is for the caller.
    """
    return Guard(api(loads, runs, sessions), hosts=hosts, sessions=sessions, cookie=cookie)


def api(loads: Loads, runs: Runs, sessions: Sessions | None) -> FastAPI:
    """The API without its guard."""
    app = FastAPI(
        title="assetflow",
        version=version("assetflow"),
        description="What `assetflow dev` serves. The documents are those of the commands' `--json`.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={
            "4XX": {"model": models.ErrorDocument, "description": "The request cannot be carried out as asked."},
            "5XX": {"model": models.ErrorDocument, "description": "It could not be answered."},
        },
    )
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _internal_error)
    _add_pages(app, loads)
    _add_reading(app, loads, runs)
    _add_events(app, loads)
    _add_runs(app, loads, runs)
    _add_versions(app, loads)
    _add_administration(app, loads, runs, sessions)
    return app


def visitor_of(request: Request) -> Visitor:
    """Who asks."""
    return cast("Visitor", request.state.visitor)


def allowed(role: Role) -> Any:
    """Require a role."""

    async def check(request: Request) -> Visitor:
        visitor = visitor_of(request)
        if not visitor.may(role):
            raise HTTPException(403, f"{visitor.name} may not do this: it takes the role {role}")
        return visitor

    return Depends(check)


def action_of(request: Request, visitor: Visitor, name: str, **asked: object) -> dict[str, object]:
    """What the record of actions says of a request."""
    client = request.client.host if request.client else None
    return {"action": name, "visitor": visitor.name, "role": visitor.role, "client": client, "asked": asked}


Reader = Annotated[Visitor, allowed("viewer")]
Operator = Annotated[Visitor, allowed("operator")]
Admin = Annotated[Visitor, allowed("admin")]


def _add_pages(app: FastAPI, loads: Loads) -> None:
    static = files("assetflow.server") / "static"
    contents = {name: (static / name).read_bytes() for name in (*_STATIC, "index.html")}

    @app.get("/", include_in_schema=False)
    async def home(visitor: Reader) -> Response:
        await loads.settled.wait()
        return Response(contents["index.html"], media_type="text/html; charset=utf-8")

    @app.get("/static/{name}", include_in_schema=False)
    async def asset_of_page(name: str) -> Response:
        if name not in _STATIC:
            raise HTTPException(404, f"there is no file {name}")
        return Response(contents[name], media_type=_STATIC[name], headers={"cache-control": "no-cache"})

    @app.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        return Response(status_code=204)


def _add_reading(app: FastAPI, loads: Loads, runs: Runs) -> None:
    @app.get("/api/graph", response_model=models.GraphDocument, tags=["definitions"])
    async def graph(visitor: Reader) -> Response:
        """Every asset and every edge, never in pages."""

        async def whole(current: Any) -> Answer:
            return Answer(200, current.graph)

        return as_response(await loads.from_current(whole))

    @app.get("/api/assets", response_model=models.AssetsDocument, tags=["definitions"])
    async def assets(visitor: Reader, limit: Limit = 100, after: After = None) -> Response:
        """The assets, upstreams first."""
        return as_response(await loads.ask("assets", limit=limit, after=after))

    @app.get("/api/assets/{asset:path}", response_model=models.AssetDocument, tags=["definitions"])
    async def asset(visitor: Reader, asset: Annotated[str, Path(max_length=1_000)]) -> Response:
        """One asset: what is declared, its status and its code version."""
        return as_response(await loads.ask("asset", asset=asset))

    @app.get("/api/load", response_model=models.LoadDocument, tags=["definitions"])
    async def load(visitor: Reader) -> Response:
        """The last load of the definitions: whether it succeeded, what it changed, and what it made stale."""
        await loads.settled.wait()
        return as_response(Answer.of({"status": 200, "document": loads.document()}))

    @app.get("/api/status", response_model=models.StatusDocument, tags=["state"])
    async def status(
        visitor: Reader, select: Select = "*", observe: Observe = False, limit: Limit = 1_000, after: After = None
    ) -> Response:
        """Counts by state, watermarks and freshness."""
        return as_response(await loads.ask("status", select=select, observe=observe, limit=limit, after=after))

    @app.get("/api/why", response_model=models.WhyDocument, tags=["state"])
    async def why(visitor: Reader, asset: AssetName, partition: Partition = None, observe: Observe = False) -> Response:
        """In which state an asset or a partition is, and why."""
        return as_response(await loads.ask("why", asset=asset, partition=partition, observe=observe))

    @app.post("/api/plan", response_model=models.PlanDocument, tags=["state"])
    async def plan(visitor: Reader, asked: models.PlanRequest) -> Response:
        """What is stale, why, and what would run."""
        answer = await loads.ask("plan", **asked.model_dump())
        runs.remember(answer)
        return as_response(answer)

    @app.get("/api/lineage", response_model=models.LineageDocument, tags=["data"])
    async def lineage(
        visitor: Reader,
        asset: AssetName,
        partition: Partition = None,
        direction: Literal["upstream", "downstream", "both"] = "upstream",
        depth: Annotated[int | None, Query(ge=1, le=10_000)] = None,
        limit: Limit = 1_000,
        after: After = None,
    ) -> Response:
        """What something was made from: of an asset as declared, of a partition as recorded."""
        answer = await loads.ask(
            "lineage", asset=asset, partition=partition, direction=direction, depth=depth, limit=limit, after=after
        )
        return as_response(answer)

    @app.post("/api/query", response_model=models.QueryDocument, tags=["data"])
    async def query(visitor: Reader, asked: models.QueryRequest) -> Response:
        """The answer of one select statement, computed in a process of its own."""
        return as_response(await loads.ask_once("query", QUERY_SECONDS, sql=asked.sql, limit=asked.limit))

    @app.get("/api/preview", response_model=models.PreviewDocument, tags=["data"])
    async def preview(
        visitor: Reader,
        asset: AssetName,
        partition: Partition = None,
        version: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 20,
    ) -> Response:
        """The first rows of what is published, or of one version."""
        asked = {"asset": asset, "partition": partition, "version": version, "limit": limit}
        return as_response(await loads.ask_once("preview", QUERY_SECONDS, **asked))


def _add_events(app: FastAPI, loads: Loads) -> None:
    open_streams = 0

    @app.get(
        "/api/events",
        tags=["events"],
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "The stream."}},
    )
    async def events(visitor: Reader, last_event_id: Annotated[str | None, Header(max_length=100)] = None) -> Response:
        """What happens, as server-sent events: ``loaded``, ``broken``, ``stale``, ``run`` and ``store``.

        A client that comes back with ``Last-Event-ID`` is told what it has missed, or to ``resync``.
        """
        nonlocal open_streams
        if open_streams >= _MOST_STREAMS:
            return as_response(refused(503, "TooManyStreams", f"{_MOST_STREAMS} streams are open", "close some tabs"))
        open_streams += 1

        async def stream() -> AsyncGenerator[bytes]:
            nonlocal open_streams
            try:
                async for part in loads.events.stream(last_event_id):
                    yield part
            finally:
                open_streams -= 1

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def _add_runs(app: FastAPI, loads: Loads, runs: Runs) -> None:
    started: dict[int | str, dict[str, Any]] = {
        202: {"model": models.StartedDocument, "description": "The run has begun."},
        409: {"model": models.OutdatedPlan, "description": "The plan is outdated."},
    }

    @app.get("/api/runs", response_model=models.RunsDocument, tags=["runs"])
    async def list_runs(visitor: Reader, limit: Limit = 50, after: After = None) -> Response:
        """Runs, the newest first."""
        return as_response(await loads.ask("runs", limit=limit, after=after))

    @app.get("/api/runs/{run_id}", response_model=models.RunDocument, tags=["runs"])
    async def show_run(visitor: Reader, run_id: RunId, limit: Limit = 1_000, after: After = None) -> Response:
        """One run with its steps; its ``progress`` while it goes on here."""
        answer = await loads.ask("run", run_id=run_id, limit=limit, after=after)
        if answer.status != 200:
            return as_response(answer)
        running = runs.running.get(run_id)
        document = {**answer.document(), "progress": dict(running.progress) if running else None}
        return as_response(Answer.of({"status": 200, "document": document}))

    @app.get("/api/runs/{run_id}/logs", response_model=models.LogsDocument, tags=["runs"])
    async def logs(
        visitor: Reader,
        run_id: RunId,
        step: Annotated[str | None, Query(max_length=1_000, description="of one computation only")] = None,
        limit: Limit = 1_000,
        after: Annotated[int | None, Query(ge=0, lt=2**53, description="the number of a line")] = None,
    ) -> Response:
        """What user code printed and logged; to follow a run, ask again ``after`` the last line."""
        return as_response(await loads.ask("logs", run_id=run_id, step=step, limit=limit, after=after))

    @app.post("/api/materialize", response_model=models.ResultDocument, responses=started, tags=["runs"])
    async def materialize(request: Request, visitor: Operator, asked: models.MaterializeRequest) -> Response:
        """Run a plan: 202 once it has begun, 200 if there is nothing to do, 409 if it is not that plan any more."""
        options = asked.model_dump()
        return await _start(request, visitor, "materialize", options)

    @app.post("/api/runs/{run_id}/retry", response_model=models.ResultDocument, responses=started, tags=["runs"])
    async def retry(request: Request, visitor: Operator, run_id: RunId, asked: models.RetryRequest) -> Response:
        """Try again what a run left to do."""
        return await _start(request, visitor, "retry", {"run_id": run_id, **asked.model_dump()})

    async def _start(request: Request, visitor: Visitor, name: str, options: Mapping[str, object]) -> Response:
        action = action_of(request, visitor, name, **{key: value for key, value in options.items() if value})
        return as_response(await loads.from_current(lambda current: runs.start(current, options, action)))

    @app.post("/api/runs/{run_id}/cancel", response_model=models.DoneDocument, tags=["runs"])
    async def cancel(request: Request, visitor: Operator, run_id: RunId, asked: models.NothingRequest) -> Response:
        """Ask a run to stop, as `assetflow runs cancel --json`; what it has published stays."""
        action = action_of(request, visitor, "cancel", run_id=run_id)
        answer = await loads.ask("cancel", run_id=run_id, action=action)
        if answer.status == 200:
            runs.cancel(run_id)  # one that was started here stops at once
        return as_response(answer)

    @app.get("/api/explain", response_model=models.DoneDocument, tags=["runs"])
    async def explain(
        visitor: Reader,
        first: Annotated[str, Query(max_length=100)],
        second: Annotated[str, Query(max_length=100)],
        asset: Annotated[str | None, Query(max_length=1_000)] = None,
        partition: Partition = None,
    ) -> Response:
        """Why something ran in one of two runs and not in the other, as `assetflow explain --json`."""
        asked = {"first": first, "second": second, "asset": asset, "partition": partition}
        return as_response(await loads.ask("explain", **asked))


def _add_versions(app: FastAPI, loads: Loads) -> None:
    @app.get("/api/versions", response_model=models.VersionsDocument, tags=["data"])
    async def versions(
        visitor: Reader, asset: AssetName, partition: Partition = None, limit: Limit = 100, after: After = None
    ) -> Response:
        """The versions of an asset or a partition, the newest first."""
        return as_response(await loads.ask("versions", asset=asset, partition=partition, limit=limit, after=after))

    @app.post("/api/rollback", response_model=models.DoneDocument, tags=["data"])
    async def rollback(request: Request, visitor: Admin, asked: models.RollbackRequest) -> Response:
        """Publish an earlier version again, as `assetflow rollback --json`."""
        options = asked.model_dump()
        action = action_of(request, visitor, "rollback", **options)
        return as_response(await loads.ask("rollback", action=action, **options))

    @app.post("/api/accept", response_model=models.DoneDocument, tags=["data"])
    async def accept(request: Request, visitor: Admin, asked: models.AcceptRequest) -> Response:
        """Take what is published as right for today's code and inputs, as `assetflow accept --json`."""
        options = asked.model_dump()
        action = action_of(request, visitor, "accept", **options)
        return as_response(await loads.ask("accept", action=action, **options))


def _add_administration(app: FastAPI, loads: Loads, runs: Runs, sessions: Sessions | None) -> None:
    @app.get("/api/server", response_model=models.ServerDocument, tags=["server"])
    async def server(visitor: Reader) -> Response:
        """What serves, and who asks."""
        loaded = loads.current.loaded if loads.current else None
        document = {
            "name": loads.root.name,
            "project": str(loads.root),
            "environment": loaded["environment"] if loaded else None,
            "version": version("assetflow"),
            "visitor": visitor.name,
            "role": visitor.role,
            "running": list(runs.running),
        }
        return as_response(Answer.of({"status": 200, "document": document}))

    @app.post("/api/load", response_model=models.DoneDocument, status_code=202, tags=["definitions"])
    async def reload(request: Request, visitor: Operator, asked: models.NothingRequest) -> Response:
        """Load the definitions anew, as after a save."""
        if loads.current is not None:
            await loads.ask("audit", action=action_of(request, visitor, "load"))
        loads.request(())
        return as_response(Answer.of({"status": 202, "document": {"loading": True}}))

    @app.post("/api/invite", response_model=models.InviteDocument, tags=["server"])
    async def invite(request: Request, visitor: Admin, asked: models.InviteRequest) -> Response:
        """A path that lets somebody in, once, with a role."""
        if sessions is None:
            told = "everybody who reaches this server is let in: it listens on this machine only"
            return as_response(refused(400, "UsageError", told, "start it with `--host`"))
        answer = await loads.ask("audit", action=action_of(request, visitor, "invite", role=asked.role))
        if answer.status != 200:
            return as_response(answer)
        document = {"role": asked.role, "path": f"/?token={sessions.invite(asked.role)}"}
        return as_response(Answer.of({"status": 200, "document": document}))


async def _invalid(request: Request, error: Exception) -> Response:
    problems = cast("RequestValidationError", error).errors()
    told = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in problems[:5])
    return as_response(refused(422, "UsageError", told, "/openapi.json tells what can be asked"))


async def _http_error(request: Request, error: Exception) -> Response:
    found = cast("HTTPException", error)
    kinds = {403: "Forbidden", 404: "NotFound", 405: "WrongMethod", 413: "TooLarge"}
    response = as_response(refused(found.status_code, kinds.get(found.status_code, "BadRequest"), str(found.detail)))
    for name, value in (found.headers or {}).items():
        response.headers[name] = value
    return response


async def _internal_error(request: Request, error: Exception) -> Response:
    from assetflow.documents import document_of

    return Response(dumps(document_of(error)), status_code=500, media_type="application/json")
