"""Time as Kanal keeps it: aware UTC datetimes with millisecond precision."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The current instant, cut to milliseconds so that it survives a trip through the database unchanged."""
    return from_milliseconds(now_milliseconds())


def now_milliseconds() -> int:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def from_milliseconds(value: int) -> datetime:
    """Exact, unlike ``datetime.fromtimestamp`` which rounds through a float."""
    return EPOCH + timedelta(milliseconds=value)


def to_milliseconds(value: datetime) -> int:
    """Raises ``ValueError`` on a naive datetime: a time without a zone is a bug, not a default."""
    if value.tzinfo is None:
        raise ValueError("naive datetime")
    return (value - EPOCH) // timedelta(milliseconds=1)


def iso(value: datetime) -> str:
    """``2026-11-20T17:31:00.123Z``, the form of every time in the API."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


def iso_milliseconds(value: int | None) -> str | None:
    """The same form straight from the stored milliseconds (hot paths)."""
    if value is None:
        return None
    seconds, millis = divmod(value, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(seconds)) + f"{millis:03d}Z"
