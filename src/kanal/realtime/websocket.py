"""The thin adapter between picows and the hub: frames in, close frames out, nothing decided here."""

from __future__ import annotations

import asyncio

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from kanal.realtime.apps import App
from kanal.realtime.connections import Connection
from kanal.realtime.hub import Hub
from kanal.realtime.protocol import errors, frames

CLOSE_LINGER = 5.0  # seconds for the client to take our close frame and answer it

TEXT, BINARY, CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
PING, PONG, CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE


class Ending:
    """Close frame, then patience, then the end. Implements ``connections.Carrier``."""

    __slots__ = ("_ws",)

    def __init__(self, ws: WSTransport) -> None:
        self._ws = ws

    def ping(self) -> None:
        self._ws.send_ping()

    def close(self, code: int, reason: str) -> None:
        ws = self._ws
        if ws.is_disconnected:
            return
        if code != errors.CLOSE_LOST:
            ws.send_close(code, _fitting(reason))  # type: ignore[arg-type]
        asyncio.get_running_loop().call_later(CLOSE_LINGER, ws.disconnect, False)


def _fitting(reason: str) -> bytes:
    """A control frame holds 125 bytes, two of which are the code; a character cut in two would be a protocol error."""
    return reason.encode()[:123].decode(errors="ignore").encode()


class SocketListener(WSListener):
    """One accepted connection. Puts fragmented messages together, within the app's frame size."""

    __slots__ = ("_app", "_connection", "_hub", "_parts", "_size")

    def __init__(self, hub: Hub, app: App) -> None:
        self._hub = hub
        self._app = app
        self._connection: Connection | None = None
        self._parts: list[bytes] | None = None
        self._size = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._connection = self._hub.opened(self._app, transport.underlying_transport, Ending(transport))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        connection = self._connection
        if connection is None:
            return
        kind = frame.msg_type
        if kind == CLOSE:
            # Subscriptions end here, not when TCP does: a client that comes back at once must not meet itself.
            self._hub.closed(connection, errors.CLOSE_NORMAL)
            transport.disconnect()
        elif connection.closed:
            return
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._hub.closed(connection, errors.CLOSE_PROTOCOL_ERROR, "no extension was agreed on")
        elif kind == TEXT and frame.fin and self._parts is None:
            self._hub.received(connection, frame.get_payload_as_bytes())
        elif kind == PING:
            connection.machine.heard(asyncio.get_running_loop().time())
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == PONG:
            connection.machine.heard(asyncio.get_running_loop().time())
        elif kind == BINARY:
            self._hub.apply(connection, connection.machine.receive_binary())
        else:
            self._fragment(connection, frame, first=kind == TEXT)

    def _fragment(self, connection: Connection, frame: WSFrame, *, first: bool) -> None:
        if first == (self._parts is not None):
            self._hub.closed(connection, errors.CLOSE_PROTOCOL_ERROR, "fragments out of order")
            return
        if self._parts is None:
            self._parts = []
            self._size = 0
        # Every fragment costs more than its bytes, or a million empty ones would cost nothing.
        self._size += frame.payload_size + 64
        if self._size > self._app.max_frame_size:
            self._parts = None
            self._hub.closed(connection, errors.CLOSE_TOO_BIG, "message too big")
            return
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            message = b"".join(self._parts)
            self._parts = None
            self._hub.received(connection, message)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._connection is not None:
            self._hub.closed(self._connection, errors.CLOSE_LOST)
            self._connection = None

    def pause_writing(self) -> None:
        """The connection has noticed by itself."""

    def resume_writing(self) -> None:
        if self._connection is not None:
            self._connection.resume()


class RefusingListener(WSListener):
    """Accepts the WebSocket only to say why not: browsers show no script the answer to a failed handshake."""

    __slots__ = ("_failure",)

    def __init__(self, failure: errors.ConnectionClosed) -> None:
        self._failure = failure

    def on_ws_connected(self, transport: WSTransport) -> None:
        transport.send(TEXT, frames.error(self._failure))
        Ending(transport).close(self._failure.code, self._failure.message)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        pass

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass
