"""Nodes of `kanal realtime` that go away, and a Redis that does, under load. # F-RT-08, F-RT-09

`make chaos` runs them with 5,000 clients; beside the other tests there are fewer.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from kanal.realtime.server import raise_descriptor_limit
from tests.chaos.swarm import PATIENCE, Swarm, swarming
from tests.realtime.api.caller import sign
from tests.realtime.harness import APP, until
from tests.support.kanal_process import KanalProcess
from tests.support.services import Server

CLIENTS = int(os.environ.get("CHAOS_CLIENTS", "500"))
WINDOW = 5  # seconds over which a node sends its clients away
AT_MOST = 500  # clients that a node sends away in a second, when the window has room for it
CHANNEL = "numbers"

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

StartNodes = Callable[[int], list[KanalProcess]]


@pytest.fixture
def start_nodes(redis_url: str, tmp_path: Path) -> Iterator[StartNodes]:
    """Nodes of one cluster, with an app that keeps what was said."""
    started: list[KanalProcess] = []
    app = {"id": APP.id, "key": APP.key, "secret": APP.secret, "history_events": 5_000, "history_seconds": 600}

    def start(number: int) -> list[KanalProcess]:
        for index in range(number):
            node = KanalProcess(
                tmp_path / f"node-{index}",
                "realtime",
                KANAL_NODE_ID=f"node-{index}",
                KANAL_REALTIME_APPS=json.dumps([app]),
                KANAL_REALTIME_BROKER_URL=redis_url,
                KANAL_REALTIME_PREFIX=f"chaos-{tmp_path.name}",
                KANAL_REALTIME_DRAIN_WINDOW=str(WINDOW),
            )
            started.append(node.start())
        return started

    yield start
    for node in started:
        node.kill()


class Speaker:
    """Says numbers, one after the other, to whichever node takes them."""

    def __init__(self, nodes: list[KanalProcess], http: httpx.AsyncClient) -> None:
        self._nodes = nodes
        self._http = http
        self._numbers = count()
        self.said: list[int] = []
        self.locally: set[int] = set()
        """What only the clients of the node that took it have."""

    async def say(self, node: KanalProcess | None = None) -> None:
        number = next(self._numbers)
        content = {"name": "number", "channel": CHANNEL, "data": str(number)}
        path, body = f"/apps/{APP.id}/events", json.dumps(content).encode()
        while True:
            chosen = node or self._nodes[number % len(self._nodes)]
            try:
                answer = await self._http.post(f"{chosen.url}{path}?{sign('POST', path, body)}", content=body)
            except httpx.ConnectError:  # nobody has heard it
                if node is not None:
                    raise
                await asyncio.sleep(0.05)
                self._nodes = [*self._nodes[1:], self._nodes[0]]
                continue
            assert answer.status_code == 200, answer.text
            if answer.headers.get("x-kanal-delivery") == "local":
                self.locally.add(number)
            self.said.append(number)
            return

    async def keep_saying(self, every: float, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await self.say()
            await asyncio.sleep(every)


@asynccontextmanager
async def speaker(nodes: list[KanalProcess]) -> AsyncIterator[Speaker]:
    # No connection is kept: one that a stopping node closes would leave open whether it heard the call.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=60, limits=limits) as http:
        yield Speaker(nodes, http)


@asynccontextmanager
async def talking(someone: Speaker, every: float) -> AsyncIterator[None]:
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(someone.keep_saying(every, enough))
        yield
        enough.set()  # not cancelled: a number whose answer nobody reads would have been said all the same


async def test_a_rolling_restart_of_three_nodes_loses_nobody_and_nothing(start_nodes: StartNodes) -> None:  # F-RT-09
    raise_descriptor_limit()
    nodes = start_nodes(3)
    everybody = Swarm([node.port for node in nodes], APP.key, CHANNEL, recover=True)
    async with swarming(everybody) as (swarm,), speaker(nodes) as someone:
        await swarm.grow(CLIENTS)
        await someone.say()
        await swarm.have_seen(0)
        moved: list[list[float]] = []
        async with talking(someone, every=0.5):
            for node in nodes:
                swarm.returns = []
                assert await asyncio.to_thread(node.stop) == 0
                await swarm.settled()
                moved.append(swarm.returns)
                await asyncio.to_thread(node.start)
        await someone.say()
        await swarm.have_seen(someone.said[-1])
    assert set(swarm.codes) == {4200}
    assert swarm.gaps == 0
    assert sum(len(times) for times in moved) >= CLIENTS  # each node had its share, and each was stopped
    for client in swarm.clients:
        assert client.seen == someone.said
    for times in moved:
        assert _peak(times, within=1.0) <= 2 * max(AT_MOST, len(times) / WINDOW), times


def _peak(times: list[float], within: float) -> int:
    """The most of them in any stretch of so many seconds."""
    times = sorted(times)
    return max((sum(1 for each in times[i:] if each - start <= within) for i, start in enumerate(times)), default=0)


async def test_a_redis_that_dies_under_load_costs_no_connection_and_what_is_said_here_is_heard_here(
    start_nodes: StartNodes, redis_server: Server
) -> None:  # F-RT-08
    nodes = start_nodes(2)
    here = [Swarm([node.port], APP.key, CHANNEL, recover=False) for node in nodes]
    async with swarming(*here) as swarms, speaker(nodes) as someone:
        for swarm in swarms:
            await swarm.grow(50)
        await someone.say()
        for swarm in swarms:
            await swarm.have_seen(0)
        before = [_resident(node.pid) for node in nodes]
        async with talking(someone, every=0.01):
            redis_server.kill()
            await until(lambda: len(someone.locally) >= 200, within=PATIENCE)
            redis_server.restart()
            reached = len(someone.said)
            # Each node finds its way back by itself: the last few were taken by both.
            await until(
                lambda: len(someone.said) > reached + 100 and someone.locally.isdisjoint(someone.said[-20:]),
                within=PATIENCE,
            )
        await someone.say(nodes[0])
        assert someone.said[-1] not in someone.locally
        for swarm in swarms:
            await swarm.have_seen(someone.said[-1])
    for index, swarm in enumerate(swarms):
        assert not swarm.codes
        said_here = {number for number in someone.locally if number % 2 == index}
        for client in swarm.clients:
            assert said_here <= set(client.seen)
            assert len(client.seen) == len(set(client.seen))
    assert all(_resident(node.pid) - start < 40_000 for node, start in zip(nodes, before, strict=True))


def _resident(pid: int) -> int:
    """Memory of a process in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])
