"""Positions in a topic's history: ``{epoch}-{n}``.

``n`` grows by one with every event, so that completeness is exact: of the events after ``n`` there must be as many as the
log has counted since. An epoch never returns; whatever the log may have missed begins another one.
"""

from __future__ import annotations

from collections.abc import Sequence

HEAD_SECONDS = 86_400.0  # on a quiet topic a client's position stays good for a day after its events are forgotten

_MAX_DIGITS = 15  # below 2**53, which is as far as Lua counts


def parse(position: str) -> tuple[str, int]:
    """Epoch and number; an epoch that no log has when the text is nothing that a broker gave out."""
    epoch, _, number = position.rpartition("-")
    if not epoch or not number.isascii() or not number.isdigit() or len(number) > _MAX_DIGITS:
        return "", 0
    return epoch, int(number)


def numbered(epoch: str, last: int, events: Sequence[bytes]) -> tuple[tuple[str, bytes], ...]:
    """Gives the newest events of a log their positions."""
    first = last - len(events) + 1
    return tuple((f"{epoch}-{number}", payload) for number, payload in enumerate(events, first))
