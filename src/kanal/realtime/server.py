"""uvicorn inside a loop of ours, and what a process with many sockets needs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import structlog
import uvicorn

from kanal.realtime.front import Front
from kanal.realtime.hub import Hub

DRAIN_WINDOW = 5.0  # seconds over which clients are sent elsewhere
BACKLOG = 4_096

log = structlog.get_logger(__name__)

ASGIApp = Callable[..., Awaitable[None]]  # scope, receive, send


class EmbeddedServer(uvicorn.Server):
    """uvicorn inside a loop of ours: signals are the caller's business. ``listening`` is set when the port is open."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def stop_accepting(self) -> None:
        """Newcomers are refused by the kernel, or sent to another node by the balancer; who is connected stays."""
        for server in self.servers:
            server.close()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def raise_descriptor_limit() -> int:
    """Every socket is a descriptor, and many systems begin with 1,024. Answers the limit in force; logs a low one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if 0 <= soft < 10_000:
        log.warning("server.few_descriptors", limit=soft, hint="raise it with ulimit -n or LimitNOFILE=")
    return soft


def calm_collector() -> None:
    """Call once everything is loaded. Sockets come by the thousand and live long, and they leave no cycles behind.

    With Python's defaults the garbage collector would go over all of them again each time their number has grown by a
    quarter: a tenth of the time to set connections up, and pauses in which nobody gets anything. A million new objects bring
    a full collection, for presence channels that were left are cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 5)


async def _first(running: asyncio.Task[None], event: asyncio.Event) -> bool:
    """Whether the event came before the end of what runs."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return not running.done()


async def _not_found(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def serve(
    hub: Hub,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    app: ASGIApp = _not_found,
    path: str = "/app",
    drain_window: float = DRAIN_WINDOW,
    started: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
    **config: Any,
) -> None:
    """Runs until ``stop`` is set, or SIGTERM or SIGINT when it is not given; then drains and stops.

    ``started`` is called with the port. ``config`` goes to ``uvicorn.Config`` (TLS: ``ssl_certfile``, ``ssl_keyfile``).
    """
    raise_descriptor_limit()
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    front = Front(hub, path=path)
    settings = {"lifespan": "off", "log_config": None, "access_log": False, "backlog": BACKLOG} | config
    server = EmbeddedServer(uvicorn.Config(host=host, port=port, **front.uvicorn(app), **settings))
    await hub.start()
    running = asyncio.create_task(server.serve())
    if await _first(running, server.listening):
        calm_collector()
        if started is not None:
            started(server.servers[0].sockets[0].getsockname()[1])
        if await _first(running, stop):
            server.stop_accepting()
            await front.drain(drain_window)
    server.should_exit = True
    await hub.stop()
    await running
