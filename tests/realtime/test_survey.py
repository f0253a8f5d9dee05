"""What all nodes have, asked of all nodes: F-RT-04, F-RT-08."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from kanal.realtime.brokers.base import Broker, BrokerDown
from kanal.realtime.protocol.signatures import sign_user
from kanal.realtime.survey import QUESTION
from tests.realtime.harness import APP, Running, running, until

BrokerFactory = Callable[[str], Broker]
PATIENCE = 20.0  # seconds; a busy machine must not decide what is found


@pytest.fixture
async def nodes(new_broker: BrokerFactory) -> AsyncIterator[list[Running]]:
    """Three of them."""
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(running(broker=new_broker(name))) for name in ("a", "b", "c")]
        for each in made:
            each.front.survey._patience = PATIENCE
        yield made


async def test_subscriptions_are_added_up_and_users_counted_once(nodes: list[Running]) -> None:
    for node in nodes:
        client = await node.client()
        await client.subscribe("news")
        await node.member("presence-a", "ayu")
    await nodes[1].member("presence-a", "budi")
    await nodes[2].member("presence-b", "citra")
    for node in nodes:
        found = await node.front.survey.channels(APP.id)
        assert {name: (each.subscriptions, each.users) for name, each in found.items()} == {
            "news": (3, set()),
            "presence-a": (4, {"ayu", "budi"}),
            "presence-b": (1, {"citra"}),
        }
        assert list(await node.front.survey.channels(APP.id, "presence-b")) == ["presence-b"]
        assert (await node.front.survey.channel(APP.id, "presence-a")).subscriptions == 4
        assert (await node.front.survey.channel(APP.id, "presence")).subscriptions == 0
        assert await node.front.survey.channels("another app") == {}


async def test_channels_of_users_are_not_listed(nodes: list[Running]) -> None:
    client = await nodes[0].client()
    user = '{"id":"ayu"}'
    auth = sign_user(APP.key, APP.secret, client.socket_id, user)
    client.send("pusher:signin", {"auth": auth, "user_data": user})
    await client.event("pusher:signin_success")
    for name in ("#server-to-user-ayu", "news"):
        client.send("pusher:subscribe", {"channel": name, "auth": ""})
        await client.event("pusher_internal:subscription_succeeded", name)
    assert list(await nodes[1].front.survey.channels(APP.id)) == ["news"]


async def test_many_ask_at_once(nodes: list[Running]) -> None:
    client = await nodes[2].client()
    await client.subscribe("news")
    answers = await asyncio.gather(*(node.front.survey.channel(APP.id, "news") for node in nodes for _ in range(20)))
    assert [each.subscriptions for each in answers] == [1] * 60


async def test_a_node_that_does_not_answer_is_not_waited_for_longer_than_patience_allows(nodes: list[Running]) -> None:
    asked, silent, answering = nodes
    for node in nodes:
        client = await node.client()
        await client.subscribe("news")
    silent.hub.orders._handlers[QUESTION] = lambda _payload: None
    asked.front.survey._patience = 0.5
    started = time.monotonic()
    found = await asked.front.survey.channel(APP.id, "news")
    assert found.subscriptions == 2
    assert time.monotonic() - started >= 0.5
    answering.front.survey._patience = 0.5
    assert (await answering.front.survey.channel(APP.id, "news")).subscriptions == 2


async def test_nothing_is_left_of_a_question(nodes: list[Running]) -> None:
    survey = nodes[0].front.survey
    survey._patience = 0.01
    await asyncio.gather(*(survey.channels(APP.id) for _ in range(20)))
    await until(lambda: not survey._asked)


async def test_without_the_broker_this_node_answers_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as server:
        client = await server.client()
        await client.subscribe("news")

        async def away() -> list[str]:
            raise BrokerDown

        monkeypatch.setattr(server.hub.broker, "nodes", away)
        assert (await server.front.survey.channel(APP.id, "news")).subscriptions == 1
