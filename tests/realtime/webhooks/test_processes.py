"""`kanal realtime` as it is run: a node that is killed, one that ends in order: F-RT-05, F-RT-09."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from kanal.realtime.brokers.base import HEARTBEAT, NODE_TTL
from kanal.realtime.occupancy import LINGER
from tests.realtime.harness import APP, Client, hang_up
from tests.realtime.webhooks.receiver import Receiver
from tests.support.kanal_process import KanalProcess

ROOM = "presence-room"
LATE = 30.0  # seconds that a machine under load may take beyond what is promised

Processes = Callable[..., KanalProcess]
Start = Callable[..., KanalProcess]


@pytest.fixture
async def start(kanal_process: Processes, receiver: Receiver) -> AsyncIterator[Start]:
    """Starts nodes that tell the receiver everything."""
    app = {"id": APP.id, "key": APP.key, "secret": APP.secret, "webhooks": [{"url": receiver.url}]}

    def start(**settings: str) -> KanalProcess:
        alone = {"KANAL_SECRET_KEYS": "", "KANAL_DATA": "", "KANAL_REALTIME_APPS": json.dumps([app])}
        return kanal_process("realtime", **alone, **settings).start()

    yield start
    await hang_up()


async def member(node: KanalProcess, user: str, *channels: str) -> Client:
    client = await Client.open(node.port)
    for channel in channels:
        await client.subscribe(channel, {"user_id": user})
    return client


async def test_a_node_that_is_killed_is_told_of_by_another(start: Start, receiver: Receiver, redis_url: str) -> None:
    one, two = [
        await asyncio.to_thread(start, KANAL_REALTIME_BROKER_URL=redis_url, KANAL_NODE_ID=name)
        for name in ("one", "two")
    ]
    await member(two, "ayu", ROOM, "presence-both")
    await receiver.has(4)
    await member(one, "ayu", "presence-both")
    await asyncio.to_thread(two.kill)
    gone = [
        {"name": "member_removed", "channel": ROOM, "user_id": "ayu"},
        {"name": "channel_vacated", "channel": ROOM},
    ]
    await receiver.hears(lambda events: events[4:] == gone, within=HEARTBEAT + NODE_TTL + LATE)
    await asyncio.to_thread(one.stop)
    assert [event["name"] for event in receiver.events[6:]] == ["member_removed", "channel_vacated"]
    assert {event["channel"] for event in receiver.events[6:]} == {"presence-both"}


async def test_a_server_that_is_alone_tells_what_ends_with_it_before_it_ends(start: Start, receiver: Receiver) -> None:
    node = await asyncio.to_thread(start)
    await member(node, "ayu", ROOM)
    await receiver.has(2)
    async with httpx.AsyncClient() as client:
        figures = (await client.get(f"{node.url}/metrics")).text
    assert f'kanal_webhook_sent_total{{app="{APP.id}"}} 2.0' in figures
    assert f'kanal_webhook_waiting{{app="{APP.id}"}} 0.0' in figures
    started = asyncio.get_running_loop().time()
    await asyncio.to_thread(node.stop)
    assert [event["name"] for event in receiver.events[2:]] == ["member_removed", "channel_vacated"]
    assert asyncio.get_running_loop().time() - started < LINGER + LATE


async def test_addresses_of_the_machine_itself_can_be_forbidden(start: Start, receiver: Receiver) -> None:
    node = await asyncio.to_thread(start, KANAL_REALTIME_WEBHOOKS_PRIVATE="false")
    await member(node, "ayu", ROOM)
    async with asyncio.timeout(LATE):
        while "not on the public internet" not in node.log_tail():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)
    assert await asyncio.to_thread(node.stop) == 0
    assert receiver.requests == []
