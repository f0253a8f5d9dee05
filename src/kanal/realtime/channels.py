"""One channel on this node: from the first subscriber to the last."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from kanal.realtime.apps import App
from kanal.realtime.brokers.base import Broker, BrokerDown, Keep
from kanal.realtime.connections import Connection
from kanal.realtime.envelope import Recorded, open_event
from kanal.realtime.fanout import Audience, FanOut
from kanal.realtime.observation import Observation
from kanal.realtime.observers import Observer
from kanal.realtime.presence import Attendance
from kanal.realtime.protocol import errors, frames
from kanal.realtime.protocol.effects import Effect, Member
from kanal.realtime.protocol.names import ChannelName, Kind
from kanal.realtime.recovery import Recovered, Recovery
from kanal.realtime.stats import AppStats, LocalChannel
from kanal.realtime.tally import Tally
from kanal.realtime.wire import text_frame

SUBSCRIBE_TIMEOUT = 2.0  # seconds to wait for the broker's confirmation before serving locally


class Owner(Protocol):
    """The hub, as a channel sees it."""

    broker: Broker
    fanout: FanOut
    observers: list[Observer]
    connections: dict[str, Connection]

    def apply(self, connection: Connection, effects: Sequence[Effect]) -> None: ...

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

    __slots__ = (
        "__weakref__",
        "_last",
        "_owner",
        "_waiting",
        "app",
        "attendance",
        "audience",
        "name",
        "observation",
        "ready",
        "recovery",
        "tally",
        "topic",
    )

    def __init__(self, owner: Owner, app: App, name: ChannelName, topic: str, stats: AppStats) -> None:
        self._owner = owner
        self.app = app
        self.name = name
        self.topic = topic
        self.audience = Audience(stats)
        """Without those that follow positions; they are ``recovery``'s."""
        self.ready = False
        self.attendance: Attendance | None = None
        if name.is_presence:
            self.attendance = Attendance(topic, owner.broker, app.presence_max_members, self, owner.spawn)
        self.recovery: Recovery | None = None
        if app.history_events:
            self.recovery = Recovery(topic, owner.broker, _keep(app), Audience(stats), self)
        self.tally = Tally(topic, owner.broker, self) if self._is_counted(app) else None
        self._waiting: dict[Connection, Member | None] = {}
        self._last: tuple[bytes, float] | None = None
        self.observation = Observation(self, app, owner.observers)

    @property
    def size(self) -> int:
        """Subscriptions on this node."""
        following = 0 if self.recovery is None else len(self.recovery.audience.connections)
        return len(self.audience.connections) + following

    def holds(self, connection: Connection) -> bool:
        following = self.recovery is not None and connection in self.recovery.audience.connections
        return following or connection in self.audience.connections

    def open(self) -> None:
        confirmation = self._owner.broker.subscribe(self.topic)
        if confirmation is None and not (self.attendance or self.name.cached or self.recovery or self.tally):
            self.ready = True
        else:
            self._start(self._bring_up(confirmation))

    async def _bring_up(self, confirmation: asyncio.Future[None] | None) -> None:
        await confirmed(confirmation)
        if self.name.cached:
            await self._load_last()
        if self.recovery is not None:
            await self.recovery.open()
        if self.tally is not None:
            await self.tally.open()
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

    # Coming and going

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

    def admit(self, connection: Connection) -> None:
        subscription = connection.machine.subscriptions.get(self.name.text)
        if subscription is None or subscription.active:
            return
        if self.recovery is not None and subscription.recover is not None:
            self.recovery.begin(connection, subscription.recover.after)
            return
        data = frames.EMPTY if self.attendance is None else self.attendance.data()
        self._let_in(connection, subscription.member, self.audience, data)
        if self.name.cached:
            connection.send(text_frame(self._last_or_miss()))
        self._count_in(connection)

    def admit_recovered(self, connection: Connection, recovered: Recovered) -> None:
        subscription = connection.machine.subscriptions.get(self.name.text)
        if subscription is None or subscription.active or self.recovery is None:
            return
        members = None if self.attendance is None else self.attendance.members
        data = frames.recovery_data(recovered.position, recovered=recovered.complete, members=members)
        self._let_in(connection, subscription.member, self.recovery.audience, data)
        if recovered.missed:
            connection.send(b"".join(map(text_frame, recovered.missed)))
        begins = subscription.recover is None or subscription.recover.after is None
        if self.name.cached and (begins or not recovered.complete):
            connection.send(text_frame(self._last_or_miss()))
        self._count_in(connection)

    def _let_in(self, connection: Connection, member: Member | None, audience: Audience, data: bytes) -> None:
        audience.flush()
        self._owner.apply(connection, connection.machine.joined(self.name.text, data))
        if self.observation.observers:
            self.observation.joins(member)
        audience.add(connection)

    def _count_in(self, connection: Connection) -> None:
        count = None if self.tally is None else self.tally.joined(self.size)
        if count is not None:
            connection.send(text_frame(frames.subscription_count(self.name.text, count)))

    def leave(self, connection: Connection, member: Member | None) -> None:
        self._waiting.pop(connection, None)
        if self.attendance is not None and member is not None:
            self.attendance.leave(connection, member)
        self._take_out(connection, member)
        self._maybe_vacate()

    def _take_out(self, connection: Connection, member: Member | None) -> None:
        was_in = self.holds(connection)
        self.audience.remove(connection)
        if self.recovery is not None:
            self.recovery.leave(connection)
        if was_in and self.observation.observers:
            self.observation.left(member)
        if was_in and self.tally is not None:
            self.tally.changed(self.size)

    def _maybe_vacate(self) -> None:
        if not self.ready or self._waiting or self.size:
            return
        if (self.attendance is None or self.attendance.idle) and (self.recovery is None or self.recovery.idle):
            if self.tally is not None:
                self.tally.close()
            self._owner.vacated(self)

    # What subscribers hear

    def tell(self, frame: bytes, skip: Sequence[Connection] = ()) -> None:
        """``frame`` is for every subscriber but those to ``skip``."""
        self._owner.fanout.publish(self.audience, frame, skip)
        if self.recovery is not None:
            self._owner.fanout.publish(self.recovery.audience, frame, skip)

    def recorded(self, event: Recorded) -> None:
        """A server event with a position, from the broker."""
        if self.recovery is None:
            self.pass_on(event)
        else:
            self.recovery.event(event)

    def keep(self, text: bytes, seconds: float) -> None:
        self._last = (text, time.monotonic() + seconds)

    def _last_or_miss(self) -> bytes:
        if self._last is not None and self._last[1] > time.monotonic():
            return self._last[0]
        self._last = None
        self.observation.cache_missed()
        return frames.cache_miss(self.name.text)

    # Called by the attendance

    def refuse_full(self, connection: Connection) -> None:
        subscription = connection.machine.subscriptions.get(self.name.text)
        self._take_out(connection, None if subscription is None else subscription.member)
        failure = errors.LimitReached("The presence channel is full")
        self._owner.apply(connection, connection.machine.refuse(self.name.text, failure))

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

    # Called by the recovery

    def pass_on(self, event: Recorded) -> None:
        socket = self._owner.connections.get(event.except_socket)
        skip = () if socket is None else (socket,)
        self._owner.fanout.publish(self.audience, text_frame(event.text), skip)
        if self.recovery is not None and self.recovery.audience.connections:
            frame = text_frame(frames.with_id(event.text, event.position))
            self._owner.fanout.publish(self.recovery.audience, frame, skip)

    def lose(self, position: str | None) -> None:
        if self.recovery is not None:
            frame = text_frame(frames.recovery_lost(self.name.text, position))
            self._owner.fanout.publish(self.recovery.audience, frame)

    def spawn(self, task: asyncio.Task[None]) -> None:
        self._owner.spawn(task)

    # Called by the tally

    def tell_count(self, count: int) -> None:
        self.tell(text_frame(frames.subscription_count(self.name.text, count)))

    def observe_count(self, count: int) -> None:
        self.observation.counted(count)

    # For the hub

    def figures(self) -> LocalChannel:
        users = None if self.attendance is None else frozenset(self.attendance.sockets)
        cached = self._last is not None and self._last[1] > time.monotonic()
        return LocalChannel(self.size, users, cached)

    def app_changed(self, app: App) -> None:
        self.app = app
        self.observation.app_changed(app)
        if self.attendance is not None:
            self.attendance.limit = app.presence_max_members
        if app.history_events and self.recovery is None:
            self.recovery = Recovery(self.topic, self._owner.broker, _keep(app), Audience(self.audience.stats), self)
            self._start(self.recovery.open())
        elif app.history_events and self.recovery is not None:
            self.recovery.keep = _keep(app)  # who follows positions stays in its audience, also when none come any more
        if not self._is_counted(app):
            if self.tally is not None:
                self.tally.stop()
            self.tally = None
        elif self.tally is None:
            self.tally = Tally(self.topic, self._owner.broker, self)
            self._start(self._begin_to_count(self.tally))

    async def _begin_to_count(self, tally: Tally) -> None:
        await tally.open()
        tally.changed(self.size)

    def _is_counted(self, app: App) -> bool:
        """Of presence channels one knows the members; server-to-user channels are nobody else's business."""
        return app.subscription_counts and self.name.kind not in {Kind.PRESENCE, Kind.USER}

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._owner.spawn(asyncio.get_running_loop().create_task(work))


def _keep(app: App) -> Keep:
    return Keep(app.history_events, app.history_seconds)
