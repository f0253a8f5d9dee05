"""One server at a time: the one that is named, or the one that Sentinels name."""

from __future__ import annotations

import asyncio
import random

import structlog

from kanal.realtime.brokers.redis.address import Address, Kind, Options
from kanal.realtime.brokers.redis.connection import (
    Command,
    Commands,
    OnAnswer,
    RedisError,
    open_connection,
)
from kanal.realtime.brokers.redis.link import Hooks, Link
from kanal.realtime.brokers.redis.servers import Servers
from kanal.realtime.brokers.wire import reason

VERIFY_INTERVAL = 5.0  # seconds between questions to a Sentinel whether our master is still the master

log = structlog.get_logger(__name__)


class Single(Servers):
    def __init__(self, options: Options, hooks: Hooks) -> None:
        super().__init__(options, hooks)
        self._sentinels = Sentinels(options) if options.kind is Kind.SENTINEL else None
        self._link = Link(
            self._resolve,
            options,
            sharded=False,
            hooks=hooks,
            changed=self._changed,
            moved=self._changed,
        )

    async def _resolve(self) -> Address:
        return self._options.hosts[0] if self._sentinels is None else await self._sentinels.master()

    def subscribe(self, name: bytes) -> asyncio.Future[None] | None:
        return self._link.subscribe(name)

    def unsubscribe(self, name: bytes) -> None:
        self._link.unsubscribe(name)

    def ready(self, key: bytes) -> bool:
        return self.connected

    def send(self, key: bytes, command: Command, answer: OnAnswer | None = None) -> bool:
        commands = self._link.commands
        if commands is None or commands.full:
            return False
        commands.send(command, answer)
        return True

    def _whole(self) -> bool:
        return self._link.connected

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            group.create_task(self._supervise())
            group.create_task(self._watch_tries())
            if self._sentinels is not None:
                group.create_task(self._verify(self._sentinels))

    async def _watch_tries(self) -> None:
        await self._link.tried.wait()
        self.tried.set()

    async def _verify(self, sentinels: Sentinels) -> None:
        """A master that was cut off from its Sentinels still takes commands, and nobody else hears of them."""
        while True:
            await asyncio.sleep(VERIFY_INTERVAL)
            if not self.connected:
                continue
            try:
                master = await sentinels.ask()
            except OSError:
                continue  # no Sentinel, no other master
            if master != self._link.address:
                self._link.drop(f"{master} is the master now")


class Sentinels:
    def __init__(self, options: Options) -> None:
        self._options = options

    async def master(self) -> Address:
        """Raises ``OSError`` or ``RedisError`` unless it is there and a master indeed."""
        address = await self.ask()
        connection = await open_connection(lambda: Commands(_ignored), address, self._options.tls)
        try:
            if greeting := self._options.credentials.command():
                await connection.call(*greeting)
            role = await connection.call("ROLE")
        finally:
            connection.abort(ConnectionError("done"))
        if role[0] != b"master":
            raise ConnectionError(f"{address} is not a master yet")
        return address

    async def ask(self) -> Address:
        """What the first Sentinel that answers says. Raises ``OSError``."""
        reasons: list[str] = []
        for sentinel in random.sample(self._options.hosts, len(self._options.hosts)):
            try:
                return await self._ask_one(sentinel)
            except (OSError, RedisError) as error:
                reasons.append(f"{sentinel}: {reason(error)}")
        raise ConnectionError(f"no Sentinel knows {self._options.service!r}: {'; '.join(reasons)}")

    async def _ask_one(self, sentinel: Address) -> Address:
        connection = await open_connection(lambda: Commands(_ignored), sentinel, self._options.tls)
        try:
            async with asyncio.timeout(2.0):
                if greeting := self._options.sentinel_credentials.command():
                    await connection.call(*greeting)
                answer = await connection.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._options.service)
        finally:
            connection.abort(ConnectionError("done"))
        if answer is None:
            raise ConnectionError("unknown service")
        return Address(answer[0].decode(), int(answer[1]))


def _ignored(_: RedisError) -> None:
    """Every answer on these connections is waited for."""
