"""The files of the built web app: in memory, gzipped, with the headers they go out with. Knows no web framework."""

from __future__ import annotations

import gzip
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class Found:
    content: bytes
    type: str
    """With the charset where it matters."""
    headers: dict[str, str]
    """All but type and length."""


class _Asset:
    """A file in memory, as it is and gzipped."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        text = kind.startswith(TEXT_TYPES)
        self.type = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
        packed = gzip.compress(self.content, 6) if text and len(self.content) > COMPRESSED_ABOVE else None
        self.packed = packed if packed is not None and len(packed) < len(self.content) else None


@lru_cache(maxsize=512)
def _asset(path: Path, _changed: int) -> _Asset:
    return _Asset(path)


def find(name: str, *, gzips: bool) -> Found | None:
    """A file by its path below the folder. What the build hashed is cached for a year; a page carries its policy."""
    if not name or ".." in name:
        return None
    path = (FOLDER / name).resolve()
    if not path.is_file() or not path.is_relative_to(FOLDER.resolve()):
        return None
    asset = _asset(path, path.stat().st_mtime_ns)
    hashed = name.startswith("assets/")
    headers = {
        **SECURITY,
        "cache-control": "public, max-age=31536000, immutable" if hashed else "no-cache",
        "vary": "accept-encoding",
    }
    if path.suffix == ".html":
        headers["content-security-policy"] = PAGE_POLICY
    if asset.packed is not None and gzips:
        return Found(asset.packed, asset.type, headers | {"content-encoding": "gzip"})
    return Found(asset.content, asset.type, headers)
