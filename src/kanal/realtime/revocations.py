"""Recent revocations: a grant signed before one of them is refused, on whichever connection it turns up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from kanal.realtime.protocol.grants import GRANT_LIFETIME

_KEEP = int(
    2 * GRANT_LIFETIME * 1000
)  # milliseconds; older grants are refused for their age, clocks may differ a little
EVERY_CHANNEL = ""


class Revocations:
    """Times are milliseconds of the epoch."""

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[str, str, str], int] = OrderedDict()

    def add(self, app_id: str, channel: str, scope: str, at: int) -> None:
        key = (app_id, channel, scope)
        self._at[key] = max(at, self._at.get(key, 0))
        self._at.move_to_end(key)
        while self._at:
            oldest = next(iter(self._at))
            if self._at[oldest] > at - _KEEP:
                break
            del self._at[oldest]

    def blocks(self, app_id: str, channel: str, scopes: Iterable[str], issued_at: int | None) -> bool:
        if issued_at is None or not self._at:
            return False
        return any(
            issued_at <= self._at.get((app_id, where, scope), -1)
            for scope in scopes
            for where in (channel, EVERY_CHANNEL)
        )
