"""Connections that owe us the rest of a head, and how long they have for it."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Hurried(Protocol):
    """Somebody whose time is limited."""

    def give_up(self) -> None:
        """It is over, and the line left; it may be entered anew."""


class Waiting:
    """All have equally long, so one timer does for thousands."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadlines: dict[Hurried, float] = {}  # in the order in which they end
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: Hurried) -> None:
        """Who is in the line already goes to its end."""
        loop = asyncio.get_running_loop()
        self._deadlines.pop(connection, None)
        self._deadlines[connection] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def discard(self, connection: Hurried) -> None:
        self._deadlines.pop(connection, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        late: list[Hurried] = []
        self._timer = None
        for connection, deadline in self._deadlines.items():
            if deadline > now:
                self._timer = loop.call_at(deadline, self._look)
                break
            late.append(connection)
        for connection in late:
            del self._deadlines[connection]
        for connection in late:
            connection.give_up()
