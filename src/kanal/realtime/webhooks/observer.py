"""The hub's events on their way to the apps' backends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from kanal.realtime.apps import App
from kanal.realtime.brokers.base import BrokerDown
from kanal.realtime.endings import end
from kanal.realtime.hub import Hub
from kanal.realtime.occupancy import LINGER
from kanal.realtime.webhooks import messages
from kanal.realtime.webhooks.desk import Desk
from kanal.realtime.webhooks.stats import WebhookStats
from kanal.realtime.webhooks.target import Pace

SETTLE_WITHIN = LINGER + 2.0  # seconds for the census to be told that nothing is in use here any more
FLUSH_WITHIN = 3.0  # seconds for receivers to take what waits when this node ends

log = structlog.get_logger(__name__)


class Webhooks:
    """An ``Observer``. Made before the hub starts; at the end ``settle``, then the hub's ``stop``, then ``stop``.

    ``private`` allows addresses that the internet does not reach: those who configure apps are those who run the server,
    unless they let strangers do it.
    """

    def __init__(self, hub: Hub, *, private: bool = True, pace: Pace | None = None, linger: float = LINGER) -> None:
        self._hub = hub
        self._private = private
        self._pace = pace
        self._linger = linger
        self._desks: dict[str, Desk] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        hub.observers.append(self)
        hub.apps.watch(self._app_changed)

    def stats(self) -> Mapping[str, WebhookStats]:
        """By app id; apps that nothing was told of yet are not there."""
        return {app_id: replace(desk.stats) for app_id, desk in self._desks.items()}

    async def settle(self, within: float = SETTLE_WITHIN) -> None:
        """Call when this node's clients are gone: what has come out of use is told before it ends.

        Where other nodes are, clients have time to come back on one of them, as ever; a server that is alone has nothing
        to wait for.
        """
        if not self._desks:
            return
        try:
            async with asyncio.timeout(within):
                alone = len(await self._hub.broker.nodes()) <= 1
                await asyncio.gather(*(desk.occupancy.settle(now=alone) for desk in self._desks.values()))
        except (TimeoutError, BrokerDown):
            log.warning("webhook.unsettled", hint="the broker was away; the other nodes tell what ended here")
        finally:
            for desk in self._desks.values():
                desk.occupancy.stop()

    async def stop(self, within: float = FLUSH_WITHIN) -> None:
        """Sends what waits, then drops what is left."""
        targets = [target for desk in self._desks.values() for target in desk.targets]
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(*(target.flush() for target in targets))
        except TimeoutError:
            log.warning("webhook.unsent", hint="receivers were too slow or away")
        for target in targets:
            await target.close()
        await end(self._tasks)

    # As an observer

    def channel_opened(self, app: App, channel: str) -> None:
        self._desk(app).enter(channel)

    def channel_emptied(self, app: App, channel: str) -> None:
        self._desk(app).leave(channel)

    def member_joined(self, app: App, channel: str, user_id: str) -> None:
        self._desk(app).enter(channel, user_id)

    def member_left(self, app: App, channel: str, user_id: str) -> None:
        self._desk(app).leave(channel, user_id)

    def client_event(  # noqa: PLR0917 - as the hub calls it
        self, app: App, channel: str, event: str, data: bytes, socket_id: str, user_id: str | None
    ) -> None:
        desk = self._desk(app)
        if desk.wants("client_event", channel):
            desk.tell("client_event", channel, messages.client_event(channel, event, data, socket_id, user_id))

    def cache_missed(self, app: App, channel: str) -> None:
        self._desk(app).tell("cache_miss", channel, messages.cache_miss(channel))

    def counted(self, app: App, channel: str, count: int) -> None:
        self._desk(app).tell("subscription_count", channel, messages.subscription_count(channel, count))

    def census_left(self, app: App, names: Sequence[str]) -> None:
        self._desk(app).occupancy.buried(names)

    def broker_lost(self) -> None:
        for desk in self._desks.values():
            desk.occupancy.lost()

    def broker_restored(self) -> None:
        for desk in self._desks.values():
            desk.occupancy.restored()

    # Inside

    def _desk(self, app: App) -> Desk:
        desk = self._desks.get(app.id)
        if desk is None:
            desk = self._desks[app.id] = Desk(
                app, self._hub.broker, self._spawn, private=self._private, pace=self._pace, linger=self._linger
            )
        elif desk.app is None:
            desk.replace(self._hub.apps.by_id(app.id))
        return desk

    def _app_changed(self, new: App | None, old: App) -> None:
        desk = self._desks.get(old.id)
        if desk is not None:
            desk.replace(new)

    def _spawn(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("webhook.task_failed", exc_info=task.exception())
