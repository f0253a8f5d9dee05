"""Apps: who may connect, and within which limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol
from urllib.parse import urlsplit

LEAST_BODY_LIMIT = 16_384  # bytes; no app's limit is lower, whatever its own limits are
WEBHOOK_EVENTS = frozenset(
    {
        "channel_occupied",
        "channel_vacated",
        "member_added",
        "member_removed",
        "client_event",
        "cache_miss",
        "subscription_count",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where an app's backend is told what happens on its channels."""

    url: str
    """http or https; may hold a password, so errors don't repeat it."""
    events: frozenset[str] = frozenset()
    """Names out of ``WEBHOOK_EVENTS``; empty stands for all of them."""
    channel_prefix: str = ""
    """Only channels whose names begin so."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent along with every request. May hold a password, so they are not shown."""

    def __post_init__(self) -> None:
        """Raises ``ValueError``."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the url of a webhook must be an http or https address")
        unknown = self.events - WEBHOOK_EVENTS
        if unknown:
            raise ValueError(f"webhooks: no such event: {', '.join(sorted(unknown))}")

    def wants(self, event: str, channel: str) -> bool:
        return (not self.events or event in self.events) and channel.startswith(self.channel_prefix)


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
    webhooks: tuple[Webhook, ...] = ()
    subscription_counts: bool = False
    """Tell subscribers of all but presence channels how many they are (``pusher_internal:subscription_count``)."""
    history_events: int = 0
    """Server events kept per channel for clients that come back; 0 keeps none."""
    history_seconds: int = 300
    user_authentication: bool = True
    """Whether connections may sign in (``pusher:signin``)."""
    watchlist_max: int = 100
    """Users one user may watch, Pusher's documented limit; beyond it error 4302, the sign-in still holds."""
    max_event_channels: int = 100
    """Channels one call of the HTTP API may publish to, Pusher's documented limit."""
    max_batch: int = 10
    """Events in one call of ``batch_events``, Pusher's documented limit."""

    def __post_init__(self) -> None:
        """Raises ``ValueError``. Ids become parts of broker topics, keys parts of a path."""
        if not self.id or set(self.id) & set(":#{}\n"):
            raise ValueError(f"app id {self.id!r} is empty or has one of : # {{ }}")
        if not self.key or "/" in self.key or not self.secret:
            raise ValueError(f"app {self.id}: key or secret is missing, or the key has a slash")
        if self.activity_timeout < 1:
            raise ValueError(f"app {self.id}: activity_timeout must be at least 1 s; pusher-js refuses 0")
        if self.max_event_channels < 1 or self.max_batch < 1:
            raise ValueError(f"app {self.id}: max_event_channels and max_batch must be at least 1")
        if self.encryption_master_key is not None and len(self.encryption_master_key) != 32:
            raise ValueError(f"app {self.id}: the encryption master key must have 32 bytes")

    @property
    def max_frame_size(self) -> int:
        """JSON may escape every byte of the data six-fold (``\\u0000``), and ``auth`` and ``channel_data`` need room."""
        return 6 * max(self.max_message_size, self.presence_max_user_bytes) + 16_384

    @property
    def max_body_size(self) -> int:
        """Of one call of the HTTP API: a full batch with every byte escaped, or one event to the most channels."""
        return 6 * self.max_message_size * self.max_batch + 256 * self.max_event_channels + LEAST_BODY_LIMIT

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


AppWatcher = Callable[[App | None, App], None]
"""Called with the new app, or ``None`` when it is gone, and the old one. An app that is added is not told."""


class AppSource(Protocol):
    """Where apps come from. Lookups are synchronous: they happen for every handshake and must be in memory."""

    def by_key(self, key: str) -> App | None: ...

    def by_id(self, app_id: str) -> App | None: ...

    def all(self) -> Iterable[App]: ...

    def watch(self, callback: AppWatcher) -> None:
        """``callback`` runs on the event loop, after the lookups give the new answer."""


class StaticApps:
    """Apps known at start, which never change. Raises ``ValueError`` when an id or a key is used twice."""

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

    def all(self) -> Iterable[App]:
        return self._by_id.values()

    def watch(self, callback: AppWatcher) -> None:
        """Nothing to tell."""
