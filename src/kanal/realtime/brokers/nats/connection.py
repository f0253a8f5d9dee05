"""A connection to a NATS server, as its client protocol has it: docs.nats.io, "Client Protocol".

Messages come to the callback of their subscription. ``PING`` is answered in order, so that its ``PONG`` says: the server has
all that was written before.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import msgspec

from kanal.realtime.brokers.wire import CONNECT_TIMEOUT, Wire

OnMessage = Callable[[bytes, bytes, bytes], None]
"""Subject, headers as sent (empty when there are none), payload."""

_MAX_LINE = 64 * 1024  # bytes; INFO of a large cluster is a few thousand


class Info(msgspec.Struct):
    """What a server says of itself."""

    version: str = ""
    max_payload: int = 1024 * 1024
    tls_required: bool = False
    tls_available: bool = False
    headers: bool = False
    jetstream: bool = False


class Login(msgspec.Struct, omit_defaults=True):
    """``CONNECT``. Without ``echo`` nothing that we publish comes back to us."""

    verbose: bool
    pedantic: bool
    echo: bool
    headers: bool
    no_responders: bool
    tls_required: bool
    lang: str
    version: str
    protocol: int
    name: str
    user: str = ""
    password: str = msgspec.field(default="", name="pass")
    auth_token: str = ""


class Connection(Wire):
    def __init__(self, complain: Callable[[str], None]) -> None:
        super().__init__()
        self._complain = complain
        self._rest = b""
        self._numbers = 0
        self._callbacks: dict[bytes, OnMessage] = {}
        self._pongs: deque[asyncio.Future[None] | None] = deque()
        self._covering: asyncio.Future[None] | None = None
        self.info: asyncio.Future[Info] = self._loop.create_future()

    # Speaking

    def login(self, login: Login) -> None:
        self.write(b"CONNECT %b\r\n" % msgspec.json.encode(login))

    def subscribe(self, subject: bytes, callback: OnMessage) -> bytes:
        """Answers the number by which it ends."""
        self._numbers += 1
        number = b"%d" % self._numbers
        self._callbacks[number] = callback
        self.send(b"SUB %b %b\r\n" % (subject, number))
        return number

    def unsubscribe(self, number: bytes) -> None:
        if self._callbacks.pop(number, None) is not None:
            self.send(b"UNSUB %b\r\n" % number)

    def publish(self, subject: bytes, payload: bytes, reply: bytes = b"", headers: bytes = b"") -> None:
        """``headers`` is a block as on the wire: ``NATS/1.0``, lines, an empty line. Neither is checked here."""
        if headers:
            head = b"HPUB %b %b %d %d\r\n" % (subject, reply, len(headers), len(headers) + len(payload))
            self.send(b"%b%b%b\r\n" % (head, headers, payload))
        else:
            self.send(b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload))

    def send(self, data: bytes) -> None:
        self._covering = None
        self.write(data)

    def confirm(self) -> asyncio.Future[None]:
        """Done when the server has taken what was sent until now; fails with ``OSError``."""
        if self._covering is None:
            self._covering = self._loop.create_future()
            self._pongs.append(self._covering)
            self.write(b"PING\r\n")
        return self._covering

    def ping(self) -> None:
        self._pongs.append(None)
        self.write(b"PING\r\n")

    # Hearing

    def read(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at = 0
        while (end := data.find(b"\r\n", at)) >= 0:
            line = data[at:end]
            if line[:4] == b"MSG " or line[:5] == b"HMSG ":
                words = line.split(b" ")
                size = int(words[-1])
                start = end + 2
                if size < 0 or len(data) < start + size + 2:
                    break
                headers = int(words[-2]) if line[:1] == b"H" else 0
                at = start + size + 2
                callback = self._callbacks.get(words[2])
                if callback is not None:
                    callback(words[1], data[start : start + headers], data[start + headers : start + size])
            else:
                at = end + 2
                self._word(line)
        self._rest = data[at:]
        if len(self._rest) > _MAX_LINE and b"\r\n" not in self._rest[:_MAX_LINE]:
            raise ValueError("a line without an end")

    def _word(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        if word == b"PING":
            self.write(b"PONG\r\n")
        elif word == b"PONG":
            waiting = self._pongs.popleft()
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
            if waiting is self._covering:
                self._covering = None
        elif word == b"INFO":
            info = msgspec.json.decode(rest, type=Info)
            if not self.info.done():
                self.info.set_result(info)
        elif word == b"-ERR":
            self._complain(rest.decode(errors="replace"))  # the server closes the connection where it must
        elif word != b"+OK":
            raise ValueError(f"unknown word {line[:20]!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        reason = self.closed.result()
        lost = reason if isinstance(reason, OSError) else ConnectionError(str(reason))
        waiting = [future for future in self._pongs if future is not None]
        self._pongs.clear()
        self._callbacks.clear()
        ends: list[asyncio.Future[Any]] = [*waiting, self.info]
        for future in ends:
            if not future.done():
                future.set_exception(lost)
                future.exception()  # nobody may be waiting

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """TLS from here on: a NATS server introduces itself in the clear."""
        if self._transport is None:
            raise ConnectionResetError("closed by the server")
        secured = await self._loop.start_tls(self._transport, self, context, server_hostname=host)
        self._transport = cast("asyncio.Transport", secured)
        self._transport.set_write_buffer_limits(high=1024 * 1024)


async def open_connection(host: str, port: int, complain: Callable[[str], None]) -> Connection:
    """Connects and hears the server's ``INFO``. Raises ``OSError``; ``TimeoutError`` is one."""
    async with asyncio.timeout(CONNECT_TIMEOUT):
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(complain), host, port)
        try:
            await asyncio.shield(connection.info)
        except BaseException:
            connection.abort(ConnectionError("no introduction"))
            raise
    return connection
