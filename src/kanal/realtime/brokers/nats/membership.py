"""Which nodes are alive, what each stands in, and who clears away after the dead; and the census, one message per name.

A node's heartbeat is a message in a stream that forgets it in time; its entry in the state stream says that it should have
one. What it stands in is listed there before it is joined.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

import structlog

from kanal.realtime.brokers.base import BrokerDown, CensusUpdate, Sink
from kanal.realtime.brokers.burials import Burials
from kanal.realtime.brokers.nats.jetstream import Conflict, Edit, JetStream, Stored
from kanal.realtime.brokers.nats.names import Names, text_of
from kanal.realtime.brokers.nats.rosters import Rosters

_AT_ONCE = 64  # requests under way together

log = structlog.get_logger(__name__)


class Membership:
    def __init__(
        self,
        node: str,
        *,
        jetstream: JetStream,
        names: Names,
        rosters: Rosters,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._node = node
        self._jetstream = jetstream
        self._names = names
        self._rosters = rosters
        self._spawn = spawn
        self._listed: dict[tuple[str, ...], int] = {}
        self._burials = Burials(node)
        self._burying: set[str] = set()
        self.sink: Sink | None = None

    def forget(self) -> None:
        self._listed.clear()

    async def join(self, *what: str) -> None:
        """``r`` and a topic, or ``c``, an app's id and a name. Raises ``BrokerDown``."""
        if what not in self._listed:
            self._listed[what] = await self._jetstream.put(self._names.held(self._node, *what), b"")

    async def leave(self, *what: str) -> None:
        """An entry that was made anew meanwhile has a higher sequence and stays."""
        sequence = self._listed.pop(what, None)
        if sequence is not None:
            await self._jetstream.purge(self._names.state, self._names.held(self._node, *what), sequence + 1)

    def listed(self, *what: str) -> bool:
        return what in self._listed

    # Life and death

    async def alive(self) -> list[str]:
        subjects = await self._jetstream.subjects(self._names.alive, f"{self._names.prefix}.alive.*")
        return [_last_token(subject) for subject in subjects]

    async def beat(self) -> tuple[bool, float]:
        """Whether the others still know us, and by how many seconds the server's clock is ahead of ours."""
        before = time.time()
        await self._jetstream.put(self._names.heartbeat(self._node), b"")
        beaten = await self._jetstream.last(self._names.alive, self._names.heartbeat(self._node))
        skew = 0.0 if beaten is None else beaten.seconds - before
        pattern = f"{self._names.prefix}.member.*"
        members = {_last_token(subject) for subject in await self._jetstream.subjects(self._names.state, pattern)}
        known = self._node in members
        if not known:
            await self._jetstream.put(self._names.member(self._node), b"here")
        alive = await self.alive()
        for node in self._burials.due(members - {self._node, *alive}, alive):
            if node not in self._burying:
                self._burying.add(node)
                self._spawn(self._bury_dead(node))
        return known, skew

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
        held = await self.standing_in(node)
        await self._all(self._rosters.take_off(what[1], node) for what in held if what[0] == "r")
        names: dict[str, list[str]] = {}
        for what in held:
            if what[0] == "c":
                names.setdefault(what[1], []).append(what[2])
        for app_id, some in names.items():
            last = await self._census(app_id, some, node, joining=False)
            if last and self.sink is not None:
                self.sink.census_left(app_id, last)
        await self._jetstream.purge(self._names.state, f"{self._names.held(node)}.>")
        await self._jetstream.purge(self._names.alive, self._names.heartbeat(node))
        return await self._strike(node)

    async def _strike(self, node: str) -> bool:
        subject = self._names.member(node)
        stored = await self._jetstream.last(self._names.state, subject)
        if stored is None:
            return False
        try:
            sequence = await self._jetstream.put(subject, b"", expected=stored.sequence)
        except Conflict:
            return False
        await self._jetstream.purge(self._names.state, subject, sequence + 1)
        return bool(stored.data)

    async def standing_in(self, node: str) -> list[tuple[str, ...]]:
        subjects = await self._jetstream.subjects(self._names.state, f"{self._names.held(node)}.>")
        skip = self._names.held(node).count(".") + 1
        return [tuple(text_of(each) for each in subject.split(".")[skip:]) for subject in subjects]

    # The census

    async def update_census(self, app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        last = await self._census(app_id, leaves, self._node, joining=False)
        await self._all(self.leave("c", app_id, name) for name in leaves)
        await self._all(self.join("c", app_id, name) for name in joins)
        first = await self._census(app_id, joins, self._node, joining=True)
        return CensusUpdate(tuple(first), tuple(last))

    async def _census(self, app_id: str, names: Sequence[str], node: str, *, joining: bool) -> list[str]:
        """The names that changed between nobody and somebody."""
        turned: list[str] = []

        async def one(name: str) -> None:
            turns = False

            def edit(stored: Stored | None) -> Edit | None:
                nonlocal turns
                holders = stored.data.decode().split(",") if stored is not None and stored.data else []
                if (node in holders) is joining:
                    turns = False
                    return None
                turns = not holders if joining else len(holders) == 1
                left = [*holders, node] if joining else [holder for holder in holders if holder != node]
                return Edit(",".join(left).encode(), {}, _nothing)

            subject = self._names.census(app_id, name)
            await self._jetstream.change(self._names.state, subject, edit, unread=joining)
            if turns:
                turned.append(name)

        await self._all(one(name) for name in names)
        return turned

    async def _all(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def limited(one: Coroutine[Any, Any, None]) -> None:
            async with at_once:
                await one

        await asyncio.gather(*(limited(one) for one in work))


def _last_token(subject: str) -> str:
    return text_of(subject.rpartition(".")[2])


def _nothing(_: int) -> None:
    """Who is first or last is known before it is written."""
