"""Warnings that come with every message are written once in a while, with their number."""

from __future__ import annotations

import time

import structlog

INTERVAL = 10.0  # seconds

log = structlog.get_logger(__name__)


class Complaints:
    """About one thing. Somebody else may write to our topics, or a server refuse whatever we send."""

    def __init__(self, event: str, **fields: str) -> None:
        self._event = event
        self._fields = fields
        self._last: float | None = None
        self._unsaid = 0

    def add(self, **fields: str) -> None:
        now = time.monotonic()
        if self._last is not None and now - self._last < INTERVAL:
            self._unsaid += 1
            return
        log.warning(self._event, **self._fields, **fields, unsaid=self._unsaid)
        self._last, self._unsaid = now, 0
