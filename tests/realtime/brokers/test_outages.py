"""Servers that go away, hang, forget, or carry what we did not write; nodes that die: F-RT-08. One suite, all engines."""

import asyncio
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from kanal.realtime.brokers import backoff, wire
from kanal.realtime.brokers.base import BrokerDown, Keep, Message
from kanal.realtime.brokers.redis import cluster as redis_cluster
from kanal.realtime.brokers.redis import single
from tests.realtime.brokers.conftest import Cluster, Recorder, node, subscribed
from tests.realtime.brokers.engines import Engine
from tests.realtime.harness import until
from tests.realtime.node_control import ROOT

TOPIC = "1:presence-room"
KEEP = Keep(events=5, seconds=60)
SOON = 30.0  # seconds; a cluster takes some to see that it is whole
TTL = 4.0  # seconds; a busy machine stalls for one or two


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reactions, sooner."""
    monkeypatch.setattr(wire, "PING_INTERVAL", 0.5)
    monkeypatch.setattr(single, "VERIFY_INTERVAL", 0.5)
    monkeypatch.setattr(redis_cluster, "MAP_INTERVAL", 0.5)
    monkeypatch.setattr(backoff, "CAP", 0.5)


@pytest.fixture
async def pair(engine: Engine, prefix: str) -> AsyncIterator[Cluster]:
    await asyncio.to_thread(engine.restart)
    async with AsyncExitStack() as stack:
        one, heard_one = await stack.enter_async_context(node(engine.broker("one", prefix, node_ttl=10)))
        two, heard_two = await stack.enter_async_context(node(engine.broker("two", prefix, node_ttl=10)))
        yield one, heard_one, two, heard_two


async def heard(recorder: Recorder, *payloads: bytes) -> None:
    await until(lambda: [payload for _, payload in recorder.messages] == list(payloads), within=SOON)


@pytest.mark.usefixtures("quick")
async def test_servers_that_were_killed_and_forgot_everything(engine: Engine, pair: Cluster) -> None:
    one, heard_one, two, heard_two = pair
    await subscribed(two, TOPIC)
    await one.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)
    assert (await one.update_census("1", ["a"], [])).first == ("a",)
    assert await one.publish([Message(TOPIC, b"before", retain=60, history=KEEP)])
    await heard(heard_two, b"before")
    position = (await two.history(TOPIC, None, KEEP)).position
    await asyncio.to_thread(engine.kill)
    await until(lambda: not one.connected and not two.connected, within=SOON)
    assert not await one.publish([Message(TOPIC, b"lost")])
    one.post([Message(TOPIC, b"lost", history=KEEP)])
    for call in (
        one.update_roster(TOPIC, {"budi": b"{}"}, [], 10),
        one.roster(TOPIC),
        one.retained(TOPIC),
        one.history(TOPIC, position, KEEP),
        one.forget_history(TOPIC),
        one.update_census("1", ["b"], []),
        one.nodes(),
    ):
        with pytest.raises(BrokerDown):
            await call
    assert one.subscribe("1:new") is None
    two.unsubscribe("1:never")
    await asyncio.to_thread(engine.restart)
    await until(lambda: one.connected and two.connected, within=SOON)
    assert (heard_one.losses, heard_one.restorations) == (heard_two.losses, heard_two.restorations) == (1, 2)
    assert (await one.roster(TOPIC)).members == {}
    assert not (await one.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)).refused
    assert (await two.update_census("1", ["a"], [])).first == ("a",)
    assert await one.retained(TOPIC) is None
    past = await two.history(TOPIC, position, KEEP)
    assert (past.complete, past.events) == (False, ())
    assert sorted(await one.nodes()) == sorted([one.node, two.node])
    assert await one.publish([Message(TOPIC, b"after")])
    assert await two.publish([Message("1:new", b"new")])
    await heard(heard_two, b"before", b"after")
    await heard(heard_one, b"new")
    await until(lambda: heard_two.users()[-1:] == [("ayu", b"{}")])


@pytest.mark.usefixtures("quick")
async def test_servers_that_hang_are_given_up_and_found_again(engine: Engine, pair: Cluster) -> None:
    one, heard_one, two, heard_two = pair
    await subscribed(two, TOPIC)
    await one.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)
    await asyncio.to_thread(engine.freeze)
    try:
        assert not await one.publish([Message(TOPIC, b"lost")])
        await until(lambda: not one.connected and not two.connected, within=SOON)
    finally:
        await asyncio.to_thread(engine.thaw)
    await until(lambda: one.connected and two.connected, within=SOON)
    assert heard_one.losses == heard_two.losses
    assert await one.publish([Message(TOPIC, b"after")])
    await until(lambda: heard_two.messages[-1:] == [(TOPIC, b"after")])
    assert not (await one.update_roster(TOPIC, {"ayu": b"{}"}, [], 10)).refused
    assert (await two.roster(TOPIC)).members == {"ayu": b"{}"}


async def test_slow_servers_lose_nothing(engine: Engine, pair: Cluster) -> None:
    one, heard_one, two, heard_two = pair
    await subscribed(two, TOPIC)
    sent = []
    for turn in range(5):
        await asyncio.to_thread(engine.freeze)
        publishing = [one.publish([Message(TOPIC, b"%d-%d" % (turn, number))]) for number in range(10)]
        waiting = asyncio.gather(*publishing)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(engine.thaw)
        assert all(await waiting)
        sent += [b"%d-%d" % (turn, number) for number in range(10)]
    await heard(heard_two, *sent)
    assert not heard_one.losses
    assert not heard_two.losses


async def test_what_others_send_to_our_topics_does_no_harm(engine: Engine, pair: Cluster, prefix: str) -> None:
    one, _, two, heard_two = pair
    await subscribed(two, TOPIC)
    for payload in (b"", b"=", b"+x\n", b"+1\n\xff\n{}", b"-\xff", b"#", b"?" * 10, b"\xff" * 100):
        await asyncio.to_thread(engine.shout, prefix, TOPIC, payload)
    assert await one.publish([Message(TOPIC, b"ours")])
    await until(lambda: heard_two.messages[-1:] == [(TOPIC, b"ours")])
    assert not heard_two.losses


async def test_fifty_thousand_topics_are_subscribed_anew(engine: Engine, pair: Cluster) -> None:
    one, _, two, heard_two = pair
    topics = [f"1:private-{number}" for number in range(50_000)]
    confirmations = [two.subscribe(topic) for topic in topics]
    await asyncio.wait_for(asyncio.gather(*(each for each in confirmations if each is not None)), SOON)
    some = topics[::4_999]
    assert await one.publish([Message(topic, b"first") for topic in some])
    await until(lambda: len(heard_two.messages) == len(some), within=SOON)
    await asyncio.to_thread(engine.kill)
    await until(lambda: not one.connected and not two.connected, within=SOON)
    two.unsubscribe(some[0])
    await asyncio.to_thread(engine.restart)
    await until(lambda: one.connected and two.connected, within=60)
    assert await one.publish([Message(topic, b"second") for topic in some])
    await until(lambda: len(heard_two.messages) == 2 * len(some) - 1, within=SOON)
    assert sorted(heard_two.messages[len(some) :]) == sorted((topic, b"second") for topic in some[1:])


async def test_what_waits_for_a_server_that_hangs_is_bounded(engine: Engine, pair: Cluster) -> None:
    one, _, _, _ = pair
    held = []
    await asyncio.to_thread(engine.freeze)
    tracemalloc.start()
    try:
        for number in range(16_000):
            one.post([Message(f"1:private-{number % 50}", b"%d" % number + bytes(20_000))])
            if number % 100 == 0:
                await asyncio.sleep(0)
            if number % 8_000 == 7_999:
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        await asyncio.to_thread(engine.thaw)
    assert held[1] - held[0] < 1024 * 1024, "160 MB more leave no trace"
    await until(lambda: one.connected, within=SOON)


async def test_a_dead_node_is_cleared_away_once(engine: Engine, prefix: str) -> None:  # F-RT-02
    async with (
        node(engine.broker("one", prefix, node_ttl=TTL)) as (one, heard_one),
        node(engine.broker("two", prefix, node_ttl=TTL)) as (two, heard_two),
    ):
        await _a_node_dies(engine, prefix, (one, heard_one, two, heard_two))


async def _a_node_dies(engine: Engine, prefix: str, pair: Cluster) -> None:
    one, heard_one, two, heard_two = pair
    await subscribed(one, TOPIC)
    await one.update_roster(TOPIC, {"shared": b"{}"}, [], 10)
    await one.update_census("1", ["shared"], [])
    script = [sys.executable, "-m", "tests.realtime.brokers.victim", engine.url, prefix, TOPIC, str(TTL)]
    victim = await asyncio.create_subprocess_exec(*script, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert victim.stdout is not None
    name = ""
    while not name.startswith("victim."):  # there are lines of the log as well
        line = await victim.stdout.readline()
        assert line, "the victim ended by itself"
        name = line.decode().strip()
    assert name in await two.nodes()
    victim.kill()
    await victim.communicate()
    await until(lambda: bool(heard_one.gone + heard_two.gone), within=60)
    await until(lambda: heard_one.users()[-1:] == [("ayu", None)], within=SOON)
    assert heard_one.gone + heard_two.gone == [name]
    assert heard_one.users().count(("ayu", None)) == 1
    left = [name for _, name in heard_one.left + heard_two.left]
    assert sorted(left) == sorted(["alone", *(f"name-{number}" for number in range(1_100))])
    assert dict((await two.roster(TOPIC)).members) == {"shared": b"{}"}
    assert sorted(await two.nodes()) == sorted([one.node, two.node])
