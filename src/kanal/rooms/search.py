"""The full-text index of messages and questions to it, one table and three dialects (docs/decisions/0005)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from kanal.kit.db import Session, Statement, as_id
from kanal.kit.db.bulk import insert_rows
from kanal.kit.db.database import Reader
from kanal.rooms.terms import query_terms, terms_of
from kanal.rooms.views import MESSAGE_COLUMNS, RawMessage, raw_message

PAGE = 30

_COLUMNS = ("workspace_id", "message_id", "room_id", "terms")
_FORGET = Statement("DELETE FROM {message_terms} WHERE workspace_id = :workspace_id AND message_id = :message_id")
_MATCH = {
    "sqlite": "t.number IN (SELECT rowid FROM {message_fts} WHERE {message_fts} MATCH :terms)",
    "mysql": "MATCH (t.terms) AGAINST (:terms IN BOOLEAN MODE)",
    "postgresql": "to_tsvector('simple', t.terms) @@ to_tsquery('simple', :terms)",
}
_QUALIFIED = ", ".join("m." + c.strip() for c in MESSAGE_COLUMNS.split(","))


def _statement(dialect: str, *, room: bool, author: bool) -> Statement:
    mine = " AND t.room_id = :room_id" if room else ""
    theirs = " AND m.user_id = :author_id" if author else ""
    return Statement(
        f"SELECT {_QUALIFIED} FROM {{message_terms}} t"
        " JOIN {messages} m ON m.workspace_id = t.workspace_id AND m.id = t.message_id"
        " JOIN {rooms} r ON r.workspace_id = t.workspace_id AND r.id = t.room_id"
        " LEFT JOIN {room_members} p ON p.workspace_id = t.workspace_id AND p.room_id = t.room_id"
        " AND p.user_id = :user_id"
        f" WHERE t.workspace_id = :workspace_id AND {_MATCH[dialect]}{mine}{theirs}"
        " AND (p.user_id IS NOT NULL OR r.visibility = 'public') AND m.id < :before"
        " ORDER BY m.id DESC LIMIT :size"
    )


_STATEMENTS = {
    (dialect, room, author): _statement(dialect, room=room, author=author)
    for dialect in _MATCH
    for room in (False, True)
    for author in (False, True)
}


def expression(dialect: str, terms: Sequence[str]) -> str:
    """All terms, each as the beginning of a word, in the database's own query language. Terms hold [a-z0-9] only."""
    if dialect == "sqlite":
        return " AND ".join(f"{t}*" for t in terms)
    if dialect == "mysql":
        return " ".join(f"+{t}*" for t in terms)
    return " & ".join(f"{t}:*" for t in terms)


async def index(session: Session, messages: Sequence[tuple[UUID, UUID, str]]) -> None:
    """Add (id, room, body) of new messages."""
    rows = []
    for message_id, room_id, body in messages:
        terms = terms_of(body)
        if terms:
            rows.append((session.workspace_id, message_id, room_id, " ".join(terms)))
    if rows:
        await insert_rows(session, "message_terms", _COLUMNS, rows)


async def reindex(session: Session, message_id: UUID, room_id: UUID, body: str) -> None:
    """After an edit; with an empty body, after a deletion."""
    await session.fetch(_FORGET, message_id=message_id)
    await index(session, [(message_id, room_id, body)])


async def find(
    reader: Reader, user_id: UUID, text: str, *, room_id: UUID | None, author_id: UUID | None, before: UUID
) -> tuple[list[RawMessage], UUID | None] | None:
    """Newest first, only from rooms the user may read; ``None`` when the text holds nothing to look for."""
    terms = query_terms(text)
    if not terms:
        return None
    statement = _STATEMENTS[reader.dialect, room_id is not None, author_id is not None]
    values: dict[str, object] = {"terms": expression(reader.dialect, terms), "user_id": user_id, "before": before}
    if room_id is not None:
        values["room_id"] = room_id
    if author_id is not None:
        values["author_id"] = author_id
    rows = await reader.fetch(statement, size=PAGE + 1, **values)
    found = [raw_message(r) for r in rows[:PAGE]]
    return found, as_id(rows[PAGE - 1][0]) if len(rows) > PAGE else None
