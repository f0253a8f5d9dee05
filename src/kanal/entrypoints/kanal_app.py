"""Kanal as an application on its own real-time server, and the hub that serves it."""

from __future__ import annotations

from urllib.parse import urlsplit

from kanal.entrypoints.app_sources import AppSources
from kanal.kit.crypto import KeyRing
from kanal.realtime.apps import App
from kanal.realtime.brokers import connect
from kanal.realtime.hub import Hub
from kanal.settings import Settings

MEMBERS_ONLINE = 10_000  # distinct people in one presence channel of Kanal's own app
WHISPERS_PER_SECOND = 20


def kanal_app(settings: Settings, keys: KeyRing) -> App:
    """Kanal as an application on its own socket server."""
    realtime = settings.realtime
    host = urlsplit(settings.public_url).hostname or ""
    return App(
        id=realtime.app_id,
        key=realtime.app_key or keys.secret("realtime key")[:20],
        secret=realtime.app_secret or keys.secret("realtime secret"),
        allowed_origins=(host, "localhost", "127.0.0.1", *realtime.allowed_origins),
        presence_max_members=MEMBERS_ONLINE,
        client_event_rate=WHISPERS_PER_SECOND,
        encryption_master_key=bytes.fromhex(keys.secret("realtime encryption")),
    )


def make_hub(settings: Settings, sources: AppSources) -> Hub:
    """On the broker that is configured, otherwise in this process alone. Raises ``ValueError``."""
    broker = connect(settings.broker_url or None, node=settings.node_id, prefix=settings.broker_prefix)
    server = settings.server
    return Hub(sources.registry, broker, max_connections=server.max_connections, max_buffered=server.max_buffered)
