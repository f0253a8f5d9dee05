"""One request's context: id, node, locale, client address; bound to its log lines and sent back in headers."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import parse_qs

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from kanal.kit.ids import new_id
from kanal.kit.request import Network, RequestContext, bind, client_ip, unbind

SLOW_REQUEST = 1.0  # seconds; slower ones are logged as warnings
EVENT_STREAM = b"text/event-stream"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

log = structlog.get_logger(__name__)


class RequestContextMiddleware:
    """Outermost middleware: gives the request its id and context, answers them in headers, counts and logs.

    ``trusted`` are the networks of our own proxies; only from them is ``X-Forwarded-For`` believed.
    """

    def __init__(self, app: ASGIApp, *, node: str, trusted: tuple[Network, ...], observe: Any) -> None:
        self.app = app
        self.node = node.encode()
        self.trusted = trusted
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        context = RequestContext(
            given if _REQUEST_ID.fullmatch(given) else new_id().hex,
            (_lang(scope["query_string"]), headers.get(b"accept-language", b"").decode("latin-1")),
            client_ip(scope, self.trusted),
            headers.get(b"user-agent", b"").decode("latin-1")[:300],
        )
        token = bind(context)
        started = time.perf_counter()
        status = 500
        answered: float | None = None  # when a stream without an end began
        extra = [(b"x-request-id", context.id.encode()), (b"x-node-id", self.node)]

        async def send_with_ids(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                if (b"content-type", EVENT_STREAM) in message.get("headers", ()):
                    answered = time.perf_counter()
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        try:
            await self.app(scope, receive, send_with_ids)
        finally:
            took = (answered or time.perf_counter()) - started
            route = scope.get("path_template") or "unmatched"
            self.observe(str(scope.get("method")), route, status, took)
            if took > SLOW_REQUEST:
                log.warning("http.slow", path=scope["path"], status=status, seconds=round(took, 3))
            unbind(token)


def _lang(query_string: bytes) -> str | None:
    if b"lang=" not in query_string:
        return None
    values = parse_qs(query_string.decode("latin-1")).get("lang")
    return values[0] if values else None
