"""What observers are told of one channel, in pairs: everybody who is said to have come is said to have left."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Protocol

from kanal.realtime.apps import App
from kanal.realtime.connections import Connection
from kanal.realtime.observers import Observer
from kanal.realtime.presence import Attendance
from kanal.realtime.protocol.effects import Member
from kanal.realtime.protocol.names import ChannelName, Kind


class Watched(Protocol):
    """A channel, as its observation sees it."""

    name: ChannelName
    attendance: Attendance | None

    @property
    def size(self) -> int: ...

    def holds(self, connection: Connection) -> bool: ...


class Observation:
    __slots__ = ("_app", "_channel", "_everybody", "observers")

    def __init__(self, channel: Watched, app: App, everybody: Sequence[Observer]) -> None:
        # A cycle would keep every channel that was left until the garbage collector looks, which is seldom (calm_collector).
        self._channel: Watched = weakref.proxy(channel)
        self._everybody = everybody
        self._app = app
        self.observers: Sequence[Observer] = ()
        """Empty while nobody looks on; asking that is all an unobserved channel pays."""
        self.app_changed(app)

    def app_changed(self, app: App) -> None:
        """Who looks on from now on, or no longer does, is told of everybody who is here."""
        self._app = app
        # Server-to-user channels are between the app and one user; nobody is told of them.
        wanted = bool(app.webhooks) and self._channel.name.kind is not Kind.USER
        if wanted is bool(self.observers):
            return
        if wanted:
            self.observers = self._everybody
            if self._channel.size:
                self._opened(self._users())
        else:
            if self._channel.size:
                self._emptied(self._users())
            self.observers = ()

    def joins(self, member: Member | None) -> None:
        """Before the subscriber is in."""
        users = () if member is None or self._is_here(member.user_id) else (member.user_id,)
        if not self._channel.size:
            self._opened(users)
        else:
            self._joined(users)

    def left(self, member: Member | None) -> None:
        """After the subscriber is out."""
        users = () if member is None or self._is_here(member.user_id) else (member.user_id,)
        if not self._channel.size:
            self._emptied(users)
        else:
            self._left(users)

    def cache_missed(self) -> None:
        for observer in self.observers:
            observer.cache_missed(self._app, self._channel.name.text)

    def counted(self, count: int) -> None:
        for observer in self.observers:
            observer.counted(self._app, self._channel.name.text, count)

    def _users(self) -> list[str]:
        attendance = self._channel.attendance
        return [] if attendance is None else [user for user in attendance.sockets if self._is_here(user)]

    def _is_here(self, user_id: str) -> bool:
        """With a subscribed socket; others still wait to be let in. Only presence channels have users."""
        attendance = self._channel.attendance
        return attendance is None or any(self._channel.holds(each) for each in attendance.sockets.get(user_id, ()))

    def _opened(self, users: Iterable[str]) -> None:
        for observer in self.observers:
            observer.channel_opened(self._app, self._channel.name.text)
        self._joined(users)

    def _joined(self, users: Iterable[str]) -> None:
        for user in users:
            for observer in self.observers:
                observer.member_joined(self._app, self._channel.name.text, user)

    def _left(self, users: Iterable[str]) -> None:
        for user in users:
            for observer in self.observers:
                observer.member_left(self._app, self._channel.name.text, user)

    def _emptied(self, users: Iterable[str]) -> None:
        self._left(users)
        for observer in self.observers:
            observer.channel_emptied(self._app, self._channel.name.text)
