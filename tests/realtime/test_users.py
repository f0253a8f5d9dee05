"""Signed-in users as clients see them, over each broker: their own channel, and who is online."""

import asyncio
import json
from typing import Any

import pytest

from kanal.realtime.apps import App
from kanal.realtime.authorizers import UserGrant, sign_user_grant
from kanal.realtime.protocol.signatures import sign_subscription, sign_user
from kanal.realtime.publisher import Publication
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import APP, WAIT, Client, Running, running, until

Nodes = tuple[Running, Running]


@pytest.fixture(params=["same node", "two nodes"])
def where(request: pytest.FixtureRequest, two_nodes: Nodes) -> Nodes:
    one, two = two_nodes
    return (one, one) if request.param == "same node" else (one, two)


def ask(client: Client, user: str, **more: Any) -> None:
    data = json.dumps({"id": user, **more})
    auth = sign_user(client.app.key, client.app.secret, client.socket_id, data)
    client.send("pusher:signin", {"auth": auth, "user_data": data})


async def sign_in(client: Client, user: str, **more: Any) -> None:
    ask(client, user, **more)
    success = await client.event("pusher:signin_success")
    assert json.loads(success["user_data"])["id"] == user


async def registered(node: Running, user: str) -> None:
    """The sign-in succeeds at once, the cluster hears of it a moment later."""
    async with asyncio.timeout(WAIT):
        while not (await node.hub.broker.roster(f"{APP.id}:#online-{user}")).members:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.01)


async def watched(client: Client) -> dict[str, list[str]]:
    data = await client.event("pusher_internal:watchlist_events")
    return {event["name"]: sorted(event["user_ids"]) for event in data["events"]}


async def test_a_user_hears_what_is_sent_to_the_user_on_every_connection(where: Nodes) -> None:
    one, two = where
    async with await one.client() as ayu, await two.client() as phone, await two.client() as budi:
        for client, user in ((ayu, "ayu"), (phone, "ayu"), (budi, "budi")):
            await sign_in(client, user)
            await client.subscribe(f"#server-to-user-{user}")
        await one.hub.publish([Publication(APP.id, "#server-to-user-ayu", "hello", '{"a":1}')])
        for client in (ayu, phone):
            assert await client.event("hello", "#server-to-user-ayu") == {"a": 1}
        await budi.quiet()


async def test_the_channel_of_another_is_refused(where: Nodes) -> None:
    async with await where[0].client() as ayu:
        ayu.ask("#server-to-user-ayu")
        assert (await ayu.event("pusher:error"))["code"] == 4009
        assert (await ayu.event("pusher:subscription_error", "#server-to-user-ayu"))["type"] == "AuthError"
        await sign_in(ayu, "ayu")
        await ayu.subscribe("#server-to-user-ayu")


async def test_a_user_is_closed_on_every_node_without_any_subscription(two_nodes: Nodes) -> None:
    one, two = two_nodes
    async with await one.client() as ayu, await two.client() as phone, await two.client() as budi:
        for client, user in ((ayu, "ayu"), (phone, "ayu"), (budi, "budi")):
            await sign_in(client, user)
        await one.hub.terminate(APP.id, "user:ayu")
        for client in (ayu, phone):
            assert (await client.event("pusher:error"))["code"] == 4009
            assert await client.closed() == 4009
        await budi.quiet()


async def test_a_sign_in_signed_before_the_end_of_its_session_is_refused(two_nodes: Nodes) -> None:
    one, two = two_nodes
    grant = UserGrant("ayu", scopes=("session:1",))
    async with await two.client() as client, await two.client() as witness:
        witness.send("pusher:signin", sign_user_grant(APP, witness.socket_id, grant))
        await witness.event("pusher:signin_success")
        signed = sign_user_grant(APP, client.socket_id, grant)
        await one.hub.terminate(APP.id, "session:1")
        assert await witness.event("pusher:error")
        client.send("pusher:signin", signed)
        assert (await client.event("pusher:error"))["code"] == 4009
        client.ask("#server-to-user-ayu")
        assert (await client.event("pusher:error"))["code"] == 4009


async def test_presence_takes_the_signed_in_user(where: Nodes) -> None:
    one, two = where
    async with await one.client() as ayu, await two.client() as budi:
        await sign_in(ayu, "ayu", user_info={"name": "Ayu"})
        auth = sign_subscription(APP.key, APP.secret, ayu.socket_id, "presence-a")
        ayu.send("pusher:subscribe", {"channel": "presence-a", "auth": auth})
        await ayu.event("pusher_internal:subscription_succeeded", "presence-a")
        here = await budi.subscribe("presence-a", {"user_id": "budi"})
        assert here["presence"]["hash"] == {"ayu": {"name": "Ayu"}, "budi": {}}


class TestWatchlist:
    async def test_the_first_message_says_how_everybody_is_and_the_next_what_changes(self, where: Nodes) -> None:
        one, two = where
        async with await one.client() as ayu, await two.client() as budi, await two.client() as citra:
            await sign_in(budi, "budi")
            await registered(one, "budi")
            await sign_in(ayu, "ayu", watchlist=["budi", "citra", "dewi"])
            assert await watched(ayu) == {"online": ["budi"], "offline": ["citra", "dewi"]}
            await sign_in(citra, "citra")
            assert await watched(ayu) == {"online": ["citra"]}
            await budi.bye()
            assert await watched(ayu) == {"offline": ["budi"]}
            await ayu.quiet()

    async def test_a_user_is_online_while_any_connection_is(self, where: Nodes) -> None:
        one, two = where
        async with await one.client() as ayu, await one.client() as tab, await two.client() as phone:
            await sign_in(ayu, "ayu", watchlist=["budi"])
            assert await watched(ayu) == {"offline": ["budi"]}
            await sign_in(tab, "budi")
            assert await watched(ayu) == {"online": ["budi"]}
            await sign_in(phone, "budi")
            await tab.bye()
            await until(lambda: len(one.hub.connections) == (2 if one is two else 1))
            await ayu.quiet()
            await phone.drop()
            assert await watched(ayu) == {"offline": ["budi"]}

    async def test_who_watches_the_own_id_is_online(self, where: Nodes) -> None:
        async with await where[0].client() as ayu:
            await sign_in(ayu, "ayu", watchlist=["ayu"])
            assert await watched(ayu) == {"online": ["ayu"]}
            await ayu.quiet()

    async def test_being_subscribed_is_not_being_online(self, where: Nodes) -> None:
        one, two = where
        async with await one.client() as ayu, await two.client() as budi:
            await budi.subscribe("presence-a", {"user_id": "budi"})
            await sign_in(ayu, "ayu", watchlist=["budi"])
            assert await watched(ayu) == {"offline": ["budi"]}

    async def test_a_list_that_is_too_long_is_4302_and_the_sign_in_holds(self, where: Nodes) -> None:
        async with await where[0].client() as ayu:
            ask(ayu, "ayu", watchlist=[str(number) for number in range(101)])
            await ayu.event("pusher:signin_success")
            assert (await ayu.event("pusher:error"))["code"] == 4302
            await ayu.subscribe("#server-to-user-ayu")
            await ayu.quiet()

    async def test_a_hundred_users_are_told_of_in_one_message(self, where: Nodes) -> None:
        users = sorted(str(number) for number in range(100))
        async with await where[0].client() as ayu:
            await sign_in(ayu, "ayu", watchlist=users)
            assert await watched(ayu) == {"offline": users}

    async def test_apps_do_not_see_each_others_users(self) -> None:
        first, second = App(id="1", key="a", secret="a"), App(id="2", key="b", secret="b")
        async with (
            running(first, second) as server,
            await server.client(first) as ayu,
            await server.client(second) as budi,
        ):
            await sign_in(ayu, "ayu", watchlist=["budi"])
            assert await watched(ayu) == {"offline": ["budi"]}
            await sign_in(budi, "budi")
            await ayu.quiet()

    async def test_nothing_is_left_when_everybody_has_gone(self, two_nodes: Nodes) -> None:
        for node in two_nodes:
            for _ in range(3):
                async with await node.client() as client:
                    await sign_in(client, "ayu", watchlist=["budi", "citra"])
                    await watched(client)
        for node in two_nodes:
            await until(lambda node=node: not node.hub.rosters and not node.hub.connections)  # type: ignore[misc]
        for node in two_nodes:
            assert (await node.hub.broker.roster(f"{APP.id}:#online-ayu")).members == {}

    async def test_an_app_without_watchlists_keeps_no_rosters(self, new_broker: BrokerFactory) -> None:
        app = App(id="2", key="small", secret="s", watchlist_max=0)
        async with running(app, broker=new_broker("one")) as node, await node.client(app) as client:
            ask(client, "ayu", watchlist=["budi"])
            await client.event("pusher:signin_success")
            assert (await client.event("pusher:error"))["code"] == 4302
            assert node.hub.rosters == {}
