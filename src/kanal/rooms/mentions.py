"""The rows that say who is mentioned where, from which unread mentions are counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from kanal.kit.db import Session
from kanal.kit.db.bulk import insert_rows
from kanal.kit.ids import NIL
from kanal.rooms import rules

_COLUMNS = ("workspace_id", "room_id", "user_id", "sequence", "author_id")


async def store(session: Session, messages: Iterable[tuple[UUID, int, UUID, Sequence[str]]]) -> None:
    """Add those of messages given as (room, sequence, author, mentions as `rules.mentioned` answers them)."""
    rows = [
        (session.workspace_id, room_id, NIL if mention == rules.EVERYBODY else UUID(mention), sequence, author_id)
        for room_id, sequence, author_id, mentions in messages
        for mention in mentions
    ]
    if rows:
        await insert_rows(session, "message_mentions", _COLUMNS, rows)
