"""What rooms announce, and on which channels."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from kanal.kit.events import EventType
from kanal.rooms.schemas import MembershipView, MessageView, RoomView


def room_channel(room_id: UUID | str) -> str:
    """Everybody in the room: messages, markers, typing."""
    return f"presence-chat.{room_id}"


def workspace_channel(workspace_id: UUID | str) -> str:
    """Everybody in the workspace."""
    return f"presence-workspace.{workspace_id}"


def user_channel(workspace_id: UUID | str, user_id: UUID | str) -> str:
    """One member, on all their devices."""
    return f"private-user.{workspace_id}.{user_id}"


class MessageSent(msgspec.Struct):
    message: MessageView
    client_id: str


class MessageUpdated(msgspec.Struct):
    message: MessageView


class RoomShown(msgspec.Struct):
    room: RoomView


class RoomGone(msgspec.Struct):
    """``room_version`` is above the version of the membership that ended, and below that of any later one."""

    room_id: str
    room_version: int


class RoomMemberChanged(msgspec.Struct):
    room_id: str
    user_id: str
    role: Literal["owner", "member"]
    member_count: int
    room_version: int


class RoomMemberGone(msgspec.Struct):
    room_id: str
    user_id: str
    member_count: int
    room_version: int


class RoomRead(msgspec.Struct):
    room_id: str
    user_id: str
    read_sequence: int


class MembershipUpdated(msgspec.Struct):
    """``last_sequence`` and ``room_version`` are the room's when ``unread`` was counted."""

    room_id: str
    membership: MembershipView
    version: int
    last_sequence: int
    room_version: int


MESSAGE_SENT = EventType("message.sent", MessageSent, "A message was sent; its sender's own socket does not get this.")
MESSAGE_UPDATED = EventType("message.updated", MessageUpdated, "A message was edited, deleted, reacted or replied to.")
ROOM_JOINED = EventType("room.joined", RoomShown, "To one member: you are in this room now.")
ROOM_LEFT = EventType("room.left", RoomGone, "To one member: you are no longer in this room.")
ROOM_UPDATED = EventType("room.updated", RoomShown, "A room was renamed, archived or otherwise changed.")
ROOM_MEMBER_JOINED = EventType("room.member_joined", RoomMemberChanged, "Somebody joined or was added.")
ROOM_MEMBER_UPDATED = EventType("room.member_updated", RoomMemberChanged, "Somebody owns the room now.")
ROOM_MEMBER_LEFT = EventType("room.member_left", RoomMemberGone, "Somebody left or was removed.")
ROOM_READ = EventType("room.read", RoomRead, "A member of a small room has read up to here.")
MEMBERSHIP_UPDATED = EventType("membership.updated", MembershipUpdated, "To one member: read marker, star, notify.")
