"""Sentinels promote a replica: the link follows, and who is present is known again: F-RT-08."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from kanal.realtime import reconcile
from kanal.realtime.brokers import backoff, connect, wire
from kanal.realtime.brokers.base import Keep, Message
from kanal.realtime.brokers.redis import single
from kanal.realtime.publisher import Delivery, Publication
from tests.conftest import or_skip
from tests.realtime.brokers.conftest import node, subscribed
from tests.realtime.harness import APP, Client, Running, running, until
from tests.support.services import Replicated, SharedServices

ROOM = "presence-room"
KEEP = Keep(events=10, seconds=60)
SOON = 30.0  # seconds; Sentinels take a few to agree


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "GRACE", 3.0)
    monkeypatch.setattr(wire, "PING_INTERVAL", 0.5)
    monkeypatch.setattr(single, "VERIFY_INTERVAL", 0.5)
    monkeypatch.setattr(backoff, "CAP", 0.5)


@pytest.fixture
def group(shared_services: SharedServices, database_name: Callable[[], str]) -> Iterator[Replicated]:
    with or_skip():
        group = Replicated(shared_services, f"sentinel-{database_name()}")
        yield group
        for server in group.servers:
            server.stop()


@pytest.fixture
async def nodes(group: Replicated) -> AsyncIterator[tuple[Running, Running]]:
    brokers = [connect(group.url, node=name, heartbeat=0.2, node_ttl=3.0) for name in ("one", "two")]
    async with running(broker=brokers[0]) as one, running(broker=brokers[1]) as two:
        await connected(one, two)
        yield one, two


async def connected(*nodes: Running, is_: bool = True) -> None:
    await until(lambda: all(node.hub.broker.connected is is_ for node in nodes), within=SOON)


async def present(client: Client, user: str, change: str) -> None:
    assert (await client.event(f"pusher_internal:member_{change}", ROOM))["user_id"] == user


async def test_a_replica_takes_over_from_a_master_that_was_killed(
    group: Replicated, nodes: tuple[Running, Running]
) -> None:
    one, two = nodes
    near, far = await one.member(ROOM, "near"), await two.member(ROOM, "far")
    await present(near, "far", "added")
    old = group.master
    await asyncio.to_thread(old.kill)
    await connected(one, two, is_=False)
    other = await two.member(ROOM, "other")  # joins while there is no master
    await present(far, "other", "added")
    await connected(one, two)
    assert group.master is not old
    await present(near, "other", "added")
    assert await one.hub.publish([Publication(APP.id, ROOM, "e", "1")]) is Delivery.CLUSTER
    for client in (near, far):
        assert await client.event("e", ROOM) == 1
    await other.bye()
    await present(near, "other", "removed")
    await asyncio.to_thread(old.restart)  # comes back as a replica; nobody goes to it
    assert await two.hub.publish([Publication(APP.id, ROOM, "e", "2")]) is Delivery.CLUSTER
    assert await near.event("e", ROOM) == 2
    for client in (near, far, other):
        await client.drop()


async def test_a_master_that_was_frozen_and_replaced_is_left(group: Replicated) -> None:
    async with (
        node(connect(group.url, node="one")) as (one, _),
        node(connect(group.url, node="two")) as (two, heard_two),
    ):
        await subscribed(two, "1:a")
        old = group.master
        os.kill(old.pid, signal.SIGSTOP)
        await until(lambda: group.master is not old, within=SOON)
        os.kill(old.pid, signal.SIGCONT)
        await until(lambda: bool(heard_two.losses), within=SOON)
        await until(lambda: one.connected and two.connected, within=SOON)

        async def arrives() -> None:
            while not heard_two.messages:
                await one.publish([Message("1:a", b"x")])
                await asyncio.sleep(0.05)

        await asyncio.wait_for(arrives(), SOON)


async def test_a_log_that_a_replica_goes_on_with_is_another_epoch(group: Replicated) -> None:
    """It may lack events that were answered for, and would give their numbers to others."""
    async with node(connect(group.url, node="one")) as (one, _):
        await one.publish([Message("1:a", b"x", history=KEEP)])
        position = (await one.history("1:a", None, KEEP)).position
        await asyncio.to_thread(group.master.kill)
        await until(lambda: not one.connected, within=SOON)
        await until(lambda: one.connected, within=SOON)
        await one.publish([Message("1:a", b"y", history=KEEP)])
        past = await one.history("1:a", position, KEEP)
        assert (past.complete, past.events) == (False, ())
        assert past.position.endswith("-1")
