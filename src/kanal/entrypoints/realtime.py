"""`kanal realtime`: the Pusher-protocol server alone, for Kanal and for applications that are not Kanal.

Neither database nor data folder is needed. With ``KANAL_DATABASE_URL`` the apps of `kanal app` are served too, with
``KANAL_SECRET_KEYS`` Kanal's own, so that nodes of this kind can stand beside `kanal web`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from kanal import __version__
from kanal.entrypoints.app_sources import AppSources
from kanal.entrypoints.console import with_console
from kanal.entrypoints.kanal_app import kanal_app, make_hub
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
from kanal.entrypoints.realtime_http import Health, RealtimeHttp
from kanal.kit.crypto import KeyRing
from kanal.realtime.console.service import Console
from kanal.realtime.hub import Hub
from kanal.realtime.server import calm_collector, raise_descriptor_limit
from kanal.realtime.webhooks.observer import Webhooks
from kanal.settings import Settings

if TYPE_CHECKING:
    from kanal.kit.db import Database

log = structlog.get_logger(__name__)

NO_APPS = (
    "no apps to serve: set KANAL_REALTIME_APP_ID, KANAL_REALTIME_APP_KEY and KANAL_REALTIME_APP_SECRET, or KANAL_REALTIME_APPS_FILE "
    "(docs/realtime-api.md)"
)


async def run(settings: Settings, started: Callable[[str], None] = say) -> None:
    """Serve until SIGTERM or SIGINT, then drain and stop. Raises `CannotStartError`."""
    listener = bind(settings)
    descriptors = raise_descriptor_limit()
    stop = until_told()
    sources, database = open_sources(settings)
    try:
        await _start(sources, database)
        hub = _make_hub(settings, sources)
        front = make_front(hub, settings)
        console = Console(hub)  # also without a token: other nodes may ask
        webhooks = Webhooks(hub, private=settings.server.webhooks_private)
        console.gauge.watch(api=front.api, webhooks=webhooks.stats, draining=lambda: front.draining)
        health = Health(settings.node_id, hub)
        http = RealtimeHttp(health, front.api, webhooks, metrics=settings.server.metrics)
        server = make_server(front, with_console(http, console, settings), settings)
        on_hangup(server, settings, sources)
        await hub.start()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.listening.wait()
        calm_collector()
        started(greeting(settings, hub, descriptors))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        health.draining = True
        log.info("node.draining", sockets=len(hub.connections))
        console.close()
        await drain(front, server, settings, webhooks)
        server.should_exit = True
        await serving
        await hub.stop()
        await webhooks.stop()
    finally:
        await sources.stop()
        if database is not None:
            await database.close()
        listener.close()


def open_sources(settings: Settings) -> tuple[AppSources, Database | None]:
    """Raises `CannotStartError`."""
    keys = KeyRing(settings.security.secret_keys) if settings.security.secret_keys else None
    try:
        sources = AppSources(settings.server, None if keys is None else kanal_app(settings, keys))
        if not settings.data.database_url:
            return sources, None
        if keys is None:
            raise CannotStartError("KANAL_SECRET_KEYS: needed with KANAL_DATABASE_URL, the same on every node")
        from kanal.kit.db import Database, apply_prefix  # most servers of this kind do without
        from kanal.realtime.sources.table import AppTable

        apply_prefix(settings.data.table_prefix)
        database = Database(settings.database_url, pool_size=2)
    except ValueError as error:
        raise CannotStartError(str(error)) from None
    sources.table = AppTable(database, keys, sources.registry)
    return sources, database


async def _start(sources: AppSources, database: Database | None) -> None:
    try:
        await sources.start()
    except Exception as error:
        if database is None:
            raise
        shown = database.url.render_as_string(hide_password=True)
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise CannotStartError(f"the apps in the database at {shown} cannot be read: {cause}") from error
    if database is None and not list(sources.registry.all()):
        raise CannotStartError(NO_APPS)


def _make_hub(settings: Settings, sources: AppSources) -> Hub:
    try:
        return make_hub(settings, sources)
    except ValueError as error:
        raise CannotStartError(f"KANAL_REALTIME_BROKER_URL: {error}") from None


def greeting(settings: Settings, hub: Hub, descriptors: int) -> str:
    """Where it listens, whom it serves, what holds it together, how to connect. No secrets."""
    address = urlsplit(settings.public_url)
    secure = address.scheme == "https"
    host, port = address.hostname or "localhost", address.port or (443 if secure else 80)
    apps = list(hub.apps.all())
    key = apps[0].key if apps else "KEY"
    app_id = apps[0].id if apps else "ID"
    scheme, option = ("wss", "wssPort") if secure else ("ws", "wsPort")
    listed = [f"{app.id}  key {app.key}{'' if app.enabled else '  (disabled)'}" for app in apps]
    lines = [
        "",
        f"  Kanal {__version__}, the real-time server, is ready:  {scheme}://{host}:{port}",
        "",
        f"    apps        {listed[0] if listed else 'none yet: make one with kanal app create'}",
        *[f"                {line}" for line in listed[1:10]],
        *([f"                and {len(listed) - 10} more"] if len(listed) > 10 else []),
        f"    engine      {engine(settings.broker_url)}",
        f"    node        {hub.broker.node}",
        f"    sockets     at most {descriptors:,} descriptors" if descriptors >= 0 else "    sockets     any number",
        "",
        f'    clients     new Pusher("{key}", {{wsHost: "{host}", {option}: {port}, forceTLS: {str(secure).lower()}, cluster: ""}})',
        f"    servers     {address.scheme}://{host}:{port}/apps/{app_id}/events, by any Pusher server SDK",
        *([f"    console     {address.scheme}://{host}:{port}/console"] if settings.server.console_token else []),
        "",
        "  Ctrl-C stops.",
        "",
    ]
    return "\n".join(lines)


def engine(url: str) -> str:
    """The broker without what may be secret in its address."""
    scheme, _, rest = url.partition("://")
    if not url or scheme.startswith("memory"):
        return "memory: this process alone"
    return f"{scheme} at {rest.rpartition('@')[2].partition('?')[0]}"
