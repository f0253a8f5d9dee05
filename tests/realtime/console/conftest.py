"""Nodes with a console, and somebody who asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from kanal.realtime.brokers.base import Broker
from kanal.realtime.console.access import Access
from kanal.realtime.console.asgi import ConsoleApp
from kanal.realtime.console.figures import ChannelPage, ClusterFigures, TailBatch
from kanal.realtime.console.service import Console
from kanal.realtime.front import Front
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import Running, echo, running

TOKEN = "open-sesame-for-tests"


@dataclass
class Watched:
    """A running node, its console, and a client with the token."""

    node: Running
    console: Console
    http: httpx.AsyncClient

    async def state(self) -> ClusterFigures:
        """Never one that was kept: whoever asks twice in a test wants two answers."""
        self.console._looking = None
        return msgspec.json.decode(await self.ask("state"), type=ClusterFigures)

    async def channels(self, **asked: Any) -> ChannelPage:
        return msgspec.json.decode(await self.ask("channels", **asked), type=ChannelPage)

    async def ask(self, name: str, **asked: Any) -> bytes:
        answer = await self.http.get(f"/console/api/{name}", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.content

    @asynccontextmanager
    async def tail(self, app: str, channel: str) -> AsyncIterator[AsyncIterator[TailBatch]]:
        """Batches; the node listens when this is entered."""
        asked = {"app": app, "channel": channel}
        async with self.http.stream("GET", "/console/api/tail", params=asked, timeout=60) as answer:
            assert answer.status_code == 200
            batches = _batches(answer)
            assert await anext(batches) == TailBatch(events=[], seen=0, dropped=0)
            yield batches


async def _batches(answer: httpx.Response) -> AsyncIterator[TailBatch]:
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield msgspec.json.decode(line[6:], type=TailBatch)


@asynccontextmanager
async def watched(*apps: Any, broker: Broker | None = None, **settings: Any) -> AsyncIterator[Watched]:
    made: list[Console] = []

    def http(front: Front) -> ConsoleApp:
        made.append(Console(front.hub))
        made[0].gauge.watch(api=front.api, draining=lambda: front.draining)
        return ConsoleApp(made[0], Access(TOKEN), echo)

    async with running(*apps, broker=broker, http=http, **settings) as node:
        headers = {"authorization": f"Bearer {TOKEN}"}
        base = f"http://127.0.0.1:{node.port}"
        async with httpx.AsyncClient(base_url=base, headers=headers, trust_env=False) as client:
            yield Watched(node, made[0], client)
            made[0].close()


@pytest.fixture
async def here() -> AsyncIterator[Watched]:
    async with watched() as one:
        yield one


@pytest.fixture
async def pair(new_broker: BrokerFactory) -> AsyncIterator[tuple[Watched, Watched]]:
    """Two nodes of one cluster, over each broker in turn."""
    async with watched(broker=new_broker("one")) as one, watched(broker=new_broker("two")) as two:
        yield one, two
