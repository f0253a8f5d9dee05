"""Who is present in one channel, as the clients of this node have been told.

Presence is a matter of user ids, not of sockets: the first node of a user announces it, the last one takes it back. This
node registers a user with the broker while any of its sockets is in the channel. What should be registered is compared
with what is, until they agree; a lost link, a refused script or a rebuilt broker only mean comparing again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from kanal.realtime.brokers import backoff
from kanal.realtime.brokers.base import Broker, BrokerDown, RosterChange
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
        self.members: dict[str, bytes] = {}
        self.sockets: dict[str, dict[Connection, None]] = {}
        self._infos: dict[str, bytes] = {}
        self._registered: set[str] = set()
        self._unsure: set[str] = set()  # whose joining or leaving failed, and may have been done all the same
        self._doubted: set[str] = set()  # members who are taken off unless the roster has them
        self._waiting: dict[Connection, str] = {}
        self._version: int | None = None
        self._early: list[RosterChange] = []
        self._reached = asyncio.Event()
        self._work = asyncio.Event()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._data: bytes | None = None
        self._blind = False
        """The roster could not be read yet."""
        self._alone = False
        """The broker has been away for long: who has no socket here is not here."""

    @property
    def idle(self) -> bool:
        # When it was alone for long, the broker finds by itself what was left behind; channels must not pile up.
        standing = not self._alone and (self._registered or self._unsure)
        return not (self.sockets or standing or self._lock.locked() or self._task is not None)

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
            self._meet(user, change.info)
        elif user in self.sockets:
            # Taken off by others although it is here: a node that was thought dead. It registers again.
            self._registered.discard(user)
            self._kick()
        elif user in self.members:
            self._unset(user)
            self._host.announce(user, None)
        self._reached.set()

    async def load(self) -> None:
        """The first view, after the topic is subscribed and before anybody joins."""
        async with self._lock:
            try:
                await self._look(trust=False)
            except BrokerDown:
                self._blind = True
        if self._blind and self._broker.connected:
            self._kick()

    async def resync(self, *, trust: bool) -> bool:
        """After the broker was away: registers anew, then tells clients the difference.

        Other nodes may be about to register anew as well, so members are only taken off when ``trust`` is set; answers
        whether there were any to take off. Raises ``BrokerDown``.
        """
        async with self._lock:
            self._doubt()
            await self._compare()
            gone = await self._look(trust=trust)
        self._kick()
        return gone

    async def _look(self, *, trust: bool) -> bool:
        """Reads the roster and tells clients the difference, as ``resync`` says. Raises ``BrokerDown``."""
        version, self._version = self._version, None  # what is announced from here on is kept until ``_replay``
        self._early = []
        try:
            roster = await self._broker.roster(self._topic)
        except BrokerDown:
            self._replay(version or 0)
            raise
        self._blind = False
        for user, info in roster.members.items():
            self._meet(user, info)
        gone = {user for user in self.members if user not in roster.members and user not in self.sockets}
        surely = gone if trust else gone & self._doubted
        self._take_off(list(surely))
        self._registered = set(roster.own)
        self._unsure.clear()
        self._doubted.clear()
        self._replay(roster.version)
        return bool(gone - surely)

    def prune(self) -> None:
        """The broker has been away for longer than the others keep us: nobody but our own is known to be there."""
        self._alone = True
        self._take_off_strangers()
        self._host.settled()

    def restored(self) -> None:
        """The broker is back, and may have forgotten us. ``resync`` follows."""
        self._alone = False
        self._doubt()

    def _doubt(self) -> None:
        self._unsure |= self._registered
        self._registered.clear()

    def _take_off_strangers(self) -> None:
        self._take_off([user for user in self.members if user not in self.sockets])

    def _take_off(self, users: list[str]) -> None:
        for user in users:
            self._unset(user)
            self._host.announce(user, None)

    def _replay(self, version: int) -> None:
        self._version = version
        early, self._early = self._early, []
        for change in early:
            self.changed(change)
        self._reached.set()

    def _kick(self) -> None:
        self._work.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._spawn(self._task)

    async def _run(self) -> None:
        attempt = 0
        try:
            while True:
                self._work.clear()
                async with self._lock:
                    done = await self._compare() and await self._see()
                if done or not self._broker.connected:
                    break
                with contextlib.suppress(TimeoutError):  # the link stands, and yet the broker refuses
                    await asyncio.wait_for(self._work.wait(), backoff.delay(attempt))
                attempt += 1
        finally:
            self._task = None
        if self._broker.connected and self._pending():
            self._kick()
        else:
            self._host.settled()

    async def _see(self) -> bool:
        if self._blind or self._doubted:
            try:
                await self._look(trust=False)
            except BrokerDown:
                return False
        return True

    def _pending(self) -> bool:
        undone = self._waiting or self._unsure or self._doubted or self._blind
        return bool(undone) or self._registered != self.sockets.keys()

    async def _compare(self) -> bool:
        """Whether what is registered now is what should be; else this node goes on alone."""
        while True:
            joins = {user: self._infos[user] for user in self.sockets if user not in self._registered}
            leaves = [user for user in self._registered | self._unsure if user not in self.sockets]
            if not joins and not leaves:
                self._admit()
                return True
            try:
                update = await self._broker.update_roster(self._topic, joins, leaves, self.limit)
            except BrokerDown:
                self._unsure.update(joins, leaves)
                self._registered.difference_update(leaves)
                self._admit_alone()
                return False
            # Somebody who was let in alone may never have been registered; then nobody announces the leave either.
            self._doubted.update(self._unsure.intersection(leaves))
            self._unsure.difference_update(joins, leaves)
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
        if self._alone:
            self._take_off_strangers()

    def _present(self, user: str) -> None:
        if user not in self.members and user in self._infos:
            self._set(user, self._infos[user])
            self._host.announce(user, self._infos[user])

    def _refuse(self, users: frozenset[str]) -> None:
        """There was no room for them, so no other node has them either. They may have been let in without the broker."""
        for user in users:
            sockets = self.sockets.get(user, {})
            for connection in list(sockets):
                del sockets[connection]
                self._waiting.pop(connection, None)
                self._host.refuse_full(connection)
            self.sockets.pop(user, None)
            self._infos.pop(user, None)
            if user in self.members:
                self._take_off([user])

    def _meet(self, user: str, info: bytes) -> None:
        """The broker's info counts, also for one who came back at once, or whom nodes that were alone knew by others."""
        newcomer = user not in self.members
        self._set(user, info)
        if newcomer:
            self._host.announce(user, info)

    def _set(self, user: str, info: bytes) -> None:
        self.members[user] = info
        self._data = None

    def _unset(self, user: str) -> None:
        del self.members[user]
        self._data = None
