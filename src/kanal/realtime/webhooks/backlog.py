"""Events that wait for one address."""

from __future__ import annotations

from collections import deque
from itertools import islice

MAX_EVENTS = 20_000
MAX_BYTES = 16 * 1024 * 1024
BATCH_EVENTS = 100  # Pusher puts up to 20 into one request
BATCH_BYTES = 512 * 1024  # common servers take 1 MB without being told to


class Backlog:
    """A queue within limits: what is oldest makes room. Times are those of the loop."""

    def __init__(self) -> None:
        self._events: deque[tuple[bytes, float]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def oldest(self) -> float:
        """When the first one came. Raises ``IndexError`` when there is none."""
        return self._events[0][1]

    def put(self, event: bytes, now: float) -> int:
        """Answers how many had to go."""
        self._events.append((event, now))
        self._bytes += len(event)
        gone = 0
        while len(self._events) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._events) > 1):
            self._pop()
            gone += 1
        return gone

    def batch(self) -> tuple[bytes, ...]:
        """What goes into the next request; it stays until ``take``. At least one event, however long."""
        size = 0
        chosen: list[bytes] = []
        for event, _ in islice(self._events, BATCH_EVENTS):
            size += len(event)
            if chosen and size > BATCH_BYTES:
                break
            chosen.append(event)
        return tuple(chosen)

    def take(self) -> tuple[bytes, ...]:
        chosen = self.batch()
        for _ in chosen:
            self._pop()
        return chosen

    def forget_before(self, moment: float) -> int:
        """Answers how many went."""
        gone = 0
        while self._events and self._events[0][1] <= moment:
            self._pop()
            gone += 1
        return gone

    def clear(self) -> int:
        return self.forget_before(float("inf"))

    def _pop(self) -> None:
        event, _ = self._events.popleft()
        self._bytes -= len(event)
