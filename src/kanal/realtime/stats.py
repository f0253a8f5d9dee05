"""Plain counters; whoever exports them reads them when asked."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class AppStats:
    """Since the start of this node, except ``connections`` and ``channels``, which are now."""

    connections: int = 0
    channels: int = 0
    opened: int = 0
    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    slow_closed: int = 0


@dataclass(frozen=True, slots=True)
class LocalChannel:
    """What one node has of a channel."""

    subscriptions: int
    users: frozenset[str] | None
    """Members with a socket here; ``None`` unless it is a presence channel."""
    cached: bool
    """The last event is kept here."""


@dataclass(frozen=True, slots=True)
class HubStats:
    connections: int
    channels: int
    broker_connected: bool
    refused: int
    """Handshakes turned away: unknown app, version, origin, quota."""
    apps: dict[str, AppStats] = field(default_factory=dict)
    """By app id."""
