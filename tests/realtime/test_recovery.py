"""Going on where a client was: positions, what was missed, and "too old"; over each broker and over failing links."""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from kanal.realtime.apps import App
from kanal.realtime.brokers import positions
from kanal.realtime.hub import Hub
from kanal.realtime.publisher import Delivery, Publication
from tests.realtime import virtual_time
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import Client, Running, running
from tests.realtime.unsteady import Caller, Cluster

KEPT = App(id="2", key="kept", secret="s", history_events=5, history_seconds=60, activity_timeout=10**6)
LONG = replace(KEPT, history_events=1_000)
Nodes = tuple[Running, Running]


@pytest.fixture
async def nodes(new_broker: BrokerFactory) -> Any:
    async with running(KEPT, broker=new_broker("one")) as one, running(KEPT, broker=new_broker("two")) as two:
        yield one, two


def publication(number: int, channel: str = "news", but: str | None = None) -> Publication:
    return Publication(KEPT.id, channel, "e", str(number), but)


async def publish(node: Running, *numbers: int, channel: str = "news") -> None:
    assert await node.hub.publish([publication(number, channel) for number in numbers]) is Delivery.CLUSTER


async def follow(client: Client, after: str | None = None, channel: str = "news") -> dict[str, Any]:
    """Subscribes for recovery; answers what the client is told of it."""
    content: dict[str, Any] = {"channel": channel} | ({"last_event_id": after} if after else {"recover": True})
    if channel.startswith(("private-", "presence-")):
        content |= client.auth(channel, '{"user_id":"1"}' if channel.startswith("presence") else None)
    client.send("pusher:subscribe", content)
    data = await client.event("pusher_internal:subscription_succeeded", channel)
    recovery: dict[str, Any] = data["recovery"]
    assert ("presence" in data) is channel.startswith("presence-")
    return recovery


async def numbers(client: Client, count: int) -> tuple[list[int], str]:
    """The next events, and the position after them."""
    told = [await client.next() for _ in range(count)]
    assert all(each["event"] == "e" for each in told), told
    return [json.loads(each["data"]) for each in told], told[-1]["id"]


@pytest.mark.parametrize("channel", ["news", "private-a", "private-encrypted-a", "presence-a"])
async def test_what_was_missed_comes_in_order_and_once_on_whichever_node(nodes: Nodes, channel: str) -> None:
    one, two = nodes
    async with await one.client(KEPT) as client:
        assert (await follow(client, channel=channel))["recovered"] is True
        await publish(two, 1, 2, channel=channel)
        seen, position = await numbers(client, 2)
        assert seen == [1, 2]
    await publish(one, 3, channel=channel)
    await publish(two, 4, channel=channel)
    for node in nodes:
        async with await node.client(KEPT) as client:
            assert await follow(client, position, channel) == {"position": position, "recovered": True}
            assert (await numbers(client, 2))[0] == [3, 4]
            await client.quiet()


async def test_the_position_of_a_beginner_is_good_for_a_return(nodes: Nodes) -> None:
    one, two = nodes
    async with await one.client(KEPT) as client:
        position = (await follow(client))["position"]
    await publish(one, 1)
    async with await two.client(KEPT) as client:
        assert (await follow(client, position))["recovered"] is True
        assert (await numbers(client, 1))[0] == [1]


async def test_nothing_missed_is_nothing_replayed(nodes: Nodes) -> None:
    one, _ = nodes
    async with await one.client(KEPT) as client, await one.client(KEPT) as again:
        await follow(client)
        await publish(one, 1)
        _, position = await numbers(client, 1)
        assert await follow(again, position) == {"position": position, "recovered": True}
        await again.quiet()
        await publish(one, 2)
        for each in (client, again):
            assert (await numbers(each, 1))[0] == [2]


@pytest.mark.parametrize("after", ["too old", "made up", "0-0", "-", "x" * 200, "epoch-99999999999999999999"])
async def test_a_position_that_is_too_old_or_was_never_given_is_told(nodes: Nodes, after: str) -> None:
    one, two = nodes
    async with await one.client(KEPT) as client:
        first = (await follow(client))["position"]
        await publish(one, 1, 2, 3, 4, 5, 6)
        _, newest = await numbers(client, 6)
        async with await two.client(KEPT) as late:
            told = await follow(late, first if after == "too old" else after)
            assert told == {"position": newest, "recovered": False}
            await late.quiet()
            await publish(one, 7)
            assert (await numbers(late, 1))[0] == [7]


async def test_others_see_nothing_new(nodes: Nodes) -> None:
    one, two = nodes
    async with await one.client(KEPT) as follower, await two.client(KEPT) as plain:
        await follow(follower)
        assert await plain.subscribe("news") == {}
        await publish(one, 1)
        assert await plain.next() == {"event": "e", "channel": "news", "data": "1"}
        assert set(await follower.next()) == {"event", "channel", "data", "id"}


async def test_an_app_without_history_ignores_the_wish(server: Running) -> None:
    async with await server.client() as client:
        for content in ({"recover": True}, {"last_event_id": "a-1"}):
            client.send("pusher:subscribe", {"channel": "news", **content})
            assert await client.event("pusher_internal:subscription_succeeded", "news") == {}
            client.send("pusher:unsubscribe", {"channel": "news"})


async def test_the_excepted_socket_and_client_events(nodes: Nodes) -> None:
    """Client events are not kept: a client event has no position, and nobody gets it later."""
    one, two = nodes
    async with await one.client(KEPT) as ayu, await two.client(KEPT) as budi:
        for client in (ayu, budi):
            await follow(client, channel="private-a")
        ayu.send("client-a", {}, "private-a")
        assert "id" not in await budi.next()
        await one.hub.publish([publication(1, "private-a", ayu.socket_id)])
        assert (await numbers(budi, 1))[0] == [1]
        await ayu.quiet()


async def test_a_cache_channel_sends_its_last_event_only_to_who_has_no_other_start(nodes: Nodes) -> None:
    one, _ = nodes
    async with await one.client(KEPT) as client, await one.client(KEPT) as again, await one.client(KEPT) as lost:
        await follow(client, channel="cache-a")
        assert (await client.next())["event"] == "pusher:cache_miss"
        await publish(one, 1, channel="cache-a")
        _, position = await numbers(client, 1)
        assert (await follow(again, position, "cache-a"))["recovered"]
        await again.quiet()
        assert not (await follow(lost, "x-1", "cache-a"))["recovered"]
        assert (await lost.next())["data"] == "1"


async def test_listeners_hear_an_event_once_on_every_node(nodes: Nodes) -> None:
    one, two = nodes
    heard: list[tuple[str, bytes]] = []

    def tap(name: str) -> Callable[[bytes], None]:
        return lambda text: heard.append((name, text))

    stops = [node.hub.listen(KEPT.id, "news", tap(name)) for name, node in zip("ab", nodes, strict=True)]
    async with await one.client(KEPT) as client:
        await follow(client)
        await publish(two, 1)
        await numbers(client, 1)
    async with asyncio.timeout(5):
        while len(heard) < 2:  # noqa: ASYNC110 - a node without subscribers has nobody to wait for
            await asyncio.sleep(0.01)
    for stop in stops:
        stop()
    text = b'{"event":"e","channel":"news","data":"1"}'
    assert sorted(heard) == [("a", text), ("b", text)]


class Follower(Caller):
    """A client that keeps its position and holds the server to it."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(hub, KEPT)  # the hub knows the app by its id
        self.position: str | None = None
        self.seen: list[int] = []
        self.recovered: list[bool] = []
        self.gaps: set[int] = set()  # how many events it had each time when it was told that some are missing

    def ask(self) -> None:
        self.subscribe("news", **({"last_event_id": self.position} if self.position else {"recover": True}))

    def hear(self) -> None:
        for message in self.take():
            if message["event"] in {"pusher_internal:subscription_succeeded", "pusher:recovery"}:
                data = json.loads(message["data"])
                told = data.get("recovery", data)
                self.recovered.append(told["recovered"])
                if not self._knows(told["position"]):
                    self.position = told["position"] or self.position
                if not told["recovered"]:
                    self.gaps.add(len(self.seen))
            elif message["event"] == "e" and not self._knows(message.get("id")):
                self.seen.append(json.loads(message["data"]))
                self.position = message.get("id", self.position)

    def _knows(self, position: str | None) -> bool:
        """Once some are missing, others may come again; their ids tell."""
        if position is None or self.position is None or not self.gaps:
            return False
        (epoch, number), (own_epoch, own) = positions.parse(position), positions.parse(self.position)
        return epoch == own_epoch and number <= own


def simulate(work: Callable[[Cluster], Any]) -> None:
    async def run() -> None:
        cluster = Cluster(KEPT)
        for _ in range(2):
            await cluster.start()
        await work(cluster)
        await cluster.stop()

    virtual_time.run(run())


async def at_once(hub: Hub, *numbers: int) -> Delivery:
    return await hub.publish([publication(number) for number in numbers])


def test_what_others_published_while_the_link_was_down_comes_when_it_is_back() -> None:
    async def work(cluster: Cluster) -> None:
        one, two = cluster.hubs
        follower, plain = Follower(one), Caller(one, KEPT)
        follower.ask()
        plain.subscribe("news")
        await asyncio.sleep(1)
        await at_once(two, 1)
        await asyncio.sleep(1)
        cluster.broker(one).cut()
        await at_once(two, 2, 3)
        await asyncio.sleep(5)
        cluster.broker(one).mend()
        await at_once(two, 4)
        await asyncio.sleep(5)
        follower.hear()
        assert (follower.seen, follower.recovered) == ([1, 2, 3, 4], [True])
        assert [json.loads(m["data"]) for m in plain.take() if m["event"] == "e"] == [1, 2, 3, 4]

    simulate(work)


def test_a_hole_between_two_events_is_filled_before_the_second() -> None:
    async def work(cluster: Cluster) -> None:
        one, two = cluster.hubs
        follower = Follower(one)
        follower.ask()
        await asyncio.sleep(1)
        await at_once(two, 1)
        await asyncio.sleep(1)
        publishing = asyncio.create_task(at_once(two, 2, 3))
        await asyncio.sleep(0)
        cluster.broker(one).lose_messages()
        await publishing
        await at_once(two, 4)
        await asyncio.sleep(5)
        follower.hear()
        assert (follower.seen, follower.recovered) == ([1, 2, 3, 4], [True])

    simulate(work)


def test_what_is_lost_for_good_is_said() -> None:
    async def work(cluster: Cluster) -> None:
        one, two = cluster.hubs
        follower = Follower(one)
        follower.ask()
        await asyncio.sleep(1)
        cluster.broker(one).cut()
        await at_once(two, *range(KEPT.history_events + 1))
        cluster.broker(one).mend()
        await asyncio.sleep(5)
        await at_once(two, 100)
        await asyncio.sleep(5)
        follower.hear()
        assert (follower.seen, follower.recovered) == ([100], [True, False])

    simulate(work)


def test_alone_a_node_delivers_without_positions_and_older_ones_are_no_promise_any_more() -> None:
    async def work(cluster: Cluster) -> None:
        one, two = cluster.hubs
        follower = Follower(one)
        follower.ask()
        await asyncio.sleep(1)
        await at_once(one, 1)
        await asyncio.sleep(1)
        follower.hear()
        before = follower.position
        cluster.broker(one).cut()
        assert await at_once(one, 2) is Delivery.LOCAL_ONLY
        await asyncio.sleep(1)
        follower.hear()
        assert (follower.seen, follower.position) == ([1, 2], before)
        cluster.broker(one).mend()
        await asyncio.sleep(5)
        back = Follower(two)
        back.position = before
        back.ask()
        await asyncio.sleep(5)
        back.hear()
        assert back.recovered == [False]

    simulate(work)


def test_an_event_whose_answer_was_lost_is_delivered_once() -> None:
    async def work(cluster: Cluster) -> None:
        one, two = cluster.hubs
        followers = [Follower(hub) for hub in (one, two)]
        for follower in followers:
            follower.ask()
        await asyncio.sleep(1)
        for number in range(40):
            cluster.broker(one).failures = 1
            await at_once(one, number)
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
        for follower in followers:
            follower.hear()
            assert follower.seen == list(range(40))

    simulate(work)


@pytest.mark.parametrize("seed", range(30))
def test_in_any_weather_nothing_comes_twice_or_out_of_order_and_what_is_missing_is_said(seed: int) -> None:
    """A client comes and goes between two nodes; the link of one of them fails, the other's publishes."""

    async def run() -> None:
        cluster = Cluster(LONG, seed)
        shaky, steady = [await cluster.start() for _ in range(2)]
        link, random, published = cluster.broker(shaky), cluster.random, 0
        follower = Follower(shaky)
        follower.ask()
        await asyncio.sleep(5)
        for _ in range(60):
            what = random.random()
            if what < 0.5:
                assert await at_once(steady, published, published + 1) is Delivery.CLUSTER
                published += 2
            elif what < 0.65:
                (link.cut if link.connected else link.mend)()
            elif what < 0.85:
                follower = move(follower, random.choice((shaky, steady)))
            await asyncio.sleep(random.choice((0.0, 0.01, 0.5)))
        if not link.connected:
            link.mend()
        await asyncio.sleep(30)
        follower.hear()
        seen = [-1, *follower.seen, published]
        assert seen == sorted(set(seen)), seen
        jumps = {at for at, (one, next_) in enumerate(itertools.pairwise(seen)) if next_ != one + 1}
        assert jumps <= follower.gaps, (jumps, follower.gaps, seen)
        await cluster.stop()

    virtual_time.run(run())


def move(old: Follower, hub: Hub) -> Follower:
    """The same client at another node, or at the same again."""
    old.hear()
    old.close()
    new = Follower(hub)
    new.position, new.seen, new.recovered, new.gaps = old.position, old.seen, old.recovered, old.gaps
    new.ask()
    return new
