"""What a client missed: events after its cursor, for the channels it may read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from kanal.kit.db.database import Reader
from kanal.kit.db.statement import Statement, as_id
from kanal.kit.errors import KanalError, Kind
from kanal.kit.events.log import StoredEvent

OVERLAP = timedelta(seconds=10)
"""Two transactions may commit in another order than they took their sequence numbers in. Whoever asks for what came
after number N therefore also gets the last seconds before N again; applying an event twice does no harm."""
OVERLAP_ROWS = 500
PAGE = 500

_HORIZON = Statement(
    "SELECT COALESCE(MIN(sequence), 0), COALESCE(MAX(sequence), 0) FROM {events}",
    across_tenants="two numbers that say how far the log reaches",
)
_BACK = Statement(
    "SELECT sequence, created_at FROM {events} WHERE workspace_id = :workspace_id AND sequence <= :after"
    " ORDER BY sequence DESC LIMIT :size"
)
_PAGE = Statement(
    "SELECT sequence, id, name, channels, payload, created_at FROM {events}"
    " WHERE workspace_id = :workspace_id AND sequence > :after ORDER BY sequence LIMIT :size"
)


class MissedEvent(msgspec.Struct):
    """An event as a catching-up client gets it."""

    sequence: int
    id: str
    name: str
    channels: list[str]
    data: msgspec.Raw


class CatchUp(msgspec.Struct):
    """A page of missed events; ask again with ``cursor`` while ``more`` is true."""

    events: list[MissedEvent]
    cursor: int
    more: bool


async def cursor(reader: Reader) -> int:
    """Where the log ends now: take it *before* reading a snapshot, and events after it complete the snapshot."""
    return int((await reader.fetch(_HORIZON))[0][1])


async def since(reader: Reader, after: int, *, may_read: Callable[[str], bool], size: int = PAGE) -> CatchUp:
    """Raises ``event.cursor_expired`` (gone) when the log no longer reaches back to ``after``."""
    first, last = (int(v) for v in (await reader.fetch(_HORIZON))[0])
    if after + 1 < first or after > last:
        raise KanalError("event.cursor_expired", Kind.GONE)
    start = await _overlap(reader, after)
    rows = await reader.fetch(_PAGE, after=start, size=size + OVERLAP_ROWS)
    more = len(rows) == size + OVERLAP_ROWS
    events = [e for e in (_missed(r, may_read) for r in rows) if e is not None]
    return CatchUp(events, int(rows[-1][0]) if more else max(after, last), more)


async def _overlap(reader: Reader, after: int) -> int:
    rows = await reader.fetch(_BACK, after=after, size=OVERLAP_ROWS)
    if not rows:
        return after
    limit = rows[0][1] - OVERLAP // timedelta(milliseconds=1)
    kept = [r[0] for r in rows if r[1] >= limit]
    return int(kept[-1]) - 1


def _missed(row: Any, may_read: Callable[[str], bool]) -> MissedEvent | None:
    sequence, id_, name, channels, payload, _created = row
    mine = [c for c in msgspec.json.decode(channels, type=list[str]) if may_read(c)]
    if not mine:
        return None
    data = StoredEvent(sequence, as_id(id_), None, name, mine, payload, None).data()
    return MissedEvent(sequence, str(as_id(id_)), name, mine, msgspec.Raw(data.encode()))
