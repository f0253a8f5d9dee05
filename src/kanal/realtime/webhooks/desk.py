"""What one app's backend is told, and by which of its webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from kanal.realtime.apps import App, Webhook
from kanal.realtime.brokers.base import Broker
from kanal.realtime.occupancy import LINGER, Occupancy, member_name, split_name
from kanal.realtime.webhooks import messages
from kanal.realtime.webhooks.http import Address
from kanal.realtime.webhooks.stats import WebhookStats
from kanal.realtime.webhooks.target import Pace, Target

CHANNEL_EVENTS = ("channel_vacated", "channel_occupied")
MEMBER_EVENTS = ("member_removed", "member_added")

log = structlog.get_logger(__name__)


class Desk:
    """One app's targets, and its names in the census.

    A name is registered only if some webhook asks for what the census answers about it. All nodes decide alike, for they
    have the same app.
    """

    def __init__(
        self,
        app: App,
        broker: Broker,
        spawn: Callable[[asyncio.Task[None]], None],
        *,
        private: bool = True,
        pace: Pace | None = None,
        linger: float = LINGER,
    ) -> None:
        self.app: App | None = app
        self.stats = WebhookStats()
        self.targets: list[Target] = []
        self.occupancy = Occupancy(app.id, broker, self._changed, spawn, linger=linger)
        self._spawn = spawn
        self._private = private
        self._pace = pace
        self._here: set[str] = set()
        self._employ(app)

    def wants(self, name: str, channel: str) -> bool:
        return any(target.webhook.wants(name, channel) for target in self.targets)

    def tell(self, name: str, channel: str, event: bytes) -> None:
        for target in self.targets:
            if target.webhook.wants(name, channel):
                target.put(event)

    def enter(self, channel: str, user_id: str | None = None) -> None:
        """On this node the channel is in use now, or the user in it."""
        name = channel if user_id is None else member_name(channel, user_id)
        self._here.add(name)
        if self._counts(name):
            self.occupancy.enter(name)

    def leave(self, channel: str, user_id: str | None = None) -> None:
        name = channel if user_id is None else member_name(channel, user_id)
        self._here.discard(name)
        self.occupancy.leave(name)

    def replace(self, app: App | None) -> None:
        """The app has changed or (``None``) is gone. What waits for webhooks that it no longer has is dropped."""
        self.app = app
        self._employ(app)
        for name in self._here:
            if self._counts(name):
                self.occupancy.enter(name)
            else:
                self.occupancy.leave(name)

    def _employ(self, app: App | None) -> None:
        leaving, self.targets = self.targets, []
        if app is not None:
            for webhook in app.webhooks:
                target = next((each for each in leaving if each.webhook == webhook), None)
                if target is None:
                    target = self._hire(app, webhook)
                else:
                    leaving.remove(target)
                    target.app = app
                if target is not None:
                    self.targets.append(target)
        for target in leaving:
            self._spawn(asyncio.get_running_loop().create_task(target.close()))

    def _hire(self, app: App, webhook: Webhook) -> Target | None:
        try:
            address = Address(webhook.url, webhook.headers)
        except ValueError as error:
            log.error("webhook.unusable", app=app.id, problem=str(error))
            return None
        return Target(app, webhook, address, self.stats, self._spawn, private=self._private, pace=self._pace)

    def _counts(self, name: str) -> bool:
        channel, user_id = split_name(name)
        return any(self.wants(event, channel) for event in (CHANNEL_EVENTS if user_id is None else MEMBER_EVENTS))

    def _changed(self, name: str, begun: bool, at: int) -> None:
        """From the census."""
        channel, user_id = split_name(name)
        if user_id is None:
            event = CHANNEL_EVENTS[begun]
            self.tell(event, channel, messages.channel_event(event, channel, at))
        else:
            event = MEMBER_EVENTS[begun]
            self.tell(event, channel, messages.member_event(event, channel, user_id, at))
