"""Who is present in one channel, as the clients of this node have been told.

Presence is a matter of user ids, not of sockets: the first node of a user announces it, the last one takes it back. This
node registers a user with the broker while any of its sockets is in the channel. What should be registered is compared
with what is, until they agree; a lost link, a refused script or a rebuilt broker only mean comparing again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from kanal.realtime.brokers.base import Broker, BrokerDown, Roster, RosterChange
from kanal.realtime.connections import Connection
from kanal.realtime.protocol.effects import Member
from kanal.realtime.protocol.frames import presence_data

SETTLE_TIMEOUT = 2.0  # seconds to wait for our own announcement to come back before answering without it


class Host(Protocol):
    """The channel that a roster belongs to."""

    def admit(self, connection: Connection) -> None:
        """Answers a waiting subscription."""

    def refuse_full(self, connection: Connection) -> None: ...

    def announce(self, user_id: str, info: bytes | None) -> None:
        """Tells the subscribers, except the user's own sockets, of a join or (``None``) of a leave."""

    def settled(self) -> None:
        """Nothing is under way now."""


class Attendance:
    def __init__(
        self, topic: str, broker: Broker, limit: int, host: Host, spawn: Callable[[asyncio.Task[None]], None]
    ) -> None:
        self._topic = topic
        self._broker = broker
        self.limit = limit
        self._host = host
        self._spawn = spawn
        self.loaded = False
        """The roster has been asked for once."""
        self.members: dict[str, bytes] = {}
        self.sockets: dict[str, dict[Connection, None]] = {}
        self._infos: dict[str, bytes] = {}
        self._registered: set[str] = set()
        self._waiting: dict[Connection, str] = {}
        self._version: int | None = None
        self._early: list[RosterChange] = []
        self._reached = asyncio.Event()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._data: bytes | None = None

    @property
    def idle(self) -> bool:
        return not self.sockets and not self._registered and not self._lock.locked() and self._task is None

    def data(self) -> bytes:
        """Presence data of ``subscription_succeeded``."""
        if self._data is None:
            self._data = presence_data(self.members)
        return self._data

    def join(self, connection: Connection, member: Member) -> None:
        """The host is called back, perhaps at once, with ``admit`` or ``refuse_full``."""
        user = member.user_id
        self.sockets.setdefault(user, {})[connection] = None
        self._infos.setdefault(user, member.info)
        if user in self._registered and user in self.members:
            self._host.admit(connection)
        else:
            self._waiting[connection] = user
            self._kick()

    def leave(self, connection: Connection, member: Member) -> None:
        self._waiting.pop(connection, None)
        mine = self.sockets.get(member.user_id)
        if mine is None or connection not in mine:
            return
        del mine[connection]
        if not mine:
            del self.sockets[member.user_id]
            del self._infos[member.user_id]
            self._kick()

    def changed(self, change: RosterChange) -> None:
        """From the broker, in order."""
        if self._version is None:
            self._early.append(change)
            return
        if change.version <= self._version:
            return
        self._version = change.version
        user = change.user_id
        if change.info is not None:
            if user not in self.members:
                self._set(user, change.info)
                self._host.announce(user, change.info)
        elif user in self.sockets:
            # Taken off by others although it is here: a node that was thought dead. It registers again.
            self._registered.discard(user)
            self._kick()
        elif user in self.members:
            self._unset(user)
            self._host.announce(user, None)
        self._reached.set()

    async def load(self) -> None:
        """The first view, after the topic is subscribed."""
        async with self._lock:
            roster = await self._read() or Roster()
            for user, info in roster.members.items():
                self._set(user, info)
            self._registered = set(roster.own)
            self._replay(roster.version)
        self.loaded = True

    async def resync(self, *, trust: bool) -> bool:
        """After the broker was away: registers anew, then tells clients the difference.

        Other nodes may be about to register anew as well, so members are only taken off when ``trust`` is set; answers
        whether there were any to take off.
        """
        async with self._lock:
            self._registered.clear()
            await self._compare()
            version = self._version
            roster = await self._read()
            if roster is None:  # away again; coming back starts this anew
                self._replay(version or 0)
                return False
            for user, info in roster.members.items():
                if user not in self.members:
                    self._set(user, info)
                    self._host.announce(user, info)
            gone = [user for user in self.members if user not in roster.members and user not in self.sockets]
            if trust:
                self._take_off(gone)
            self._registered = set(roster.own)
            self._replay(roster.version)
        self._kick()
        return bool(gone)

    def prune(self) -> None:
        """The broker has been away for longer than the others keep us: nobody but our own is known to be there."""
        self._take_off([user for user in self.members if user not in self.sockets])
        self._registered.clear()
        self._host.settled()

    def _take_off(self, users: list[str]) -> None:
        for user in users:
            self._unset(user)
            self._host.announce(user, None)

    async def _read(self) -> Roster | None:
        """What is announced from here on is kept until ``_replay``. ``None`` when the broker is away."""
        self._version = None
        self._early = []
        try:
            return await self._broker.roster(self._topic)
        except BrokerDown:
            return None

    def _replay(self, version: int) -> None:
        self._version = version
        early, self._early = self._early, []
        for change in early:
            self.changed(change)
        self._reached.set()

    def _kick(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._spawn(self._task)

    async def _run(self) -> None:
        try:
            async with self._lock:
                await self._compare()
        finally:
            self._task = None
        if self._broker.connected and self._pending():
            self._kick()
        else:
            self._host.settled()

    def _pending(self) -> bool:
        return bool(self._waiting) or self._registered != self.sockets.keys()

    async def _compare(self) -> None:
        while True:
            joins = {user: self._infos[user] for user in self.sockets if user not in self._registered}
            leaves = [user for user in self._registered if user not in self.sockets]
            if not joins and not leaves:
                self._admit()
                return
            try:
                update = await self._broker.update_roster(self._topic, joins, leaves, self.limit)
            except BrokerDown:
                self._admit_alone()
                return
            self._registered.update(joins.keys() - update.refused)
            self._registered.difference_update(leaves)
            self._refuse(update.refused)
            await self._reach(update.version)
            self._admit()

    async def _reach(self, version: int) -> None:
        """Our own announcement comes back in line with those of others; waiting for it keeps the order exact."""
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                while self._version is not None and self._version < version:
                    self._reached.clear()
                    await self._reached.wait()
        except TimeoutError:
            return

    def _admit(self) -> None:
        for connection, user in list(self._waiting.items()):
            if user in self._registered:
                self._waiting.pop(connection, None)
                self._present(user)
                self._host.admit(connection)

    def _admit_alone(self) -> None:
        """Without the broker this node serves its own: what others have told before is kept, newcomers are added."""
        waiting, self._waiting = self._waiting, {}
        for connection, user in waiting.items():
            self._present(user)
            self._host.admit(connection)

    def _present(self, user: str) -> None:
        if user not in self.members and user in self._infos:
            self._set(user, self._infos[user])
            self._host.announce(user, self._infos[user])

    def _refuse(self, users: frozenset[str]) -> None:
        for user in users:
            for connection in self.sockets.pop(user, {}):
                self._waiting.pop(connection, None)
                self._host.refuse_full(connection)
            self._infos.pop(user, None)

    def _set(self, user: str, info: bytes) -> None:
        self.members[user] = info
        self._data = None

    def _unset(self, user: str) -> None:
        del self.members[user]
        self._data = None
