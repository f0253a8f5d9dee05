"""What the address of a WebSocket request says, and whether it may come in."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from kanal.realtime.apps import App
from kanal.realtime.hub import Hub
from kanal.realtime.protocol import errors

_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")  # 16 bytes as base64

PROTOCOLS = range(5, 8)  # 5: Java and .NET clients, 6: pysher, 7: the others; the messages are the same


@dataclass(frozen=True, slots=True)
class Request:
    target: str
    """Path and query as sent."""
    headers: dict[str, str]
    """Lower-case names; of repeated ones the last."""

    @property
    def wants_websocket(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def websocket_key(self) -> bytes | None:
        """``None`` when the rest of the request is not what RFC 6455, section 4.2.1, asks for."""
        key = self.headers.get("sec-websocket-key", "")
        if (
            self.headers.get("sec-websocket-version") != "13"
            or "upgrade" not in self.headers.get("connection", "").lower()
        ):
            return None
        return key.encode() if _KEY.fullmatch(key) else None


def parse_head(head: bytes) -> Request | None:
    """The head of an HTTP request, up to the empty line. ``None`` when it is not one."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3:
        return None
    return Request(
        parts[1], {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    )


def admit(hub: Hub, path: str, request: Request) -> App:
    """Raises the ``ConnectionClosed`` that the client shall hear. ``path`` is where sockets live, ``/app``."""
    location, _, query = request.target.partition("?")
    key = unquote(location.removeprefix(path + "/"))
    if not location.startswith(path + "/") or not key or "/" in key:
        raise errors.PathNotFound("Path not found")
    app = hub.apps.by_key(key)
    if app is None:
        raise errors.AppNotFound(key)
    _check_version(query)
    if not app.allows_origin(request.headers.get("origin")):
        raise errors.OriginRefused("Origin not allowed")
    failure = hub.accept(app)
    if failure is not None:
        raise failure
    return app


def _check_version(query: str) -> None:
    given = _given_version(query)
    if not given:
        raise errors.NoVersion("No protocol version supplied")
    if not given.isascii() or not given.isdigit():
        raise errors.InvalidVersion("Invalid version string format")
    if len(given) > 4 or int(given) not in PROTOCOLS:
        raise errors.UnsupportedVersion(f"Unsupported protocol version {given[:20]}; this server speaks 7")


@functools.lru_cache(maxsize=256)  # clients of one make all come with the same query
def _given_version(query: str) -> str:
    try:
        return parse_qs(query, max_num_fields=50).get("protocol", [""])[-1]
    except ValueError:
        return "?"
