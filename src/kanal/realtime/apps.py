"""Apps: who may connect, and within which limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One app: credentials and limits. Sizes in bytes, times in seconds; limits are per node unless they say otherwise.

    Official server SDKs accept numeric ids only, so ``id`` should be digits when such an SDK will publish to it.
    """

    id: str
    key: str
    secret: str = field(repr=False)
    enabled: bool = True
    """A disabled app refuses connections with 4003."""
    allowed_origins: tuple[str, ...] = ("*",)
    """Patterns for the host (``*.example.com``) or the whole origin (``https://app.example.com:8443``)."""
    max_connections: int | None = None
    """Sockets open at once; one more is refused with 4004."""
    max_channels_per_connection: int = 2_000
    max_message_size: int = 10_240
    """Data of one event, Pusher's documented limit."""
    client_events: bool = True
    client_event_rate: int = 10
    """Client events per second and connection, Pusher's documented limit; beyond it error 4301, the socket stays."""
    activity_timeout: int = 120
    """Told to clients, who ping after this much silence; the server pings a little later by itself."""
    pong_timeout: int = 30
    """From the server's ping to close code 4201."""
    idle_timeout: int = 86_400
    """A connection that never subscribed is closed with 4202 after this."""
    presence_max_members: int = 100
    """Distinct users in one presence channel, over all nodes."""
    presence_max_user_bytes: int = 1_024
    """``user_info`` as JSON."""
    presence_max_id_length: int = 128
    cache_ttl: int = 1_800
    """How long a cache channel keeps its last event."""
    encryption_master_key: bytes | None = field(default=None, repr=False)
    """32 bytes from which the shared secret of each private-encrypted channel is derived."""

    def __post_init__(self) -> None:
        """Raises ``ValueError``. Ids become parts of broker topics, keys parts of a path."""
        if not self.id or set(self.id) & set(":#{}\n"):
            raise ValueError(f"app id {self.id!r} is empty or has one of : # {{ }}")
        if not self.key or "/" in self.key or not self.secret:
            raise ValueError(f"app {self.id}: key or secret is missing, or the key has a slash")
        if self.activity_timeout < 1:
            raise ValueError(f"app {self.id}: activity_timeout must be at least 1 s; pusher-js refuses 0")
        if self.encryption_master_key is not None and len(self.encryption_master_key) != 32:
            raise ValueError(f"app {self.id}: the encryption master key must have 32 bytes")

    @property
    def max_frame_size(self) -> int:
        """JSON may escape every byte of the data six-fold (``\\u0000``), and ``auth`` and ``channel_data`` need room."""
        return 6 * max(self.max_message_size, self.presence_max_user_bytes) + 16_384

    def allows_origin(self, origin: str | None) -> bool:
        """No ``Origin`` header means no browser, and so no foreign page that borrows a user's browser."""
        if origin is None or "*" in self.allowed_origins:
            return True
        origin = origin.lower()
        try:
            host = urlsplit(origin).hostname or ""
        except ValueError:
            return False
        return any(
            fnmatchcase(origin if "://" in pattern else host, pattern.lower()) for pattern in self.allowed_origins
        )


class AppSource(Protocol):
    """Where apps come from. Lookups are synchronous: they happen for every handshake and must be in memory."""

    def by_key(self, key: str) -> App | None: ...

    def by_id(self, app_id: str) -> App | None: ...


class StaticApps:
    """Apps known at start. Raises ``ValueError`` when an id or a key is used twice."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._by_key: dict[str, App] = {}
        self._by_id: dict[str, App] = {}
        for app in apps:
            if app.key in self._by_key or app.id in self._by_id:
                raise ValueError(f"app id or key used twice: {app.id}")
            self._by_key[app.key] = app
            self._by_id[app.id] = app

    def by_key(self, key: str) -> App | None:
        return self._by_key.get(key)

    def by_id(self, app_id: str) -> App | None:
        return self._by_id.get(app_id)
