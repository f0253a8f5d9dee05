"""What can happen to a message after it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from kanal.files.actions import discard
from kanal.files.schemas import AttachmentView
from kanal.identity import audit
from kanal.identity.access import WorkspaceAccess
from kanal.identity.audit import Target
from kanal.identity.rules import Permission
from kanal.kit import clock, events
from kanal.kit.db import Session
from kanal.rooms import errors, mentions, queries, rules, search
from kanal.rooms.events import MESSAGE_UPDATED, ROOM_UPDATED, MessageUpdated, RoomShown, room_channel
from kanal.rooms.models import Message, MessageMention, Room, RoomMember
from kanal.rooms.schemas import MessageView
from kanal.rooms.views import message_view, room_view


async def edit_message(session: Session, access: WorkspaceAccess, message_id: UUID, body: str) -> MessageView:
    """Change one's own text within `rules.EDIT_WINDOW`. People mentioned newly are told; the number stays the same."""
    message, room, _ = await _writable(session, access, message_id)
    if message.user_id != access.user_id:
        raise errors.not_own_message()
    if not rules.may_edit(message.created_at, clock.now()):
        raise errors.edit_window_over()
    body = rules.clean_body(body)
    if rules.is_blank(body) and not message.attachments:
        raise errors.empty_message()
    if len(body) > rules.BODY_LIMIT:
        raise errors.message_too_long(rules.BODY_LIMIT)
    if body == message.body:
        return message_view(message)
    message.body = body
    message.mentions = rules.mentioned(body) or None
    message.edited_at = clock.now()
    await search.reindex(session, message.id, message.room_id, body)
    await _replace_mentions(session, message, message.mentions or [])
    await _refresh_last(session, room, message)
    return await _announce(session, message)


async def delete_message(session: Session, access: WorkspaceAccess, message_id: UUID) -> MessageView:
    """Take one's own message away (or, as the room's owner or an admin, anybody's); its place stays."""
    message, room, member = await _writable(session, access, message_id, allow_archived=True)
    if message.deleted_at is not None:
        return message_view(message)
    own = message.user_id == access.user_id
    if not own and not access.may(Permission.ROOMS_MODERATE) and (member is None or member.role != "owner"):
        raise errors.not_own_message()
    if message.attachments:
        await discard(session, [UUID(a["id"]) for a in message.attachments])
    message.body = ""
    message.quote = message.attachments = message.reactions = None
    message.deleted_at = clock.now()
    message.version = room.version = max(room.version, message.version) + 1
    await search.reindex(session, message.id, message.room_id, "")
    await _replace_mentions(session, message, [])
    await _refresh_last(session, room, message)
    if not own:
        target = Target("message", message.id, room.name)
        await audit.record(session, access, "message.deleted", target, author=str(message.user_id))
    return await _tell(session, message)


async def react(session: Session, access: WorkspaceAccess, message_id: UUID, emoji: str, *, add: bool) -> MessageView:
    """Add or take back one's own reaction; doing either twice changes nothing."""
    message, _, _ = await _writable(session, access, message_id)
    if not rules.is_emoji(emoji):
        raise errors.bad_emoji()
    if message.deleted_at is not None:
        raise errors.message_deleted()
    change = rules.add_reaction if add else rules.remove_reaction
    try:
        changed = change(message.reactions or [], emoji, str(access.user_id))
    except OverflowError:
        raise errors.too_many_reactions() from None
    if changed is None:
        return message_view(message)
    message.reactions = changed or None
    return await _announce(session, message)


async def refresh_attachment(session: Session, message_id: UUID, attachment: AttachmentView) -> None:
    """The reaction to a finished thumbnail: the message shows it."""
    message = await session.scalar(queries.locked(sa.select(Message).where(Message.id == message_id)))
    if message is None or not message.attachments:
        return
    wanted = str(attachment.id)
    if not any(a["id"] == wanted for a in message.attachments):
        return
    message.attachments = [attachment if a["id"] == wanted else a for a in message.attachments]
    await _announce(session, message)


async def _writable(
    session: Session, access: WorkspaceAccess, message_id: UUID, *, allow_archived: bool = False
) -> tuple[Message, Room, RoomMember | None]:
    access.require(Permission.CHAT_WRITE)
    message, room, member = await queries.find_message(session, message_id, access.user_id)
    if member is None and not access.may(Permission.ROOMS_MODERATE):
        raise errors.not_a_member()
    if message.kind != "text":
        raise errors.not_own_message()
    if room.archived_at is not None and not allow_archived:
        raise errors.archived()
    if message.deleted_at is not None and not allow_archived:
        raise errors.message_deleted()
    return message, room, member


async def _announce(session: Session, message: Message) -> MessageView:
    message.version += 1
    return await _tell(session, message)


async def _tell(session: Session, message: Message) -> MessageView:
    await session.flush()
    view = message_view(message)
    events.record(session, MESSAGE_UPDATED, MessageUpdated(view), channels=[room_channel(message.room_id)])
    return view


async def _replace_mentions(session: Session, message: Message, mentioned: Sequence[str]) -> None:
    await session.execute(
        sa.delete(MessageMention)
        .where(MessageMention.room_id == message.room_id, MessageMention.sequence == message.sequence)
        .execution_options(synchronize_session=False)
    )
    await mentions.store(session, [(message.room_id, message.sequence, message.user_id, mentioned)])


async def _refresh_last(session: Session, room: Room, message: Message) -> None:
    """Lists show the newest line: when that is the one that changed, its preview changes too."""
    if not room.last_message or room.last_message["id"] != str(message.id):
        return
    room.last_message = room.last_message | {
        "preview": rules.preview(message.body),
        "attachments": len(message.attachments or []),
        "kind": "deleted" if message.deleted_at else message.kind,
    }
    room.version += 1
    await session.flush()
    view = room_view(room, member_ids=await queries.direct_members(session, room))
    events.record(session, ROOM_UPDATED, RoomShown(view), channels=[room_channel(room.id)])
