"""Many small clients that do what pusher-js does when a node goes away, and follow one channel without a gap.

``pusher-js`` comes back at once after close code 4200, after a second for anything else. A client that finds a port closed
tries another one, as a balancer would for it.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.realtime.harness import CLOSE, PING, PONG, TEXT, frame, handshake, until

AGAIN_AFTER = 1.0  # seconds, for whoever was not told to come back at once
PATIENCE = 120.0  # seconds for thousands of clients on a busy machine


@dataclass
class Swarm:
    """What the clients have in common, and what happened to them."""

    ports: Sequence[int]
    key: str
    channel: str
    recover: bool
    returns: list[float] = field(default_factory=list)
    """When each client set out for another node."""
    codes: Counter[int] = field(default_factory=Counter)
    """Close codes; 1006 for a connection that just ended."""
    gaps: int = 0
    """Returns after which the server could not say what had been missed."""
    clients: list[Follower] = field(default_factory=list)
    closing: bool = False

    async def grow(self, count: int, at_once: int = 100) -> None:
        """Until all of them are subscribed."""
        for start in range(0, count, at_once):
            fresh = [Follower(self) for _ in range(min(at_once, count - start))]
            self.clients += fresh
            await asyncio.gather(*(each.dial() for each in fresh))
            await asyncio.gather(*(each.subscribed.wait() for each in fresh))

    async def settled(self) -> None:
        """Everybody is subscribed somewhere."""
        for each in list(self.clients):
            await each.subscribed.wait()

    async def have_seen(self, number: int) -> None:
        """Everybody has been given this event, or one after it."""
        await until(lambda: all(each.seen and each.seen[-1] >= number for each in self.clients), within=PATIENCE)

    async def close(self) -> None:
        self.closing = True
        for each in self.clients:
            each.leave()
        await until(lambda: not any(each.connected for each in self.clients))


@asynccontextmanager
async def swarming(*swarms: Swarm) -> AsyncIterator[tuple[Swarm, ...]]:
    """Whatever happens, no connection stays open."""
    try:
        yield swarms
    finally:
        for each in swarms:
            await each.close()


class Follower(asyncio.Protocol):
    """One client. ``seen`` are the numbers it was given, in their order."""

    def __init__(self, swarm: Swarm) -> None:
        self.swarm = swarm
        self.seen: list[int] = []
        self.subscribed = asyncio.Event()
        self._last: str | None = None
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self._open = False
        self._code = 1006
        self._task: asyncio.Task[None] | None = None

    async def dial(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.swarm.closing:
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", random.choice(self.swarm.ports))
            except OSError:
                await asyncio.sleep(random.uniform(0.02, 0.1))
                continue
            return

    def leave(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    @property
    def connected(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._data, self._open, self._code = b"", False, 1006
        self._write(handshake(f"/app/{self.swarm.key}?protocol=7&client=swarm&version=1"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.subscribed.clear()
        self._transport = None
        if self.swarm.closing:
            return
        self.swarm.codes[self._code] += 1
        self._task = asyncio.get_running_loop().create_task(self._return(self._code))

    async def _return(self, code: int) -> None:
        if code != 4200:
            await asyncio.sleep(AGAIN_AFTER)
        self.swarm.returns.append(time.monotonic())
        await self.dial()

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self._open, self._data = True, rest
        while (taken := self._frame()) is not None:
            self._take(*taken)

    def _frame(self) -> tuple[int, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < max(start, 4) or len(data) < start + size:
            return None
        self._data = data[start + size :]
        return data[0] & 0x0F, data[start : start + size]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self._message(json.loads(payload))
        elif opcode == PING:
            self._write(frame(PONG, payload))
        elif opcode == CLOSE:
            self._code = struct.unpack("!H", payload[:2])[0]
            self._write(frame(CLOSE, payload[:2]))
            if self._transport is not None:
                self._transport.close()

    def _message(self, message: dict[str, str]) -> None:
        match message["event"]:
            case "pusher:connection_established":
                self._subscribe()
            case "pusher_internal:subscription_succeeded":
                self._stands(json.loads(message["data"]).get("recovery"))
                self.subscribed.set()
            case "pusher:recovery":
                self._stands(json.loads(message["data"]))
            case "number":
                self.seen.append(int(message["data"]))
                self._last = message.get("id", self._last)

    def _stands(self, recovery: dict[str, str | bool] | None) -> None:
        if recovery is None:
            return
        if self._last is not None and not recovery["recovered"]:
            self.swarm.gaps += 1
        if self._last is None or not recovery["recovered"]:
            self._last = recovery["position"]  # type: ignore[assignment]

    def _subscribe(self) -> None:
        data: dict[str, str | bool] = {"channel": self.swarm.channel}
        if self.swarm.recover:
            data |= {"recover": True} if self._last is None else {"last_event_id": self._last}
        self._write(frame(TEXT, json.dumps({"event": "pusher:subscribe", "data": data}).encode()))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
