"""The subscribing connection to Redis: what should be subscribed, made true again and again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from itertools import islice

import redis.exceptions
import structlog
from redis.asyncio.connection import AbstractConnection

from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.endings import end

PING_INTERVAL = 5.0  # seconds of silence before the link is probed, and again until it is given up
_BATCH = 500  # names in one SUBSCRIBE

_LOST = (redis.exceptions.RedisError, OSError, asyncio.TimeoutError, BrokerDown)

log = structlog.get_logger(__name__)


class Link:
    """One connection, kept up by ``run``.

    ``came_up`` is awaited when everything wanted is confirmed and before ``connected`` turns true; it may fail like a
    command. ``went_down`` is called once per ``came_up``.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractConnection],
        *,
        received: Callable[[str, bytes], None],
        came_up: Callable[[], Awaitable[None]],
        went_down: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._received = received
        self._came_up = came_up
        self._went_down = went_down
        self._wanted: set[str] = set()
        self._sent: set[str] = set()
        self._unconfirmed: dict[str, int] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._changed = asyncio.Event()
        self.connected = False
        self.tried = asyncio.Event()

    def subscribe(self, name: str) -> asyncio.Future[None] | None:
        self._wanted.add(name)
        self._changed.set()
        if not self.connected or (name in self._sent and name not in self._unconfirmed):
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(future)
        return future

    def unsubscribe(self, name: str) -> None:
        self._wanted.discard(name)
        self._changed.set()

    def wants(self, name: str) -> bool:
        return name in self._wanted

    async def run(self) -> None:
        attempt = 0
        while True:
            try:
                await self._session()
            except _LOST as error:
                if self.connected or attempt == 0:
                    log.warning("broker.lost", broker="redis", error=str(error) or type(error).__name__)
            if self.connected:
                attempt = 0
            self._down()
            self.tried.set()
            await asyncio.sleep(backoff.delay(attempt))
            attempt += 1

    def _down(self) -> None:
        was_up, self.connected = self.connected, False
        self._sent.clear()
        self._unconfirmed.clear()
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(BrokerDown())
                    future.exception()  # whoever gave up waiting does not read it
        self._waiting.clear()
        if was_up:
            self._went_down()

    async def _session(self) -> None:
        connection = self._connect()
        writer: asyncio.Task[None] | None = None
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            self._changed.set()
            writer = asyncio.create_task(self._write(connection))
            await self._read(connection, writer)
        finally:
            if writer is not None:
                await end([writer])
            with contextlib.suppress(*_LOST):
                await connection.disconnect(nowait=True)

    async def _write(self, connection: AbstractConnection) -> None:
        """Brings what is subscribed in line with what is wanted."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            for command, names in (
                ("SUBSCRIBE", self._wanted - self._sent),
                ("UNSUBSCRIBE", self._sent - self._wanted),
            ):
                remaining = iter(names)
                while batch := list(islice(remaining, _BATCH)):
                    if command == "SUBSCRIBE":
                        self._sent.update(batch)
                        for name in batch:
                            self._unconfirmed[name] = self._unconfirmed.get(name, 0) + 1
                    else:
                        self._sent.difference_update(batch)
                    await connection.send_command(command, *batch)

    async def _read(self, connection: AbstractConnection, writer: asyncio.Task[None]) -> None:
        probing = False
        while True:
            answer = await connection.read_response(timeout=PING_INTERVAL)
            if writer.done():
                writer.result()
            if answer is None:
                if probing:
                    raise TimeoutError("no answer from Redis")
                probing = True
                await connection.send_command("PING")
                continue
            probing = False
            kind = bytes(answer[0])
            if kind == b"message":
                self._receive(answer[1], answer[2])
            elif kind == b"subscribe":
                self._confirmed(answer[1].decode())
                if not self.connected and not self._unconfirmed:
                    await self._came_up()
                    self.connected = True
                    log.info("broker.connected", broker="redis", topics=len(self._sent))

    def _receive(self, name: bytes, data: bytes) -> None:
        """Anybody who can reach the server can publish what we did not write; that must not end the link."""
        try:
            self._received(name.decode(), data)
        except Exception as error:  # noqa: BLE001 - whatever a foreign message brings about, it is only that message
            log.warning("broker.bad_message", broker="redis", channel=name[:200], error=repr(error)[:200])

    def _confirmed(self, name: str) -> None:
        """A name taken off and on again has two answers to come; only the last means it is in force."""
        left = self._unconfirmed.get(name, 0) - 1
        if left > 0:
            self._unconfirmed[name] = left
            return
        self._unconfirmed.pop(name, None)
        for future in self._waiting.pop(name, ()):
            if not future.done():
                future.set_result(None)
