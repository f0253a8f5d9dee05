"""Redis Cluster with sharded pub/sub: one link per master, each carrying the topics whose slots that master serves.

The map of slots is asked for anew every few seconds, and at once when a server says that it has changed. While a slot
moves, and until this node has subscribed anew with its new master, events without history of that slot's topics may be
missed, as they are in a short outage; ``restored`` follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from functools import partial

import structlog

from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.redis.address import Address, Options
from kanal.realtime.brokers.redis.connection import (
    Command,
    Commands,
    OnAnswer,
    RedisError,
    open_connection,
)
from kanal.realtime.brokers.redis.link import Hooks, Link
from kanal.realtime.brokers.redis.servers import Servers
from kanal.realtime.brokers.redis.slots import SLOTS, read_map, slot_of
from kanal.realtime.brokers.redis.trips import Roads, Trip
from kanal.realtime.brokers.wire import reason
from kanal.realtime.endings import end

MAP_INTERVAL = 5.0  # seconds between looks at the map when all is well
MAP_INTERVAL_BROKEN = 0.5  # and while a server is missing
MOVE_QUIET = 1.0  # seconds without another move before rosters are compared: resharding moves slots one by one
_ASK_TIMEOUT = 2.0  # seconds

log = structlog.get_logger(__name__)


class Cluster(Servers):
    def __init__(self, options: Options, hooks: Hooks) -> None:
        super().__init__(options, hooks)
        self._links: dict[Address, Link] = {}
        self._running: dict[Link, asyncio.Task[None]] = {}
        self._owners: list[Link | None] = [None] * SLOTS
        self._names: dict[bytes, Link | None] = {}
        self._stale = asyncio.Event()
        self._confirming: list[asyncio.Future[None]] = []
        self._moves = asyncio.Event()
        self._roads = Roads(lambda: self._links, self._owner, self._stale.set, hooks.refused)

    # Topics

    def subscribe(self, name: bytes) -> asyncio.Future[None] | None:
        link = self._names[name] = self._owners[slot_of(name)]
        return None if link is None else link.subscribe(name)

    def unsubscribe(self, name: bytes) -> None:
        link = self._names.pop(name, None)
        if link is not None:
            link.unsubscribe(name)

    # Commands

    def ready(self, key: bytes) -> bool:
        owner = self._owner(key)
        return owner is not None and owner.connected

    def send(self, key: bytes, command: Command, answer: OnAnswer | None = None) -> bool:
        return Trip(self._roads, key, command, answer).start()

    def _owner(self, key: bytes) -> Link | None:
        return self._owners[slot_of(key)]

    # Life

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_map())
                group.create_task(self._supervise())
                group.create_task(self._settle_moves())
        finally:
            await end(self._running.values())

    def _whole(self) -> bool:
        return None not in self._owners and all(link.connected for link in self._links.values())

    def _link_changed(self) -> None:
        self._stale.set()
        self._changed()

    async def _keep_map(self) -> None:
        attempt = 0
        while True:
            try:
                self._apply(await self._ask())
                attempt = 0
            except (OSError, RedisError) as error:
                if attempt == 0:
                    log.warning("broker.no_map", broker="redis", error=str(error))
                self.tried.set()
                await asyncio.sleep(backoff.delay(attempt))
                attempt += 1
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAP_INTERVAL if self._whole() else MAP_INTERVAL_BROKEN):
                    await self._stale.wait()
            self._stale.clear()
            await asyncio.sleep(random.uniform(0.02, 0.1))  # a change is told by many answers at once

    async def _ask(self) -> list[Address | None]:
        """From any server that answers. Raises ``OSError`` or ``RedisError``."""
        linked = [link for link in self._links.values() if link.commands is not None]
        for link in random.sample(linked, len(linked)):
            commands, address = link.commands, link.address
            if commands is not None and address is not None:
                with contextlib.suppress(OSError, RedisError):
                    async with asyncio.timeout(_ASK_TIMEOUT):
                        return read_map(await commands.call("CLUSTER", "SLOTS"), address)
        reasons: list[str] = []
        for address in dict.fromkeys([*self._options.hosts, *self._links]):
            try:
                return await self._ask_at(address)
            except (OSError, RedisError) as error:
                reasons.append(f"{address}: {reason(error)}")
        raise ConnectionError(f"no server of the cluster answers: {'; '.join(reasons)}")

    async def _ask_at(self, address: Address) -> list[Address | None]:
        connection = await open_connection(lambda: Commands(self._hooks.refused), address, self._options.tls)
        try:
            async with asyncio.timeout(_ASK_TIMEOUT):
                if greeting := self._options.credentials.command():
                    await connection.call(*greeting)
                return read_map(await connection.call("CLUSTER", "SLOTS"), address)
        finally:
            connection.abort(ConnectionError("done"))

    def _apply(self, owners: list[Address | None]) -> None:
        masters = {owner for owner in owners if owner is not None}
        for address in masters - self._links.keys():
            self._links[address] = self._linked(address)
        gone = [self._links.pop(address) for address in self._links.keys() - masters]
        self._owners = [None if owner is None else self._links[owner] for owner in owners]
        for name, link in list(self._names.items()):
            owner = self._owners[slot_of(name)]
            if owner is not link:
                self._move(name, link, owner)
        for link in gone:
            self._running[link].cancel()
        self._changed()

    def _move(self, name: bytes, link: Link | None, owner: Link | None) -> None:
        self._names[name] = owner
        confirmed = None if owner is None else owner.subscribe(name)
        if link is None:
            return
        link.unsubscribe(name)
        self._moves.set()
        if confirmed is not None:
            self._confirming.append(confirmed)

    def _linked(self, address: Address) -> Link:
        async def resolve() -> Address:
            return address

        link = Link(
            resolve,
            self._options,
            sharded=True,
            hooks=self._hooks,
            changed=self._link_changed,
            moved=self._stale.set,
        )
        task = self._running[link] = asyncio.get_running_loop().create_task(link.run())
        task.add_done_callback(partial(self._ended, link))
        return link

    def _ended(self, link: Link, task: asyncio.Task[None]) -> None:
        del self._running[link]
        if not task.cancelled() and task.exception() is not None:
            log.error("broker.link_failed", broker="redis", exc_info=task.exception())
            self._links = {address: each for address, each in self._links.items() if each is not link}
            self._stale.set()  # makes another

    async def _settle_moves(self) -> None:
        """Topics have changed hands: once they are subscribed anew, what was missed is made up for."""
        while True:
            await self._moves.wait()
            while self._moves.is_set():
                self._moves.clear()
                await asyncio.sleep(MOVE_QUIET)
            confirming, self._confirming = self._confirming, []
            await asyncio.gather(*confirming, return_exceptions=True)
            self._missed = True
            self._change.set()
