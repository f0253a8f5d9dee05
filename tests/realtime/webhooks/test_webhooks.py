"""What a backend is told of what clients do, on one node and on two, over memory and Redis: F-RT-05."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import structlog.testing

from kanal.realtime.apps import App, Webhook
from kanal.realtime.publisher import Publication
from kanal.realtime.sources.registry import AppRegistry
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import APP, until
from tests.realtime.webhooks.conftest import Sending, sending
from tests.realtime.webhooks.receiver import Receiver, receiving

ROOM = "presence-room"
LONG = 60.0  # seconds to linger in tests in which nothing shall end


def named(name: str, channel: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "channel": channel, **more}


@pytest.fixture
async def node(app: App) -> AsyncIterator[Sending]:
    async with sending(app) as it:
        yield it


@pytest.fixture
async def nodes(app: App, new_broker: BrokerFactory) -> AsyncIterator[tuple[Sending, Sending]]:
    async with sending(app, broker=new_broker("one")) as one, sending(app, broker=new_broker("two")) as two:
        yield one, two


class TestWhatIsTold:
    async def test_a_channel_from_its_first_subscriber_to_its_last(
        self, node: Sending, app: App, receiver: Receiver
    ) -> None:
        first = await node.subscriber(app, "news")
        second = await node.subscriber(app, "news")
        await first.bye()
        await second.bye()
        await receiver.hears(lambda events: named("channel_vacated", "news") in events)
        assert receiver.told("channel_occupied", "channel_vacated") == [
            named("channel_occupied", "news"),
            named("channel_vacated", "news"),
        ]

    async def test_members_by_user_not_by_socket(self, node: Sending, app: App, receiver: Receiver) -> None:
        sockets = [await node.member_of(app, ROOM, user) for user in ("ayu", "ayu", "budi")]
        for socket in sockets:
            await socket.bye()
        await receiver.hears(lambda events: named("channel_vacated", ROOM) in events)
        told = receiver.events
        assert told[:3] == [
            named("channel_occupied", ROOM),
            named("member_added", ROOM, user_id="ayu"),
            named("member_added", ROOM, user_id="budi"),
        ]
        assert sorted(event["user_id"] for event in told[3:5]) == ["ayu", "budi"]
        assert {event["name"] for event in told[3:5]} == {"member_removed"}
        assert told[5:] == [named("channel_vacated", ROOM)]

    async def test_changes_carry_their_time_as_a_string(self, node: Sending, app: App, receiver: Receiver) -> None:
        await node.member_of(app, ROOM, "ayu")
        await receiver.has(2)
        events = [event for request in receiver.requests for event in request.events]
        assert all(isinstance(event["time_ms"], str) and event["time_ms"].isdigit() for event in events)

    async def test_client_events_as_their_subscribers_see_them(
        self, node: Sending, app: App, receiver: Receiver
    ) -> None:
        member = await node.member_of(app, ROOM, "ayu")
        member.send("client-typing", {"in": "ここ"}, ROOM)
        member.send("client-typing", "text", ROOM)
        nobody = await node.subscriber(app, "private-a")
        nobody.send("client-typing", None, "private-a")
        await receiver.hears(lambda events: sum(event["name"] == "client_event" for event in events) == 3)
        sent = {"event": "client-typing"}
        assert receiver.told("client_event") == [
            named(
                "client_event", ROOM, **sent, data=json.dumps({"in": "ここ"}), socket_id=member.socket_id, user_id="ayu"
            ),
            named("client_event", ROOM, **sent, data="text", socket_id=member.socket_id, user_id="ayu"),
            named("client_event", "private-a", **sent, data="{}", socket_id=nobody.socket_id),
        ]

    async def test_an_empty_cache_channel_by_each_who_misses(self, node: Sending, app: App, receiver: Receiver) -> None:
        await node.subscriber(app, "cache-a")
        await node.subscriber(app, "cache-a")
        await node.hub.publish([Publication(app.id, "cache-a", "e", "{}")])
        late = await node.subscriber(app, "cache-a")
        await late.event("e", "cache-a")
        await receiver.hears(lambda events: len([event for event in events if event["name"] == "cache_miss"]) == 2)
        assert receiver.told("cache_miss") == [named("cache_miss", "cache-a")] * 2

    async def test_how_many_subscribe(self, node: Sending, app: App, receiver: Receiver) -> None:
        await node.subscriber(app, "news")
        second = await node.subscriber(app, "news")
        await second.bye()
        counts = [named("subscription_count", "news", subscription_count=count) for count in (1, 2, 1)]
        await receiver.hears(lambda _: receiver.told("subscription_count") == counts)

    async def test_only_what_a_webhook_asks_for(self, receiver: Receiver) -> None:
        async with receiving(APP) as other:
            webhooks = (
                Webhook(url=receiver.url, events=frozenset({"member_added"}), channel_prefix="presence-team."),
                Webhook(url=other.url, events=frozenset({"channel_occupied", "client_event"})),
            )
            app = replace(APP, webhooks=webhooks)
            async with sending(app) as node:
                await node.member_of(app, "presence-team.1", "ayu")
                member = await node.member_of(app, "presence-other", "ayu")
                member.send("client-x", {}, "presence-other")
                await other.has(3)
                await receiver.has(1)
                assert receiver.events == [named("member_added", "presence-team.1", user_id="ayu")]
                assert [(event["name"], event["channel"]) for event in other.events] == [
                    ("channel_occupied", "presence-team.1"),
                    ("channel_occupied", "presence-other"),
                    ("client_event", "presence-other"),
                ]

    async def test_an_app_without_webhooks_is_not_looked_at(self, app: App, receiver: Receiver) -> None:
        quiet = replace(APP, id="1002", key="other-key")
        async with sending(quiet, app) as node:
            await node.subscriber(quiet, "news")
            await node.subscriber(app, "news")
            await receiver.has(1)
            assert set(node.webhooks.stats()) == {app.id}


class TestComingBack:
    async def test_who_flaps_changes_nothing(self, app: App, receiver: Receiver) -> None:
        async with sending(app, linger=LONG) as node:
            for _ in range(20):
                member = await node.member_of(app, ROOM, "ayu")
                await member.bye()
            await node.subscriber(app, "news")
            await receiver.hears(lambda events: named("channel_occupied", "news") in events)
            changes = receiver.told("channel_occupied", "channel_vacated", "member_added", "member_removed")
            assert changes == [
                named("channel_occupied", ROOM),
                named("member_added", ROOM, user_id="ayu"),
                named("channel_occupied", "news"),
            ]

    async def test_on_another_node_neither(self, app: App, receiver: Receiver, new_broker: BrokerFactory) -> None:
        async with (
            sending(app, broker=new_broker("one"), linger=LONG) as one,
            sending(app, broker=new_broker("two"), linger=LONG) as two,
        ):
            for _ in range(5):
                for node in (one, two):
                    member = await node.member_of(app, ROOM, "ayu")
                    await member.bye()
            await one.subscriber(app, "news")
            await receiver.hears(lambda events: named("channel_occupied", "news") in events)
            assert len(receiver.told("channel_occupied", "channel_vacated", "member_added", "member_removed")) == 3


class TestTwoNodes:
    async def test_one_of_them_tells(self, nodes: tuple[Sending, Sending], app: App, receiver: Receiver) -> None:
        members = [await node.member_of(app, ROOM, user) for node in nodes for user in ("ayu", "budi")]
        for member in members[:3]:
            await member.bye()
        await receiver.hears(lambda events: named("member_removed", ROOM, user_id="ayu") in events)
        await members[3].bye()
        await receiver.hears(lambda events: named("channel_vacated", ROOM) in events)
        told = receiver.told("channel_occupied", "channel_vacated", "member_added", "member_removed")
        assert told == [
            named("channel_occupied", ROOM),
            named("member_added", ROOM, user_id="ayu"),
            named("member_added", ROOM, user_id="budi"),
            named("member_removed", ROOM, user_id="ayu"),
            named("member_removed", ROOM, user_id="budi"),
            named("channel_vacated", ROOM),
        ]

    async def test_a_client_event_is_told_where_it_came_in(
        self, nodes: tuple[Sending, Sending], app: App, receiver: Receiver
    ) -> None:
        members = [await node.member_of(app, ROOM, user) for node, user in zip(nodes, ("ayu", "budi"), strict=True)]
        members[0].send("client-x", {}, ROOM)
        members[1].send("client-y", {}, ROOM)
        await receiver.hears(lambda _: len(receiver.told("client_event")) == 2)
        assert {event["user_id"] for event in receiver.told("client_event")} == {"ayu", "budi"}


class TestEndOfANode:
    async def test_alone_it_tells_what_ends_with_it(self, app: App, receiver: Receiver) -> None:
        async with sending(app, linger=LONG) as node:
            await node.member_of(app, ROOM, "ayu")
            await node.front.drain(0.0)
            async with asyncio.timeout(10):
                await node.webhooks.settle()
                await node.hub.stop()
                await node.webhooks.stop()
        assert receiver.events[-2:] == [named("member_removed", ROOM, user_id="ayu"), named("channel_vacated", ROOM)]

    async def test_beside_others_its_clients_have_time_to_arrive_there(
        self, app: App, receiver: Receiver, new_broker: BrokerFactory
    ) -> None:
        """One channel moves, the other ends."""
        async with sending(app, broker=new_broker("one"), linger=2.0) as one:
            async with sending(app, broker=new_broker("two"), linger=2.0) as two:
                await two.subscriber(app, "moves")
                await two.subscriber(app, "ends")
                await receiver.has(2)
                await two.front.drain(0.0)
                await one.subscriber(app, "moves")
                await two.webhooks.settle(within=30.0)
                await two.hub.stop()
                await two.webhooks.stop()
            await receiver.hears(lambda events: named("channel_vacated", "ends") in events)
            assert receiver.told("channel_occupied", "channel_vacated") == [
                named("channel_occupied", "moves"),
                named("channel_occupied", "ends"),
                named("channel_vacated", "ends"),
            ]

    async def test_a_receiver_that_does_not_answer_does_not_hold_it_up(self, app: App, receiver: Receiver) -> None:
        receiver.ready.clear()
        async with sending(app) as node:
            await node.subscriber(app, "news")
            await until(lambda: node.webhooks.stats()[app.id].requests == 1)
            async with asyncio.timeout(10):
                await node.webhooks.stop(within=0.2)
            assert node.webhooks.stats()[app.id].dropped > 0


class TestChangedApps:
    @pytest.fixture
    async def registry(self) -> AppRegistry:
        registry = AppRegistry()
        registry.put("file", [APP])
        return registry

    @pytest.fixture
    async def node(self, registry: AppRegistry) -> AsyncIterator[Sending]:
        async with sending(source=registry) as it:
            yield it

    async def test_a_new_webhook_learns_what_is_in_use(
        self, node: Sending, registry: AppRegistry, app: App, receiver: Receiver
    ) -> None:
        await node.member_of(app, ROOM, "ayu")
        registry.put("file", [app])
        await receiver.has(2)
        assert receiver.told("channel_occupied", "member_added") == [
            named("channel_occupied", ROOM),
            named("member_added", ROOM, user_id="ayu"),
        ]

    async def test_a_webhook_that_asks_for_more_learns_that_too(
        self, node: Sending, registry: AppRegistry, receiver: Receiver
    ) -> None:
        less = Webhook(url=receiver.url, events=frozenset({"client_event"}))
        registry.put("file", [replace(APP, webhooks=(less,))])
        await node.subscriber(APP, "news")
        registry.put("file", [replace(APP, webhooks=(replace(less, events=frozenset({"channel_occupied"})),))])
        await receiver.has(1)
        assert receiver.events == [named("channel_occupied", "news")]

    async def test_what_waits_for_a_webhook_that_is_gone_is_dropped(
        self, node: Sending, registry: AppRegistry, app: App, receiver: Receiver
    ) -> None:
        receiver.ready.clear()
        async with receiving(APP) as other:
            registry.put("file", [app])
            await node.subscriber(app, "one")
            await until(lambda: node.webhooks.stats()[app.id].requests == 1)
            registry.put("file", [replace(app, webhooks=(Webhook(url=other.url),))])
            await node.subscriber(app, "two")
            await other.hears(lambda events: named("channel_occupied", "two") in events)
            assert named("channel_occupied", "one") not in other.events
            await until(lambda: node.webhooks.stats()[app.id].dropped > 0)

    async def test_an_app_that_goes_and_comes_is_told_of_again(
        self, node: Sending, registry: AppRegistry, app: App, receiver: Receiver
    ) -> None:
        registry.put("file", [app])
        gone = await node.subscriber(app, "news")
        await receiver.hears(lambda events: named("channel_occupied", "news") in events)
        registry.put("file", [])
        assert await gone.closed() == 4001
        registry.put("file", [app])
        await node.subscriber(app, "again")
        await receiver.hears(lambda events: named("channel_occupied", "again") in events)


async def test_an_address_that_cannot_be_used_costs_only_itself(receiver: Receiver) -> None:
    """Files and settings that have one are refused; what the database has is taken as far as it goes."""
    unusable = Webhook(url="http://127.0.0.1/", headers={"X-Team": "\n"})
    app = replace(APP, webhooks=(unusable, Webhook(url=receiver.url)))
    async with sending(app) as node:
        with structlog.testing.capture_logs() as logs:
            await node.subscriber(app, "news")
        await receiver.has(1)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["webhook.unusable"]
