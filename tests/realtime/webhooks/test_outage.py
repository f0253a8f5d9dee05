"""Redis goes away and comes back: nothing in use is told as ended, and in the end the truth is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kanal.realtime import occupancy
from kanal.realtime.apps import App
from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.redis import RedisBroker
from tests.realtime.harness import until
from tests.realtime.webhooks.conftest import Sending, sending
from tests.realtime.webhooks.receiver import Receiver
from tests.support.services import Redis, Server

Nodes = tuple[Sending, Sending]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reactions, sooner; in the same proportions."""
    monkeypatch.setattr(occupancy, "GRACE", 3.0)
    monkeypatch.setattr(backoff, "CAP", 0.5)


@pytest.fixture
async def nodes(app: App, redis_server: Server) -> AsyncIterator[Nodes]:
    if not redis_server.alive:
        redis_server.restart()
    url = Redis.url(redis_server)
    brokers = [RedisBroker(url, node=name, prefix="outage", heartbeat=0.5, node_ttl=15.0) for name in ("one", "two")]
    async with sending(app, broker=brokers[0]) as one, sending(app, broker=brokers[1]) as two:
        yield one, two


async def test_channels_come_and_go_while_redis_is_away(
    nodes: Nodes, app: App, receiver: Receiver, redis_server: Server
) -> None:
    one, two = nodes
    stays = await two.subscriber(app, "stays")
    ends = await one.subscriber(app, "ends")
    await receiver.hears(lambda _: len(receiver.told("channel_occupied")) == 2)
    redis_server.kill()
    await until(lambda: not one.hub.broker.connected and not two.hub.broker.connected)
    await ends.bye()
    comes = await one.subscriber(app, "comes")
    passes = await one.subscriber(app, "passes")
    await receiver.hears(lambda _: len(receiver.told("channel_occupied")) == 4)
    await passes.bye()
    redis_server.restart()
    await until(lambda: one.hub.broker.connected and two.hub.broker.connected, 20.0)
    await receiver.hears(lambda _: len(receiver.told("channel_vacated")) >= 2)
    assert {event["channel"] for event in receiver.told("channel_vacated")} == {"ends", "passes"}
    await stays.bye()
    await comes.bye()
    await receiver.hears(lambda _: len(receiver.told("channel_vacated")) >= 4)
    assert {event["channel"] for event in receiver.told("channel_vacated")[2:]} == {"stays", "comes"}
