"""Heads of HTTP/1.1 requests, as far as they are ordinary.

Ordinary is what HTTP libraries send: a plain request line, well-formed header lines, at most one ``Content-Length``. All
else (chunked bodies, ``Expect``, upgrades, HTTP/1.0, anything malformed or ambiguous) is left to a full parser, so that
there is only one opinion about where a request ends.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FIELDS = re.compile(rb"(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\x00]*)*")
_THAT_MATTER = re.compile(
    rb"\r\n(content-length|connection|transfer-encoding|expect|upgrade|te|trailer):([^\r\n]*)", re.IGNORECASE
)
_METHODS = {b"GET": "GET", b"POST": "POST"}
VERSION = b" HTTP/1.1"


class Line(NamedTuple):
    method: str
    path: str
    """As sent."""
    query: str


class Fields(NamedTuple):
    size: int
    """Of the body, in bytes."""
    close: bool
    """The client wants the connection closed after the answer."""


def parse_line(line: bytes) -> Line | None:
    """The first line of a head; ``None`` when it is not an ordinary one."""
    method, _, rest = line.partition(b" ")
    if method not in _METHODS or not rest.startswith(b"/") or not rest.endswith(VERSION) or not rest.isascii():
        return None
    target = rest[: -len(VERSION)].decode("ascii")
    if " " in target or not target.isprintable():
        return None
    path, _, query = target.partition("?")
    return Line(_METHODS[method], path, query)


def parse_fields(block: bytes) -> Fields | None:
    """All lines after the first, each behind a CRLF; ``None`` when there is anything out of the ordinary."""
    if not _FIELDS.fullmatch(block):
        return None
    size: int | None = None
    close = False
    for name, given in _THAT_MATTER.findall(block):
        value = given.strip(b" \t")
        match name.lower():
            case b"content-length":
                if size is not None or not value.isdigit() or len(value) > 12:
                    return None
                size = int(value)
            case b"connection":
                if value.lower() not in {b"keep-alive", b"close"}:
                    return None
                close = close or value.lower() == b"close"
            case _:
                return None
    return Fields(size or 0, close)
