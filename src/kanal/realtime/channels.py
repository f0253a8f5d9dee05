"""One channel on this node: from the first subscriber to the last."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Protocol

from kanal.realtime.apps import App
from kanal.realtime.brokers.base import Broker, BrokerDown
from kanal.realtime.connections import Connection
from kanal.realtime.envelope import open_event
from kanal.realtime.fanout import Audience, FanOut
from kanal.realtime.observers import Observer
from kanal.realtime.presence import Attendance
from kanal.realtime.protocol import errors, frames
from kanal.realtime.protocol.effects import Effect, Member
from kanal.realtime.protocol.names import ChannelName, Kind
from kanal.realtime.stats import AppStats, LocalChannel
from kanal.realtime.wire import text_frame

SUBSCRIBE_TIMEOUT = 2.0  # seconds to wait for the broker's confirmation before serving locally


class Owner(Protocol):
    """The hub, as a channel sees it."""

    broker: Broker
    fanout: FanOut
    observers: list[Observer]

    def apply(self, connection: Connection, effects: list[Effect] | tuple[Effect, ...]) -> None: ...

    def spawn(self, task: asyncio.Task[None]) -> None: ...

    def vacated(self, channel: Channel) -> None: ...


async def confirmed(confirmation: asyncio.Future[None] | None) -> None:
    """Waits for a subscription to be in force, and no longer than ``SUBSCRIBE_TIMEOUT``.

    Without it local delivery goes on, and the broker makes up for it when it is back.
    """
    if confirmation is not None:
        with contextlib.suppress(BrokerDown, TimeoutError):
            await asyncio.wait_for(confirmation, SUBSCRIBE_TIMEOUT)


class Channel:
    """``wait`` until ready, then ``admit``. Ready means: the broker sends us this topic, and what it kept is here."""

    __slots__ = ("_last", "_owner", "_waiting", "app", "attendance", "audience", "name", "observers", "ready", "topic")

    def __init__(self, owner: Owner, app: App, name: ChannelName, topic: str, stats: AppStats) -> None:
        self._owner = owner
        self.app = app
        self.name = name
        self.topic = topic
        self.audience = Audience(stats)
        self.ready = False
        self.attendance: Attendance | None = None
        self._waiting: dict[Connection, Member | None] = {}
        self._last: tuple[bytes, float] | None = None
        self.observers = self._observers_of(app)
        if name.is_presence:
            self.attendance = Attendance(topic, owner.broker, app.presence_max_members, self, owner.spawn)

    def open(self) -> None:
        confirmation = self._owner.broker.subscribe(self.topic)
        if confirmation is None and self.attendance is None and not self.name.cached:
            self.ready = True
            return
        self._owner.spawn(asyncio.get_running_loop().create_task(self._bring_up(confirmation)))

    async def _bring_up(self, confirmation: asyncio.Future[None] | None) -> None:
        await confirmed(confirmation)
        if self.name.cached:
            await self._load_last()
        if self.attendance is not None:
            await self.attendance.load()
        self.ready = True
        waiting, self._waiting = self._waiting, {}
        for connection, member in waiting.items():
            self._enter(connection, member)
        self._maybe_vacate()

    async def _load_last(self) -> None:
        try:
            kept = await self._owner.broker.retained(self.topic)
        except BrokerDown:
            return
        if kept is not None and self._last is None:  # what came in meanwhile is newer
            self._last = (open_event(kept.payload).text, time.monotonic() + kept.expires_in)

    def wait(self, connection: Connection, member: Member | None) -> None:
        """A subscription that the machine accepted."""
        if self.ready:
            self._enter(connection, member)
        else:
            self._waiting[connection] = member

    def _enter(self, connection: Connection, member: Member | None) -> None:
        if self.attendance is not None and member is not None:
            self.attendance.join(connection, member)
        else:
            self.admit(connection)

    def leave(self, connection: Connection, member: Member | None) -> None:
        self._waiting.pop(connection, None)
        was_in = connection in self.audience.connections
        self.audience.remove(connection)
        if self.attendance is not None and member is not None:
            self.attendance.leave(connection, member)
        if was_in and self.observers:
            self._observe_leaving(member)
        self._maybe_vacate()

    def tell(self, frame: bytes, skip: Sequence[Connection] = ()) -> None:
        """``frame`` is for every subscriber but those to ``skip``."""
        self._owner.fanout.publish(self.audience, frame, skip)

    def keep(self, text: bytes, seconds: float) -> None:
        self._last = (text, time.monotonic() + seconds)

    def _maybe_vacate(self) -> None:
        deserted = self.ready and not self.audience.connections and not self._waiting
        if deserted and (self.attendance is None or self.attendance.idle):
            self._owner.vacated(self)

    # Called by the attendance

    def admit(self, connection: Connection) -> None:
        name = self.name.text
        subscription = connection.machine.subscriptions.get(name)
        if subscription is None or subscription.active:
            return
        data = frames.EMPTY if self.attendance is None else self.attendance.data(subscription.member)
        self.audience.flush()
        self._owner.apply(connection, tuple(connection.machine.joined(name, data)))
        if self.observers:
            self._observe_joining(subscription.member)
        self.audience.add(connection)
        if self.name.cached:
            connection.send(text_frame(self._last_or_miss()))

    def _last_or_miss(self) -> bytes:
        if self._last is not None and self._last[1] > time.monotonic():
            return self._last[0]
        self._last = None
        for observer in self.observers:
            observer.cache_missed(self.app, self.name.text)
        return frames.cache_miss(self.name.text)

    def refuse_full(self, connection: Connection) -> None:
        failure = errors.LimitReached("The presence channel is full")
        self._owner.apply(connection, tuple(connection.machine.refuse(self.name.text, failure)))

    def announce(self, user_id: str, info: bytes | None) -> None:
        name = self.name.text
        skip: tuple[Connection, ...]
        if info is None:
            text, skip = frames.member_removed(name, user_id), ()
        else:
            text = frames.member_added(name, user_id, info)
            skip = tuple(self.attendance.sockets.get(user_id, ())) if self.attendance is not None else ()
        self.tell(text_frame(text), skip)

    def settled(self) -> None:
        self._maybe_vacate()

    def figures(self) -> LocalChannel:
        users = None if self.attendance is None else frozenset(self.attendance.sockets)
        cached = self._last is not None and self._last[1] > time.monotonic()
        return LocalChannel(len(self.audience.connections), users, cached)

    def app_changed(self, app: App) -> None:
        self._observe(app)
        self.app = app
        if self.attendance is not None:
            self.attendance.limit = app.presence_max_members

    # For observers

    def _observers_of(self, app: App) -> Sequence[Observer]:
        """Server-to-user channels are between the app and one user; nobody is told of them."""
        return self._owner.observers if app.webhooks and self.name.kind is not Kind.USER else ()

    def _observe(self, app: App) -> None:
        """Who looks on from now on, or no longer does, is told of everybody who is here."""
        then = self._observers_of(app)
        was, will = bool(self.observers), bool(then)
        users = [user for user in (self.attendance.sockets if self.attendance else ()) if self._is_in(user)]
        if was and not will and self.audience.connections:
            for observer in self.observers:
                for user in users:
                    observer.member_left(app, self.name.text, user)
                observer.channel_emptied(app, self.name.text)
        self.observers = then
        if will and not was and self.audience.connections:
            for observer in self.observers:
                observer.channel_opened(app, self.name.text)
                for user in users:
                    observer.member_joined(app, self.name.text, user)

    def _is_in(self, user_id: str) -> bool:
        sockets = self.attendance.sockets.get(user_id, ()) if self.attendance is not None else ()
        return any(socket in self.audience.connections for socket in sockets)

    def _observe_joining(self, member: Member | None) -> None:
        first = not self.audience.connections
        newcomer = self.attendance is not None and member is not None and not self._is_in(member.user_id)
        for observer in self.observers:
            if first:
                observer.channel_opened(self.app, self.name.text)
            if newcomer and member is not None:
                observer.member_joined(self.app, self.name.text, member.user_id)

    def _observe_leaving(self, member: Member | None) -> None:
        gone = self.attendance is not None and member is not None and not self._is_in(member.user_id)
        for observer in self.observers:
            if gone and member is not None:
                observer.member_left(self.app, self.name.text, member.user_id)
            if not self.audience.connections:
                observer.channel_emptied(self.app, self.name.text)
