"""Calls over HTTP/1.1 without a web framework: what a call costs is then mostly its signature.

A connection that begins with a call comes here from the first-bytes switch. It stays as long as its requests are ordinary
calls (see ``head``); the first that is not goes to uvicorn, with the connection and all that follows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from uvicorn.server import ServerState

from kanal.realtime.api.answers import Answer, Refused
from kanal.realtime.api.core import Api, Call, is_call
from kanal.realtime.api.head import VERSION, Fields, Line, parse_fields, parse_line
from kanal.realtime.api.render import Renderer
from kanal.realtime.apps import LEAST_BODY_LIMIT

PREFIXES = (b"POST /apps/", b"GET /apps/", b"POST /users/")
MAX_HEAD = 16 * 1024
REQUEST_TIMEOUT = 10.0  # seconds from the first byte of a request to its last
KEEP_ALIVE = 75.0  # seconds without a request; most balancers and SDKs close before that, which spares them a race
LINGER = 2.0  # seconds to read on after an answer that came before the end of the body, or TCP would take it back

log = structlog.get_logger(__name__)


class LeanEndpoint:
    """What the connections of one server share. ``request_timeout`` and ``keep_alive`` are in seconds."""

    def __init__(self, api: Api, *, request_timeout: float = REQUEST_TIMEOUT, keep_alive: float = KEEP_ALIVE) -> None:
        self.api = api
        self.request_timeout = request_timeout
        self.keep_alive = keep_alive
        self.draining = False
        """Answers then close their connections, so that the next call goes to another node."""
        self._renderer: Renderer | None = None

    def renderer(self, state: ServerState) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(state)
        return self._renderer


class LeanHttp(asyncio.Protocol):
    """One connection. ``hand_over`` makes uvicorn the transport's protocol and feeds it the data."""

    def __init__(self, endpoint: LeanEndpoint, state: ServerState, hand_over: Callable[[bytes], None]) -> None:
        self._endpoint = endpoint
        self._api = endpoint.api
        self._render = endpoint.renderer(state).render
        self._connections: set[Any] = state.connections  # for uvicorn to shut down
        self._hand_over = hand_over
        self._descriptor = -1  # to write to while the transport holds nothing; TLS has none
        self._out: list[bytes] = []
        self._rest = b""
        self._block = b""
        self._fields: Fields | None = None
        self._opened: tuple[Call, Fields] | None = None
        self._parts: list[bytes] = []
        self._missing = 0
        self._task: asyncio.Task[None] | None = None
        self._blocked = False
        self._closing = False
        self._heard = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._slow: asyncio.TimerHandle | None = None

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's are unrelated classes
        if transport.get_extra_info("ssl_object") is None:
            self._descriptor = transport.get_extra_info("socket").fileno()
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._idle = self._loop.call_later(self._endpoint.keep_alive, self._look_idle)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._heard = self._loop.time()
        if self._opened is not None:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing <= 0:
                self._body_arrived()
        else:
            self._serve(self._rest + data if self._rest else data)
        if self._out:
            self._flush()

    def pause_writing(self) -> None:
        """Somebody sends calls and reads no answers: no more of them are taken."""
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._go_on()

    def eof_received(self) -> bool:
        """Whether an answer is still to be given."""
        if self._task is None:
            return False
        self._closing = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._closing = True
        self._rest = b""
        self._parts.clear()

    def shutdown(self) -> None:
        """uvicorn stops; a call that is being answered gets its answer."""
        self._closing = True
        if self._task is None:
            self._transport.close()

    # Requests

    def _serve(self, data: bytes) -> None:
        """``data`` begins with a request."""
        start, end = 0, len(data)
        self._rest = b""
        while start < end:
            if self._task is not None or self._blocked:
                self._rest = data[start:]
                self._transport.pause_reading()
                return
            head_end = data.find(b"\r\n\r\n", start)
            if head_end < 0:
                self._wait_for_head(data[start:])
                return
            line_end = data.find(b"\r\n", start)
            block = data[line_end:head_end]
            if block != self._block:  # a client's headers are the same from call to call, as long as the sizes are
                self._block, self._fields = block, parse_fields(block)
            fields, line = self._fields, data[start:line_end]
            body = b"" if fields is None else data[head_end + 4 : head_end + 4 + fields.size]
            if fields is not None and (call := self._known_call(line)) is not None:
                going_on = self._begin(call, fields, body)
            elif fields is not None and (asked := parse_line(line)) is not None and is_call(asked.path):
                going_on = self._open(asked, fields, body)
            else:
                self._flush()
                self._leave()
                self._hand_over(data[start:])
                return
            if not going_on:
                return
            start = head_end + 4 + fields.size

    def _known_call(self, line: bytes) -> Call | None:
        first, _, rest = line.partition(b"?")
        return self._api.open_ordinary(first, rest[: -len(VERSION)]) if rest.endswith(VERSION) else None

    def _open(self, line: Line, fields: Fields, body: bytes) -> bool:
        try:
            call = self._api.open(line.method, line.path, line.query)
        except Refused as refusal:
            return self._refuse(refusal, fields, whole=len(body) == fields.size)
        return self._begin(call, fields, body)

    def _begin(self, call: Call, fields: Fields, body: bytes) -> bool:
        """Whether the request was dealt with, and another may follow."""
        if fields.size > LEAST_BODY_LIMIT and fields.size > call.app.max_body_size:
            refusal = Refused(413, f"The body of a call has at most {call.app.max_body_size} bytes")
            return self._refuse(refusal, fields, whole=len(body) == fields.size)
        if len(body) < fields.size:
            # Whoever is here has signed the call, so that strangers do not make us keep anything.
            self._opened = (call, fields)
            self._parts.append(body)
            self._missing = fields.size - len(body)
            self._expect_more()
            return False
        self._carry_out(call, fields, body)
        return not self._closing

    def _body_arrived(self) -> None:
        assert self._opened is not None  # noqa: S101 - that is when this is called
        (call, fields), data = self._opened, b"".join(self._parts)
        self._opened = None
        self._parts.clear()
        self._carry_out(call, fields, data[: fields.size])
        if not self._closing:
            self._serve(data[fields.size :])

    def _carry_out(self, call: Call, fields: Fields, body: bytes) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
        try:
            done = self._api.carry_out(call, body)
        except Refused as refusal:
            done = refusal.answer
        except Exception:
            log.exception("api.failed", call=call.name, app=call.app.id)
            done = Refused(500, "Something went wrong here").answer
        if isinstance(done, Answer):
            self._answer(self._api.count(call, done), fields)
        else:
            self._task = self._loop.create_task(self._wait_for_answer(call, fields, done))

    async def _wait_for_answer(self, call: Call, fields: Fields, work: Coroutine[Any, Any, Answer]) -> None:
        try:
            given = await work
        except Refused as refusal:
            given = refusal.answer
        except Exception:
            log.exception("api.failed", call=call.name, app=call.app.id)
            given = Refused(500, "Something went wrong here").answer
        self._task = None
        self._answer(self._api.count(call, given), fields)
        self._flush()
        self._go_on()

    def _go_on(self) -> None:
        if self._closing or self._task is not None or self._blocked or not self._rest:
            return
        self._transport.resume_reading()
        self._serve(self._rest)
        self._flush()

    def _answer(self, given: Answer, fields: Fields) -> None:
        close = fields.close or self._closing or self._endpoint.draining
        self._out.append(self._render(given, close=close))
        if close:
            self._closing = True
            self._flush()
            self._transport.close()

    def _flush(self) -> None:
        """Answers to requests that came together leave together, by one system call."""
        out = self._out
        if not out or self._transport.is_closing():
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        written = 0
        if self._descriptor >= 0 and not self._transport.get_write_buffer_size():
            try:
                written = os.write(self._descriptor, data)
            except OSError:  # full, or the peer is gone: the transport's business
                written = 0
        if written < len(data):
            self._transport.write(data[written:])

    def _refuse(self, refusal: Refused, fields: Fields, *, whole: bool) -> bool:
        given = self._api.count(None, refusal.answer)
        if whole:
            self._answer(given, fields)
            return not self._closing
        self._closing = True
        self._out.append(self._render(given, close=True))
        self._flush()
        self._loop.call_later(LINGER, self._transport.close)
        return False

    # Patience

    def _wait_for_head(self, beginning: bytes) -> None:
        if len(beginning) > MAX_HEAD:
            self._refuse(
                Refused(431, f"The head of a request has at most {MAX_HEAD} bytes"), Fields(1, True), whole=False
            )
            return
        self._rest = beginning
        self._expect_more()

    def _expect_more(self) -> None:
        if self._slow is None:
            self._slow = self._loop.call_later(self._endpoint.request_timeout, self._too_slow)

    def _too_slow(self) -> None:
        self._slow = None
        if not self._closing:
            self._refuse(Refused(408, "The request took too long to arrive"), Fields(1, True), whole=False)

    def _look_idle(self) -> None:
        """One timer for the whole life of a connection: setting one anew for each call would cost more than the look."""
        left = self._heard + self._endpoint.keep_alive - self._loop.time()
        if left <= 0 and self._task is None and self._slow is None:
            self._closing = True
            self._transport.close()
        else:
            self._idle = self._loop.call_later(max(left, 1.0), self._look_idle)

    def _leave(self) -> None:
        self._connections.discard(self)
        for timer in (self._idle, self._slow):
            if timer is not None:
                timer.cancel()
        self._idle = self._slow = None
