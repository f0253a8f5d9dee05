"""Which nodes are alive, what each of them stands in, and who clears away after the dead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from kanal.realtime.brokers.base import BrokerDown, Sink
from kanal.realtime.brokers.burials import Burials
from kanal.realtime.brokers.redis.commander import Commander
from kanal.realtime.brokers.redis.names import Names, milliseconds
from kanal.realtime.brokers.redis.scripts import Scripts

_NAMES = 1_000  # of a census in one step; Redis does nothing else meanwhile
_AT_ONCE = 100  # rosters of a dead node that are under way together

log = structlog.get_logger(__name__)


class Membership:
    """What a node stands in is listed before it is joined: a node that dies in between leaves nothing unlisted behind."""

    def __init__(
        self,
        node: str,
        ttl: float,
        *,
        commander: Commander,
        names: Names,
        scripts: Scripts,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._node = node
        self._ttl = milliseconds(ttl)
        self._commander = commander
        self._names = names
        self._scripts = scripts
        self._spawn = spawn
        self._listed: set[str] = set()
        self._burials = Burials(node)
        self._burying: set[str] = set()
        self.sink: Sink | None = None

    async def join(self, what: str) -> None:
        """``r`` and a topic, or ``c`` and an app's id. Raises ``BrokerDown``."""
        if what not in self._listed:
            await self._commander.call(self._index, "SADD", self._index, what)
            self._listed.add(what)

    def leave(self, what: str) -> bool:
        """Whether it is listed, and so is to be taken off the list."""
        listed = what in self._listed
        self._listed.discard(what)
        return listed

    def forget(self) -> None:
        """The servers may have lost everything."""
        self._listed.clear()

    @property
    def _index(self) -> bytes:
        return self._names.index(self._node)

    async def alive(self) -> list[str]:
        nodes = await self._commander.run(self._scripts.alive, (self._names.nodes,), self._ttl)
        return [node.decode() for node in nodes]

    async def beat(self) -> bool:
        """Raises ``BrokerDown``. False when the others had taken us for dead, or this is the first time."""
        beat = self._scripts.heartbeat
        new, dead, alive = await self._commander.run(beat, (self._names.nodes,), self._node, self._ttl)
        for node in self._burials.due([each.decode() for each in dead], [each.decode() for each in alive]):
            if node not in self._burying:
                self._burying.add(node)
                self._spawn(self._bury_dead(node))
        return not new

    async def _bury_dead(self, node: str) -> None:
        try:
            log.warning("broker.node_dead", node=node)
            if await self.bury(node) and self.sink is not None:
                self.sink.node_gone(node)
        except BrokerDown as error:
            log.info("broker.bury_later", node=node, error=str(error))
        finally:
            self._burying.discard(node)

    async def bury(self, node: str) -> bool:
        """Takes a node off all it stands in, then off the list: half done, another node does it again.

        Raises ``BrokerDown``. True for the one that did the last step.
        """
        standing = await self.standing_in(node)
        for start in range(0, len(standing), _AT_ONCE):
            await asyncio.gather(*(self.take_off(node, what) for what in standing[start : start + _AT_ONCE]))
        index = self._names.index(node)
        await self._commander.call(index, "DEL", index)
        return bool(await self._commander.call(self._names.nodes, "ZREM", self._names.nodes, node))

    async def standing_in(self, node: str) -> list[str]:
        index = self._names.index(node)
        return [each.decode() for each in await self._commander.call(index, "SMEMBERS", index)]

    async def take_off(self, node: str, what: str) -> None:
        kind, name = what[:1], what[1:]
        if kind == "r":
            reap = self._scripts.reap_roster
            await self._commander.run(reap, (self._names.roster(name),), node, self._names.channel(name))
            return
        more = True
        while more:
            reap = self._scripts.reap_census
            more, left = await self._commander.run(reap, self._names.census(name, node), node, _NAMES)
            if left and self.sink is not None:
                self.sink.census_left(name, [each.decode() for each in left])
