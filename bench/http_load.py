"""A lean HTTP client for load: keep-alive connections, each with one request at a time, as fast as answers come.

It reads only status and length of an answer, so that it costs a small part of what the server spends.
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

HEADER_END = b"\r\n\r\n"


@dataclass
class Load:
    """What came of a load: latencies in seconds of the counted requests, and how answers began."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    server_cpu: float = 0.0  # seconds the server's process computed meanwhile

    @property
    def rate(self) -> float:
        """Answered requests per second."""
        return len(self.latencies) / self.seconds

    @property
    def cpu_each(self) -> float:
        """Seconds of the server's computing per request: says most when the machine is busy with other things."""
        return self.server_cpu / max(1, len(self.latencies))


class Connection(asyncio.Protocol):
    """One keep-alive connection. `request` sends bytes and returns status and body."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to this machine."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def request(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request; returns when the whole answer is there."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are unrelated to asyncio's classes

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(HEADER_END)
        if head_end < 0:
            return
        head = self._received[:head_end].lower()
        length_at = head.find(b"content-length:")
        length = int(head[length_at + 15 :].split(b"\r\n", 1)[0]) if length_at >= 0 else 0
        end = head_end + len(HEADER_END) + length
        if len(self._received) < end or self._answer is None:
            return
        body, self._received = self._received[end - length : end], self._received[end:]
        if not self._answer.done():
            self._answer.set_result((int(head[9:12]), body))


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes; header names are written with underscores."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + HEADER_END + body


def cpu_seconds(pid: int) -> float:
    """What this process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(
    port: int, pid: int, make: Callable[[], bytes], *, connections: int, seconds: float, warm_up: float = 1.0
) -> Load:
    """Load the server with requests from `make` and return what was answered after the warm-up."""
    started = time.perf_counter()
    counted_from, until = started + warm_up, started + warm_up + seconds
    load = Load(seconds)

    async def drive(connection: Connection) -> None:
        while (sent := time.perf_counter()) < until:
            status, _ = await connection.request(make())
            now = time.perf_counter()
            if counted_from <= now <= until:
                load.latencies.append(now - sent)
                load.statuses[status] = load.statuses.get(status, 0) + 1

    async def watch() -> None:
        await asyncio.sleep(counted_from - time.perf_counter())
        before = cpu_seconds(pid)
        await asyncio.sleep(until - time.perf_counter())
        load.server_cpu = cpu_seconds(pid) - before

    opened = [await Connection.open(port) for _ in range(connections)]
    await asyncio.gather(watch(), *map(drive, opened))
    for connection in opened:
        connection.close()
    return load
