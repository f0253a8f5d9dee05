"""Presence as clients see it, on one node and on two, over each broker."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kanal.realtime.apps import App
from tests.realtime.conftest import BrokerFactory
from tests.realtime.harness import APP, WAIT, Client, Running, running, until

ROOM = "presence-room"
Nodes = tuple[Running, Running]


@pytest.fixture(params=["same node", "two nodes"])
def where(request: pytest.FixtureRequest, two_nodes: Nodes) -> Nodes:
    one, two = two_nodes
    return (one, one) if request.param == "same node" else (one, two)


async def here(client: Client, user: str, **info: Any) -> dict[str, Any]:
    data = await client.subscribe(ROOM, {"user_id": user, "user_info": info})
    presence: dict[str, Any] = data["presence"]
    assert presence["count"] == len(presence["ids"]) == len(presence["hash"])
    assert set(presence["ids"]) == set(presence["hash"])
    return presence


async def test_here_joining_and_leaving(where: Nodes) -> None:  # F-RT-02
    one, two = where
    async with await one.client() as ayu, await two.client() as budi:
        assert (await here(ayu, "ayu", name="Ayu"))["hash"] == {"ayu": {"name": "Ayu"}}
        assert (await here(budi, "budi", name="Budi"))["hash"] == {"ayu": {"name": "Ayu"}, "budi": {"name": "Budi"}}
        joined = await ayu.event("pusher_internal:member_added", ROOM)
        assert joined == {"user_id": "budi", "user_info": {"name": "Budi"}}
        await budi.quiet()  # the one who acts is not told
        budi.send("pusher:unsubscribe", {"channel": ROOM})
        assert await ayu.event("pusher_internal:member_removed", ROOM) == {"user_id": "budi"}
        await budi.quiet()


async def test_a_user_is_one_however_many_sockets(where: Nodes) -> None:  # F-RT-02
    one, two = where
    async with await one.client() as ayu, await one.client() as tab, await two.client() as phone:
        await here(ayu, "ayu")
        assert (await here(tab, "budi"))["count"] == 2
        await ayu.event("pusher_internal:member_added", ROOM)
        assert (await here(phone, "budi"))["count"] == 2
        await ayu.quiet()
        await tab.quiet()
        await tab.bye()
        await asyncio.sleep(0.1)
        await ayu.quiet()
        await phone.bye()
        assert await ayu.event("pusher_internal:member_removed", ROOM) == {"user_id": "budi"}


@pytest.mark.parametrize("how", ["bye", "drop"])
async def test_a_closed_or_lost_connection_leaves(where: Nodes, how: str) -> None:
    one, two = where
    async with await one.client() as ayu:
        await here(ayu, "ayu")
        budi = await two.client()
        await here(budi, "budi")
        await ayu.event("pusher_internal:member_added", ROOM)
        await getattr(budi, how)()
        assert await ayu.event("pusher_internal:member_removed", ROOM) == {"user_id": "budi"}
        await until(lambda: two.hub.stats().apps[APP.id].connections == (1 if one is two else 0))


async def test_leaving_happens_at_the_close_frame_not_at_the_end_of_tcp(where: Nodes) -> None:
    one, two = where
    async with await one.client() as ayu, await two.client() as budi:
        await here(ayu, "ayu")
        await here(budi, "budi")
        await ayu.event("pusher_internal:member_added", ROOM)
        budi.raw(b"\x88\x80\x00\x00\x00\x00")  # an empty close frame, and TCP stays as it is
        assert await ayu.event("pusher_internal:member_removed", ROOM) == {"user_id": "budi"}


async def test_client_events_carry_the_user_and_cross_nodes(where: Nodes) -> None:  # F-RT-03
    one, two = where
    async with await one.client() as ayu, await two.client() as budi:
        await here(ayu, "ayu")
        await here(budi, "budi")
        await ayu.event("pusher_internal:member_added", ROOM)
        budi.send("client-typing", {"on": True}, ROOM)
        message = await ayu.next()
        assert message == {"event": "client-typing", "channel": ROOM, "data": '{"on": true}', "user_id": "budi"}
        await budi.quiet()


async def test_a_full_channel_refuses_new_users_but_not_new_sockets(new_broker: BrokerFactory) -> None:
    app = App(id="2", key="small", secret="s", presence_max_members=1)
    async with (
        running(app, broker=new_broker("one")) as one,
        running(app, broker=new_broker("two")) as two,
        await one.client(app) as ayu,
        await two.client(app) as phone,
        await two.client(app) as budi,
    ):
        await here(ayu, "ayu")
        await here(phone, "ayu")
        budi.ask(ROOM, {"user_id": "budi"})
        assert "full" in (await budi.event("pusher:error"))["message"]
        assert (await budi.event("pusher:subscription_error", ROOM))["type"] == "LimitReached"
        await budi.quiet()


async def test_counts_stay_exact_through_churn(two_nodes: Nodes) -> None:  # F-RT-02
    """Thirty users come and go at random on two nodes; in the end everybody agrees on who is there."""
    rng = random.Random(7)
    users = [f"user-{number}" for number in range(30)]
    watcher_one, watcher_two = [await node.client() for node in two_nodes]
    await here(watcher_one, "watcher")
    await here(watcher_two, "watcher")
    open_sockets: list[tuple[str, Client]] = []

    async def churn() -> None:
        for _ in range(150):
            if open_sockets and rng.random() < 0.45:
                _, client = open_sockets.pop(rng.randrange(len(open_sockets)))
                await rng.choice([client.bye, client.drop])()
            else:
                user = rng.choice(users)
                client = await rng.choice(two_nodes).client()
                client.ask(ROOM, {"user_id": user})
                open_sockets.append((user, client))

    await churn()
    expected = {user for user, _ in open_sockets} | {"watcher"}
    for node, watcher in zip(two_nodes, (watcher_one, watcher_two), strict=True):
        await _comes_to(watcher, expected - {"watcher"})
        async with await node.client() as late:
            assert set((await here(late, "watcher"))["ids"]) == expected
    for _, client in open_sockets:
        await client.drop()
    await watcher_one.drop()
    await watcher_two.drop()


async def _comes_to(watcher: Client, expected: set[str]) -> None:
    """What the watcher is told adds up to these users, and it is told no more."""
    present: set[str] = set()
    async with asyncio.timeout(WAIT):
        while True:
            before = set(present)
            await _follow(watcher, present)
            if before == present == expected:
                return
            await asyncio.sleep(0.1)


async def _follow(watcher: Client, present: set[str]) -> None:
    """Plays what the watcher was told since the last time, checking that nobody joins or leaves twice."""
    watcher.send("pusher:ping")
    while True:
        message = await watcher.next()
        if message["event"] == "pusher:pong":
            return
        user = json.loads(message["data"])["user_id"]
        if message["event"] == "pusher_internal:member_added":
            assert user not in present
            present.add(user)
        else:
            assert message["event"] == "pusher_internal:member_removed"
            present.remove(user)


async def test_an_empty_channel_leaves_nothing_behind(two_nodes: Nodes) -> None:
    for node in two_nodes:
        async with await node.client() as client:
            await here(client, "ayu")
            await client.subscribe("news")
            await client.subscribe("private-cache-a")
            await client.next()  # cache miss
    for node in two_nodes:
        await until(lambda node=node: not node.hub.channels and not node.hub.connections)  # type: ignore[misc]
    for node in two_nodes:
        assert (await node.hub.broker.roster(f"{APP.id}:{ROOM}")).members == {}


@pytest.fixture
async def lone(new_broker: BrokerFactory) -> AsyncIterator[Running]:
    async with running(broker=new_broker("one")) as node:
        yield node


async def test_coming_back_at_once_is_not_lost_in_between(lone: Running) -> None:
    async with await lone.client() as ayu, await lone.client() as budi:
        await here(ayu, "ayu")
        for _ in range(20):
            await here(budi, "budi")
            budi.send("pusher:unsubscribe", {"channel": ROOM})
        assert set((await here(budi, "budi"))["ids"]) == {"ayu", "budi"}
        await _comes_to(ayu, {"budi"})
