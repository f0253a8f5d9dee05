"""One event to many sockets.

A frame is built once per event. Frames of a channel are gathered while more come in, and written to each socket in one
system call, straight to descriptors in a cached list. The kernel is what a fan-out costs; gathering is what saves it:
nothing when quiet, tenfold under load.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable

from kanal.realtime.connections import Connection
from kanal.realtime.stats import AppStats

GATHER = 0.001  # seconds that an event waits for others at most
GATHER_BYTES = (
    64 * 1024
)  # of frames that wait together; more would come to a slow reader before anybody sees how slow it is


class Audience:
    """The subscribers of one channel on this node."""

    __slots__ = ("_descriptors", "_indirect", "connections", "pending", "sent", "skips", "stats")

    def __init__(self, stats: AppStats) -> None:
        self.connections: dict[Connection, None] = {}
        self.stats = stats
        self.sent = 0  # frames handed to subscribers
        self.pending: list[bytes] = []
        self.skips: dict[Connection, list[int]] = {}  # which of the pending frames it does not get
        self._descriptors: list[int] | None = None
        self._indirect: list[Connection] = []

    def add(self, connection: Connection) -> None:
        """Events published before this are not for the newcomer."""
        self.flush()
        self.connections[connection] = None
        connection.caches.add(self)
        self._descriptors = None

    def remove(self, connection: Connection) -> None:
        """Events published before this still reach the one who leaves, unless it is closed."""
        if connection not in self.connections:
            return
        self.flush()
        self.connections.pop(connection, None)
        connection.caches.discard(self)
        self._descriptors = None

    def forget_descriptors(self) -> None:
        self._descriptors = None

    def flush(self) -> None:
        """Writes what is pending."""
        frames = self.pending
        if not frames:
            return
        skips = self.skips
        self.pending = []
        connections = self.connections
        if not connections:
            if skips:
                self.skips = {}
            return
        data = b"".join(frames) if len(frames) > 1 else frames[0]
        messages, size = len(frames) * len(connections), len(data) * len(connections)
        descriptors, indirect = self._listed(), self._indirect
        if skips:
            self.skips = {}
            for skipped in skips.values():
                messages -= len(skipped)
                size -= len(data) if len(skipped) == len(frames) else sum(len(frames[index]) for index in skipped)
            descriptors, indirect = self._without(skips, descriptors, indirect)
        self.sent += messages
        self.stats.messages_out += messages
        self.stats.bytes_out += size
        self._write(data, descriptors, indirect)
        for connection, skipped in skips.items():
            if len(skipped) < len(frames) and connection in connections:
                # Who caused one of the events gets the others only.
                connection.send(b"".join(frame for index, frame in enumerate(frames) if index not in skipped))

    def _listed(self) -> list[int]:
        descriptors = self._descriptors
        if descriptors is None:
            descriptors = self._descriptors = [each.fd for each in self.connections if each.in_list]
            self._indirect = [each for each in self.connections if not each.in_list]
        return descriptors

    @staticmethod
    def _without(
        skips: dict[Connection, list[int]], descriptors: list[int], indirect: list[Connection]
    ) -> tuple[list[int], list[Connection]]:
        """The lists less these; mostly it is one, who sends client events."""
        if len(skips) == 1:
            only = next(iter(skips))
            if only.in_list and only.fd in descriptors:
                descriptors = descriptors.copy()
                descriptors.remove(only.fd)
        else:
            apart = {each.fd for each in skips}
            descriptors = [fd for fd in descriptors if fd not in apart]
        return descriptors, [each for each in indirect if each not in skips] if indirect else indirect

    def _write(self, data: bytes, descriptors: list[int], indirect: list[Connection]) -> None:
        size = len(data)
        write = os.write
        remaining = iter(descriptors)
        short: list[tuple[int, int]] = []
        while True:  # the loop without a failure has no Python call but the write itself
            fd = -1
            try:
                for fd in remaining:
                    written = write(fd, data)
                    if written != size:
                        short.append((fd, written))
                break
            except BlockingIOError:
                short.append((fd, 0))
            except OSError:  # the peer is gone; its transport finds out by itself
                continue
        if short:
            by_fd = {each.fd: each for each in self.connections}
            for fd, written in short:
                connection = by_fd.get(fd)
                if connection is not None:
                    connection.queue(data[written:])
        for connection in indirect:
            connection.send(data)


class FanOut:
    """Gathers what is published while events keep coming in, and for one turn of the loop at least.

    Quiet, that is a few microseconds. Under load it ends after ``GATHER`` or ``GATHER_BYTES``: what comes in later is for the next write.
    """

    def __init__(self) -> None:
        self._dirty: list[Audience] = []
        self._began = 0.0
        self._bytes = 0
        self._grew = False  # since the last look

    def publish(self, audience: Audience, frame: bytes, skip: Iterable[Connection] = ()) -> None:
        """``skip`` are subscribers who do not get this one."""
        if not audience.connections:
            return
        if not audience.pending:
            if not self._dirty:
                self._began = time.perf_counter()
                asyncio.get_running_loop().call_soon(self._look)
            self._dirty.append(audience)
        for connection in skip:
            if connection in audience.connections:
                audience.skips.setdefault(connection, []).append(len(audience.pending))
        audience.pending.append(frame)
        self._grew = True
        self._bytes += len(frame)

    def _look(self) -> None:
        if self._grew and self._bytes < GATHER_BYTES and time.perf_counter() - self._began < GATHER:
            self._grew = False
            asyncio.get_running_loop().call_soon(self._look)
            return
        dirty = self._dirty
        self._dirty = []
        self._bytes = 0
        for audience in dirty:
            audience.flush()
