"""Which part of a file a request asks for (RFC 9110, 13 and 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


@dataclass(frozen=True)
class Part:
    """``length`` bytes from ``start``; ``length`` is at least 1."""

    start: int
    length: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.start + self.length - 1}/{size}"


class UnsatisfiableError(Exception):
    """The range asked for lies outside of the file."""


def requested_part(header: str | None, size: int) -> Part | None:
    """``None`` means the whole file: nothing was asked for, or nothing that we understand (a server may ignore those).

    Several ranges in one request are ignored too. Raises `UnsatisfiableError`.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
        if start >= size:
            raise UnsatisfiableError
        return Part(start, end - start + 1)
    if not last:
        return None
    length = min(int(last), size)
    if length == 0:
        raise UnsatisfiableError
    return Part(size - length, length)


def names_etag(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names this tag; weak and strong ones count alike there."""
    if not header:
        return False
    return header.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in header.split(","))
