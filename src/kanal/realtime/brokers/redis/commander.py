"""Commands and scripts with an answer or ``BrokerDown``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.brokers.redis.connection import Answer, Command, OnAnswer, RedisError, settle
from kanal.realtime.brokers.redis.scripts import Script
from kanal.realtime.brokers.redis.servers import Servers
from kanal.realtime.brokers.results import COMMAND_TIMEOUT
from kanal.realtime.brokers.wire import reason

Part = str | bytes | int


class Commander:
    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def call(self, key: bytes, *command: Part) -> Any:
        """Raises ``BrokerDown``, also after ``COMMAND_TIMEOUT``: then it may have happened."""
        future = self._future()
        if not self._servers.send(key, command, partial(settle, future)):
            raise BrokerDown("not connected")
        return await self._wait(future)

    async def run(self, script: Script, keys: Sequence[bytes], *arguments: Part) -> Any:
        """Raises ``BrokerDown``."""
        future = self._future()
        if not self.send_script(script, keys, arguments, partial(settle, future)):
            raise BrokerDown("not connected")
        return await self._wait(future)

    def send_script(
        self, script: Script, keys: Sequence[bytes], arguments: Command, answer: OnAnswer | None = None
    ) -> bool:
        """False when it cannot go out. Somebody may have flushed the scripts; then it is sent once more, whole."""
        rest = (len(keys), *keys, *arguments)

        def answered(given: Answer) -> None:
            flushed = type(given) is RedisError and given.code == "NOSCRIPT"
            if flushed and self._servers.send(keys[0], ("EVAL", script.text, *rest), answer):
                return
            if answer is not None:
                answer(given)

        return self._servers.send(keys[0], ("EVALSHA", script.sha, *rest), answered)

    def _future(self) -> asyncio.Future[Answer]:
        return asyncio.get_running_loop().create_future()

    async def _wait(self, future: asyncio.Future[Answer]) -> Answer:
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                return await future
        except (RedisError, OSError) as error:
            raise BrokerDown(reason(error)) from error
