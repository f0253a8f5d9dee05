"""``nats://user:password@h1:4222,h2:4222?replicas=3``; ``tls://`` instead of ``nats://`` demands TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

from kanal.realtime.brokers.redis.address import Address, parse_hosts, split_hosts

_QUERY = {"replicas", "token", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}


@dataclass(frozen=True, slots=True)
class Options:
    hosts: tuple[Address, ...]
    username: str
    password: str
    token: str
    replicas: int
    """Servers that keep each of JetStream's streams; more than one needs a cluster of 2.10 or newer: before, two nodes
    could both win a compare-and-set (nats-io/nats-server#4320)."""
    tls: ssl.SSLContext
    tls_required: bool


def parse(url: str) -> Options:
    """Raises ``ValueError``, which never repeats a password."""
    parts, netloc = split_hosts(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if unknown := sorted(query.keys() - _QUERY):
        raise ValueError(f"unknown options {', '.join(unknown)}; known are {', '.join(sorted(_QUERY))}")
    replicas = query.get("replicas", "1")
    if replicas not in {"1", "3", "5"}:
        raise ValueError("replicas is 1, 3 or 5")
    if parts.path.strip("/"):
        raise ValueError("nats:// takes no path")
    userinfo, _, netloc = netloc.rpartition("@")
    username, _, password = userinfo.partition(":")
    context = ssl.create_default_context(cafile=query.get("ssl_ca_certs"))
    if "ssl_certfile" in query:
        context.load_cert_chain(query["ssl_certfile"], query.get("ssl_keyfile"))
    return Options(
        hosts=parse_hosts(netloc, 4222),
        username=unquote(username),
        password=unquote(password),
        token=query.get("token", ""),
        replicas=int(replicas),
        tls=context,
        tls_required=parts.scheme == "tls",
    )
