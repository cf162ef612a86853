"""Writes docs/reference/http-api.md from the program itself: every path, parameter and body that there is.

python scripts/api_reference.py          writes the page
python scripts/api_reference.py --check  says whether the page is current, and writes nothing
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from assetflow.server.app import api
from assetflow.server.loads import Loads
from assetflow.server.runs import Runs

PAGE = Path(__file__).parents[1] / "docs/reference/http-api.md"

HEAD = """\
<!-- Written by scripts/api_reference.py from the program; edit the docstrings there. -->
# HTTP API

What [`assetflow dev`](../how-to/develop.md) serves. The answers are [the documents](json.md) that commands print with
`--json`; `/openapi.json` describes them to programs. What cannot be done is answered with the
[error document](json.md#error).

| Status | |
|---|---|
| 200 | the document |
| 202 | a run has begun, or a load |
| 400, 404, 422 | there is no such asset, partition, run or version; a parameter is missing, or is none |
| 401 | who asks is not known: see [tokens](#who-may-ask) |
| 403 | a page of another site asks, or the visitor's role is not enough |
| 409 | the plan is outdated: `plan` is the new one, `difference` the steps that differ, null if that is forgotten |
| 413, 414 | the body is larger than 1,000,000 bytes, or the address longer than 16,384 |
| 415 | the body is not JSON |
| 421 | the server does not go by the name in the Host header |
| 429 | 16 runs are going on |
| 503 | the definitions could not be loaded yet, the metadata store cannot be used, or 100 event streams are open |
| 504 | the answer took too long: 30 seconds for a query or a preview, 120 for anything else |

**Pages.** A list has `total` entries in all; where there are more, `next` goes into `after` for the page that follows.

## Who may ask

On 127.0.0.1, whoever can open a connection. With `--host`, whoever has a cookie, which an address with a token gives,
once. A request of any method but GET needs a JSON body; one that a browser sends has to come from a page of the server
itself (`Sec-Fetch-Site`, `Origin`). Every role may do what those before it may.

| Role | |
|---|---|
| `viewer` | everything that reads: documents, plans, queries, previews, events |
| `operator` | materialize, retry and cancel, load anew |
| `admin` | roll back, accept, invite |

What is done is recorded as an [event](catalog.md#events) of kind `action`.

## The event stream

`GET /api/events` gives server-sent events, each with an id, a kind and a JSON document. A client that comes back with
`Last-Event-ID`, as browsers do, is told what it has missed.

| Kind | |
|---|---|
| `hello` | the stream begins; it has no past |
| `resync` | some events are lost: read everything anew |
| `loaded` | a save was loaded: the document of `/api/load` |
| `broken` | a save could not be loaded; the last graph that could be loaded stays |
| `stale` | what a load made stale, `stale`, and what is no longer so, `settled` |
| `run` | how a run goes that was started here: `status`, `done`, `total`, `left` in seconds |
| `store` | what was recorded, by whatever process: a row of the view [`events`](catalog.md#events) |

"""


def page() -> str:
    """The whole page."""
    loads = Loads(Path.cwd())
    document = api(loads, Runs(loads), None).openapi()
    paths: dict[str, dict[str, Any]] = document["paths"]
    tags = list(dict.fromkeys(tag for path in paths.values() for each in path.values() for tag in each["tags"]))
    parts = [HEAD]
    for tag in tags:
        parts.append(f"## {tag.capitalize()}\n\n")
        for path, methods in paths.items():
            for method, operation in methods.items():
                if operation["tags"] == [tag]:
                    parts.append(_section(path, method, operation, document["components"]["schemas"]))
    return "".join(parts).rstrip() + "\n"


def _section(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    told = operation["description"].replace("``", "`").replace("\n", " ")
    lines = [f"### {method.upper()} {path}\n", "\n", f"{told}\n"]
    given = operation.get("parameters", ())
    rows = [_row(each["name"], each["schema"], each["required"], each["in"]) for each in given]
    body = operation.get("requestBody")
    if body:
        schema = schemas[body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
        required = schema.get("required", ())
        rows += [_row(name, each, name in required, "body") for name, each in schema.get("properties", {}).items()]
    if rows:
        lines += ["\n", "| | in | type | |\n", "|---|---|---|---|\n", *rows]
    return "".join(lines) + "\n"


def _row(name: str, schema: dict[str, Any], required: bool, place: str) -> str:
    written = json.dumps(schema.get("default")).strip('"')
    default = "required" if required else "" if written == "null" else f"`{written}`"
    told = schema.get("description", "").replace("|", "\\|")
    rest = ", ".join(part for part in (default, told) if part)
    return f"| `{name}` | {place} | {_type(schema)} | {rest} |\n"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    kind = schema.get("type", "anything")
    return f"array of {_type(schema['items'])}" if kind == "array" else kind


def main() -> int:
    """Write or check the page."""
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
