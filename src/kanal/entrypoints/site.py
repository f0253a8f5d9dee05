"""The built web app: hashed assets cached for a year, everything else answers the page itself."""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Any

from litestar import Request, Response, route
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

FOLDER = Path(__file__).parent / "static"
COMPRESSED_ABOVE = 1024  # bytes; smaller ones gain nothing
TEXT_TYPES = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/manifest+json")
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline';"
    " connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
)
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(self), microphone=(self)",
    "cross-origin-opener-policy": "same-origin",
}
NOT_BUILT = (
    "<!doctype html><meta charset=utf-8><title>Kanal</title><p>The web app is not built. Run <code>make web</code>."
)


class _Asset:
    """A file in memory, as it is and gzipped."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        text = self.type.startswith(TEXT_TYPES)
        packed = gzip.compress(self.content, 6) if text and len(self.content) > COMPRESSED_ABOVE else None
        self.packed = packed if packed is not None and len(packed) < len(self.content) else None


@lru_cache(maxsize=512)
def _asset(path: Path, _changed: int) -> _Asset:
    return _Asset(path)


def _respond(request: Request[Any, Any, Any], path: Path, headers: dict[str, str]) -> Response[bytes]:
    asset = _asset(path, path.stat().st_mtime_ns)
    headers = {**SECURITY, **headers, "vary": "accept-encoding"}
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.type, headers={**headers, "content-encoding": "gzip"})
    return Response(asset.content, media_type=asset.type, headers=headers)


@route(["/", "/{path:path}"], http_method=["GET", "HEAD"], include_in_schema=False, sync_to_thread=False)
def web_app(request: Request[Any, Any, Any], path: FromPath[str] = "") -> Response[bytes]:
    """A file of the build, or the page: its router knows the rest of the addresses."""
    name = path.lstrip("/")
    if name.startswith(("api/", "app/", "apps/", "broadcasting/", "health/")):
        raise NotFoundException
    index = FOLDER / "index.html"
    if not index.is_file():
        return Response(NOT_BUILT.encode(), media_type="text/html", status_code=503)
    if name and ".." not in name:
        file = (FOLDER / name).resolve()
        if file.is_file() and file.is_relative_to(FOLDER.resolve()):
            hashed = name.startswith("assets/")
            caching = "public, max-age=31536000, immutable" if hashed else "no-cache"
            policy = {"content-security-policy": PAGE_POLICY} if file == index else {}
            return _respond(request, file, {"cache-control": caching, **policy})
        if name.startswith("assets/"):
            raise NotFoundException
    return _respond(request, index, {"cache-control": "no-cache", "content-security-policy": PAGE_POLICY})
