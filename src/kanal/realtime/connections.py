"""A connected socket: its protocol machine and the way bytes get out to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from kanal.realtime.apps import App
from kanal.realtime.protocol.connection import Machine
from kanal.realtime.stats import AppStats


class Carrier(Protocol):
    """The WebSocket under a connection, as far as control frames go."""

    def ping(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Sends the close frame behind everything written, and sees to it that the descriptor is closed soon."""


class Cached(Protocol):
    """Something that holds this connection's descriptor in a list."""

    def forget_descriptors(self) -> None: ...


class Connection:
    """Writes go straight to the descriptor while nothing waits in the transport, else through the transport.

    The transport must report pressure at once (``set_write_buffer_limits(high=0)``), so that ``blocked`` is exactly
    "the transport holds bytes" and a direct write can never overtake, or cut into, what it holds. TLS has no direct way.

    ``limit`` bounds the bytes waiting for a slow reader; beyond it ``on_overflow`` is called, once. One message larger than
    the limit still passes when nothing waits.
    """

    __slots__ = (
        "app",
        "blocked",
        "caches",
        "carrier",
        "closed",
        "direct",
        "fd",
        "limit",
        "machine",
        "on_overflow",
        "overflowed",
        "scopes",
        "stats",
        "transport",
    )

    def __init__(
        self,
        *,
        app: App,
        machine: Machine,
        transport: asyncio.WriteTransport,
        carrier: Carrier,
        stats: AppStats,
        limit: int,
        on_overflow: Callable[[Connection], None],
    ) -> None:
        self.app = app
        self.machine = machine
        self.transport = transport
        self.carrier = carrier
        self.stats = stats
        self.limit = limit
        self.on_overflow = on_overflow
        self.fd: int = transport.get_extra_info("socket").fileno()
        self.direct = transport.get_extra_info("ssl_object") is None
        self.blocked = self.direct and transport.get_write_buffer_size() > 0
        self.closed = False
        self.overflowed = False
        self.caches: set[Cached] = set()
        self.scopes: set[str] = set()

    @property
    def socket_id(self) -> str:
        return self.machine.socket_id

    @property
    def in_list(self) -> bool:
        """May be written to by descriptor."""
        return self.direct and not self.blocked and not self.closed

    def send(self, data: bytes) -> None:
        """``data`` is one or more whole WebSocket frames."""
        if self.closed:
            return
        if not self.in_list:
            self.queue(data)
            return
        try:
            written = os.write(self.fd, data)
        except BlockingIOError:
            written = 0
        except OSError:
            return  # the peer is gone; the transport finds out by itself
        if written != len(data):
            self.queue(data[written:])

    def queue(self, data: bytes) -> None:
        """Hands the rest of a short write to the transport, which keeps the order."""
        if self.closed or self.transport.is_closing():
            return
        before = self.transport.get_write_buffer_size()
        self.transport.write(data)
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            return
        if self.direct and not self.blocked:
            self.blocked = True
            self.forget_descriptors()
        if before and waiting > self.limit and not self.overflowed:
            self.overflowed = True
            self.on_overflow(self)

    def resume(self) -> None:
        """The transport has written everything."""
        if self.blocked:
            self.blocked = False
            self.forget_descriptors()

    def forget_descriptors(self) -> None:
        for cache in self.caches:
            cache.forget_descriptors()

    def close(self, code: int, reason: str) -> None:
        """The descriptor leaves every list before anything can close it and the kernel hand its number to another."""
        if self.closed:
            return
        self.closed = True
        self.blocked = False
        self.forget_descriptors()
        self.carrier.close(code, reason)
