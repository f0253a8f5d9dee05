"""An app with webhooks, nodes that send them, and a backend that takes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from kanal.realtime.apps import App, Webhook
from kanal.realtime.brokers.base import Broker
from kanal.realtime.webhooks.observer import Webhooks
from kanal.realtime.webhooks.target import Pace
from tests.realtime.harness import APP, Client, Running, running
from tests.realtime.webhooks.receiver import Receiver, receiving

SOON = Pace(window=0.02, answer=5.0, first_retry=0.05, longest_retry=0.5)


class Sending(Running):
    """A node that sends webhooks. Names linger for ``linger`` seconds, unless it settles before."""

    webhooks: Webhooks

    async def member_of(self, app: App, channel: str, user: str) -> Client:
        client = await self.client(app)
        await client.subscribe(channel, {"user_id": user})
        return client

    async def subscriber(self, app: App, *channels: str) -> Client:
        client = await self.client(app)
        for channel in channels:
            await client.subscribe(channel)
        return client


@asynccontextmanager
async def sending(
    *apps: App, broker: Broker | None = None, linger: float = 0.5, **settings: Any
) -> AsyncIterator[Sending]:
    async with running(*apps, broker=broker, **settings) as node:
        it = Sending(node.hub, node.front, node.port)
        it.webhooks = Webhooks(node.hub, pace=SOON, linger=linger)
        try:
            yield it
        finally:
            await it.webhooks.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(APP) as it:
        yield it


@pytest.fixture
def app(receiver: Receiver) -> App:
    """It tells the receiver everything."""
    return replace(APP, webhooks=(Webhook(url=receiver.url),), subscription_counts=True)
