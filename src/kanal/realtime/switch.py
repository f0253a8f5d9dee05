"""One port for HTTP and WebSocket: the first bytes decide.

``GET /app/…`` with ``Upgrade: websocket`` becomes a socket without passing through the HTTP parser. Calls of the HTTP API
(``/apps/…``) go to ``api.lean``. Everything else is uvicorn's. An HTTP connection that was kept alive and then upgrades
comes through uvicorn's ``ws=`` and ends up in the same place.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from kanal.realtime.api.lean import PREFIXES, LeanEndpoint, LeanHttp
from kanal.realtime.handshake import Request, admit, parse_head
from kanal.realtime.hub import Hub
from kanal.realtime.plain_http import TOO_LARGE, PlainHttp
from kanal.realtime.protocol import errors
from kanal.realtime.waiting import Waiting
from kanal.realtime.websocket import Socket
from kanal.realtime.wire import upgrade_answer

HANDSHAKE_TIMEOUT = 10.0  # seconds from the connection to the end of the first request's head
MAX_HEAD = 16 * 1024

_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class SocketEndpoint:
    """Makes a WebSocket of a transport whose request head has arrived whole."""

    def __init__(
        self,
        hub: Hub,
        *,
        path: str = "/app",
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        max_head: int = MAX_HEAD,
        api: LeanEndpoint | None = None,
    ) -> None:
        self.hub = hub
        self.path = path
        self.prefix = f"GET {path}/".encode()
        self.waiting = Waiting(handshake_timeout)
        self.max_head = max_head
        self.api = api
        self.api_prefixes = () if api is None else PREFIXES
        self.draining = False

    def take(self, transport: asyncio.Transport, request: Request, rest: bytes) -> asyncio.Protocol | None:
        """``rest`` is what came behind the head. Answers the protocol that took over; ``None``: the request was refused."""
        key = request.websocket_key
        if key is None:
            transport.write(_BAD_REQUEST)
            transport.close()
            return None
        if transport.get_extra_info("ssl_object") is None:
            # Pressure must be known at once: see Connection. TLS keeps its own buffers and stays with the defaults.
            transport.set_write_buffer_limits(high=0)
        socket = Socket(self.hub, transport)
        transport.set_protocol(socket)
        answer = upgrade_answer(key)
        try:
            if self.draining:
                # Not 4200: who comes back at once would meet us again and again.
                raise errors.OverCapacity("Server is going away, please reconnect")
            socket.accept(admit(self.hub, self.path, request), answer)
        except errors.ConnectionClosed as failure:
            self.hub.refused += 1
            socket.refuse(failure, answer)
        if rest:
            socket.data_received(rest)
        return socket


class Switch(asyncio.Protocol):
    """What uvicorn makes for each connection, as ``Config(http=…)``; ``endpoint`` is set by ``uvicorn_protocols``."""

    __slots__ = ("_data", "_http", "_transport")

    endpoint: SocketEndpoint

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._http = (config, server_state, app_state, _loop)
        self._transport: asyncio.Transport | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's are unrelated to asyncio's
        self.endpoint.waiting.add(self)

    def give_up(self) -> None:
        """It has taken too long."""
        transport = self._done()
        if transport is not None:
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._data = data = self._data + data if self._data else data
        endpoint = self.endpoint
        if not data.startswith(endpoint.prefix):
            if data.startswith(endpoint.api_prefixes):
                self._to_api()
            elif not any(prefix.startswith(data) for prefix in (endpoint.prefix, *endpoint.api_prefixes)):
                self._to_http()
            return
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > endpoint.max_head and self._transport is not None:
                self._transport.write(TOO_LARGE)
                self._transport.close()
            return
        request = parse_head(data[:end])
        transport = self._done()
        if request is None or not request.wants_websocket or transport is None:
            self._to_http()
        else:
            self.endpoint.take(transport, request, data[end + 4 :])

    def _to_api(self) -> None:
        transport = self._done()
        assert transport is not None and self.endpoint.api is not None  # noqa: S101, PT018 - data came, with its prefix
        protocol = LeanHttp(self.endpoint.api, self._http[1], self._feed_http)
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        protocol.data_received(self._data)

    def _to_http(self) -> None:
        self._done()
        self._feed_http(self._data)

    def _feed_http(self, data: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        config, server_state, app_state, loop = self._http
        protocol = PlainHttp(config, server_state, app_state, loop, self.endpoint.waiting)
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        protocol.data_received(data)

    def _done(self) -> asyncio.Transport | None:
        self.endpoint.waiting.discard(self)
        return self._transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()

    def eof_received(self) -> bool:
        return False


class Upgrade(asyncio.Protocol):
    """What uvicorn makes, as ``Config(ws=…)``, when a connection that spoke HTTP before asks for a WebSocket."""

    endpoint: SocketEndpoint

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._transport: asyncio.Transport | None = None
        self._protocol: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """uvicorn hands over the head, written anew, and after that sets *us* as the transport's protocol."""
        transport = self._transport
        head, _, rest = data.partition(b"\r\n\r\n")
        request = parse_head(head)
        if transport is None or request is None or not request.target.startswith(self.endpoint.path + "/"):
            if transport is not None:
                transport.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                transport.close()
            return
        self._protocol = self.endpoint.take(transport, request, rest)
        asyncio.get_running_loop().call_soon(self._step_aside)

    def _step_aside(self) -> None:
        if self._transport is not None and self._protocol is not None and not self._transport.is_closing():
            self._transport.set_protocol(self._protocol)

    def resume_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.resume_writing()

    def pause_writing(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol is not None:
            self._protocol.connection_lost(exc)

    def eof_received(self) -> bool:
        return False


def uvicorn_protocols(endpoint: SocketEndpoint) -> dict[str, Any]:
    """Keyword arguments for ``uvicorn.Config``: ``Config(app, **uvicorn_protocols(endpoint))``."""
    return {
        "http": type("Switch", (Switch,), {"__slots__": (), "endpoint": endpoint}),
        "ws": type("Upgrade", (Upgrade,), {"endpoint": endpoint}),
    }
