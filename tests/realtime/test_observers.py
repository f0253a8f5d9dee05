"""What observers, listeners and the console are told by one node."""

import json
from dataclasses import replace

import pytest

from kanal.realtime.apps import App, Webhook
from kanal.realtime.protocol.signatures import sign_user
from kanal.realtime.publisher import Publication
from kanal.realtime.stats import LocalChannel
from tests.realtime.harness import APP, Client, Running, running, until
from tests.realtime.onlooker import Onlooker

WATCHED = replace(APP, webhooks=(Webhook(url="http://127.0.0.1:9/"),))


@pytest.fixture
async def watched() -> object:
    async with running(WATCHED) as node:
        node.hub.observers.append(Onlooker())
        yield node


def onlooker(node: Running) -> Onlooker:
    (seen,) = node.hub.observers
    assert isinstance(seen, Onlooker)
    return seen


async def member(node: Running, channel: str, user: str) -> Client:
    client = await node.client()
    await client.subscribe(channel, {"user_id": user})
    return client


async def test_first_and_last_subscribers_and_members(watched: Running) -> None:
    seen = onlooker(watched)
    ayu, tab, budi = [await member(watched, "presence-a", user) for user in ("ayu", "ayu", "budi")]
    for client in (ayu, tab):
        await client.event("pusher_internal:member_added", "presence-a")
    assert seen.told == [("opened", "presence-a"), ("joined", "presence-a", "ayu"), ("joined", "presence-a", "budi")]
    await ayu.bye()
    tab.send("pusher:unsubscribe", {"channel": "presence-a"})
    await tab.quiet()
    assert seen.told[3:] == [("left", "presence-a", "ayu")]
    await budi.drop()
    await until(lambda: len(seen.told) == 6)
    assert seen.told[4:] == [("left", "presence-a", "budi"), ("emptied", "presence-a")]
    assert seen.open == {}
    await tab.drop()


async def test_who_is_refused_was_never_there() -> None:
    async with running(replace(WATCHED, presence_max_members=1)) as node, await node.client() as budi:
        node.hub.observers.append(Onlooker())
        await member(node, "presence-a", "ayu")
        budi.ask("presence-a", {"user_id": "budi"})
        await budi.event("pusher:error")
        await budi.event("pusher:subscription_error", "presence-a")
        assert onlooker(node).told == [("opened", "presence-a"), ("joined", "presence-a", "ayu")]


async def test_client_events_come_with_what_a_webhook_needs(watched: Running) -> None:
    ayu = await member(watched, "presence-a", "ayu")
    ayu.send("client-a", {"x": 1}, "presence-a")
    await ayu.subscribe("private-a")
    ayu.send("client-b", "text", "private-a")
    await ayu.quiet()
    assert onlooker(watched).client_events == [
        ("presence-a", "client-a", b'"{\\"x\\": 1}"', ayu.socket_id, "ayu"),
        ("private-a", "client-b", b'"text"', ayu.socket_id, None),
    ]


async def test_cache_misses(watched: Running) -> None:
    async with await watched.client() as client:
        await client.subscribe("cache-a")
        await client.next()
        assert ("missed", "cache-a") in onlooker(watched).told


async def test_apps_without_webhooks_are_not_observed(server: Running) -> None:
    server.hub.observers.append(Onlooker())
    await member(server, "presence-a", "ayu")
    assert onlooker(server).told == []


async def test_server_to_user_channels_are_nobody_elses_business(watched: Running) -> None:
    async with await watched.client() as client:
        data = json.dumps({"id": "ayu"})
        auth = sign_user(WATCHED.key, WATCHED.secret, client.socket_id, data)
        client.send("pusher:signin", {"auth": auth, "user_data": data})
        await client.event("pusher:signin_success")
        await client.subscribe("#server-to-user-ayu")
    assert onlooker(watched).told == []


async def test_an_app_that_becomes_observed_or_no_longer_is_tells_of_everybody_who_is_here(server: Running) -> None:
    server.hub.observers.append(seen := Onlooker())
    ayu = await member(server, "presence-a", "ayu")
    await ayu.subscribe("news")
    server.hub.app_changed(WATCHED, APP)
    assert seen.open == {"presence-a": {"ayu"}, "news": set()}
    server.hub.app_changed(replace(WATCHED, client_event_rate=3), WATCHED)
    assert seen.open == {"presence-a": {"ayu"}, "news": set()}
    server.hub.app_changed(APP, WATCHED)
    assert seen.open == {}


class TestListening:
    async def test_every_event_is_heard_also_when_nobody_is_subscribed(self, server: Running) -> None:
        heard: list[bytes] = []
        stop = server.hub.listen(APP.id, "private-a", heard.append)
        await server.hub.publish(
            [Publication(APP.id, "private-a", "e", "1"), Publication(APP.id, "private-b", "e", "2")]
        )
        async with await server.client() as client:
            await client.subscribe("private-a")
            client.send("client-a", {}, "private-a")
            await client.quiet()
        stop()
        stop()
        await server.hub.publish([Publication(APP.id, "private-a", "e", "3")])
        assert heard == [
            b'{"event":"e","channel":"private-a","data":"1"}',
            b'{"event":"client-a","channel":"private-a","data":"{}"}',
        ]

    async def test_events_of_other_nodes_are_heard_and_leaving_does_not_deafen_subscribers(
        self, two_nodes: tuple[Running, Running]
    ) -> None:
        one, two = two_nodes
        heard: list[bytes] = []
        stop = one.hub.listen(APP.id, "news", heard.append)
        await until(lambda: one.hub.broker.connected)
        async with await one.client() as client:
            await client.subscribe("news")
            await two.hub.publish([Publication(APP.id, "news", "e", "1")])
            await client.event("e", "news")
            stop()
            await two.hub.publish([Publication(APP.id, "news", "e", "2")])
            assert await client.event("e", "news") == 2
        assert len(heard) == 1

    async def test_the_last_subscriber_leaving_does_not_deafen_the_listener(
        self, two_nodes: tuple[Running, Running]
    ) -> None:
        one, two = two_nodes
        heard: list[bytes] = []
        async with await one.client() as client:
            await client.subscribe("news")
            stop = one.hub.listen(APP.id, "news", heard.append)
        await until(lambda: not one.hub.channels)
        await two.hub.publish([Publication(APP.id, "news", "e", "1")])
        await until(lambda: len(heard) == 1)
        stop()


async def test_what_is_here(server: Running) -> None:
    other = App(id="7", key="seven", secret="s")
    async with running(APP, other) as node:
        ayu = await member(node, "presence-a", "ayu")
        await member(node, "presence-a", "budi")
        await ayu.event("pusher_internal:member_added", "presence-a")
        await ayu.subscribe("cache-a")
        await node.hub.publish([Publication(APP.id, "cache-a", "e", "1")])
        async with await node.client(other) as stranger:
            await stranger.subscribe("news")
            users = frozenset({"ayu", "budi"})
            presence, cache = LocalChannel(2, users, cached=False), LocalChannel(1, None, cached=True)
            assert node.hub.local(APP.id) == {"presence-a": presence, "cache-a": cache}
            assert node.hub.local(APP.id, "presence-") == {"presence-a": presence}
            assert node.hub.local("7") == {"news": LocalChannel(1, None, cached=False)}
