"""One Redis or many, as the broker sees them: commands go where their key lives, topics are heard where they live."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.brokers.redis.address import Options
from kanal.realtime.brokers.redis.connection import Command, OnAnswer
from kanal.realtime.brokers.redis.link import Hooks


class Servers(ABC):
    """``connected``: all that is wanted is subscribed, on every server, and ``came_up`` has succeeded."""

    def __init__(self, options: Options, hooks: Hooks) -> None:
        self._options = options
        self._hooks = hooks
        self._change = asyncio.Event()
        self._missed = False
        self.connected = False
        self.tried = asyncio.Event()

    @abstractmethod
    def subscribe(self, name: bytes) -> asyncio.Future[None] | None: ...

    @abstractmethod
    def unsubscribe(self, name: bytes) -> None: ...

    @abstractmethod
    def ready(self, key: bytes) -> bool:
        """Whether whoever subscribes what belongs to this key hears it now."""

    @abstractmethod
    def send(self, key: bytes, command: Command, answer: OnAnswer | None = None) -> bool:
        """False when it cannot go out; ``answer`` is not called then."""

    @abstractmethod
    async def run(self) -> None:
        """Until it is cancelled."""

    @abstractmethod
    def _whole(self) -> bool:
        """Every server is there, and has confirmed everything."""

    def _changed(self) -> None:
        if self.connected and not self._whole():
            self.connected = False
            self._hooks.went_down()
        self._change.set()

    async def _supervise(self) -> None:
        attempt = 0
        while True:
            await self._change.wait()
            self._change.clear()
            if not self._whole() or (self.connected and not self._missed):
                continue
            self._missed = False
            try:
                await self._hooks.came_up()
            except BrokerDown:
                self._missed = True
                self.tried.set()
                await asyncio.sleep(backoff.delay(attempt))
                attempt += 1
                self._change.set()
                continue
            attempt = 0
            if self._whole():
                self.connected = True
                self.tried.set()
                self._hooks.restored()
