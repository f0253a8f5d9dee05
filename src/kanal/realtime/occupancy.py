"""Which channels, and which users in them, the cluster has: one node tells of each change, once.

Every node registers in the broker's census the names that are in use on it; the census answers who was the first and who
the last. A name stays registered for ``LINGER`` after its last use here, so that whoever comes back within it, on any node,
changes nothing. Why it behaves as it does while the broker is away: ``docs/decisions/0014-webhooks-by-census.md``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import islice

from kanal.realtime.brokers.base import Broker, BrokerDown

LINGER = 3.0  # seconds from the last use of a name to its end being told; Pusher documents "up to three"
GRACE = 10.0  # seconds after the broker's return in which nothing ends: other nodes register anew, some a little later
SURELY_ALIVE = 10.0  # seconds without the broker after which the other nodes may have buried this one
RETRY = 1.0  # seconds after a command that failed on a link that stands
MAX_UNSETTLED = 100_000  # names that came out of use while the broker is away, before the oldest are told as ended
_AT_ONCE = 1_000  # names in one command

Tell = Callable[[str, bool, int], None]
"""Name, whether it is in use now, and when that became so (milliseconds of the epoch)."""


def member_name(channel: str, user_id: str) -> str:
    """Stands for a user in a presence channel; channel names have no line breaks."""
    return f"{channel}\n{user_id}"


def split_name(name: str) -> tuple[str, str | None]:
    """The channel, and the user if the name stands for one."""
    channel, _, user_id = name.partition("\n")
    return channel, user_id or None


class Occupancy:
    """The names of one app. ``enter`` and ``leave`` say what happens on this node; ``tell`` is called for the cluster.

    Without the broker a name that comes into use here is told at once, whatever other nodes may have told, and nothing
    ends before the broker is back. Whether a change is told by this node or by another, the times given with it are in the order of the changes as
    far as the clocks agree: a beginning is dated when the census has answered, an end when it was asked.
    """

    def __init__(
        self,
        app_id: str,
        broker: Broker,
        tell: Tell,
        spawn: Callable[[asyncio.Task[None]], None],
        *,
        linger: float = LINGER,
    ) -> None:
        self._app_id = app_id
        self._broker = broker
        self._tell = tell
        self._spawn = spawn
        self._linger = linger
        self._loop = asyncio.get_running_loop()
        self._present: set[str] = set()
        self._lingering: dict[str, float] = {}  # until when; in the order of their ends
        self._registered: set[str] = set()
        self._joins: dict[str, None] = {}
        self._leaves: dict[str, None] = {}
        self._leaving: set[str] = set()  # the census is being told; until it answers they count as in use
        self._told: set[str] = set()  # in use, as told without asking the census; it is not told again
        self._alone = not broker.connected
        self._alone_since = self._loop.time()
        self._not_before = 0.0
        self._restorations = 0
        self._answered = 0  # the date of the last answer
        self._ends: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Nothing is in use, lingers or is under way."""
        return not (self._present or self._lingering or self._registered or self._task or self._joins or self._leaves)

    def enter(self, name: str) -> None:
        """The name is in use here, for the first time or again."""
        self._present.add(name)
        if self._lingering.pop(name, None) is not None:
            return
        if name in self._leaves:
            del self._leaves[name]
        if name in self._registered:
            return
        self._joins[name] = None
        if self._alone:
            self._tell_alone(name)
        else:
            self._kick()

    def leave(self, name: str) -> None:
        if name not in self._present:
            return
        self._present.remove(name)
        self._lingering[name] = self._loop.time() + self._linger
        if not self._alone:
            self._await_end()
        elif len(self._lingering) > MAX_UNSETTLED:
            self._end_alone(next(iter(self._lingering)))

    def buried(self, names: Iterable[str]) -> None:
        """A node ended and nobody else held these. One that has come into use here since then is not told as ended."""
        now = _milliseconds()
        for name in _members_first(names):
            if name not in self._registered and name not in self._told:
                self._tell(name, False, now)

    def lost(self) -> None:
        """The broker is away."""
        self._go_alone()

    def restored(self) -> None:
        """The broker is back, or took this node for dead: everything is registered again."""
        now = self._loop.time()
        if not self._alone or now - self._alone_since > SURELY_ALIVE:
            self._told.clear()  # others may have told the end of what we held
        self._alone = False
        self._restorations += 1
        self._not_before = now + GRACE
        for name in self._leaves:
            self._lingering.setdefault(name, now)
        self._leaves.clear()
        self._registered.clear()
        self._joins = dict.fromkeys((*self._present, *self._lingering))
        self._await_end_anew()
        self._kick()

    async def settle(self, *, now: bool) -> None:
        """At the end of this node: nothing is in use here any more. Returns when the census knows.

        ``now``: without lingering, because there is no other node to come back on. Does not return while the broker is
        away: whoever calls has a limit.
        """
        for name in list(self._present):
            self.leave(name)
        if now:
            self._lingering = dict.fromkeys(self._lingering, 0.0)
        self._not_before = 0.0
        self._await_end_anew()
        while not self.idle:
            if self._task is not None:
                await asyncio.wait({self._task})
            else:
                await asyncio.sleep(0.02)  # until the next one's time has come

    def stop(self) -> None:
        """This node is about to leave the census; what it still holds there will come back by ``buried``."""
        for timer in (self._ends, self._retry):
            if timer is not None:
                timer.cancel()
        self._alone = True
        self._registered.clear()
        self._told.clear()

    # Inside

    def _tell_alone(self, name: str) -> None:
        if name not in self._told and name not in self._leaving:
            self._told.add(name)
            self._tell(name, True, _milliseconds())

    def _go_alone(self) -> None:
        if not self._alone:
            self._alone = True
            self._alone_since = self._loop.time()
        for name in self._joins:
            self._tell_alone(name)
        if self._retry is None and self._broker.connected:
            self._retry = self._loop.call_later(RETRY, self._try_again)

    def _end_alone(self, name: str) -> None:
        """Memory is bounded, however long the broker is away. What the census knows of must still be taken off it."""
        del self._lingering[name]
        if name in self._joins:
            del self._joins[name]
            self._told.discard(name)
            self._tell(name, False, _milliseconds())
        else:
            self._leaves[name] = None

    def _await_end(self) -> None:
        if self._ends is None and self._lingering:
            first = next(iter(self._lingering.values()))
            self._ends = self._loop.call_at(max(first, self._not_before), self._end)

    def _await_end_anew(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None
        self._await_end()

    def _end(self) -> None:
        self._ends = None
        if self._alone:
            return
        now = self._loop.time()
        ended = []
        for name, until in self._lingering.items():
            if until > now:
                break
            ended.append(name)
        for name in ended:
            del self._lingering[name]
            self._leaves[name] = None
        self._await_end()
        self._kick()

    def _kick(self) -> None:
        if self._task is None and not self._alone and (self._joins or self._leaves):
            self._task = self._loop.create_task(self._run())
            self._spawn(self._task)

    async def _run(self) -> None:
        try:
            while not self._alone and (self._joins or self._leaves):
                await self._round()
        finally:
            self._task = None

    async def _round(self) -> None:
        """A name that was never registered but shall end goes through both, in two rounds."""
        joins = list(islice(self._joins, _AT_ONCE))
        leaves = list(islice((name for name in self._leaves if name not in self._joins), _AT_ONCE))
        for name in joins:
            del self._joins[name]
        for name in leaves:
            del self._leaves[name]
        self._leaving = set(leaves)
        self._registered.difference_update(leaves)
        restorations = self._restorations
        asked = max(_milliseconds(), self._answered + 1) if leaves else 0
        try:
            update = await self._broker.update_census(self._app_id, joins, leaves)
        except BrokerDown:
            self._leaving.clear()
            self._unanswered(joins, leaves)
            if restorations == self._restorations:
                self._go_alone()
            else:  # it is the link before this one that failed
                self._await_end()
            return
        self._leaving.clear()
        self._answered = max(_milliseconds(), asked)
        self._registered.update(joins)
        for name in _members_first(update.last):
            self._tell(name, False, asked)
        first = set(update.first)
        for name in joins:
            if name in first and name not in self._told:
                self._tell(name, True, self._answered)
            self._told.discard(name)
        if self._alone:
            self._go_alone()  # some of those who left may have come back

    def _unanswered(self, joins: list[str], leaves: list[str]) -> None:
        """Nobody knows what the broker has done.

        Those who joined may have been the first, and nobody would ever be told: we tell. Those who left may have been the
        last: they join again, untold, and leave again later.
        """
        for name in joins:
            self._tell_alone(name)
        for name in leaves:
            self._told.add(name)
            if name not in self._present:
                self._lingering.setdefault(name, self._loop.time() + self._linger)
        self._joins = dict.fromkeys((*joins, *leaves, *self._joins))

    def _try_again(self) -> None:
        self._retry = None
        if self._alone and self._broker.connected:
            self._alone = False
            self._await_end()
            self._kick()


def _members_first(names: Iterable[str]) -> list[str]:
    """Ends are told from the inside: the members, then their channel."""
    return sorted(names, key=lambda name: "\n" not in name)


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
