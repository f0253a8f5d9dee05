"""Connections to a Redis server: one for commands and their answers, one that hears what is published.

RESP2, which every server and proxy speaks. hiredis parses and encodes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

import hiredis

from kanal.realtime.brokers.redis.address import Address
from kanal.realtime.brokers.wire import CONNECT_TIMEOUT, Wire

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


class Connection(Wire):
    def __init__(self) -> None:
        super().__init__()
        self._reader = hiredis.Reader(replyError=RedisError, notEnoughData=_NOTHING)

    def answered(self, answer: Answer) -> None:
        raise NotImplementedError

    def read(self, data: bytes) -> None:
        gets = self._reader.gets
        try:
            self._reader.feed(data)
            while (answer := gets()) is not _NOTHING:
                self.answered(answer)
        except hiredis.ProtocolError as error:  # whatever speaks there, it is not Redis
            raise ValueError(str(error)) from error


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


async def open_connection(make: Callable[[], C], address: Address, tls: ssl.SSLContext | None) -> C:
    """Raises ``OSError``; ``TimeoutError`` is one."""
    async with asyncio.timeout(CONNECT_TIMEOUT):
        loop = asyncio.get_running_loop()
        if not address.port:
            _, connection = await loop.create_unix_connection(make, address.host)
        else:
            _, connection = await loop.create_connection(make, address.host, address.port, ssl=tls)
    return connection
