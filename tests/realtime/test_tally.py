"""Subscription counts: what clients and observers are told of them, over each broker."""

import asyncio
from typing import Any

import pytest

from kanal.realtime import tally
from kanal.realtime.apps import App, Webhook
from kanal.realtime.brokers.memory import MemoryBroker
from kanal.realtime.brokers.memory_bus import MemoryBus
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import Client, Running, running, until
from tests.realtime.onlooker import Onlooker

COUNTED = App(
    id="2", key="counted", secret="s", subscription_counts=True, webhooks=(Webhook(url="http://127.0.0.1:9/"),)
)
Nodes = tuple[Running, Running]


@pytest.fixture
async def nodes(new_broker: BrokerFactory) -> Any:
    async with (
        running(COUNTED, broker=new_broker("one")) as one,
        running(COUNTED, broker=new_broker("two")) as two,
    ):
        yield one, two


async def count(client: Client, channel: str = "news") -> int:
    data = await client.event("pusher_internal:subscription_count", channel)
    number: int = data["subscription_count"]
    return number


async def reaches(client: Client, expected: int, channel: str = "news") -> None:
    """Counts come as they change; between nodes several changes may be told as one."""
    while await count(client, channel) != expected:
        continue
    await client.quiet()


async def member(node: Running, channel: str = "news") -> Client:
    client = await node.client(COUNTED)
    await client.subscribe(channel)
    return client


@pytest.mark.parametrize("channel", ["news", "private-news", "private-encrypted-news"])
async def test_every_subscriber_hears_every_change(nodes: Nodes, channel: str) -> None:
    one, two = nodes
    first = await member(one, channel)
    assert await count(first, channel) == 1
    second = await member(one, channel)
    assert await count(first, channel) == await count(second, channel) == 2
    third = await member(two, channel)
    for client in (first, second, third):
        await reaches(client, 3, channel)
    second.send("pusher:unsubscribe", {"channel": channel})
    for client in (first, third):
        await reaches(client, 2, channel)
    await second.quiet()
    await third.drop()
    await reaches(first, 1, channel)


async def test_presence_and_server_to_user_channels_are_not_counted(nodes: Nodes) -> None:
    async with await nodes[0].client(COUNTED) as client:
        await client.subscribe("presence-a", {"user_id": "1"})
        await client.quiet()


async def test_the_count_comes_after_what_a_cache_channel_remembers(nodes: Nodes) -> None:
    async with await nodes[0].client(COUNTED) as client:
        await client.subscribe("cache-a")
        assert (await client.next())["event"] == "pusher:cache_miss"
        assert await count(client, "cache-a") == 1


async def test_an_app_without_the_option_sends_none(server: Running) -> None:
    async with await server.client() as client:
        await client.subscribe("news")
        await client.quiet()


async def test_one_node_tells_observers_and_the_last_to_go_says_zero(new_broker: BrokerFactory) -> None:
    async with (
        running(COUNTED, broker=new_broker("one")) as one,
        running(COUNTED, broker=new_broker("two")) as two,
    ):
        seen: list[tuple[str, int]] = []
        for node in (one, two):
            node.hub.observers.append(Onlooker(seen))
        first, second = await member(one), await member(two)
        await reaches(first, 2)
        await reaches(second, 2)
        await first.drop()
        await reaches(second, 1)
        await second.drop()
        await until(lambda: len(seen) >= 4)
        assert [number for _, number in seen] == [1, 2, 1, 0]


async def test_a_node_that_stops_takes_its_share_along(nodes: Nodes) -> None:
    one, two = nodes
    first, _ = await member(one), await member(two)
    await reaches(first, 2)
    await two.hub.stop()
    await reaches(first, 1)


async def test_above_a_hundred_it_is_told_now_and_then_and_to_newcomers_at_once(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "AT_ONCE", 2)
    monkeypatch.setattr(tally, "INTERVAL", 0.5)
    one, two = nodes
    clients = [await member(one) for _ in range(3)]
    await reaches(clients[0], 3)
    more = [await member(one) for _ in range(3)]
    assert await count(more[0]) == 4  # the newcomer need not wait
    await clients[0].quiet()  # the others do
    far = await member(two)
    assert await count(clients[0]) in {6, 7}  # in one step
    await reaches(far, 7)


class Log:
    """The host of a tally, and what it was told to say."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.observed: list[int] = []

    def tell_count(self, count: int) -> None:
        self.told.append(count)

    def observe_count(self, count: int) -> None:
        self.observed.append(count)


class Ear:
    """A node that only hears what others say of one topic."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self.log = Log()
        self.tally = tally.Tally("t", broker, self.log)

    async def start(self) -> None:
        await self.broker.start(self)
        self.broker.subscribe("t")
        await self.tally.open()

    def deliver(self, topic: str, payload: bytes, position: str | None) -> None:
        self.tally.heard(payload)

    def _ignore(self, *_: Any) -> None:
        """Not of interest here."""

    roster_changed = node_gone = census_left = restored = lost = _ignore


async def test_a_newcomer_waits_for_what_the_others_have() -> None:
    bus = MemoryBus()
    old, new = Ear(MemoryBroker("a", bus)), Ear(MemoryBroker("b", bus))
    await old.start()
    old.tally.changed(7)
    await new.start()
    new.tally.changed(1)
    await until(lambda: new.log.told == [8])
    assert old.log.told == [7, 8]
    assert old.log.observed == [7, 8]
    assert new.log.observed == []


async def test_shares_of_those_who_say_nothing_after_an_outage_are_dropped() -> None:
    bus = MemoryBus()
    ears = [Ear(MemoryBroker(name, bus)) for name in ("a", "b", "c")]
    for ear in ears:
        await ear.start()
        ear.tally.changed(1)
    a, b, c = ears
    await until(lambda: all(ear.tally.total == 3 for ear in ears))
    bus.nodes.pop("c")
    a.tally.ask()
    a.tally.drop_silent()
    assert a.tally.total == 2
    assert b.tally.total == 3
    b.tally.node_gone("c")
    assert b.tally.total == 2
    c.tally.drop_others()
    assert c.tally.total == 1
    await asyncio.sleep(0)
