"""An app changes while clients are connected."""

from dataclasses import replace

from kanal.realtime.apps import StaticApps
from kanal.realtime.publisher import Publication
from tests.realtime.harness import APP, Running, running


async def test_an_app_that_is_gone_closes_with_4001_and_a_disabled_one_with_4003(server: Running) -> None:
    for new, code in ((None, 4001), (replace(APP, enabled=False), 4003)):
        async with await server.client() as client:
            await client.subscribe("news")
            server.hub.app_changed(new, APP)
            assert (await client.event("pusher:error"))["code"] == code
            assert await client.closed() == code


async def test_other_apps_notice_nothing() -> None:
    other = replace(APP, id="7", key="seven")
    async with running(APP, other) as node, await node.client(other) as client:
        await client.subscribe("news")
        node.hub.app_changed(None, APP)
        await client.quiet()


async def test_who_is_connected_stays_when_the_key_changes(server: Running) -> None:
    async with await server.client() as client:
        server.hub.app_changed(replace(APP, key="new", secret="new"), APP)
        await client.subscribe("news")
        client.app = replace(APP, key="new", secret="new")
        await client.subscribe("private-a")


async def test_limits_apply_at_once(server: Running) -> None:
    async with await server.client() as client, await server.client() as late:
        await client.subscribe("private-a")
        await client.subscribe("presence-a", {"user_id": "1"})
        client.send("client-a", "x" * 100, "private-a")
        await client.quiet()
        changed = replace(APP, max_message_size=50, presence_max_members=1, max_channels_per_connection=2)
        server.hub.app_changed(changed, APP)
        client.send("client-a", "x" * 100, "private-a")
        assert (await client.event("pusher:error"))["code"] == 4301
        client.ask("news")
        await client.event("pusher:error")
        assert (await client.event("pusher:subscription_error", "news"))["type"] == "LimitReached"
        late.ask("presence-a", {"user_id": "2"})
        await late.event("pusher:error")
        assert (await late.event("pusher:subscription_error", "presence-a"))["type"] == "LimitReached"


async def test_the_rate_of_client_events_applies_at_once(server: Running) -> None:
    async with await server.client() as client:
        await client.subscribe("private-a")
        client.send("client-a", {}, "private-a")
        await client.quiet()
        server.hub.app_changed(replace(APP, client_event_rate=1), APP)
        for _ in range(3):
            client.send("client-a", {}, "private-a")
        assert (await client.event("pusher:error"))["code"] == 4301


async def test_counts_and_history_begin_and_end_with_the_option(server: Running) -> None:
    async with await server.client() as client, await server.client() as follower:
        await client.subscribe("news")
        changed = replace(APP, subscription_counts=True, history_events=5)
        server.hub.apps = StaticApps([changed])
        server.hub.app_changed(changed, APP)
        assert (await client.event("pusher_internal:subscription_count", "news"))["subscription_count"] == 1
        follower.send("pusher:subscribe", {"channel": "news", "recover": True})
        told = await follower.event("pusher_internal:subscription_succeeded", "news")
        assert told["recovery"]["recovered"] is True
        for each in (client, follower):
            await each.event("pusher_internal:subscription_count", "news")
        await server.hub.publish([Publication(APP.id, "news", "e", "1")])
        assert "id" not in await client.next()
        assert "id" in await follower.next()
        server.hub.apps = StaticApps([APP])
        server.hub.app_changed(APP, changed)
        await server.hub.publish([Publication(APP.id, "news", "e", "2")])
        for each in (client, follower):
            assert "id" not in await each.next()
        async with await server.client() as late:
            await late.subscribe("news")
        await client.quiet()
