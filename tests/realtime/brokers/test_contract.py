"""What every broker does: one suite, all implementations."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from kanal.realtime.brokers.base import Broker, Message, RosterChange
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import until

TOPIC = "1:presence-room"


class Recorder:
    """A node that only writes down what it hears."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self.changes: list[tuple[str, RosterChange]] = []
        self.restorations = 0
        self.losses = 0

    def deliver(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))

    def roster_changed(self, topic: str, change: RosterChange) -> None:
        self.changes.append((topic, change))

    def restored(self) -> None:
        self.restorations += 1

    def lost(self) -> None:
        self.losses += 1

    def users(self) -> list[tuple[str, bytes | None]]:
        return [(change.user_id, change.info) for _, change in self.changes]


@asynccontextmanager
async def node(broker: Broker) -> AsyncIterator[tuple[Broker, Recorder]]:
    recorder = Recorder()
    await broker.start(recorder)
    await until(lambda: broker.connected)
    try:
        yield broker, recorder
    finally:
        await broker.stop()


@pytest.fixture
async def cluster(new_broker: BrokerFactory) -> AsyncIterator[tuple[Broker, Recorder, Broker, Recorder]]:
    async with AsyncExitStack() as stack:
        one, heard_one = await stack.enter_async_context(node(new_broker("one")))
        two, heard_two = await stack.enter_async_context(node(new_broker("two")))
        yield one, heard_one, two, heard_two


Cluster = tuple[Broker, Recorder, Broker, Recorder]


async def subscribed(broker: Broker, topic: str) -> None:
    confirmed = broker.subscribe(topic)
    if confirmed is not None:
        await confirmed


async def test_a_node_restores_once_when_it_starts(cluster: Cluster) -> None:
    _, heard_one, _, heard_two = cluster
    assert (heard_one.restorations, heard_two.restorations) == (1, 1)


async def test_a_subscriber_hears_other_nodes_in_order_and_never_itself(cluster: Cluster) -> None:  # F-RT-08
    one, heard_one, two, heard_two = cluster
    await subscribed(one, TOPIC)
    await subscribed(two, TOPIC)
    for number in range(100):
        if number % 2:
            one.post([Message(TOPIC, b"%d" % number)])
        else:
            assert await one.publish([Message(TOPIC, b"%d" % number)])
    await until(lambda: len(heard_two.messages) == 100)
    assert heard_two.messages == [(TOPIC, b"%d" % number) for number in range(100)]
    assert heard_one.messages == []


async def test_only_subscribed_topics_are_heard(cluster: Cluster) -> None:
    one, _, two, heard_two = cluster
    await subscribed(two, "1:a")
    await subscribed(two, "1:b")
    two.unsubscribe("1:a")
    await one.publish([Message("1:a", b"no"), Message("1:c", b"no"), Message("1:b", b"yes")])
    await until(lambda: bool(heard_two.messages))
    await asyncio.sleep(0.05)
    assert heard_two.messages[-1] == ("1:b", b"yes")
    assert ("1:c", b"no") not in heard_two.messages


async def test_unsubscribing_and_subscribing_again_hears_what_comes_after(cluster: Cluster) -> None:
    one, _, two, heard_two = cluster
    for _ in range(20):
        await subscribed(two, TOPIC)
        two.unsubscribe(TOPIC)
    await subscribed(two, TOPIC)
    await one.publish([Message(TOPIC, b"now")])
    await until(lambda: (TOPIC, b"now") in heard_two.messages)


async def test_payloads_are_any_bytes(cluster: Cluster) -> None:
    one, _, two, heard_two = cluster
    await subscribed(two, TOPIC)
    payload = bytes(range(256)) + b"\r\n\n=+-" + "東京".encode()
    await one.publish([Message(TOPIC, payload)])
    await until(lambda: heard_two.messages == [(TOPIC, payload)])


async def test_the_last_retained_message_is_there_for_every_node_until_it_expires(cluster: Cluster) -> None:
    one, _, two, _ = cluster
    assert await two.retained(TOPIC) is None
    await one.publish([Message(TOPIC, b"first", retain=60), Message(TOPIC, b"last", retain=0.3), Message(TOPIC, b"x")])
    kept = await two.retained(TOPIC)
    assert kept is not None
    assert kept.payload == b"last"
    assert 0 < kept.expires_in <= 0.3
    await asyncio.sleep(0.35)
    assert await two.retained(TOPIC) is None


class TestRosters:
    async def test_first_and_last_node_of_a_user_announce_and_nobody_between(self, cluster: Cluster) -> None:  # F-RT-02
        one, heard_one, two, heard_two = cluster
        await subscribed(one, TOPIC)
        await subscribed(two, TOPIC)
        await one.update_roster(TOPIC, {"ayu": b'{"n":1}'}, [], 10)
        await two.update_roster(TOPIC, {"ayu": b'{"n":2}'}, [], 10)
        await one.update_roster(TOPIC, {}, ["ayu"], 10)
        await two.update_roster(TOPIC, {}, ["ayu"], 10)
        for heard in (heard_one, heard_two):
            await until(lambda heard=heard: len(heard.changes) == 2)  # type: ignore[misc]
            assert heard.users() == [("ayu", b'{"n":1}'), ("ayu", None)]

    async def test_versions_grow_also_when_a_roster_is_made_anew(self, cluster: Cluster) -> None:
        one, heard_one, _, _ = cluster
        await subscribed(one, TOPIC)
        for _ in range(3):
            await one.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)
            await one.update_roster(TOPIC, {}, ["ayu"], 10)
        await until(lambda: len(heard_one.changes) == 6)
        versions = [change.version for _, change in heard_one.changes]
        assert versions == sorted(set(versions))

    async def test_the_roster_tells_members_and_those_of_this_node(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        update = await one.update_roster(TOPIC, {"ayu": b'{"n":"\xe6\x9d\xb1\\n"}', "budi": b"{}"}, [], 10)
        await two.update_roster(TOPIC, {"budi": b"{}", "citra": b"{}"}, [], 10)
        roster = await two.roster(TOPIC)
        assert dict(roster.members) == {"ayu": b'{"n":"\xe6\x9d\xb1\\n"}', "budi": b"{}", "citra": b"{}"}
        assert roster.own == {"budi", "citra"}
        assert roster.version > update.version

    async def test_updates_are_idempotent(self, cluster: Cluster) -> None:
        one, heard_one, _, _ = cluster
        await subscribed(one, TOPIC)
        for _ in range(3):
            await one.update_roster(TOPIC, {"ayu": b"{}"}, ["nobody"], 10)
        for _ in range(3):
            await one.update_roster(TOPIC, {}, ["ayu"], 10)
        await asyncio.sleep(0.05)
        assert heard_one.users() == [("ayu", b"{}"), ("ayu", None)]
        assert (await one.roster(TOPIC)).members == {}

    async def test_there_is_room_for_so_many_users_over_all_nodes(self, cluster: Cluster) -> None:
        one, _, two, _ = cluster
        assert not (await one.update_roster(TOPIC, {"ayu": b"{}", "budi": b"{}"}, [], 2)).refused
        assert (await two.update_roster(TOPIC, {"ayu": b"{}", "citra": b"{}"}, [], 2)).refused == {"citra"}
        assert not (await one.update_roster(TOPIC, {"dewi": b"{}"}, ["budi"], 2)).refused

    async def test_concurrent_joins_announce_once(self, cluster: Cluster) -> None:
        one, heard_one, two, _ = cluster
        await subscribed(one, TOPIC)
        users = {f"user-{number}": b"{}" for number in range(20)}
        await asyncio.gather(*(broker.update_roster(TOPIC, users, [], 100) for broker in (one, two) for _ in range(5)))
        await until(lambda: len(heard_one.changes) >= 20)
        await asyncio.sleep(0.05)
        assert sorted(user for user, _ in heard_one.users()) == sorted(users)

    async def test_a_node_that_stops_takes_its_users_along(self, cluster: Cluster, new_broker: BrokerFactory) -> None:
        one, heard_one, _, _ = cluster
        await subscribed(one, TOPIC)
        async with node(new_broker("three")) as (three, _):
            await three.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)
        await until(lambda: heard_one.users() == [("ayu", b"{}"), ("ayu", None)])
