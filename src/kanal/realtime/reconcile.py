"""Presence after the broker was away."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from kanal.realtime.channels import Channel

GRACE = 10.0  # seconds in which other nodes register anew before members missing from the broker count as gone
ALONE_AFTER = 20.0  # seconds without the broker; the others have taken us off their rosters by then, and we them
_AT_ONCE = 16  # channels compared at a time


class Owner(Protocol):
    channels: dict[str, Channel]

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
            if not self._owner.channels:
                return
        self._cancel()
        self._task = asyncio.get_running_loop().create_task(self._resync())
        self._owner.spawn(self._task)

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
        for channel in list(self._owner.channels.values()):
            if channel.attendance is not None:
                channel.attendance.prune()

    async def _resync(self) -> None:
        missing = await self._pass(self._owner.channels, trust=False)
        if missing:
            await asyncio.sleep(GRACE)
            await self._pass(missing, trust=True)

    async def _pass(self, channels: Mapping[str, Channel], *, trust: bool) -> dict[str, Channel]:
        """Answers the channels in which somebody seems to be gone."""
        missing: dict[str, Channel] = {}
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def one(topic: str, channel: Channel) -> None:
            async with at_once:
                if channel.attendance is not None and await channel.attendance.resync(trust=trust):
                    missing[topic] = channel

        async with asyncio.TaskGroup() as group:
            for topic, channel in list(channels.items()):
                if channel.attendance is not None and channel.ready:
                    group.create_task(one(topic, channel))
        return missing
