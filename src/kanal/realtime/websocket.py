"""A WebSocket on a transport: frames in, close frames out, nothing decided here.

Written by hand instead of taken from a library because of what a connection costs: a third of the time to set one up, and
no buffer of its own (``docs/decisions``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from kanal.realtime.apps import App
from kanal.realtime.connections import Connection
from kanal.realtime.hub import Hub
from kanal.realtime.inbound import CLOSE, PING, PONG, TEXT, Inbound, Violation, whole_text
from kanal.realtime.protocol import errors, frames
from kanal.realtime.wire import PING_FRAME, close_frame, pong_frame, text_frame

CLOSE_LINGER = 5.0  # seconds for the client to take our close frame and answer it
REFUSED_LIMIT = 4_096  # bytes of a message from a client that is being sent away


class Socket(asyncio.Protocol):
    """The transport's protocol once the handshake is answered. Implements ``connections.Carrier``.

    ``accept`` or ``refuse`` is called first, once.
    """

    __slots__ = ("_connection", "_deaf", "_hub", "_inbound", "_limit", "_linger", "_transport")

    def __init__(self, hub: Hub, transport: asyncio.Transport) -> None:
        self._hub = hub
        self._transport = transport
        self._connection: Connection | None = None
        self._inbound: Inbound | None = None  # while a message is incomplete
        self._limit = REFUSED_LIMIT
        self._linger: asyncio.TimerHandle | None = None
        self._deaf = False

    def accept(self, app: App, answer: bytes) -> None:
        """``answer`` is that to the handshake; the first message goes out with it."""
        self._limit = app.max_frame_size
        self._connection = self._hub.opened(app, self._transport, self, answer)

    def refuse(self, failure: errors.ConnectionClosed, answer: bytes) -> None:
        """Accepts the WebSocket only to say why not: browsers show no script the answer to a failed handshake."""
        self._transport.write(answer + text_frame(frames.error(failure)))
        self.close(failure.code, failure.message)

    # From the transport

    def data_received(self, data: bytes) -> None:
        connection, inbound = self._connection, self._inbound
        if inbound is None:
            text = whole_text(data)
            if text is not None and connection is not None:
                self._hub.received(connection, text)
                return
            inbound = self._inbound = Inbound(self._limit)
        if self._deaf:
            return
        try:
            self._take(inbound.read(data))
        except Violation as violation:
            self._deaf = True  # where the next frame begins is not known any more
            if connection is not None:
                self._hub.closed(connection, violation.code, violation.reason)
        if inbound.idle:
            self._inbound = None

    def _take(self, messages: Iterable[tuple[int, bytes]]) -> None:
        hub, connection = self._hub, self._connection
        for kind, payload in messages:
            if kind == TEXT and connection is not None:
                hub.received(connection, payload)
            elif kind == CLOSE:
                # Subscriptions end here, not when TCP does: a client that comes back at once must not meet itself.
                if connection is not None:
                    hub.closed(connection, errors.CLOSE_NORMAL)
                self._deaf = True
                self._transport.close()
                return
            elif connection is None or connection.closed:
                continue
            elif kind == PING:
                connection.machine.heard(asyncio.get_running_loop().time())
                connection.send(pong_frame(payload))
            elif kind == PONG:
                connection.machine.heard(asyncio.get_running_loop().time())
            else:
                hub.apply(connection, connection.machine.receive_binary())

    def eof_received(self) -> bool:
        """The transport closes itself."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._hub.closed(self._connection, errors.CLOSE_LOST)
            self._connection = None
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    def pause_writing(self) -> None:
        """The connection has noticed by itself."""

    def resume_writing(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    # From the connection

    def ping(self) -> None:
        if self._connection is not None:
            self._connection.send(PING_FRAME)

    def close(self, code: int, reason: str) -> None:
        transport = self._transport
        if code == errors.CLOSE_LOST or transport.is_closing():
            return
        transport.write(close_frame(code, reason))
        self._linger = asyncio.get_running_loop().call_later(CLOSE_LINGER, transport.abort)
