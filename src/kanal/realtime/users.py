"""Signed-in users: who is online anywhere in the cluster, and who of them watches whom.

Being online is presence in a channel that no client can name, so the presence machinery answers for its exactness. A
watcher is first told how everybody on its watchlist is, in one message, and then what changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from kanal.realtime.brokers.base import Broker
from kanal.realtime.channels import confirmed
from kanal.realtime.connections import Connection
from kanal.realtime.envelope import topic_of
from kanal.realtime.presence import Attendance
from kanal.realtime.protocol import frames
from kanal.realtime.protocol.effects import Member, User
from kanal.realtime.wire import text_frame


class Owner(Protocol):
    """The hub, as signed-in users see it."""

    broker: Broker
    rosters: dict[str, Attendance]

    def spawn(self, task: asyncio.Task[None]) -> None: ...


class Watch:
    """One connection and the users it watches."""

    __slots__ = ("_connection", "_flushing", "_now", "_told", "_unknown", "onlines")

    def __init__(self, connection: Connection, users: tuple[str, ...]) -> None:
        self._connection = connection
        self._unknown = set(users)
        self._now: dict[str, bool] = {}
        self._told: dict[str, bool] = {}
        self._flushing = False
        self.onlines: list[Online] = []

    def see(self, user_id: str, online: bool) -> None:
        """How a user is, for the first time or after a change."""
        self._unknown.discard(user_id)
        self._now[user_id] = online
        if not self._unknown and not self._flushing:
            self._flushing = True  # a node that dies takes many users along: one message tells of all
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        changed = [user for user, online in self._now.items() if self._told.get(user) is not online]
        self._told.update(self._now)
        if changed:
            online = [user for user in changed if self._now[user]]
            offline = [user for user in changed if not self._now[user]]
            self._connection.send(text_frame(frames.watchlist_events(online, offline)))


class Online:
    """Whether one user is online. Implements ``presence.Host``; its attendance never has more than one member."""

    __slots__ = ("_empty", "_owner", "_user_id", "_waiting", "_watchers", "attendance", "ready", "topic")

    def __init__(self, owner: Owner, topic: str, user_id: str, empty: Callable[[Online], None]) -> None:
        """``empty`` is called when nobody is here and nobody watches."""
        self._owner = owner
        self._empty = empty
        self._user_id = user_id
        self._waiting: dict[Connection, None] = {}
        self._watchers: dict[Watch, None] = {}
        self.topic = topic
        self.attendance = Attendance(topic, owner.broker, 1, self, owner.spawn)
        self.ready = False

    async def bring_up(self) -> None:
        await confirmed(self._owner.broker.subscribe(self.topic))
        await self.attendance.load()
        self.ready = True
        waiting, self._waiting = self._waiting, {}
        for connection in waiting:
            self.attendance.join(connection, self._member)
        for watch in self._watchers:
            watch.see(self._user_id, self._is_online)
        self.settled()

    @property
    def _member(self) -> Member:
        return Member(self._user_id, frames.NO_INFO)

    @property
    def _is_online(self) -> bool:
        return self._user_id in self.attendance.members or self._user_id in self.attendance.sockets

    def enter(self, connection: Connection) -> None:
        if self.ready:
            self.attendance.join(connection, self._member)
        else:
            self._waiting[connection] = None

    def leave(self, connection: Connection) -> None:
        self._waiting.pop(connection, None)
        self.attendance.leave(connection, self._member)
        self.settled()

    def watch(self, watch: Watch) -> None:
        self._watchers[watch] = None
        watch.onlines.append(self)
        if self.ready:
            watch.see(self._user_id, self._is_online)

    def unwatch(self, watch: Watch) -> None:
        self._watchers.pop(watch, None)
        self.settled()

    # Called by the attendance

    def admit(self, connection: Connection) -> None:
        """Nobody waits for it."""

    def refuse_full(self, connection: Connection) -> None:
        """There is always room for one."""

    def announce(self, user_id: str, info: bytes | None) -> None:
        for watch in self._watchers:
            watch.see(user_id, info is not None)

    def settled(self) -> None:
        if self.ready and not self._watchers and not self._waiting and self.attendance.idle:
            self._empty(self)


class Users:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._watches: dict[Connection, Watch] = {}
        self._own: dict[Connection, Online] = {}
        self._onlines: dict[str, Online] = {}

    def enter(self, connection: Connection, user: User) -> None:
        """A connection has signed in. An app without watchlists needs nobody to be known as online."""
        if connection.closed or not connection.app.watchlist_max:
            return
        self._own[connection] = own = self._online(connection.app.id, user.user_id)
        own.enter(connection)
        if user.watchlist:
            self._watches[connection] = watch = Watch(connection, user.watchlist)
            for user_id in user.watchlist:
                self._online(connection.app.id, user_id).watch(watch)

    def leave(self, connection: Connection) -> None:
        own = self._own.pop(connection, None)
        if own is not None:
            own.leave(connection)
        watch = self._watches.pop(connection, None)
        if watch is not None:
            for online in watch.onlines:
                online.unwatch(watch)

    def _online(self, app_id: str, user_id: str) -> Online:
        topic = topic_of(app_id, f"#online-{user_id}")
        online = self._onlines.get(topic)
        if online is None:
            online = self._onlines[topic] = Online(self._owner, topic, user_id, self._forget)
            self._owner.rosters[topic] = online.attendance
            self._owner.spawn(asyncio.get_running_loop().create_task(online.bring_up()))
        return online

    def _forget(self, online: Online) -> None:
        if self._onlines.get(online.topic) is online:
            del self._onlines[online.topic]
            del self._owner.rosters[online.topic]
            self._owner.broker.unsubscribe(online.topic)
