"""How long an answer may take, and whether several have been good."""

from __future__ import annotations

import asyncio

COMMAND_TIMEOUT = 2.0  # seconds


class Results:
    """The answers to several commands: whether all have succeeded."""

    def __init__(self, number: int) -> None:
        self._missing = number
        self._good = True
        self._future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not number:
            self._future.set_result(True)

    def __call__(self, answer: object) -> None:
        if isinstance(answer, Exception):
            self._good = False
        self._missing -= 1
        if not self._missing and not self._future.done():
            self._future.set_result(self._good)

    def fail(self) -> None:
        self(ConnectionError("not sent"))

    async def wait(self) -> bool:
        try:
            async with asyncio.timeout(COMMAND_TIMEOUT):
                return await self._future
        except TimeoutError:
            return False
