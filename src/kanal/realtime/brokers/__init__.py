"""Brokers join the nodes of a cluster: topics, the last message and the history of a topic, rosters (who is present where), and
a census (which names are in use anywhere).

A topic is ``{app id}:{channel}``, or one of the hub's own, starting with ``#``. Implementations: ``memory`` (one process;
several nodes in tests), ``redis`` and ``nats``. All of them pass ``tests/realtime/brokers/``.
"""

from __future__ import annotations

from kanal.realtime.brokers.base import HEARTBEAT, NODE_TTL, Broker


def connect(
    url: str | None, *, node: str, prefix: str = "kanal", heartbeat: float = HEARTBEAT, node_ttl: float = NODE_TTL
) -> Broker:
    """The broker that a URL names; none and ``memory:`` are this process alone. Nothing is connected yet.

    ``redis://host:6379/0``, ``redis+sentinel://h1:26379,h2:26379/service/0``, ``redis+cluster://h1:6379,h2:6379``; with
    ``rediss`` over TLS; ``unix:///path/to/redis.sock``. ``nats://h1:4222,h2:4222``, or ``tls`` to insist on it. Everything that is stored or published lies under the prefix. Raises ``ValueError``.
    """
    scheme = (url or "memory:").partition(":")[0]
    if scheme == "memory":
        from kanal.realtime.brokers.memory import MemoryBroker

        return MemoryBroker(node)
    prefix = prefix.rstrip(":")
    if scheme.partition("+")[0] in {"redis", "rediss", "unix"}:
        from kanal.realtime.brokers.redis import RedisBroker

        return RedisBroker(url or "", node=node, prefix=prefix, heartbeat=heartbeat, node_ttl=node_ttl)
    if scheme in {"nats", "tls"}:
        from kanal.realtime.brokers.nats import NatsBroker

        return NatsBroker(url or "", node=node, prefix=prefix, heartbeat=heartbeat, node_ttl=node_ttl)
    raise ValueError(f"unknown scheme {scheme!r}: memory, redis, redis+sentinel, redis+cluster or nats")
