"""Just enough of an HTTP client to POST to one address again and again over one connection.

A general client would add 8 MB to every server that sends a webhook, and follow redirects, keep cookies and believe proxy
variables unless told otherwise. This one does none of that.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import quote, unquote, urlsplit

import httptools

MAX_ANSWER = 64 * 1024  # bytes read of an answer; a longer one costs the connection
_SAFE = "/%:@!$&'()*+,;=~-._"  # in a path; whatever is escaped already stays as it is
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FAILURES = (
    OSError,
    ValueError,  # a host that is no name
    asyncio.IncompleteReadError,
    httptools.HttpParserError,
    httptools.HttpParserUpgrade,
)


class PostFailed(Exception):
    """No answer, or none that is HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after: str | None = None
    """The header as it was sent."""


class Address:
    """Where to POST. Raises ``ValueError`` for what is no HTTP address or no header.

    A user and a password in the address are sent as basic authentication.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https address")
        self.secure = parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        self.host = parts.hostname
        if not self.host.isascii():
            self.host = self.host.encode("idna").decode()
        shown = f"[{self.host}]" if ":" in self.host else self.host
        authority = shown if parts.port is None else f"{shown}:{parts.port}"
        path = quote(parts.path or "/", safe=_SAFE)
        self.public = f"{parts.scheme}://{authority}{path}"
        """Without user, password and query, for logs."""
        query = "?" + quote(parts.query, safe=_SAFE + "?") if parts.query else ""
        lines = [f"POST {path}{query} HTTP/1.1", f"Host: {authority}"]
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            lines.append(f"Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"not a header: {name[:40]!r}")
            lines.append(f"{name}: {value}")
        self.head = "".join(f"{line}\r\n" for line in lines).encode("latin-1")


class Courier:
    """POSTs to one address, one request at a time. ``private`` allows hosts that the internet does not reach."""

    def __init__(self, address: Address, *, private: bool = True) -> None:
        self.address = address
        self._private = private
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, headers: bytes, body: bytes, within: float) -> Answer:
        """``headers`` are whole lines. Raises ``PostFailed``, also when ``within`` seconds are over."""
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (self.address.head, headers, len(body), body)
        try:
            async with asyncio.timeout(within):
                return await self._exchange(request)
        except TimeoutError:
            self.close()
            raise PostFailed(f"no answer within {within:g} s") from None
        except _FAILURES as error:
            self.close()
            raise PostFailed(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._link is not None:
            self._link[1].transport.abort()
            self._link = None

    async def _exchange(self, request: bytes) -> Answer:
        if self._link is not None and not self._link[0].at_eof():
            try:
                return await self._ask(*self._link, request)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()  # it was idle and the other side has ended it meanwhile: that is not a failure
        self.close()
        self._link = await self._connect()
        return await self._ask(*self._link, request)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Answer:
        writer.write(request)
        reply = _Reply()
        while not reply.complete and reply.size <= MAX_ANSWER:
            data = await reader.read(16 * 1024)
            if data:
                reply.feed(data)
            elif reply.status:
                break  # a body that ends with the connection
            else:
                raise asyncio.IncompleteReadError(b"", None)
        if not reply.complete or not reply.keeps_connection:
            self.close()
        return Answer(reply.status, reply.retry_after)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the first of the host's addresses that answers; what was checked is what is connected to."""
        host, port = self.address.host, self.address.port
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [each[4][0] for each in found if self._private or _is_public(str(each[4][0]))]
        failure: OSError = PermissionError(f"{host} is not on the public internet")
        context = _tls() if self.address.secure else None
        for address in addresses:
            try:
                return await asyncio.open_connection(
                    str(address), port, ssl=context, server_hostname=host if context else None
                )
            except OSError as error:
                failure = error
        raise failure


class _Reply:
    """What httptools calls."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.retry_after: str | None = None
        self.complete = False
        self.keeps_connection = False
        self.size = 0

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self.retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # those below announce another answer
            self.status = status
            self.keeps_connection = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200


def _is_public(text: str) -> bool:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_global and not address.is_multicast


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """The system's certificates, or those that SSL_CERT_FILE and SSL_CERT_DIR name."""
    return ssl.create_default_context()
