"""Calls that arrive at uvicorn: on a connection that asked for something else before, or in an unusual form."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from kanal.realtime.api.answers import Answer, Refused
from kanal.realtime.api.core import Api, Call, is_call
from kanal.realtime.api.lean import REQUEST_TIMEOUT
from kanal.realtime.api.render import extra_headers

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class _Unread(Refused):
    """The rest of the body is not wanted, so the connection cannot be used again."""


class ApiMiddleware:
    """Answers calls; what is no call goes to ``app``."""

    def __init__(self, app: ASGIApp, api: Api, *, request_timeout: float = REQUEST_TIMEOUT) -> None:
        self._app = app
        self._api = api
        self._request_timeout = request_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["raw_path"].decode("latin-1")
        if not is_call(path) or (path.startswith("/users/") and scope["method"] != "POST"):
            await self._app(scope, receive, send)
            return
        call: Call | None = None
        close = False
        try:
            call = self._api.open(scope["method"], path, scope["query_string"].decode("latin-1"))
            body = await self._read(scope, call.app.max_body_size, receive)
            done = self._api.carry_out(call, body)
            given = done if isinstance(done, Answer) else await done
        except Refused as refusal:
            given = refusal.answer
            close = isinstance(refusal, _Unread)
        await _send(send, self._api.count(call, given), close=close)

    async def _read(self, scope: Scope, limit: int, receive: Receive) -> bytes:
        """Raises ``Refused``: 408 or 413."""
        too_large = _Unread(413, f"The body of a call has at most {limit} bytes")
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > limit:
                raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._request_timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Unread(400, "The body is not whole")
                    body += message.get("body", b"")
                    if len(body) > limit:
                        raise too_large
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            raise _Unread(408, "The request took too long to arrive") from None


async def _send(send: Send, given: Answer, *, close: bool) -> None:
    headers = [(name.encode(), value.encode()) for name, value in extra_headers(given)]
    if close:
        headers.append((b"connection", b"close"))
    headers.append((b"content-length", str(len(given.body)).encode()))
    await send({"type": "http.response.start", "status": given.status, "headers": headers})
    await send({"type": "http.response.body", "body": given.body})
