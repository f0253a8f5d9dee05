"""Addresses of Redis servers, as one writes them.

``redis://``, ``redis+sentinel://`` and ``redis+cluster://``, or ``rediss…`` for TLS; ``unix:///path/to/socket?db=0``. Several
hosts are separated by commas. Who is asked for a name and password: ``user:password@`` before the hosts.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

_DEFAULT_PORTS = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_QUERY = {
    "db",
    "sentinel_username",
    "sentinel_password",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
}


class Kind(StrEnum):
    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Address(NamedTuple):
    host: str
    port: int

    """With port 0 the host is the path of a socket."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str = ""
    password: str = ""

    def command(self) -> tuple[str, ...]:
        """Empty when there is no password."""
        if not self.password:
            return ()
        return ("AUTH", self.username, self.password) if self.username else ("AUTH", self.password)


@dataclass(frozen=True, slots=True)
class Options:
    kind: Kind
    hosts: tuple[Address, ...]
    credentials: Credentials = Credentials()
    sentinel_credentials: Credentials = Credentials()
    database: int = 0
    service: str = ""
    tls: ssl.SSLContext | None = None


def parse(url: str) -> Options:
    """Raises ``ValueError``, which never repeats a password."""
    parts, netloc = split_hosts(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if unknown := sorted(query.keys() - _QUERY):
        raise ValueError(f"unknown options {', '.join(unknown)}; known are {', '.join(sorted(_QUERY))}")
    userinfo, _, netloc = netloc.rpartition("@")
    if parts.scheme == "unix":
        path = Address(unquote(parts.path), 0)
        return Options(Kind.SINGLE, (path,), _credentials(userinfo), database=_database([query.get("db", "0")]))
    family, _, kind_name = parts.scheme.partition("+")
    if family not in {"redis", "rediss"} or kind_name not in {"", "sentinel", "cluster"}:
        raise ValueError(f"unknown scheme {parts.scheme!r}: redis, redis+sentinel, redis+cluster, or rediss for TLS")
    kind = Kind(kind_name or "single")
    hosts = parse_hosts(netloc, _DEFAULT_PORTS[kind])
    if kind is Kind.SINGLE and len(hosts) > 1:
        raise ValueError("several hosts need redis+sentinel:// or redis+cluster://")
    segments = [unquote(segment) for segment in parts.path.strip("/").split("/") if segment]
    service = ""
    if kind is Kind.SENTINEL:
        if not segments:
            raise ValueError("redis+sentinel:// needs the name of the service: redis+sentinel://host:26379/mymaster")
        service = segments.pop(0)
    database = _database(segments or [query.get("db", "0")])
    if kind is Kind.CLUSTER and database:
        raise ValueError("a Redis Cluster has database 0 only")
    return Options(
        kind=kind,
        hosts=hosts,
        credentials=_credentials(userinfo),
        sentinel_credentials=Credentials(query.get("sentinel_username", ""), query.get("sentinel_password", "")),
        database=database,
        service=service,
        tls=_tls(query) if family == "rediss" else None,
    )


def split_hosts(url: str) -> tuple[SplitResult, str]:
    """A URL without its host part, and that part: newer Pythons refuse several hosts when one is an IPv6 address."""
    scheme, separator, rest = url.partition("://")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return urlsplit(f"{scheme}{separator}{rest[end:]}"), rest[:end]


def parse_hosts(netloc: str, default_port: int) -> tuple[Address, ...]:
    """``host[:port],…``; IPv6 addresses in brackets. Raises ``ValueError``."""
    hosts = []
    for item in netloc.split(","):
        host, separator, port = item.rpartition(":")
        if not separator or "]" in port:  # no port, perhaps the colons of an IPv6 address
            host, port = item, ""
        if port and not (port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError(f"{port!r} is not a port")
        host = host.strip("[]")
        if not host:
            raise ValueError("a host is missing")
        hosts.append(Address(host, int(port or default_port)))
    return tuple(hosts)


def _credentials(userinfo: str) -> Credentials:
    username, _, password = userinfo.partition(":")
    return Credentials(unquote(username), unquote(password))


def _database(segments: list[str]) -> int:
    if len(segments) > 1 or not segments[0].isdigit():
        raise ValueError("the path is the number of the database")
    return int(segments[0])


def _tls(query: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=query.get("ssl_ca_certs"))
    if "ssl_certfile" in query:
        context.load_cert_chain(query["ssl_certfile"], query.get("ssl_keyfile"))
    requirement = query.get("ssl_cert_reqs", "required")
    if requirement not in {"required", "none"}:
        raise ValueError("ssl_cert_reqs is required or none")
    if requirement == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
