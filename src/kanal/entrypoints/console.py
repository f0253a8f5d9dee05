"""The console at a server's port, for holders of the token: its answers, its page, and the files that the page asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kanal.entrypoints.static_files import find
from kanal.kit.request import client_ip
from kanal.realtime.console.access import Access
from kanal.realtime.console.asgi import PATH, ConsoleApp, Told, note_tail
from kanal.realtime.console.service import Console
from kanal.settings import Settings

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]

BESIDE = ("/theme.js", "/icon.svg")


def with_console(rest: ASGIApp, console: Console, settings: Settings, told: Told = note_tail) -> ASGIApp:
    """``rest``, and the console before it if there is a token. ``told`` is called before somebody follows a channel."""
    if not settings.server.console_token:
        return rest
    site = ConsoleSite(rest)

    def address_of(scope: Any) -> str:
        return client_ip(scope, settings.http.trusted_proxies)

    access = Access(settings.server.console_token)
    return ConsoleApp(console, access, site, page=site, told=told, address_of=address_of)


class ConsoleSite:
    """``/console`` and the files of the build; plain ASGI, for the real-time server alone has no web framework."""

    def __init__(self, rest: ASGIApp) -> None:
        self._rest = rest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = _file_of(scope.get("path", "")) if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} else ""
        gzips = b"gzip" in dict(scope.get("headers", ())).get(b"accept-encoding", b"")
        found = find(name, gzips=gzips)
        if found is None:
            await self._rest(scope, receive, send)
            return
        headers = {**found.headers, "content-type": found.type, "content-length": str(len(found.content))}
        sent = [(key.encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": sent})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else found.content})


def _file_of(path: str) -> str:
    """Empty for what is none of the console's."""
    if path in {PATH, PATH + "/"}:
        return "console.html"
    return path[1:] if path in BESIDE or path.startswith("/assets/") else ""
