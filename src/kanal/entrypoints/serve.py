"""Running a node: one port for HTTP and sockets, a clean end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from kanal import __version__
from kanal.entrypoints import migrate
from kanal.entrypoints.asgi import make_app
from kanal.entrypoints.bootstrap import Node, build
from kanal.entrypoints.port import (
    CannotStartError,
    bind,
    drain,
    make_front,
    make_server,
    on_hangup,
    say,
    until_told,
)
from kanal.realtime.server import calm_collector, raise_descriptor_limit
from kanal.settings import Settings

log = structlog.get_logger(__name__)


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


async def run(settings: Settings, *, work: bool, with_demo: bool, started: Callable[[Node], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and stop. Raises `CannotStartError`."""
    listener = bind(settings)
    raise_descriptor_limit()
    stop = until_told()
    node = await open_node(settings, work=work)
    try:
        if with_demo:
            from kanal.entrypoints import demo

            node.demo_accounts = await demo.ensure(node)
        front = make_front(node.hub, settings)
        node.console.gauge.watch(api=front.api, webhooks=node.webhooks.stats, draining=lambda: front.draining)
        node.metrics.watch_api(front.api)
        server = make_server(front, make_app(node), settings)
        on_hangup(server, settings, node.sources)
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
        node.console.close()
        await drain(front, server, settings, node.webhooks)
        server.should_exit = True
        await serving
        await node.hub.stop()
        await node.webhooks.stop()
    finally:
        await node.stop()
        listener.close()


def check_apart(settings: Settings) -> None:
    """Web and worker in processes of their own reach each other's sockets through Redis only. Raises `CannotStartError`."""
    if not settings.broker_url:
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
    stop = until_told()
    node = await open_node(settings)
    await node.hub.start()
    await node.start()
    log.info("worker.started")
    await stop.wait()
    await node.hub.stop()
    await node.webhooks.stop()
    await node.stop()


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
