"""The connection to one NATS server at a time, kept up: login, JetStream's streams, subscriptions."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.brokers.nats.address import Options
from kanal.realtime.brokers.nats.connection import Connection, Login, OnMessage, open_connection
from kanal.realtime.brokers.wire import reason

log = structlog.get_logger(__name__)


class Link:
    """``connected`` from the moment when everything wanted is subscribed and ``came_up`` has succeeded."""

    def __init__(
        self,
        options: Options,
        node: str,
        *,
        opened: Callable[[Connection], None],
        came_up: Callable[[], Awaitable[None]],
        restored: Callable[[], None],
        went_down: Callable[[bool], None],
        refused: Callable[[str], None],
    ) -> None:
        """``opened``: requests can be made. ``came_up`` may raise ``BrokerDown``. ``went_down``: whether it was up."""
        self._options = options
        self._node = node
        self._opened = opened
        self._came_up = came_up
        self._restored = restored
        self._went_down = went_down
        self._refused = refused
        self._wanted: dict[bytes, OnMessage] = {}
        self._numbers: dict[bytes, bytes] = {}
        self.connection: Connection | None = None
        self.connected = False
        self.tried = asyncio.Event()

    def subscribe(self, subject: bytes, callback: OnMessage) -> asyncio.Future[None] | None:
        connection = self.connection
        if subject not in self._wanted:
            self._wanted[subject] = callback
            if connection is not None:
                self._numbers[subject] = connection.subscribe(subject, callback)
        if connection is None or not self.connected:
            return None
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.confirm().add_done_callback(partial(_pass_on, confirmed))
        return confirmed

    def unsubscribe(self, subject: bytes) -> None:
        self._wanted.pop(subject, None)
        number = self._numbers.pop(subject, None)
        if number is not None and self.connection is not None:
            self.connection.unsubscribe(number)

    async def run(self) -> None:
        attempt = 0
        while True:
            try:
                failure: Exception = await self._session()
            except (OSError, BrokerDown) as error:
                failure = error
            finally:
                was_up = self._down()
            if was_up:
                attempt = 0
            if attempt == 0:
                log.warning("broker.lost", broker="nats", error=reason(failure))
            self.tried.set()
            await asyncio.sleep(backoff.delay(attempt))
            attempt += 1

    def _down(self) -> bool:
        was_up, self.connected = self.connected, False
        if self.connection is not None:
            self.connection.abort(ConnectionError("given up"))
        self.connection = None
        self._numbers.clear()
        self._went_down(was_up)
        return was_up

    async def _session(self) -> Exception:
        """Returns when a connection is lost that was up, and says why; raises when it cannot be brought up."""
        connection = self.connection = await self._open()
        self._opened(connection)
        for subject, callback in self._wanted.items():
            self._numbers[subject] = connection.subscribe(subject, callback)
        await connection.confirm()
        await self._came_up()
        self.connected = True
        self.tried.set()
        log.info("broker.connected", broker="nats", topics=len(self._wanted))
        self._restored()
        return await asyncio.shield(connection.closed)

    async def _open(self) -> Connection:
        options = self._options
        host, port = random.choice(options.hosts)
        connection = await open_connection(host, port, self._refused)
        try:
            info = connection.info.result()
            secure = options.tls_required or info.tls_required
            if secure:
                await connection.secure(options.tls, host)
            connection.login(
                Login(
                    verbose=False,
                    pedantic=False,
                    echo=False,
                    headers=True,
                    no_responders=True,
                    tls_required=secure,
                    lang="python",
                    version="1",
                    protocol=1,
                    name=self._node,
                    user=options.username,
                    password=options.password,
                    auth_token=options.token,
                )
            )
            await connection.confirm()
        except BaseException:
            connection.abort(ConnectionError("given up"))
            raise
        return connection


def _pass_on(waiting: asyncio.Future[None], confirmed: asyncio.Future[None]) -> None:
    error = confirmed.exception()
    if waiting.done():
        return
    if error is None:
        waiting.set_result(None)
    else:
        waiting.set_exception(BrokerDown(reason(error) if isinstance(error, Exception) else ""))
        waiting.exception()  # whoever gave up waiting does not read it
