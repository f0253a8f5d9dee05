"""What can happen to rooms and to who is in them. Check, change, announce; the edge commits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kanal.identity import audit
from kanal.identity.access import WorkspaceAccess, member_scope
from kanal.identity.audit import Target
from kanal.identity.models import Member
from kanal.identity.queries.workspaces import lock_workspace
from kanal.identity.rules import Permission
from kanal.kit import clock, events
from kanal.kit.db import Session
from kanal.kit.errors import forbidden
from kanal.kit.ids import new_id, parse_id
from kanal.rooms import errors, queries, rules
from kanal.rooms.events import (
    MEMBERSHIP_UPDATED,
    ROOM_JOINED,
    ROOM_LEFT,
    ROOM_MEMBER_JOINED,
    ROOM_MEMBER_LEFT,
    ROOM_MEMBER_UPDATED,
    ROOM_READ,
    ROOM_UPDATED,
    MembershipUpdated,
    RoomGone,
    RoomMemberChanged,
    RoomMemberGone,
    RoomRead,
    RoomShown,
    room_channel,
    user_channel,
    workspace_channel,
)
from kanal.rooms.models import Room, RoomMember
from kanal.rooms.schemas import ReadState, RoomView, SystemNote
from kanal.rooms.sending import system_line
from kanal.rooms.views import membership_view, room_view


async def create_room(
    session: Session,
    access: WorkspaceAccess,
    *,
    name: str,
    topic: str = "",
    visibility: str = "public",
    member_ids: Sequence[str] = (),
) -> RoomView:
    """A new room with its creator as owner. Raises ``room.name_taken``, ``room.unknown_members``, plan limits."""
    access.require(Permission.ROOMS_CREATE)
    name, topic = _clean("name", name, rules.NAME_LIMIT), _clean("topic", topic, rules.TOPIC_LIMIT)
    await lock_workspace(session)
    await _check_name(session, name, None)
    rooms = await session.scalar(sa.select(sa.func.count(Room.id)).where(Room.kind == "room"))
    if (rooms or 0) >= access.limits.max_rooms:
        raise errors.too_many_rooms(access.limits.max_rooms)
    others = [u for u in await _members_of_workspace(session, member_ids) if u != access.user_id]
    room = await _add_room(
        session, access, kind="room", name=name, topic=rules.clean_line(topic), visibility=visibility
    )
    await _add_people(session, room, [access.user_id], role="owner")
    await _add_people(session, room, others, role="member")
    await system_line(session, access, room.id, SystemNote("room.created", name=name))
    await session.refresh(room)
    await _announce_to(session, room, [access.user_id, *others])
    await audit.record(session, access, "room.created", Target("room", room.id, name), visibility=visibility)
    return await _mine(session, room, access.user_id)


async def open_direct(session: Session, access: WorkspaceAccess, user_ids: Sequence[str]) -> RoomView:
    """The direct conversation between the caller and these people: the existing one or a new one."""
    access.require(Permission.CHAT_WRITE)
    people = sorted({access.user_id, *await _members_of_workspace(session, user_ids)}, key=lambda u: u.bytes)
    key = rules.direct_key(people)
    query = sa.select(Room).where(Room.direct_key == key)
    room = await session.scalar(query)
    if room is None:
        try:
            async with session.begin_nested():
                room = await _add_room(
                    session, access, kind="direct", name=None, topic="", visibility="private", key=key
                )
        except sa.exc.IntegrityError:  # the other one opened it at the same moment
            room = (await session.scalars(query)).one()
        else:
            await _add_people(session, room, people, role="member")
            await _announce_to(session, room, people)
    return await _mine(session, room, access.user_id)


async def change_room(
    session: Session,
    access: WorkspaceAccess,
    room_id: UUID,
    *,
    name: str | None = None,
    topic: str | None = None,
    visibility: str | None = None,
    archived: bool | None = None,
) -> RoomView:
    """Members may change name and topic; who may see the room and its archiving are for its owner and for admins."""
    access.require(Permission.CHAT_WRITE)
    if name is not None or archived is False:
        await lock_workspace(session)  # before the room, as whoever puts somebody out of the workspace does
    room, member = await queries.find_room(session, room_id, access.user_id, lock=True)
    if room.kind == "direct":
        raise errors.direct_is_fixed()
    steers = access.may(Permission.ROOMS_MODERATE) or (member is not None and member.role == "owner")
    if member is None and not steers:
        raise errors.not_a_member()
    if (visibility is not None or archived is not None) and not steers:
        raise forbidden()
    notes = await _apply_changes(session, room, name=name, topic=topic, visibility=visibility, archived=archived)
    room.version += 1
    await session.flush()
    for note in notes:
        await system_line(session, access, room.id, note)
    await session.refresh(room)
    channels = [room_channel(room.id)]
    if room.visibility == "public":
        channels.append(workspace_channel(access.workspace_id))
    events.record(session, ROOM_UPDATED, RoomShown(room_view(room)), channels=channels)
    changes = {"visibility": visibility, "archived": archived, "name": name}
    given = {k: v for k, v in changes.items() if v is not None}
    await audit.record(session, access, "room.changed", Target("room", room.id, room.name), changes=given)
    return await _mine(session, room, access.user_id)


async def _apply_changes(
    session: Session, room: Room, *, name: str | None, topic: str | None, visibility: str | None, archived: bool | None
) -> list[SystemNote]:
    notes = []
    reopened = archived is False and room.archived_at is not None
    if name is not None and (name := _clean("name", name, rules.NAME_LIMIT)) != room.name:
        await _check_name(session, name, room.id)
        room.name = name
        notes.append(SystemNote("room.renamed", name=name))
    elif reopened and room.name is not None:
        await _check_name(session, room.name, room.id)
    if topic is not None and (topic := _clean("topic", topic, rules.TOPIC_LIMIT)) != room.topic:
        room.topic = topic
        notes.append(SystemNote("room.topic", topic=topic))
    if visibility is not None:
        room.visibility = visibility
    if archived is not None:
        room.archived_at = clock.now() if archived else None
    return notes


async def join_room(session: Session, access: WorkspaceAccess, room_id: UUID) -> RoomView:
    """Enter a public room; joining twice is no error."""
    access.require(Permission.CHAT_READ)
    room, member = await queries.find_room(session, room_id, access.user_id, lock=True)
    if member is None:
        if room.archived_at is not None:
            raise errors.archived()
        await _enter(session, access, room, [access.user_id], SystemNote("member.joined"))
    return await _mine(session, room, access.user_id)


async def add_members(session: Session, access: WorkspaceAccess, room_id: UUID, user_ids: Sequence[str]) -> None:
    """Bring others in; who is in already stays as they are."""
    access.require(Permission.CHAT_WRITE)
    room, member = await queries.find_room(session, room_id, access.user_id, lock=True)
    if room.kind == "direct":
        raise errors.direct_is_fixed()
    if room.archived_at is not None:
        raise errors.archived()
    if member is None and not access.may(Permission.ROOMS_MODERATE):
        raise errors.not_a_member()
    wanted = await _members_of_workspace(session, user_ids)
    present = await _present(session, room_id, wanted)
    fresh = [u for u in wanted if u not in present]
    if fresh:
        await _enter(session, access, room, fresh, SystemNote("member.added", [str(u) for u in fresh]))
        await audit.record(
            session, access, "room.members_added", Target("room", room.id, room.name), users=[str(u) for u in fresh]
        )


async def leave_room(session: Session, access: WorkspaceAccess, room_id: UUID) -> None:
    """Leave for good; a private room can then only be entered again by being added."""
    access.require(Permission.CHAT_READ)
    room, member = await queries.find_room(session, room_id, access.user_id, lock=True)
    if room.kind == "direct":
        raise errors.direct_is_fixed()
    if member is None:
        raise errors.not_a_member()
    await _keep_an_owner(session, room, member)
    await system_line(session, access, room.id, SystemNote("member.left"))
    await session.refresh(room)
    await _drop(session, room, member)


async def remove_member(session: Session, access: WorkspaceAccess, room_id: UUID, user_id: UUID) -> None:
    """Put somebody out: for the room's owner and for admins."""
    access.require(Permission.CHAT_WRITE)
    room, own = await queries.find_room(session, room_id, access.user_id, lock=True)
    if room.kind == "direct":
        raise errors.direct_is_fixed()
    if not access.may(Permission.ROOMS_MODERATE) and (own is None or own.role != "owner"):
        raise forbidden()
    member = await session.scalar(
        sa.select(RoomMember).where(RoomMember.room_id == room_id, RoomMember.user_id == user_id)
    )
    if member is None:
        raise errors.member_not_found()
    await _keep_an_owner(session, room, member)
    await system_line(session, access, room.id, SystemNote("member.removed", [str(user_id)]))
    await session.refresh(room)
    await _drop(session, room, member)
    await audit.record(session, access, "room.member_removed", Target("room", room.id, room.name), user=str(user_id))


async def leave_everywhere(session: Session, user_id: UUID) -> None:
    """The reaction to somebody leaving the workspace: they are in none of its rooms any more."""
    # In the order in which sending locks rooms.
    query = sa.select(RoomMember.room_id).where(RoomMember.user_id == user_id).order_by(RoomMember.room_id)
    for room_id in (await session.scalars(query)).all():
        room, member = await queries.find_room(session, room_id, user_id, lock=True)
        if room.kind == "direct" or member is None:
            continue  # a direct conversation stays with the one who is left
        await _keep_an_owner(session, room, member)
        await _drop(session, room, member)


async def change_membership(
    session: Session, access: WorkspaceAccess, room_id: UUID, *, starred: bool | None, notify: str | None
) -> RoomView:
    """My own settings of a room."""
    room, member = await _my_place(session, access, room_id)
    if starred is not None:
        member.starred = starred
    if notify is not None:
        member.notify = notify
    await _announce_membership(session, room, member)
    return await _mine(session, room, access.user_id)


async def mark_read(session: Session, access: WorkspaceAccess, room_id: UUID, sequence: int) -> ReadState:
    """Move the read marker forward, never back; a number beyond the newest message means the newest."""
    room, member = await _my_place(session, access, room_id)
    reached = min(sequence, room.last_sequence)
    if reached > member.read_sequence:
        member.read_sequence = reached
        await _announce_membership(session, room, member)
        if room.member_count <= rules.READ_RECEIPT_LIMIT:
            events.record(
                session,
                ROOM_READ,
                RoomRead(str(room.id), str(access.user_id), reached),
                channels=[room_channel(room.id)],
            )
    view = await queries.counted_membership(session, member)
    return ReadState(view.read_sequence, view.unread, view.mentions)


async def _my_place(session: Session, access: WorkspaceAccess, room_id: UUID) -> tuple[Room, RoomMember]:
    access.require(Permission.CHAT_READ)
    room, _ = await queries.find_room(session, room_id, access.user_id)
    query = sa.select(RoomMember).where(RoomMember.room_id == room_id, RoomMember.user_id == access.user_id)
    member = await session.scalar(queries.locked(query))
    if member is None:
        raise errors.not_a_member()
    return room, member


async def _announce_membership(session: Session, room: Room, member: RoomMember) -> None:
    member.version += 1
    await session.flush()
    view = await queries.counted_membership(session, member)
    events.record(
        session,
        MEMBERSHIP_UPDATED,
        MembershipUpdated(str(room.id), view, member.version, room.last_sequence, room.version),
        channels=[user_channel(room.workspace_id, member.user_id)],
    )


async def _add_room(
    session: Session,
    access: WorkspaceAccess,
    *,
    kind: str,
    name: str | None,
    topic: str,
    visibility: str,
    key: str | None = None,
) -> Room:
    now = clock.now()
    room = Room(
        id=new_id(),
        workspace_id=access.workspace_id,
        kind=kind,
        name=name,
        topic=topic,
        visibility=visibility,
        direct_key=key,
        created_by=access.user_id,
        created_at=now,
        last_activity_at=now,
        member_count=0,
        last_sequence=0,
        version=1,
    )
    session.add(room)
    await session.flush()
    return room


async def _add_people(session: Session, room: Room, user_ids: Collection[UUID], *, role: str) -> list[RoomMember]:
    """New members have read what was said before them."""
    now: datetime = clock.now()
    members = [
        RoomMember(
            workspace_id=room.workspace_id,
            room_id=room.id,
            user_id=u,
            role=role,
            joined_at=now,
            read_sequence=room.last_sequence,
            starred=False,
            notify="all",
            version=room.version,
        )
        for u in user_ids
    ]
    session.add_all(members)
    room.member_count += len(members)
    await session.flush()
    return members


async def _enter(
    session: Session, access: WorkspaceAccess, room: Room, user_ids: Sequence[UUID], note: SystemNote
) -> None:
    heirs = user_ids[:1] if room.member_count == 0 else []  # a room that everybody had left needs an owner again
    room.version += 1
    await _add_people(session, room, heirs, role="owner")
    await _add_people(session, room, user_ids[len(heirs) :], role="member")
    await system_line(session, access, room.id, note)
    await session.refresh(room)
    await _announce_to(session, room, user_ids)
    for user_id in user_ids:
        joined = RoomMemberChanged(
            str(room.id), str(user_id), "owner" if user_id in heirs else "member", room.member_count, room.version
        )
        events.record(session, ROOM_MEMBER_JOINED, joined, channels=[room_channel(room.id)])


async def _drop(session: Session, room: Room, member: RoomMember) -> None:
    user_id = member.user_id
    await session.refresh(member, with_for_update=True)  # whoever stars a room locks their own place only
    await session.delete(member)
    room.member_count -= 1
    room.version = max(room.version, member.version) + 1
    await session.flush()
    left = RoomMemberGone(str(room.id), str(user_id), room.member_count, room.version)
    events.record(session, ROOM_MEMBER_LEFT, left, channels=[room_channel(room.id)])
    events.record(
        session, ROOM_LEFT, RoomGone(str(room.id), room.version), channels=[user_channel(room.workspace_id, user_id)]
    )
    events.revoke(session, room_channel(room.id), member_scope(room.workspace_id, user_id))


async def _keep_an_owner(session: Session, room: Room, leaving: RoomMember) -> None:
    """A room whose last owner goes is handed to whoever has been in it longest."""
    if leaving.role != "owner":
        return
    others = (
        await session.scalars(
            sa.select(RoomMember)
            .where(RoomMember.room_id == room.id, RoomMember.user_id != leaving.user_id)
            .order_by(RoomMember.joined_at)
        )
    ).all()
    if not others or any(m.role == "owner" for m in others):
        return
    heir = others[0]
    await session.refresh(heir, with_for_update=True)
    heir.role = "owner"
    room.version += 1
    await _announce_membership(session, room, heir)
    owns = RoomMemberChanged(str(room.id), str(heir.user_id), "owner", room.member_count, room.version)
    events.record(session, ROOM_MEMBER_UPDATED, owns, channels=[room_channel(room.id)])


async def _announce_to(session: Session, room: Room, user_ids: Sequence[UUID]) -> None:
    people = await queries.direct_members(session, room)
    members = await session.scalars(
        sa.select(RoomMember).where(RoomMember.room_id == room.id, RoomMember.user_id.in_(user_ids))
    )
    for member in members:
        view = room_view(room, membership=membership_view(member), member_ids=people)
        channel = user_channel(room.workspace_id, member.user_id)
        events.record(session, ROOM_JOINED, RoomShown(view), channels=[channel])


async def _mine(session: Session, room: Room, user_id: UUID) -> RoomView:
    member = await session.scalar(
        sa.select(RoomMember).where(RoomMember.room_id == room.id, RoomMember.user_id == user_id)
    )
    return await queries.room_for(session, room, member)


def _clean(field: str, text: str, limit: int) -> str:
    """One line that fits its column, which the request's own limit does not promise: some characters are normalised to
    three. A name must show something."""
    text = rules.clean_line(text)
    if len(text) > limit:
        raise errors.too_long(field, limit)
    if field == "name" and rules.is_blank(text):
        raise errors.blank_name()
    return text


async def _check_name(session: Session, name: str, own: UUID | None) -> None:
    """Public and private rooms share one space of names; comparing ignores case."""
    query = sa.select(Room.id).where(
        Room.kind == "room", Room.archived_at.is_(None), sa.func.lower(Room.name) == name.lower()
    )
    if own is not None:
        query = query.where(Room.id != own)
    if await session.scalar(query.limit(1)) is not None:
        raise errors.name_taken()


async def _members_of_workspace(session: Session, user_ids: Sequence[str]) -> list[UUID]:
    """The ids of active members, each once. Raises ``room.unknown_members`` when one is not."""
    wanted = {parse_id(u) for u in user_ids}
    if None in wanted:
        raise errors.unknown_members()
    ids = [u for u in wanted if u is not None]
    if not ids:
        return []
    found = (
        await session.scalars(sa.select(Member.user_id).where(Member.user_id.in_(ids), Member.status == "active"))
    ).all()
    if len(found) != len(ids):
        raise errors.unknown_members()
    return sorted(found, key=lambda u: u.bytes)


async def _present(session: Session, room_id: UUID, user_ids: Sequence[UUID]) -> set[UUID]:
    rows = await session.scalars(
        sa.select(RoomMember.user_id).where(RoomMember.room_id == room_id, RoomMember.user_id.in_(user_ids))
    )
    return set(rows)
