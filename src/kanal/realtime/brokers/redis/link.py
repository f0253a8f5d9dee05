"""The link to one Redis server: a connection for commands, one that subscribes; what should be subscribed, made true again
and again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.brokers.redis.address import Address, Options
from kanal.realtime.brokers.redis.connection import Commands, RedisError, Subscriber, open_connection
from kanal.realtime.brokers.wire import reason

_BATCH = 500  # names in one SUBSCRIBE
_LOST = (RedisError, OSError, BrokerDown)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Hooks:
    scripts: Sequence[str]
    """Loaded into every server before anything else."""
    received: Callable[[bytes, bytes], None]
    came_up: Callable[[], Awaitable[None]]
    """Everything is subscribed. Raises ``BrokerDown`` to be called again."""
    restored: Callable[[], None]
    """``connected`` has turned true, or has stayed so although messages may have been missed."""
    went_down: Callable[[], None]
    refused: Callable[[RedisError], None]
    """A server did not do what nobody waits for."""


class Link:
    """Kept up by ``run``.

    ``connected`` from the moment when everything wanted is confirmed. ``commands`` is there a little earlier.
    """

    def __init__(
        self,
        resolve: Callable[[], Awaitable[Address]],
        options: Options,
        *,
        sharded: bool,
        hooks: Hooks,
        changed: Callable[[], None],
        moved: Callable[[], None],
    ) -> None:
        """``changed``: ``connected`` is another. ``moved``: a name is no longer served here (sharded only)."""
        self._resolve = resolve
        self._options = options
        self._sharded = sharded
        self._hooks = hooks
        self._changed = changed
        self._moved = moved
        self._wanted: set[bytes] = set()
        self._asked: deque[tuple[bytes, bytes]] = deque()  # kind and name, in the order in which answers come
        self._open: dict[bytes, int] = {}
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._subscriber: Subscriber | None = None
        self._settled: asyncio.Future[None] | None = None
        self._kinds = (b"ssubscribe", b"sunsubscribe") if sharded else (b"subscribe", b"unsubscribe")
        self.address: Address | None = None
        self.commands: Commands | None = None
        self.connected = False
        self.tried = asyncio.Event()

    # What is wanted

    def subscribe(self, name: bytes) -> asyncio.Future[None] | None:
        new = name not in self._wanted
        self._wanted.add(name)
        if new:
            self._ask(self._kinds[0], (name,))
        if not self.connected or name not in self._open:
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(future)
        return future

    def unsubscribe(self, name: bytes) -> None:
        if name in self._wanted:
            self._wanted.discard(name)
            self._ask(self._kinds[1], (name,))

    def drop(self, reason: str) -> None:
        """Ends the connection; ``run`` makes another."""
        if self._subscriber is not None:
            self._subscriber.abort(ConnectionError(reason))

    @property
    def settled(self) -> bool:
        """Whether everything asked for is confirmed."""
        return self.connected and not self._open

    def _ask(self, kind: bytes, names: tuple[bytes, ...]) -> None:
        subscriber = self._subscriber
        if subscriber is None:
            return
        if subscriber.full:
            subscriber.abort(TimeoutError("Redis takes nothing more"))
            return
        for name in names:
            self._asked.append((kind, name))
            self._open[name] = self._open.get(name, 0) + 1
        if self._sharded:  # all names of one SSUBSCRIBE must be of one slot
            for name in names:
                subscriber.send(kind, name)
        else:
            subscriber.send(kind, *names)

    # Life

    async def run(self) -> None:
        attempt = 0
        while True:
            try:
                failure = await self._session()
            except _LOST as error:
                failure = error
            finally:
                was_up = self._down()
            if was_up:
                attempt = 0
            if attempt == 0:
                log.warning("broker.lost", broker="redis", server=str(self.address or ""), error=reason(failure))
            self.tried.set()
            await asyncio.sleep(backoff.delay(attempt))
            attempt += 1

    def _down(self) -> bool:
        """Whether it was up."""
        was_up, self.connected = self.connected, False
        for connection in (self.commands, self._subscriber):
            if connection is not None:
                connection.abort(ConnectionError("the other connection to Redis was lost"))
        self.commands = self._subscriber = None
        self._asked.clear()
        self._open.clear()
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_exception(BrokerDown())
                    future.exception()  # whoever gave up waiting does not read it
        self._waiting.clear()
        if was_up:
            self._changed()
        return was_up

    async def _session(self) -> Exception:
        """Returns when a connection is lost that was up, and says why; raises when it cannot be brought up."""
        self.address = address = await self._resolve()
        options = self._options
        commands = await open_connection(lambda: Commands(self._unasked), address, options.tls)
        self.commands = commands
        greeting = options.credentials.command()
        if greeting:
            await commands.call(*greeting)
        if options.database:
            await commands.call("SELECT", options.database)
        await asyncio.gather(*(commands.call("SCRIPT", "LOAD", script) for script in self._hooks.scripts))
        subscriber = await open_connection(lambda: Subscriber(self._heard, self._refused), address, options.tls)
        self._subscriber = subscriber
        if greeting:
            subscriber.send(*greeting)
        closed: list[asyncio.Future[Any]] = [commands.closed, subscriber.closed]
        names = list(self._wanted)
        for start in range(0, len(names), _BATCH):
            self._ask(self._kinds[0], tuple(names[start : start + _BATCH]))
        if self._open:
            self._settled = asyncio.get_running_loop().create_future()
            await asyncio.wait({*closed, self._settled}, return_when=asyncio.FIRST_COMPLETED)
        if not any(each.done() for each in closed):
            self.connected = True
            log.info("broker.connected", broker="redis", server=str(address), topics=len(names))
            self._changed()
            await asyncio.wait(closed, return_when=asyncio.FIRST_COMPLETED)
        failure: Exception = next(each.result() for each in closed if each.done())
        return failure

    def _unasked(self, error: RedisError) -> None:
        self._hooks.refused(error)
        if error.code == "READONLY":  # it was a master
            self.drop(str(error))

    # What comes in

    def _heard(self, answer: list[Any]) -> None:
        kind = answer[0]
        if kind == b"message" or kind == b"smessage":  # noqa: PLR1714 - once per event: two comparisons are faster
            self._hooks.received(answer[1], answer[2])
        elif kind in self._kinds:
            self._confirmed(kind, answer[1])

    def _confirmed(self, kind: bytes, name: bytes) -> None:
        if self._asked and self._asked[0] == (kind, name):
            self._asked.popleft()
            self._answered(name)
        elif kind == b"sunsubscribe":  # without being asked: the slot is served elsewhere now
            self._moved()
        else:
            self.drop("answers to subscribing came out of order")

    def _answered(self, name: bytes) -> None:
        """A name taken off and on again has two answers to come; only the last means it is in force."""
        left = self._open.get(name, 0) - 1
        if left > 0:
            self._open[name] = left
            return
        self._open.pop(name, None)
        for future in self._waiting.pop(name, ()):
            if not future.done():
                future.set_result(None)
        if not self._open and self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    def _refused(self, error: RedisError) -> None:
        if not self._sharded or error.code != "MOVED" or not self._asked:
            self.drop(str(error))
            return
        _, name = self._asked.popleft()
        self._answered(name)
        self._moved()
