"""What is read of rooms. The workspace is the session's or reader's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa

from kanal.identity.access import WorkspaceAccess
from kanal.kit.clock import iso
from kanal.kit.db import Database, Session, Statement, as_id
from kanal.kit.db.database import Reader
from kanal.kit.ids import NIL
from kanal.rooms import errors, rules
from kanal.rooms.models import Message, Room, RoomMember
from kanal.rooms.schemas import MembershipView, RoomMemberView, RoomView
from kanal.rooms.views import (
    MESSAGE_COLUMNS,
    RawMessage,
    encode_message,
    encoded_message,
    membership_view,
    raw_message,
    room_view,
    timeline_json,
)

Entity = TypeVar("Entity", bound=tuple[Any, ...])

COUNT_BACK = 1_000  # unread messages are counted at most this far back from the newest
PAGE = 50
BROWSE_PAGE = 50

_PLACE = Statement(
    "SELECT r.visibility, r.last_sequence, m.user_id FROM {rooms} r"
    " LEFT JOIN {room_members} m ON m.workspace_id = r.workspace_id AND m.room_id = r.id AND m.user_id = :user_id"
    " WHERE r.workspace_id = :workspace_id AND r.id = :room_id"
)


class TimelineQuery:
    """A page of messages as JSON: which versions they are at is asked first, whole rows only for those not yet encoded."""

    def __init__(self, rest: str) -> None:
        where = "FROM {messages} WHERE workspace_id = :workspace_id AND room_id = :room_id"
        self._versions = Statement(f"SELECT id, version {where} {rest}")
        self._rows = Statement(f"SELECT {MESSAGE_COLUMNS} {where} {rest}")

    async def fetch(self, reader: Reader, **values: Any) -> list[bytes]:
        known = [encoded_message(id_, version) for id_, version in await reader.fetch(self._versions, **values)]
        if None not in known:
            return cast("list[bytes]", known)
        return [encode_message(row) for row in await reader.fetch(self._rows, **values)]


_LATEST = TimelineQuery("AND parent_id IS NULL ORDER BY sequence DESC LIMIT :size")
_BEFORE = TimelineQuery("AND parent_id IS NULL AND sequence < :sequence ORDER BY sequence DESC LIMIT :size")
_AFTER = TimelineQuery("AND parent_id IS NULL AND sequence > :sequence ORDER BY sequence LIMIT :size")
_REPLIES = Statement(
    f"SELECT {MESSAGE_COLUMNS} FROM {{messages}} WHERE workspace_id = :workspace_id AND room_id = :room_id"
    " AND parent_id = :parent_id AND sequence > :sequence ORDER BY sequence LIMIT :size"
)
_ONE = Statement(f"SELECT {MESSAGE_COLUMNS} FROM {{messages}} WHERE workspace_id = :workspace_id AND id = :id")
_UNREAD = Statement(
    "SELECT rm.room_id, COUNT(*) FROM {room_members} rm"
    " JOIN {rooms} r ON r.workspace_id = rm.workspace_id AND r.id = rm.room_id"
    " JOIN {messages} m ON m.workspace_id = rm.workspace_id AND m.room_id = rm.room_id AND m.parent_id IS NULL"
    f" AND m.sequence > rm.read_sequence AND m.sequence > r.last_sequence - {COUNT_BACK}"
    " AND m.user_id <> rm.user_id AND m.kind = 'text' AND m.deleted_at IS NULL"
    " WHERE rm.workspace_id = :workspace_id AND rm.user_id = :user_id AND r.last_sequence > rm.read_sequence"
    " GROUP BY rm.room_id"
)
_UNREAD_ONE = Statement(_UNREAD.sql.replace(" GROUP BY", " AND rm.room_id = :room_id GROUP BY"))
_MENTIONS = Statement(
    "SELECT rm.room_id, COUNT(DISTINCT x.sequence) FROM {room_members} rm"
    " JOIN {message_mentions} x ON x.workspace_id = rm.workspace_id AND x.room_id = rm.room_id"
    " AND x.user_id IN (:user_id, :everybody) AND x.sequence > rm.read_sequence AND x.author_id <> rm.user_id"
    " WHERE rm.workspace_id = :workspace_id AND rm.user_id = :user_id GROUP BY rm.room_id"
)
_MENTIONS_ONE = Statement(_MENTIONS.sql.replace(" GROUP BY", " AND rm.room_id = :room_id GROUP BY"))
_MY_ROOM_IDS = Statement(
    "SELECT m.room_id FROM {room_members} m WHERE m.workspace_id = :workspace_id AND m.user_id = :user_id"
)


async def is_readable(reader: Reader, room_id: UUID, user_id: UUID) -> bool:
    """Members read their rooms, everybody in the workspace reads public ones."""
    rows = await reader.fetch(_PLACE, room_id=room_id, user_id=user_id)
    return bool(rows) and (rows[0][0] == "public" or rows[0][2] is not None)


async def require_readable(reader: Reader, room_id: UUID, user_id: UUID) -> None:
    """Raises ``room.not_found``."""
    if not await is_readable(reader, room_id, user_id):
        raise errors.room_not_found()


async def is_member(reader: Reader, room_id: UUID, user_id: UUID) -> bool:
    rows = await reader.fetch(_PLACE, room_id=room_id, user_id=user_id)
    return bool(rows) and rows[0][2] is not None


async def timeline(
    reader: Reader, room_id: UUID, *, before: int | None, after: int | None, around: int | None, size: int
) -> bytes:
    """A page of the main timeline as the JSON of `schemas.Timeline`; without a position the newest one."""
    if around is not None:
        half = max(1, size // 2)
        older = await _BEFORE.fetch(reader, room_id=room_id, sequence=around + 1, size=half + 1)
        newer = await _AFTER.fetch(reader, room_id=room_id, sequence=around, size=half + 1)
        return timeline_json([*older[:half][::-1], *newer[:half]], len(older) > half, len(newer) > half)
    if after is not None:
        rows = await _AFTER.fetch(reader, room_id=room_id, sequence=after, size=size + 1)
        return timeline_json(rows[:size], after > 0, len(rows) > size)
    if before is not None:
        rows = await _BEFORE.fetch(reader, room_id=room_id, sequence=before, size=size + 1)
        return timeline_json(rows[:size][::-1], len(rows) > size, True)
    rows = await _LATEST.fetch(reader, room_id=room_id, size=size + 1)
    return timeline_json(rows[:size][::-1], len(rows) > size, False)


async def replies(
    reader: Reader, room_id: UUID, parent_id: UUID, *, after: int, size: int
) -> tuple[list[RawMessage], bool]:
    """Replies of a thread after a sequence, ascending, and whether there are more."""
    rows = await reader.fetch(_REPLIES, room_id=room_id, parent_id=parent_id, sequence=after, size=size + 1)
    return [raw_message(r) for r in rows[:size]], len(rows) > size


async def readable_message(reader: Reader, message_id: UUID, user_id: UUID) -> RawMessage:
    """Raises ``message.not_found``, also for one in a room the user may not read."""
    rows = await reader.fetch(_ONE, id=message_id)
    if not rows:
        raise errors.message_not_found()
    message = raw_message(rows[0])
    if not await is_readable(reader, message.room_id, user_id):
        raise errors.message_not_found()
    return message


async def my_room_ids(reader: Reader, user_id: UUID) -> set[str]:
    return {str(as_id(r[0])) for r in await reader.fetch(_MY_ROOM_IDS, user_id=user_id)}


async def unread_counts(session: Session, user_id: UUID) -> tuple[dict[UUID, int], dict[UUID, int]]:
    """Unread messages and unread mentions by room; rooms without any are absent."""
    unread = await session.fetch(_UNREAD, user_id=user_id)
    mentions = await session.fetch(_MENTIONS, user_id=user_id, everybody=NIL)
    return {as_id(r[0]): int(r[1]) for r in unread}, {as_id(r[0]): int(r[1]) for r in mentions}


async def unread_count(session: Session, room_id: UUID, user_id: UUID) -> tuple[int, int]:
    """The same for one room."""
    unread = await session.fetch(_UNREAD_ONE, user_id=user_id, room_id=room_id)
    mentions = await session.fetch(_MENTIONS_ONE, user_id=user_id, room_id=room_id, everybody=NIL)
    return (int(unread[0][1]) if unread else 0, int(mentions[0][1]) if mentions else 0)


async def counted_membership(session: Session, member: RoomMember) -> MembershipView:
    unread, mentions = await unread_count(session, member.room_id, member.user_id)
    return membership_view(member, unread=unread, mentions=mentions)


async def room_for(session: Session, room: Room, member: RoomMember | None) -> RoomView:
    """The room as one person sees it."""
    membership = None if member is None else await counted_membership(session, member)
    return room_view(room, membership=membership, member_ids=await direct_members(session, room))


async def direct_members(session: Session, room: Room) -> list[UUID] | None:
    """Who a direct conversation is between; ``None`` for rooms."""
    if room.kind != "direct":
        return None
    rows = await session.scalars(
        sa.select(RoomMember.user_id).where(RoomMember.room_id == room.id).order_by(RoomMember.user_id)
    )
    return list(rows)


async def my_rooms(session: Session, user_id: UUID) -> list[RoomView]:
    """Rooms the user is in, last active first."""
    rows = (
        await session.execute(
            sa.select(Room, RoomMember)
            .join(RoomMember, sa.and_(RoomMember.workspace_id == Room.workspace_id, RoomMember.room_id == Room.id))
            .where(RoomMember.user_id == user_id)
            .order_by(Room.last_activity_at.desc(), Room.id)
        )
    ).all()
    unread, mentions = await unread_counts(session, user_id)
    people = await _direct_people(session, [room.id for room, _ in rows if room.kind == "direct"])
    return [
        room_view(
            room,
            membership=membership_view(member, unread=unread.get(room.id, 0), mentions=mentions.get(room.id, 0)),
            member_ids=people.get(room.id, []),
        )
        for room, member in rows
    ]


async def _direct_people(session: Session, room_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    people: dict[UUID, list[UUID]] = {}
    for start in range(0, len(room_ids), 500):
        chunk = room_ids[start : start + 500]
        rows = await session.execute(
            sa.select(RoomMember.room_id, RoomMember.user_id)
            .where(RoomMember.room_id.in_(chunk))
            .order_by(RoomMember.user_id)
        )
        for room_id, user_id in rows:
            people.setdefault(room_id, []).append(user_id)
    return people


async def browse(session: Session, user_id: UUID, *, text: str, after: str | None) -> tuple[list[RoomView], str | None]:
    """Public rooms the user is not in, by name; ``after`` is the name and id of the last one seen."""
    mine = sa.select(RoomMember.room_id).where(RoomMember.user_id == user_id)
    query = (
        sa.select(Room)
        .where(Room.kind == "room", Room.visibility == "public", Room.archived_at.is_(None), Room.id.not_in(mine))
        .order_by(Room.name, Room.id)
        .limit(BROWSE_PAGE + 1)
    )
    if text := rules.clean_line(text):
        query = query.where(sa.func.lower(Room.name).contains(text.lower(), autoescape=True))
    if after is not None:
        query = query.where(Room.name > rules.clean_line(after))
    rooms: Sequence[Any] = (await session.scalars(query)).all()
    page = rooms[:BROWSE_PAGE]
    more = len(rooms) > BROWSE_PAGE
    return [room_view(r) for r in page], page[-1].name if more else None


async def room_members(session: Session, room_id: UUID) -> list[RoomMemberView]:
    """In the order they joined."""
    rows = await session.scalars(
        sa.select(RoomMember).where(RoomMember.room_id == room_id).order_by(RoomMember.joined_at, RoomMember.user_id)
    )
    return [
        RoomMemberView(str(m.user_id), "owner" if m.role == "owner" else "member", iso(m.joined_at), m.read_sequence)
        for m in rows
    ]


async def find_room(
    session: Session, room_id: UUID, user_id: UUID, *, lock: bool = False
) -> tuple[Room, RoomMember | None]:
    """The room and the user's place in it. Raises ``room.not_found`` for a private room of others."""
    query = sa.select(Room).where(Room.id == room_id)
    room = await session.scalar(locked(query) if lock else query)
    if room is None:
        raise errors.room_not_found()
    member = await session.scalar(
        sa.select(RoomMember).where(RoomMember.room_id == room_id, RoomMember.user_id == user_id)
    )
    if member is None and room.visibility != "public":
        raise errors.room_not_found()
    return room, member


async def find_message(session: Session, message_id: UUID, user_id: UUID) -> tuple[Message, Room, RoomMember | None]:
    """The message locked for change, with its room. Raises ``message.not_found``."""
    room_id = await session.scalar(sa.select(Message.room_id).where(Message.id == message_id))
    if room_id is None:
        raise errors.message_not_found()
    # The room first, then the message: the order in which sending locks them.
    room = await session.scalar(locked(sa.select(Room).where(Room.id == room_id)))
    message = await session.scalar(locked(sa.select(Message).where(Message.id == message_id)))
    member = await session.scalar(
        sa.select(RoomMember).where(RoomMember.room_id == room_id, RoomMember.user_id == user_id)
    )
    if message is None or room is None or (member is None and room.visibility != "public"):
        raise errors.message_not_found()
    return message, room, member


def locked(query: sa.Select[Entity]) -> sa.Select[Entity]:
    """The same rows, locked until the commit and read afresh."""
    return query.with_for_update().execution_options(populate_existing=True)


async def may_read_room_file(database: Database, access: WorkspaceAccess, room_id: UUID) -> bool:
    """Files are read by those who read the room's messages."""
    async with database.hot(access.workspace_id) as reader:
        return await is_readable(reader, room_id, access.user_id)
