"""What a client missed on one channel, from the history that the broker keeps of it.

A subscriber that asks for it gets every server event with its position, and says on its return up to which it came. The
events after that are replayed, in order and once, before anything newer; or it is told that they are not all there.

``last`` is the newest event that the subscribers of this node have been given. A hole before the next one (or a broker that
was away) is filled from the history first, for everybody here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from kanal.realtime.brokers import backoff, positions
from kanal.realtime.brokers.base import Broker, BrokerDown, Keep, Past
from kanal.realtime.connections import Connection
from kanal.realtime.envelope import Recorded, open_recorded
from kanal.realtime.fanout import Audience
from kanal.realtime.protocol import frames

ON_THE_WAY = 1.0  # seconds in which an event that is in the history has come over the link as well
_ATTEMPTS = 5  # of a command that fails though the link stands


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a returning subscriber is told."""

    position: str | None
    """Where it stands before ``missed``; ``None`` when the broker is away."""
    complete: bool
    missed: Sequence[bytes] = ()
    """Messages."""


class Host(Protocol):
    """The channel."""

    def pass_on(self, event: Recorded) -> None:
        """To all subscribers on this node."""

    def lose(self, position: str | None) -> None:
        """Subscribers that follow positions missed events which cannot be had any more."""

    def admit_recovered(self, connection: Connection, recovered: Recovered) -> None: ...

    def spawn(self, task: asyncio.Task[None]) -> None: ...

    def settled(self) -> None:
        """Nobody waits any more."""


class Recovery:
    def __init__(self, topic: str, broker: Broker, keep: Keep, audience: Audience, host: Host) -> None:
        self.keep = keep
        self.audience = audience
        """Subscribers that follow positions."""
        self._topic = topic
        self._broker = broker
        self._host = host
        self._last: str | None = None
        self._held: list[Recorded] = []
        self._filling: asyncio.Task[None] | None = None
        self._again = False
        self._asking: dict[str, dict[Connection, None]] = {}
        self._meanwhile: list[Recorded] = []

    @property
    def idle(self) -> bool:
        """Nobody waits for an answer."""
        return not self._asking

    async def open(self) -> None:
        """Where the log stands when the topic has just been subscribed."""
        past = await self._read(None)
        if past is not None and self._last is None:
            self._last = past.position

    def event(self, event: Recorded) -> None:
        """From the broker, in its order."""
        if self._filling is not None:
            self._held.append(event)
        elif self._last is None or _follows(event.position, self._last):
            self._pass_on(event)
        elif not _is_known(event.position, self._last):
            self._held.append(event)
            self.fill()

    def begin(self, connection: Connection, after: str | None) -> None:
        """The host's ``admit_recovered`` follows, perhaps at once."""
        if self._filling is None and (after is None or after == self._last):
            self._host.admit_recovered(connection, Recovered(self._last, complete=True))
            return
        position = self._last if after is None else after
        if position is None:
            self._host.admit_recovered(connection, Recovered(None, complete=True))
            return
        if position not in self._asking:
            self._asking[position] = {}
            self._host.spawn(asyncio.get_running_loop().create_task(self._answer(position)))
        self._asking[position][connection] = None

    def leave(self, connection: Connection) -> None:
        for waiting in self._asking.values():
            waiting.pop(connection, None)
        self.audience.remove(connection)

    def fill(self) -> None:
        """Events may be missing: asks the history for them. What comes meanwhile is held back."""
        if self._filling is not None:
            self._again = True
        else:
            self._filling = asyncio.get_running_loop().create_task(self._fill())
            self._host.spawn(self._filling)

    async def filled(self) -> None:
        """What was missing until now is no more, or cannot be had."""
        self.fill()
        while self._filling is not None:
            await asyncio.wait([self._filling])

    # Inside

    async def _fill(self) -> None:
        past = await self._read(self._last)
        if past is not None and (self._last is None or not past.complete):
            await asyncio.sleep(ON_THE_WAY)
        self._filling = None
        held, self._held = self._held, []
        if past is not None and past.complete and self._last is not None:
            for position, payload in past.events:
                self._pass_on(open_recorded(position, payload))
        elif past is not None or held:
            # From here on nobody knows where the subscribers stand, but for what comes now.
            self._last = None if past is None or held else past.position
            self._host.lose(self._last)
        for event in held:
            self.event(event)  # there may be another hole
        if self._again:
            self._again = False
            self.fill()

    async def _answer(self, after: str) -> None:
        """Returns to one position are answered together: after a deploy there are thousands of them."""
        past = await self._read(after)
        if past is not None and (self._filling is not None or self._is_behind(past.position)):
            await self.filled()
            if self._is_behind(past.position):  # the log has begun anew, or the broker is away
                past = None
        waiting = self._asking.pop(after)
        newer = [each for each in self._meanwhile if past is not None and not _is_known(each.position, past.position)]
        if not self._asking:
            self._meanwhile.clear()
        if past is None:
            recovered = Recovered(None, complete=False)
        elif not past.complete or not self._is_reached_by([past.position, *(each.position for each in newer)]):
            recovered = Recovered(self._last, complete=False)
        else:
            missed = [open_recorded(*each) for each in past.events] + newer
            recovered = Recovered(after, complete=True, missed=[frames.with_id(m.text, m.position) for m in missed])
        for connection in waiting:
            self._host.admit_recovered(connection, recovered)
        self._host.settled()

    def _is_behind(self, position: str) -> bool:
        """The subscribers here have not been given this position yet."""
        return self._last is None or not _is_known(position, self._last)

    def _is_reached_by(self, line: Sequence[str]) -> bool:
        """Without a hole it leads to where the subscribers here are."""
        return line[-1] == self._last and all(_follows(position, last) for last, position in pairwise(line))

    def _pass_on(self, event: Recorded) -> None:
        self._last = event.position
        if self._asking:
            self._meanwhile.append(event)
        self._host.pass_on(event)

    async def _read(self, after: str | None) -> Past | None:
        """``None`` when the broker is away; when it is back, everything is filled."""
        attempt = 0
        while True:
            try:
                return await self._broker.history(self._topic, after, self.keep)
            except BrokerDown:
                if not self._broker.connected or attempt == _ATTEMPTS:
                    return None
            await asyncio.sleep(backoff.delay(attempt))
            attempt += 1


def _is_known(position: str, last: str) -> bool:
    """It is ``last`` or before it."""
    epoch, number = positions.parse(position)
    last_epoch, last_number = positions.parse(last)
    return epoch == last_epoch and number <= last_number


def _follows(position: str, last: str) -> bool:
    """Nothing can be missing between the two."""
    epoch, number = positions.parse(position)
    last_epoch, last_number = positions.parse(last)
    return number == (last_number + 1 if epoch == last_epoch else 1)
