"""A connection to a server: bytes in and out, gathered, bounded, with signs of life."""

from __future__ import annotations

import asyncio
from typing import cast

PING_INTERVAL = 5.0  # seconds of silence before the server is probed, and again until it is given up
CONNECT_TIMEOUT = 2.0  # seconds
MAX_WAITING = 16 * 1024 * 1024  # bytes that a slow server may leave with us


class Wire(asyncio.Protocol):
    """Subclasses read. ``closed`` is done when the connection is, with the reason.

    What is written within one turn of the loop goes out in one write.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._paused = False
        self._scheduled = False
        self._heard = False
        self._probing = False
        self._timer: asyncio.TimerHandle | None = None
        self._reason: Exception | None = None
        self.closed: asyncio.Future[Exception] = self._loop.create_future()

    def read(self, data: bytes) -> None:
        """Raises ``ValueError`` or ``LookupError`` for what is not understood: that ends the connection."""
        raise NotImplementedError

    def ping(self) -> None:
        raise NotImplementedError

    @property
    def full(self) -> bool:
        return self._out_bytes > MAX_WAITING

    def write(self, data: bytes) -> None:
        self._out.append(data)
        self._out_bytes += len(data)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        if self._paused or self._transport is None:
            return
        data, self._out, self._out_bytes = b"".join(self._out), [], 0
        self._transport.write(data)

    def abort(self, reason: Exception) -> None:
        if self._reason is None:
            self._reason = reason
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1024 * 1024)
        self._timer = self._loop.call_later(PING_INTERVAL, self._tick)

    def data_received(self, data: bytes) -> None:
        if self._reason is not None:  # given up already
            return
        self._heard = True
        try:
            self.read(data)
        except (ValueError, LookupError) as error:
            self.abort(ConnectionError(f"not understood: {error!r}"))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._out, self._out_bytes = [], 0
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed.done():
            self.closed.set_result(self._reason or exc or ConnectionResetError("closed by the server"))

    def _tick(self) -> None:
        if self._heard:
            self._heard = self._probing = False
        elif self._probing:
            self.abort(TimeoutError("no answer from the server"))
            return
        else:
            self._probing = True
            self.ping()
        self._timer = self._loop.call_later(PING_INTERVAL, self._tick)


def reason(error: Exception) -> str:
    """What to tell people; a time-out has no text of its own."""
    return str(error) or type(error).__name__
