"""The built web app: a file of it, or the page, whose router knows the rest of the addresses."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from kanal.entrypoints.static_files import find

NOT_BUILT = (
    "<!doctype html><meta charset=utf-8><title>Kanal</title><p>The web app is not built. Run <code>make web</code>."
)
ELSEWHERE = ("api/", "app/", "apps/", "broadcasting/", "console/", "console.html", "health/")


@route(["/", "/{path:path}"], http_method=["GET", "HEAD"], include_in_schema=False, sync_to_thread=False)
def web_app(request: Request[Any, Any, Any], path: FromPath[str] = "") -> Response[bytes]:
    name = path.lstrip("/")
    if name.startswith(ELSEWHERE):
        raise NotFoundException
    gzips = "gzip" in request.headers.get("accept-encoding", "")
    found = find(name, gzips=gzips)
    if found is None and name.startswith("assets/"):
        raise NotFoundException
    found = found or find("index.html", gzips=gzips)
    if found is None:
        return Response(NOT_BUILT.encode(), media_type="text/html", status_code=503)
    return Response(found.content, media_type=found.type, headers=found.headers)
