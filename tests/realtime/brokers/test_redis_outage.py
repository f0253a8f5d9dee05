"""Redis goes away and comes back: F-RT-08."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator

import pytest

from kanal.realtime import reconcile
from kanal.realtime.brokers import backoff, wire
from kanal.realtime.brokers.backoff import FIRST, delay
from kanal.realtime.brokers.redis import RedisBroker, commander
from kanal.realtime.publisher import Delivery, Publication
from tests.realtime.harness import APP, Client, Running, running, until
from tests.support.services import Redis, Server

ROOM = "presence-room"
Nodes = tuple[Running, Running]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reactions, sooner; in the same proportions, with room for a machine that stalls."""
    monkeypatch.setattr(reconcile, "GRACE", 3.0)
    monkeypatch.setattr(wire, "PING_INTERVAL", 0.5)
    monkeypatch.setattr(commander, "COMMAND_TIMEOUT", 2.0)
    monkeypatch.setattr(backoff, "CAP", 0.5)


@pytest.fixture
async def nodes(redis_server: Server) -> AsyncIterator[Nodes]:
    if not redis_server.alive:
        redis_server.restart()
    url = Redis.url(redis_server)
    brokers = [RedisBroker(url, node=name, prefix="outage", heartbeat=0.2, node_ttl=15.0) for name in ("one", "two")]
    async with running(broker=brokers[0]) as one, running(broker=brokers[1]) as two:
        yield one, two


def publication(number: int, channel: str = ROOM) -> Publication:
    return Publication(APP.id, channel, "e", json.dumps(number))


async def connected(*nodes: Running, is_: bool = True) -> None:
    await until(lambda: all(node.hub.broker.connected is is_ for node in nodes))


async def presences(client: Client, count: int) -> list[tuple[str, str]]:
    told = []
    for _ in range(count):
        message = await client.next()
        told.append((message["event"].removeprefix("pusher_internal:member_"), json.loads(message["data"])["user_id"]))
    return sorted(told)


async def test_local_delivery_goes_on_and_publishing_says_so(nodes: Nodes, redis_server: Server) -> None:
    one, two = nodes
    async with await one.member(ROOM, "ayu") as ayu, await one.client() as budi, await two.client() as far:
        await far.subscribe("private-a")
        assert await one.hub.publish([publication(0)]) is Delivery.CLUSTER
        await ayu.event("e", ROOM)
        await asyncio.to_thread(redis_server.kill)
        await connected(one, two, is_=False)
        assert await one.hub.publish([publication(1), publication(1, "private-a")]) is Delivery.LOCAL_ONLY
        assert await ayu.event("e", ROOM) == 1
        await budi.subscribe("private-b")
        await budi.subscribe("private-cache-b")
        assert (await budi.next())["event"] == "pusher:cache_miss"
        assert set((await budi.subscribe(ROOM, {"user_id": "budi"}))["presence"]["ids"]) == {"ayu", "budi"}
        assert await presences(ayu, 1) == [("added", "budi")]
        budi.send("client-a", {}, ROOM)
        await ayu.event("client-a", ROOM)
        assert not one.hub.stats().broker_connected
        await asyncio.to_thread(redis_server.restart)
        await connected(one, two)
        assert await one.hub.publish([publication(2, "private-a")]) is Delivery.CLUSTER
        assert await far.event("e", "private-a") == 2


async def test_subscriptions_and_presence_are_whole_again_when_redis_lost_everything(
    nodes: Nodes, redis_server: Server
) -> None:
    one, two = nodes
    near, far = await one.member(ROOM, "near"), await two.member(ROOM, "far")
    assert await presences(near, 1) == [("added", "far")]
    await asyncio.to_thread(redis_server.kill)
    await connected(one, two, is_=False)
    new_near, new_far = await one.member(ROOM, "new-near"), await two.member(ROOM, "new-far")
    await presences(near, 1)
    await presences(far, 1)
    await asyncio.to_thread(redis_server.restart)
    await connected(one, two)
    assert await presences(near, 1) == [("added", "new-far")]
    assert await presences(far, 1) == [("added", "new-near")]
    await asyncio.sleep(reconcile.GRACE + 0.5)  # nobody is taken for gone
    everybody = {"near", "far", "new-near", "new-far"}
    for node in nodes:
        async with await node.client() as late:
            data = await late.subscribe(ROOM, {"user_id": "near"})
            assert set(data["presence"]["ids"]) == everybody
    for client in (near, far, new_near, new_far):
        await client.quiet() if client in {near, far} else None
    await two.hub.publish([publication(5)])
    for client in (near, far):
        assert await client.event("e", ROOM) == 5
    for client in (near, far, new_near, new_far):
        await client.drop()


async def test_who_left_during_the_outage_is_gone_after_it(nodes: Nodes, redis_server: Server) -> None:
    one, two = nodes
    near, far = await one.member(ROOM, "near"), await two.member(ROOM, "far")
    await presences(near, 1)
    leaver = await two.member(ROOM, "leaver")
    await presences(near, 1)
    await presences(far, 1)
    alone = await two.member("presence-other", "leaver")  # its whole channel goes while nobody can be told
    watcher = await one.member("presence-other", "watcher")
    await asyncio.to_thread(redis_server._signal, signal.SIGSTOP)
    await connected(one, two, is_=False)
    await leaver.bye()
    await alone.bye()
    await asyncio.sleep(0.5)
    os.kill(redis_server.pid, signal.SIGCONT)
    await connected(one, two)
    assert await presences(near, 1) == [("removed", "leaver")]
    assert await presences(far, 1) == [("removed", "leaver")]
    assert await presences(watcher, 1) == [("removed", "leaver")]
    for client in (near, far, watcher):
        await client.quiet()
        await client.drop()


async def test_a_long_outage_leaves_only_the_nodes_own_members(
    nodes: Nodes, redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "ALONE_AFTER", 0.5)
    one, two = nodes
    near, far = await one.member(ROOM, "near"), await two.member(ROOM, "far")
    await presences(near, 1)
    await asyncio.to_thread(redis_server.kill)
    assert await presences(near, 1) == [("removed", "far")]
    assert await presences(far, 1) == [("removed", "near")]
    await asyncio.to_thread(redis_server.restart)
    await connected(one, two)
    assert await presences(near, 1) == [("added", "far")]
    assert await presences(far, 1) == [("added", "near")]
    await near.drop()
    await far.drop()


async def test_nothing_piles_up_while_redis_is_away(nodes: Nodes, redis_server: Server) -> None:
    one, _ = nodes
    await asyncio.to_thread(redis_server.kill)
    await connected(one, is_=False)
    for _ in range(200):
        async with await one.client() as client:
            await client.subscribe("private-a")
            client.send("client-a", "x" * 10_000, "private-a")
            await client.quiet()
        await one.hub.publish([publication(1)])
    await until(lambda: not one.hub.channels)
    await asyncio.to_thread(redis_server.restart)


async def test_a_node_that_starts_without_redis_serves_and_joins_later(redis_server: Server) -> None:
    url = Redis.url(redis_server)
    if redis_server.alive:
        await asyncio.to_thread(redis_server.kill)
    async with (
        running(broker=RedisBroker(url, node="early", prefix="outage")) as node,
        await node.member(ROOM, "ayu") as ayu,
    ):
        assert await node.hub.publish([publication(1)]) is Delivery.LOCAL_ONLY
        await ayu.event("e", ROOM)
        await asyncio.to_thread(redis_server.restart)
        await connected(node)
        async with (
            running(broker=RedisBroker(url, node="late", prefix="outage")) as late,
            await late.member(ROOM, "budi") as budi,
        ):
            assert await presences(ayu, 1) == [("added", "budi")]
            await node.hub.publish([publication(2)])
            assert await budi.event("e", ROOM) == 2


async def test_a_foreign_message_on_our_channels_does_no_harm(nodes: Nodes, redis_server: Server) -> None:
    import redis.asyncio as aioredis

    one, two = nodes
    async with await one.member(ROOM, "ayu") as ayu, aioredis.Redis.from_url(Redis.url(redis_server)) as stranger:
        for topic in (f"{APP.id}:{ROOM}", "#control"):
            for payload in (b"", b"=", b"+x\n", b"-\xff", b"=x\n{", b"=x\ns\xff\n\xff", b"?" * 10):
                await stranger.publish(f"outage:topic:{{{topic}}}", payload)
        await two.hub.publish([publication(9)])
        while (message := await ayu.next())["event"] != "e":
            pass
        assert json.loads(message["data"]) == 9


def test_the_wait_between_attempts_doubles_up_to_five_seconds_and_half_of_it_is_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()  # as it is by default
    assert backoff.CAP == 5.0
    for attempt in range(30):
        full = min(backoff.CAP, FIRST * 2**attempt)
        waits = {delay(attempt) for _ in range(50)}
        assert all(full / 2 <= wait <= full for wait in waits)
        assert len(waits) > 1
