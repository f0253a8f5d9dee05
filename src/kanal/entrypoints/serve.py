"""Running a node: one port for HTTP and sockets, a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Callable

import structlog
import uvicorn

from kanal import __version__
from kanal.entrypoints import migrate
from kanal.entrypoints.asgi import make_app
from kanal.entrypoints.bootstrap import Node, build
from kanal.realtime.front import Front
from kanal.realtime.server import DRAIN_WINDOW, EmbeddedServer, calm_collector, raise_descriptor_limit
from kanal.settings import Settings

STOP_WITHIN = 10.0  # seconds for requests in flight

log = structlog.get_logger(__name__)


class CannotStartError(Exception):
    """One line for the person who started it."""


def check_folder(settings: Settings) -> None:
    """Make the data folder. Raises `CannotStartError`."""
    folder = settings.data.folder
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStartError(f"KANAL_DATA: cannot write to {folder}: {error.strerror}") from None


def bind(settings: Settings) -> socket.socket:
    """Take the port before anything else happens. Raises `CannotStartError`."""
    host, port = settings.http.host, settings.http.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # bound alone, two that start at once would both get it
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotStartError(f"port {port} on {host} is in use: set KANAL_PORT to another one") from None
        raise CannotStartError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


async def run(settings: Settings, *, work: bool, with_demo: bool, started: Callable[[Node], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and stop. Raises `CannotStartError`."""
    listener = bind(settings)
    raise_descriptor_limit()
    stop = _until_told()
    node = await open_node(settings, work=work)
    try:
        if with_demo:
            from kanal.entrypoints import demo

            node.demo_accounts = await demo.ensure(node)
        front = Front(node.hub)
        node.console.gauge.watch(api=front.api, draining=lambda: front.draining)
        server = EmbeddedServer(
            uvicorn.Config(
                **front.uvicorn(make_app(node)),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # the request context reads them, and only from trusted proxies
                timeout_graceful_shutdown=int(STOP_WITHIN),
            )
        )
        await node.hub.start()
        await node.start()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listening.wait()
        calm_collector()
        started(node)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        node.draining = True
        log.info("node.draining")
        server.stop_accepting()
        node.console.close()
        await front.drain(min(DRAIN_WINDOW, 0.002 * len(node.hub.connections)))
        server.should_exit = True
        await serving
        await node.hub.stop()
    finally:
        await node.stop()
        listener.close()


def check_apart(settings: Settings) -> None:
    """Web and worker in processes of their own reach each other's sockets through Redis only. Raises `CannotStartError`."""
    if not settings.data.redis_url:
        raise CannotStartError("KANAL_REDIS_URL: needed when web and worker are separate; `kanal serve` does without")


async def open_node(settings: Settings, *, work: bool = True) -> Node:
    """A node on a database of this version. Raises `CannotStartError`."""
    try:
        node = build(settings, work=work)
    except (ValueError, OSError) as error:
        raise CannotStartError(str(error)) from error
    try:
        await migrate.migrate(
            node.database, prefix=settings.data.table_prefix, version_table=settings.data.version_table
        )
    except Exception as error:
        await node.database.close()
        if isinstance(error, OSError) or type(error).__module__.startswith(
            ("sqlalchemy", "asyncpg", "asyncmy", "alembic")
        ):
            shown = node.database.url.render_as_string(hide_password=True)
            raise CannotStartError(f"the database at {shown} cannot be used: {_first_line(error)}") from error
        raise
    return node


async def run_worker(settings: Settings) -> None:
    """Jobs, schedules and the relay, without HTTP."""
    stop = _until_told()
    node = await open_node(settings)
    await node.hub.start()
    await node.start()
    log.info("worker.started")
    await stop.wait()
    await node.hub.stop()
    await node.stop()


def _until_told() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _first_line(error: BaseException) -> str:
    origin = getattr(error, "orig", None) or error
    lines = str(origin).strip().splitlines()
    return lines[0] if lines else type(origin).__name__


def greet(node: Node) -> None:
    """Where it listens and, for a demo, who can sign in."""
    lines = ["", f"  Kanal {__version__} is ready:  {node.settings.public_url}", ""]
    if node.demo_accounts:
        width = max(len(email) for email, _, _ in node.demo_accounts)
        lines += ["  Sign in as one of these, and in a second browser as another:", ""]
        lines += [f"    {email:{width}}  {password}   {name}" for email, name, password in node.demo_accounts]
        lines.append("")
    lines += [f"  Data is in {node.settings.data.folder}. Ctrl-C stops.", ""]
    say("\n".join(lines))


def say(text: str) -> None:
    """To a person on a terminal."""
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stdout, flush=True)  # noqa: T201 - this is the command line speaking
