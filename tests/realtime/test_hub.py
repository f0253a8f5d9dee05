"""What the rest of Kanal asks of the hub: publish, terminate, revoke, figures; on two nodes over each broker."""

import asyncio
import json

import pytest

from kanal.realtime.apps import App, StaticApps
from kanal.realtime.authorizers import ChannelGrant, sign_grant
from kanal.realtime.hub import Hub
from kanal.realtime.publisher import Delivery, Publication, Publisher
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import APP, Client, Running, running, until

Nodes = tuple[Running, Running]


def event(channel: str, data: str = '{"id":1}', name: str = "message.sent", but: str | None = None) -> Publication:
    return Publication(APP.id, channel, name, data, but)


async def granted(client: Client, channel: str, grant: ChannelGrant) -> dict[str, str]:
    """Subscribes as Kanal's own clients do."""
    signed = sign_grant(client.app, client.socket_id, channel, grant)
    client.send("pusher:subscribe", {"channel": channel, **signed})
    await client.event("pusher_internal:subscription_succeeded", channel)
    return signed


def test_a_hub_is_a_publisher() -> None:
    from kanal.realtime.brokers.memory import MemoryBroker

    publisher: Publisher = Hub(StaticApps([]), MemoryBroker())
    assert publisher is not None


class TestPublishing:
    async def test_every_subscriber_on_every_node_hears_it_once_and_in_order(self, two_nodes: Nodes) -> None:
        one, two = two_nodes
        clients = [await node.client() for node in (one, one, two, two)]
        for client in clients:
            await client.subscribe("private-a")
        for number in range(50):
            assert await one.hub.publish([event("private-a", str(number))]) is Delivery.CLUSTER
        for client in clients:
            assert [await client.event("message.sent", "private-a") for _ in range(50)] == list(range(50))
            await client.quiet()
            await client.drop()

    @pytest.mark.parametrize("sender", [0, 1])
    async def test_the_excepted_socket_is_left_out_on_whichever_node_it_is(self, two_nodes: Nodes, sender: int) -> None:
        clients = [await node.client() for node in two_nodes]
        for client in clients:
            await client.subscribe("private-a")
        await two_nodes[0].hub.publish([event("private-a", but=clients[sender].socket_id)])
        await clients[1 - sender].event("message.sent", "private-a")
        await asyncio.sleep(0.1)
        await clients[sender].quiet()
        for client in clients:
            await client.drop()

    async def test_data_arrives_as_it_was_given(self, two_nodes: Nodes) -> None:
        async with await two_nodes[0].client() as near, await two_nodes[1].client() as far:
            texts = ['{"text":"東京 🎉 \\u0000"}', "not json", "", '"', "a\nb\x00", "x" * 200_000]
            for client in (near, far):
                await client.subscribe("private-a")
            await two_nodes[0].hub.publish([event("private-a", text) for text in texts])
            for client in (near, far):
                assert [(await client.next())["data"] for _ in texts] == texts

    async def test_bytes_are_text_too(self, server: Running) -> None:
        async with await server.client() as client:
            await client.subscribe("news")
            await server.hub.publish([Publication(APP.id, "news", "e", b'{"a":1}')])
            assert await client.event("e", "news") == {"a": 1}

    async def test_apps_do_not_hear_each_other(self) -> None:  # F-RT-07
        first, second = App(id="1", key="a", secret="a"), App(id="2", key="b", secret="b")
        async with (
            running(first, second) as server,
            await server.client(first) as one,
            await server.client(second) as two,
        ):
            await one.subscribe("news")
            await two.subscribe("news")
            await server.hub.publish([Publication("1", "news", "e", "1")])
            assert await one.event("e", "news") == 1
            await two.quiet()

    async def test_who_has_left_hears_nothing_more(self, two_nodes: Nodes) -> None:
        async with await two_nodes[1].client() as client:
            await client.subscribe("news")
            client.send("pusher:unsubscribe", {"channel": "news"})
            await client.quiet()
            await two_nodes[0].hub.publish([event("news")])
            await asyncio.sleep(0.1)
            await client.quiet()


class TestCacheChannels:
    @pytest.mark.parametrize("channel", ["cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"])
    async def test_the_last_event_comes_right_after_success_or_a_miss_does(  # F-RT-01
        self, two_nodes: Nodes, channel: str
    ) -> None:
        member = {"user_id": "1"} if channel.startswith("presence") else None
        one, two = two_nodes
        async with await one.client() as early:
            await early.subscribe(channel, member)
            assert await early.next() == {"event": "pusher:cache_miss", "channel": channel}
        await one.hub.publish([event(channel, "1"), event(channel, "2")])
        for node in (one, two, two):
            async with await node.client() as late:
                await late.subscribe(channel, member)
                assert await late.event("message.sent", channel) == 2
                await late.quiet()

    async def test_a_node_with_subscribers_keeps_up_with_the_others(self, two_nodes: Nodes) -> None:
        one, two = two_nodes
        async with await two.client() as watching, await two.client() as late:
            await watching.subscribe("cache-a")
            await watching.next()
            await one.hub.publish([event("cache-a", "7")])
            await watching.event("message.sent", "cache-a")
            await late.subscribe("cache-a")
            assert await late.event("message.sent", "cache-a") == 7

    async def test_client_events_are_not_kept(self, two_nodes: Nodes) -> None:
        one, two = two_nodes
        async with await one.client() as ayu, await two.client() as budi, await two.client() as late:
            for client in (ayu, budi):
                await client.subscribe("private-cache-a")
                await client.next()
            ayu.send("client-a", {}, "private-cache-a")
            await budi.event("client-a", "private-cache-a")
            await late.subscribe("private-cache-a")
            assert (await late.next())["event"] == "pusher:cache_miss"

    async def test_it_is_forgotten_in_time(self, new_broker: BrokerFactory) -> None:
        app = App(id="1", key="k", secret="s", cache_ttl=3)
        async with running(app, broker=new_broker("one")) as node, await node.client(app) as early:
            await node.hub.publish([Publication("1", "cache-a", "e", "1")])
            await early.subscribe("cache-a")
            await early.event("e", "cache-a")
            await asyncio.sleep(3.1)
            async with await node.client(app) as late:
                await late.subscribe("cache-a")
                assert (await late.next())["event"] == "pusher:cache_miss"


class TestScopes:
    GRANT = ChannelGrant("7", {"name": "Ayu"}, ("session:1", "workspace:2"))

    async def test_terminate_closes_every_connection_with_the_scope_on_all_nodes(self, two_nodes: Nodes) -> None:
        one, two = two_nodes
        hit = [await one.client(), await two.client(), await two.client()]
        for client, channel in zip(hit, ("presence-a", "private-b", "presence-a"), strict=True):
            await granted(client, channel, self.GRANT)
        async with await two.client() as other:
            await granted(other, "private-b", ChannelGrant("8", None, ("session:9",)))
            assert await one.hub.terminate(APP.id, "session:1", message="Signed out") is Delivery.CLUSTER
            for client in hit:
                while (message := await client.next())["event"] != "pusher:error":
                    assert message["event"] == "pusher_internal:member_added"
                assert message["data"] == {"code": 4009, "message": "Signed out"}
                assert await client.closed() == 4009
                await client.drop()
            await other.quiet()

    async def test_a_user_is_a_scope(self, two_nodes: Nodes) -> None:
        async with await two_nodes[1].client() as client:
            await client.subscribe("presence-a", {"user_id": "7"})
            await two_nodes[0].hub.terminate(APP.id, "user:7", code=4200, message="elsewhere")
            await client.event("pusher:error")
            assert await client.closed() == 4200

    async def test_revoke_takes_one_channel_away_and_presence_follows(self, two_nodes: Nodes) -> None:
        one, two = two_nodes
        async with await one.client() as watcher, await two.client() as client:
            await watcher.subscribe("presence-a", {"user_id": "1"})
            await granted(client, "presence-a", self.GRANT)
            await granted(client, "private-b", self.GRANT)
            await watcher.event("pusher_internal:member_added", "presence-a")
            assert await one.hub.revoke(APP.id, "presence-a", "user:7") is Delivery.CLUSTER
            assert (await client.event("pusher:error"))["code"] == 4009
            told = await client.event("pusher:subscription_error", "presence-a")
            assert (told["type"], told["status"]) == ("AuthError", 403)
            assert (await watcher.event("pusher_internal:member_removed", "presence-a"))["user_id"] == "7"
            await one.hub.publish([event("presence-a"), event("private-b")])
            await client.event("message.sent", "private-b")
            await client.quiet()

    async def test_an_older_grant_does_not_come_back_and_a_newer_one_does(self, two_nodes: Nodes) -> None:
        one, two = two_nodes
        async with await two.client() as client:
            signed = await granted(client, "private-a", self.GRANT)
            await one.hub.revoke(APP.id, "private-a", "workspace:2")
            await client.event("pusher:error")
            await client.event("pusher:subscription_error", "private-a")
            client.send("pusher:subscribe", {"channel": "private-a", **signed})
            assert (await client.event("pusher:error"))["code"] == 4009
            assert (await client.event("pusher:subscription_error", "private-a"))["status"] == 403
            await asyncio.sleep(0.002)
            await granted(client, "private-a", self.GRANT)

    async def test_a_grant_kept_back_until_after_the_revocation_is_refused(self, two_nodes: Nodes) -> None:
        """A connection that subscribed to nothing yet carries no scope; what it was granted before does not help it."""
        one, two = two_nodes
        async with await two.client() as client, await two.client() as witness:
            await granted(witness, "private-a", self.GRANT)
            signed = sign_grant(APP, client.socket_id, "private-a", self.GRANT)
            also = sign_grant(APP, client.socket_id, "private-b", self.GRANT)
            await one.hub.revoke(APP.id, "private-a", "user:7")
            await witness.event("pusher:error")
            client.send("pusher:subscribe", {"channel": "private-a", **signed})
            assert (await client.event("pusher:error"))["code"] == 4009
            await client.event("pusher:subscription_error", "private-a")
            await one.hub.terminate(APP.id, "session:1")
            await witness.event("pusher:subscription_error", "private-a")
            assert (await witness.event("pusher:error"))["code"] == 4009
            client.send("pusher:subscribe", {"channel": "private-b", **also})
            await client.event("pusher:error")
            await client.event("pusher:subscription_error", "private-b")

    async def test_scopes_are_not_shown_to_members(self, two_nodes: Nodes) -> None:
        async with await two_nodes[0].client() as ayu, await two_nodes[1].client() as budi:
            await granted(ayu, "presence-a", self.GRANT)
            data = await budi.subscribe("presence-a", {"user_id": "8"})
            assert "session" not in json.dumps(data)


async def test_figures_count_what_happened(server: Running) -> None:
    async with await server.client() as ayu, await server.client() as budi:
        for client in (ayu, budi):
            await client.subscribe("private-a")
        ayu.send("client-a", {}, "private-a")
        await budi.event("client-a", "private-a")
        await server.hub.publish([event("private-a")])
        for client in (ayu, budi):
            await client.event("message.sent", "private-a")
        stats = server.hub.stats()
        app = stats.apps[APP.id]
        assert (stats.connections, stats.channels, stats.broker_connected, stats.refused) == (2, 1, True, 0)
        assert (app.connections, app.opened, app.channels) == (2, 2, 1)
        assert (app.messages_in, app.messages_out, app.slow_closed) == (3, 3, 0)
        assert app.bytes_in > 100
        assert app.bytes_out > 100
    await until(lambda: server.hub.stats().connections == 0)
    assert server.hub.stats().apps[APP.id].connections == 0


async def test_publishing_to_nobody_leaves_nothing_behind(server: Running) -> None:
    assert await server.hub.publish([event(f"private-{number}") for number in range(100)]) is Delivery.CLUSTER
    assert server.hub.channels == {}
