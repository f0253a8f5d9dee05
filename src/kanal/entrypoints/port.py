"""The port of a server: taking it, TLS, and the signals that end it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl
import sys
from typing import Any

import structlog
import uvicorn

from kanal.entrypoints.app_sources import AppSources
from kanal.realtime.front import Front
from kanal.realtime.hub import Hub
from kanal.realtime.server import BACKLOG, EmbeddedServer
from kanal.realtime.webhooks.observer import Webhooks
from kanal.settings import Settings

STOP_WITHIN = 10.0  # seconds for requests in flight
DRAIN_EACH = 0.002  # seconds; so many clients a second are sent away, as long as the window allows it

log = structlog.get_logger(__name__)


class CannotStartError(Exception):
    """One line for the person who started it."""


def bind(settings: Settings) -> socket.socket:
    """Take the port before anything else happens. Raises `CannotStartError`."""
    host, port = settings.http.host, settings.http.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)  # bound alone, two that start at once would both get it
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotStartError(f"port {port} on {host} is in use: set KANAL_PORT to another one") from None
        raise CannotStartError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listener


def make_front(hub: Hub, settings: Settings) -> Front:
    server = settings.server
    return Front(
        hub,
        handshake_timeout=server.request_timeout,
        request_timeout=server.request_timeout,
        max_head=server.max_head,
    )


def make_server(front: Front, app: Any, settings: Settings) -> EmbeddedServer:
    """Raises `CannotStartError` when the certificate cannot be used."""
    check_tls(settings)
    config = uvicorn.Config(
        **front.uvicorn(app),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the request context reads them, and only from trusted proxies
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(STOP_WITHIN),
        ssl_certfile=settings.http.tls_certificate,
        ssl_keyfile=settings.http.tls_key,
    )
    return EmbeddedServer(config)


def check_tls(settings: Settings) -> None:
    """Raises `CannotStartError`."""
    certificate, key = settings.http.tls_certificate, settings.http.tls_key
    if certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        where = certificate if key is None else f"{certificate}, {key}"
        raise CannotStartError(f"KANAL_TLS_CERTIFICATE: {where}: {error.strerror or error}") from None


def reload_tls(server: EmbeddedServer, settings: Settings) -> None:
    """New connections get the certificate that is there now; one that cannot be used is logged, and the old one stays."""
    context, certificate = server.config.ssl, settings.http.tls_certificate
    assert context is not None and certificate is not None  # noqa: S101, PT018 - that is when this is called
    try:
        check_tls(settings)
    except CannotStartError as error:
        log.error("tls.unusable", error=str(error), hint="the one that was read before stays")
    else:
        context.load_cert_chain(certificate, settings.http.tls_key)
        log.info("tls.read", certificate=str(certificate))


def on_hangup(server: EmbeddedServer, settings: Settings, sources: AppSources) -> None:
    """SIGHUP reads again what may have changed: the certificate and the file of apps."""

    def read_again() -> None:
        sources.look()
        if settings.http.tls_certificate is not None:
            reload_tls(server, settings)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, read_again)


def until_told() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process where it stands."""
    stop = asyncio.Event()

    def told(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told, number)
    return stop


async def drain(front: Front, server: EmbeddedServer, settings: Settings, webhooks: Webhooks) -> None:
    """No newcomers, then everybody who is here is sent elsewhere, and has time to arrive before that is told as an end."""
    server.stop_accepting()
    await front.drain(min(settings.server.drain_window, DRAIN_EACH * len(front.hub.connections)))
    await webhooks.settle()


def say(text: str) -> None:
    """To a person on a terminal."""
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stdout, flush=True)  # noqa: T201 - this is the command line speaking
