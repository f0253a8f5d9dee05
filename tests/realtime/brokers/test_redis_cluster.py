"""A Redis Cluster whose slots move and whose masters die: F-RT-08."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from kanal.realtime.brokers import backoff, connect, wire
from kanal.realtime.brokers.base import Broker, Keep, Message
from kanal.realtime.brokers.redis import cluster as redis_cluster
from kanal.realtime.brokers.redis.slots import slot_of
from tests.conftest import or_skip
from tests.realtime.brokers.conftest import Recorder, node, subscribed
from tests.realtime.harness import until
from tests.support.services import Cluster, SharedServices
from tests.support.services.redis_groups import ask

KEEP = Keep(events=100, seconds=60)
SOON = 30.0  # seconds
Pair = tuple[Broker, Recorder, Broker, Recorder]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PING_INTERVAL", 0.5)
    monkeypatch.setattr(redis_cluster, "MOVE_QUIET", 0.2)
    monkeypatch.setattr(backoff, "CAP", 0.5)


@pytest.fixture(scope="module")
def servers(shared_services: SharedServices, database_name: Callable[[], str]) -> Iterator[Cluster]:
    with or_skip():
        cluster = Cluster(shared_services, f"cluster-{database_name()}")
        yield cluster
        for server in cluster.servers:
            server.stop()


@pytest.fixture
async def pair(servers: Cluster, database_name: Callable[[], str]) -> AsyncIterator[Pair]:
    prefix = database_name()
    for server in servers.servers:
        if not server.alive:  # a test has failed
            await asyncio.to_thread(server.restart)
    await asyncio.to_thread(servers.wait_until_whole)
    async with (
        node(connect(servers.url, node="one", prefix=prefix)) as (one, heard_one),
        node(connect(servers.url, node="two", prefix=prefix)) as (two, heard_two),
    ):
        yield one, heard_one, two, heard_two


def test_slots_are_those_of_the_servers(servers: Cluster) -> None:
    for key in ("kanal:roster:{1:presence-room}", "kanal:nodes", "a{}b", "{}", "a{b", "}{x}{y}", "kanal:log:{1:x}y}"):
        assert slot_of(key.encode()) == int(ask(servers.servers[0], "CLUSTER", "KEYSLOT", key))


def test_all_that_belongs_to_one_topic_lives_in_one_slot() -> None:
    from kanal.realtime.brokers.redis.names import Names

    names = Names("kanal")
    topic = "1:presence-room"
    keys = [names.channel(topic), names.last(topic), names.roster(topic), *names.log(topic)]
    assert len({slot_of(key) for key in keys}) == 1
    assert len({slot_of(key) for key in names.census("1", "node")}) == 1


async def test_topics_are_spread_over_all_masters(servers: Cluster, pair: Pair) -> None:
    _, _, two, _ = pair
    for number in range(60):
        await subscribed(two, f"1:{number}")
    for master in servers.masters():
        assert len(ask(master, "PUBSUB", "SHARDCHANNELS").split()) > 5
        assert not ask(master, "PUBSUB", "CHANNELS").split()


async def test_a_slot_that_moves_takes_its_topics_along(servers: Cluster, pair: Pair) -> None:
    one, heard_one, two, heard_two = pair
    topic = "1:presence-moving"
    slot = slot_of(f"{{{topic}}}".encode())
    await subscribed(one, topic)
    await subscribed(two, topic)
    await one.update_roster(topic, {"ayu": b"{}"}, [], 10)
    await one.publish([Message(topic, b"before", retain=60)])
    await until(lambda: heard_two.messages == [(topic, b"before")])
    for _ in range(3):
        source = servers.master_of(slot)
        target = next(master for master in servers.masters() if master is not source)
        restorations = heard_two.restorations
        await asyncio.to_thread(servers.move, slot, target)
        await until(lambda restorations=restorations: heard_two.restorations > restorations, within=SOON)  # type: ignore[misc]
        heard_two.messages.clear()
        assert await one.publish([Message(topic, b"after")])
        await until(lambda: heard_two.messages == [(topic, b"after")])
        assert (await two.roster(topic)).members == {"ayu": b"{}"}
        assert await two.retained(topic) is not None
    await two.update_roster(topic, {"budi": b"{}"}, [], 10)
    await until(lambda: heard_one.users()[-1:] == [("budi", b"{}")])
    assert not heard_two.losses


async def test_commands_find_their_way_while_a_slot_is_between_two_masters(servers: Cluster, pair: Pair) -> None:
    one, _, two, _ = pair
    topic = "1:presence-between"
    slot = slot_of(f"{{{topic}}}".encode())
    source = servers.master_of(slot)
    target = next(master for master in servers.masters() if master is not source)
    await one.update_roster(topic, {"ayu": b"{}"}, [], 10)
    for server, command, other in ((target, "IMPORTING", source), (source, "MIGRATING", target)):
        await asyncio.to_thread(ask, server, "CLUSTER", "SETSLOT", str(slot), command, servers.id_of(other))
    await two.update_roster(topic, {"budi": b"{}"}, [], 10)  # the key is still there
    assert set((await one.roster(topic)).members) == {"ayu", "budi"}
    assert await one.publish([Message(topic, b"x", retain=60)])  # this key is not there yet: ASK
    kept = await two.retained(topic)
    assert kept is not None
    assert kept.payload == b"x"
    await asyncio.to_thread(servers.move, slot, target)
    assert set((await one.roster(topic)).members) == {"ayu", "budi"}


async def test_a_replica_takes_over_from_a_master_that_was_killed(servers: Cluster, pair: Pair) -> None:
    one, heard_one, two, heard_two = pair
    topics = [f"1:{number}" for number in range(30)]
    for topic in topics:
        await subscribed(two, topic)
    victim = servers.masters()[0]
    await asyncio.to_thread(victim.kill)
    await until(lambda: not one.connected and not two.connected, within=SOON)
    sent = await asyncio.gather(*(one.publish([Message(topic, b"meanwhile")]) for topic in topics))
    assert any(sent), "the other masters go on"
    assert not all(sent)
    await until(lambda: one.connected and two.connected, within=SOON)
    heard_two.messages.clear()
    assert await one.publish([Message(topic, b"after") for topic in topics])
    await until(lambda: len(heard_two.messages) == len(topics))
    assert (heard_one.losses, heard_one.restorations) == (1, 2)
    await asyncio.to_thread(victim.restart)
    await asyncio.to_thread(servers.wait_until_whole)
    assert await one.publish([Message(topic, b"later") for topic in topics])
    await until(lambda: len(heard_two.messages) == 2 * len(topics))


async def test_a_master_that_gives_way_in_order_is_followed(servers: Cluster, pair: Pair) -> None:
    one, _, two, heard_two = pair
    topics = [f"1:{number}" for number in range(30)]
    for topic in topics:
        await subscribed(two, topic)
    replica = next(server for server in servers.servers if ask(server, "ROLE").startswith("slave"))
    await asyncio.to_thread(ask, replica, "CLUSTER", "FAILOVER")

    async def all_arrive() -> None:
        while True:
            heard_two.messages.clear()
            if await one.publish([Message(topic, b"after", history=KEEP) for topic in topics]):
                await asyncio.sleep(0.1)
                if len(heard_two.messages) == len(topics) and ask(replica, "ROLE").startswith("master"):
                    return
            await asyncio.sleep(0.05)

    await asyncio.wait_for(all_arrive(), SOON)
