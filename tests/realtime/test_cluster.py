"""Nodes as processes: one is killed, one is frozen, one stops in order."""

import asyncio
import inspect
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from kanal.realtime.brokers.redis import RedisBroker
from tests.realtime.harness import Client, hang_up
from tests.realtime.node_control import Node
from tests.realtime.node_process import COUNTED

ROOM = "presence-room"


@pytest.fixture
async def start(redis_url: str) -> AsyncIterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(name: str) -> Node:
        nodes.append(Node(broker=redis_url, node=name))
        return nodes[-1]  # starts side by side with the others

    yield make
    await hang_up()
    for node in nodes:
        await asyncio.to_thread(node.stop)


async def member(node: Node, user: str) -> Client:
    client = await Client.open(node.port)
    await client.subscribe(ROOM, {"user_id": user})
    return client


async def test_members_of_a_killed_node_leave_within_30_seconds_and_once(start: Callable[..., Node]) -> None:  # F-RT-02
    """The nodes here beat faster than by default: 4 + 0.5 s here are 15 + 5 s there."""
    default = inspect.signature(RedisBroker).parameters
    assert default["node_ttl"].default + default["heartbeat"].default < 30.0
    one, two, three = start("one"), start("two"), start("three")
    watchers = [await member(one, "watcher"), await member(three, "watcher")]
    victims = [await member(two, user) for user in ("ayu", "budi", "watcher")]
    for watcher in watchers:
        for user in ("ayu", "budi"):
            assert (await watcher.event("pusher_internal:member_added", ROOM))["user_id"] == user
    two.kill()
    async with asyncio.timeout(30.0):
        for watcher in watchers:
            gone = {(await watcher.event("pusher_internal:member_removed", ROOM))["user_id"] for _ in range(2)}
            assert gone == {"ayu", "budi"}
    await asyncio.sleep(1.0)
    for watcher in watchers:
        await watcher.quiet()
    late = await member(one, "late")
    del late, victims


async def test_a_killed_node_is_no_longer_counted(start: Callable[..., Node]) -> None:
    async def counts(client: Client, expected: int) -> None:
        while (await client.event("pusher_internal:subscription_count", "news"))["subscription_count"] != expected:
            continue

    one, two = start("one"), start("two")
    clients = [await Client.open(node.port, COUNTED) for node in (one, two)]
    for client in clients:
        await client.subscribe("news")
    await counts(clients[0], 2)
    two.kill()
    await counts(clients[0], 1)


async def test_a_node_that_was_frozen_comes_back_with_its_members(start: Callable[..., Node]) -> None:
    one, two = start("one"), start("two")
    watcher = await member(one, "watcher")
    sleeper = await member(two, "ayu")
    await watcher.event("pusher_internal:member_added", ROOM)
    os.kill(two.process.pid, signal.SIGSTOP)
    await watcher.event("pusher_internal:member_removed", ROOM)
    os.kill(two.process.pid, signal.SIGCONT)
    assert (await watcher.event("pusher_internal:member_added", ROOM))["user_id"] == "ayu"
    await sleeper.quiet()
    assert set((await (await Client.open(two.port)).subscribe(ROOM, {"user_id": "late"}))["presence"]["ids"]) == {
        "watcher",
        "ayu",
        "late",
    }


async def test_a_node_that_stops_in_order_sends_its_clients_away_and_its_members_leave_at_once(
    start: Callable[..., Node],
) -> None:  # F-RT-09
    one, two = start("one"), start("two")
    watcher = await member(one, "watcher")
    leaver = await member(two, "ayu")
    await watcher.event("pusher_internal:member_added", ROOM)
    stopping = asyncio.create_task(asyncio.to_thread(two.stop))
    assert (await leaver.event("pusher:error"))["code"] == 4200
    assert await leaver.closed() == 4200
    await leaver.drop()
    await watcher.event("pusher_internal:member_removed", ROOM)
    await stopping
    assert two.process.returncode == 0
