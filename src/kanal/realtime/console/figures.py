"""Shapes of the console's answers. Rates are not among them: who reads two states computes them (``rates``)."""

from __future__ import annotations

from typing import Literal

import msgspec

MAX_LIMIT = 100  # channels on one page
MAX_OFFSET = 900  # how deep a list of channels can be turned over

Sort = Literal["rate", "subscriptions", "messages", "name"]


class Traffic(msgspec.Struct, kw_only=True):
    """Since the start of a node, except ``connections``, ``channels`` and ``webhooks_waiting``, which are now."""

    connections: int = 0
    channels: int = 0
    """On several nodes a channel counts on each."""
    opened: int = 0
    slow_closed: int = 0
    """Sockets closed because they read too slowly."""
    messages_in: int = 0
    """From clients, pings and subscriptions too."""
    messages_out: int = 0
    """Events handed to subscribers: one event to a thousand of them is a thousand."""
    bytes_in: int = 0
    bytes_out: int = 0
    api_calls: int = 0
    api_refused: int = 0
    """Of those, the ones answered with 400 or above."""
    webhooks_waiting: int = 0
    """Events."""
    webhooks_sent: int = 0
    """Events."""
    webhooks_dropped: int = 0
    """Events given up."""
    webhooks_failed: int = 0
    """Requests without a 2xx; what was in them is tried again."""

    def add(self, other: Traffic) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class NodeFigures(msgspec.Struct, kw_only=True):
    """One process. ``uptime`` is the clock of its counters: rates are differences by it."""

    node: str
    version: str
    uptime: float
    """Seconds, monotonic."""
    cpu: float
    """Seconds of processor time used."""
    memory: int | None
    """Resident bytes; null where the system does not tell."""
    descriptors: int | None
    """The most files and sockets this process may have open; null for any number."""
    engine: str
    """The broker's kind."""
    broker_connected: bool
    draining: bool
    refused: int
    """Handshakes turned away: unknown app, version, origin, quota, draining."""
    total: Traffic
    apps: dict[str, Traffic]
    """By app id; the busiest when there are many."""
    apps_left_out: int = 0


class AppView(msgspec.Struct):
    """What is configured, as far as the figures need it."""

    id: str
    enabled: bool
    max_connections: int | None
    """Per node."""


class ClusterFigures(msgspec.Struct, kw_only=True):
    """``alone``: the broker is away, so the other nodes, if there are any, could not be asked."""

    at: int
    """Milliseconds of the epoch, by the clock of the node that was asked."""
    node: str
    """The one that was asked."""
    alone: bool
    nodes: list[NodeFigures]
    silent: list[str]
    """Nodes that have not answered in time: dying, or drowning."""
    apps: list[AppView]
    """Those in the figures."""


class ChannelFigures(msgspec.Struct, kw_only=True):
    name: str
    subscriptions: int
    messages: int
    """Events handed to subscribers since the first of the present ones came, on each node by itself."""
    rate: float | None = None
    """The same per second, over the last seconds; null when nobody has looked at the list for a while."""
    users: int | None = None
    """Of a presence channel."""


class ChannelPage(msgspec.Struct, kw_only=True):
    items: list[ChannelFigures]
    matching: int
    """Channels that fit the search; at least so many when not ``exact``."""
    exact: bool
    """Whether order and ``matching`` are sure: not with more channels on several nodes than they list for one page."""
    alone: bool
    silent: list[str]


class TailedEvent(msgspec.Struct, kw_only=True):
    at: int
    """Milliseconds of the epoch."""
    event: str
    data: str
    """As the client gets it; usually JSON."""
    size: int
    """Characters of the whole data."""
    cut: bool
    """``data`` is only the beginning."""
    user_id: str | None = None
    """Of a client event on a presence channel."""


class TailBatch(msgspec.Struct, kw_only=True):
    """``seen`` and ``dropped`` count from the start of this tail: ``seen`` events passed, ``dropped`` were not shown."""

    events: list[TailedEvent]
    seen: int
    dropped: int
