"""What the nodes know of each other after the broker was away: presence, and how many are subscribed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.base import Broker, BrokerDown
from kanal.realtime.channels import Channel
from kanal.realtime.presence import Attendance
from kanal.realtime.tally import Tally

GRACE = 10.0  # seconds in which other nodes register anew before members missing from the broker count as gone
ALONE_AFTER = 20.0  # seconds without the broker; the others have taken us off their rosters by then, and we them
_AT_ONCE = 16  # rosters compared at a time


class Owner(Protocol):
    broker: Broker
    channels: dict[str, Channel]
    rosters: dict[str, Attendance]

    def spawn(self, task: asyncio.Task[None]) -> None: ...


class Reconciler:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._alone: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._first = True

    def lost(self) -> None:
        self._cancel()
        self._alone = asyncio.get_running_loop().call_later(ALONE_AFTER, self._prune)

    def restored(self) -> None:
        if self._first:  # nobody can have been told anything yet
            self._first = False
            if not self._owner.channels and not self._owner.rosters:
                return
        self._cancel()
        for attendance in self._owner.rosters.values():
            attendance.restored()
        self._task = asyncio.get_running_loop().create_task(self._resync())
        self._owner.spawn(self._task)

    def node_gone(self, name: bytes) -> None:
        """A node has died or stopped. Rosters are cleared of it by the broker; counts are the nodes' own affair."""
        for tally in self._tallies():
            tally.node_gone(name.decode())

    def stop(self) -> None:
        self._cancel()

    def _cancel(self) -> None:
        if self._alone is not None:
            self._alone.cancel()
            self._alone = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _prune(self) -> None:
        for attendance in list(self._owner.rosters.values()):
            attendance.prune()
        for tally in self._tallies():
            tally.drop_others()

    async def _resync(self) -> None:
        asked = self._tallies()
        for tally in asked:
            tally.ask()
        missing = await self._pass(self._owner.rosters, trust=False)
        if missing or asked:
            await asyncio.sleep(GRACE)
            for tally in asked:
                tally.drop_silent()
            await self._pass(missing, trust=True)

    def _tallies(self) -> list[Tally]:
        return [channel.tally for channel in self._owner.channels.values() if channel.ready and channel.tally]

    async def _pass(self, rosters: Mapping[str, Attendance], *, trust: bool) -> dict[str, Attendance]:
        """Answers those from which somebody seems to be gone."""
        missing: dict[str, Attendance] = {}
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def one(topic: str, attendance: Attendance) -> None:
            async with at_once:
                if await self._persist(attendance, trust=trust):
                    missing[topic] = attendance

        async with asyncio.TaskGroup() as group:
            for topic, attendance in list(rosters.items()):
                group.create_task(one(topic, attendance))
        return missing

    async def _persist(self, attendance: Attendance, *, trust: bool) -> bool:
        """A command may fail though the link stands; when the link is lost, coming back starts all of this anew."""
        attempt = 0
        while self._owner.broker.connected:
            try:
                return await attendance.resync(trust=trust)
            except BrokerDown:
                await asyncio.sleep(backoff.delay(attempt))
                attempt += 1
        return False
