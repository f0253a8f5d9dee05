"""Connections to a Redis server: bytes in and out, in order, with signs of life.

RESP2, which every server and proxy speaks. hiredis parses and encodes. What is written within one turn of the loop goes out
in one write.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import hiredis

from kanal.realtime.brokers.redis.address import Address

PING_INTERVAL = 5.0  # seconds of silence before the server is probed, and again until it is given up
CONNECT_TIMEOUT = 2.0  # seconds
MAX_WAITING = 16 * 1024 * 1024  # bytes that a slow server may leave with us

Answer = Any
"""bytes, int, list, None; a ``RedisError`` for an error of the server, an ``OSError`` when the connection was lost."""

Command = tuple[str | bytes | int, ...]
OnAnswer = Callable[[Answer], None]

_NOTHING: Final = object()

C = TypeVar("C", bound="Connection")


class RedisError(Exception):
    """The server answered with an error; the first word is its code."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0]


class Connection(asyncio.Protocol):
    """Subclasses say what an answer is for. ``closed`` is done when the connection is, with the reason."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=RedisError, notEnoughData=_NOTHING)
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._paused = False
        self._scheduled = False
        self._heard = False
        self._probing = False
        self._timer: asyncio.TimerHandle | None = None
        self._reason: Exception | None = None
        self.closed: asyncio.Future[Exception] = self._loop.create_future()

    def answered(self, answer: Answer) -> None:
        raise NotImplementedError

    def ping(self) -> None:
        raise NotImplementedError

    @property
    def full(self) -> bool:
        return self._out_bytes > MAX_WAITING

    def write(self, data: bytes) -> None:
        self._out.append(data)
        self._out_bytes += len(data)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if self._paused or self._transport is None:
            return
        data, self._out, self._out_bytes = b"".join(self._out), [], 0
        self._transport.write(data)

    def abort(self, reason: Exception) -> None:
        if self._reason is None:
            self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1024 * 1024)
        self._timer = self._loop.call_later(PING_INTERVAL, self._tick)

    def data_received(self, data: bytes) -> None:
        if self._reason is not None:  # given up already
            return
        self._heard = True
        gets = self._reader.gets
        try:
            self._reader.feed(data)
            while (answer := gets()) is not _NOTHING:
                self.answered(answer)
        except (hiredis.ProtocolError, LookupError) as error:  # whatever speaks there, it is not Redis
            self.abort(ConnectionError(f"not understood: {error!r}"))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._out, self._out_bytes = [], 0
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed.done():
            self.closed.set_result(self._reason or exc or ConnectionResetError("closed by the server"))

    def _tick(self) -> None:
        if self._heard:
            self._heard = self._probing = False
        elif self._probing:
            self.abort(TimeoutError("no answer from Redis"))
            return
        else:
            self._probing = True
            self.ping()
        self._timer = self._loop.call_later(PING_INTERVAL, self._tick)


class Commands(Connection):
    """Commands are answered in order; whoever does not wait for an answer passes ``None``."""

    def __init__(self, unasked: Callable[[RedisError], None]) -> None:
        """``unasked`` hears of errors that nobody waits for."""
        super().__init__()
        self._unasked = unasked
        self._pending: deque[OnAnswer | None] = deque()

    def send(self, command: Command, answer: OnAnswer | None = None) -> None:
        self._pending.append(answer)
        self.write(hiredis.pack_command(command))  # type: ignore[arg-type] # its types say one element

    async def call(self, *command: str | bytes | int) -> Answer:
        """Raises ``RedisError``, or ``OSError`` when the connection is lost."""
        future: asyncio.Future[Answer] = self._loop.create_future()
        self.send(command, lambda answer: settle(future, answer))
        return await future

    def ping(self) -> None:
        self.send(("PING",))

    def answered(self, answer: Answer) -> None:
        waiter = self._pending.popleft()
        if waiter is not None:
            waiter(answer)
        elif type(answer) is RedisError:
            self._unasked(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        reason = self.closed.result()
        lost = reason if isinstance(reason, OSError) else ConnectionError(str(reason))
        while self._pending:
            waiter = self._pending.popleft()
            if waiter is not None:
                waiter(lost)


class Subscriber(Connection):
    """What is published, and the answers to subscribing, as they come: lists whose first element is the kind."""

    def __init__(self, received: Callable[[list[Any]], None], refused: Callable[[RedisError], None]) -> None:
        super().__init__()
        self._received = received
        self._refused = refused

    def send(self, *command: str | bytes) -> None:
        self.write(hiredis.pack_command(command))  # type: ignore[arg-type] # its types say one element

    def ping(self) -> None:
        self.send("PING")

    def answered(self, answer: Answer) -> None:
        if type(answer) is list:
            self._received(answer)
        elif type(answer) is RedisError:
            self._refused(answer)


def settle(future: asyncio.Future[Answer], answer: Answer) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def reason(error: Exception) -> str:
    """What to tell people; a time-out has no text of its own."""
    return str(error) or type(error).__name__


async def open_connection(make: Callable[[], C], address: Address, tls: ssl.SSLContext | None) -> C:
    """Raises ``OSError``; ``TimeoutError`` is one."""
    async with asyncio.timeout(CONNECT_TIMEOUT):
        loop = asyncio.get_running_loop()
        if not address.port:
            _, connection = await loop.create_unix_connection(make, address.host)
        else:
            _, connection = await loop.create_connection(make, address.host, address.port, ssl=tls)
    return connection
