"""Shapes of the rooms API; the same in answers, in events and in catch-up."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kanal.files.schemas import AttachmentView
from kanal.kit.web.schema import Body
from kanal.rooms.rules import BODY_LIMIT, DIRECT_LIMIT, NAME_LIMIT, TOPIC_LIMIT

RoomKind = Literal["room", "direct"]
Visibility = Literal["public", "private"]
Notify = Literal["all", "mentions", "none"]

RoomName = Annotated[str, Meta(min_length=1, max_length=NAME_LIMIT)]
Topic = Annotated[str, Meta(max_length=TOPIC_LIMIT)]
UserIds = Annotated[list[str], Meta(max_length=200)]


class Reaction(msgspec.Struct):
    emoji: str
    user_ids: list[str]


class Quote(msgspec.Struct):
    """What a message answers, as it read at the time."""

    id: str
    user_id: str
    preview: str


class SystemNote(msgspec.Struct, omit_defaults=True):
    """Why a system line is there; the page writes its sentence."""

    type: str
    user_ids: list[str] | None = None
    name: str | None = None
    topic: str | None = None


class MessageView(msgspec.Struct):
    """A message. Deleted ones keep their place, with an empty body and whom they mentioned."""

    id: str
    client_id: str
    room_id: str
    sequence: int
    user_id: str
    kind: Literal["text", "system"]
    body: str
    system: SystemNote | None
    parent_id: str | None
    quote: Quote | None
    mentions: list[str]
    attachments: list[AttachmentView]
    reactions: list[Reaction]
    reply_count: int
    last_reply_at: str | None
    reply_user_ids: list[str]
    created_at: str
    edited_at: str | None
    deleted_at: str | None
    version: int
    """Of a deleted one: the room's at the deletion. In unread counts as of an earlier version of the room it is still counted."""


class LastMessage(msgspec.Struct):
    """The newest line of a room's timeline, for lists."""

    id: str
    user_id: str
    kind: str
    preview: str
    attachments: int
    system: SystemNote | None
    created_at: str


class MembershipView(msgspec.Struct):
    """My place in a room. ``unread`` counts up to 1000 messages back."""

    role: Literal["owner", "member"]
    joined_at: str
    read_sequence: int
    unread: int
    mentions: int
    starred: bool
    notify: Notify
    version: int


class RoomView(msgspec.Struct):
    """A room; ``membership`` is the caller's, null in announcements to everybody."""

    id: str
    kind: RoomKind
    name: str | None
    topic: str
    visibility: Visibility
    archived: bool
    created_by: str
    created_at: str
    member_count: int
    member_ids: list[str] | None
    last_sequence: int
    last_message: LastMessage | None
    last_activity_at: str
    version: int
    membership: MembershipView | None


class RoomMemberView(msgspec.Struct):
    user_id: str
    role: Literal["owner", "member"]
    joined_at: str
    read_sequence: int


class RoomList(msgspec.Struct):
    """My rooms. Events after ``cursor`` complete this snapshot."""

    items: list[RoomView]
    cursor: int


class Timeline(msgspec.Struct):
    """Messages in ascending order, and whether there are more on either side."""

    items: list[MessageView]
    has_before: bool
    has_after: bool


class Thread(msgspec.Struct):
    parent: MessageView
    items: list[MessageView]
    has_after: bool


class ReadState(msgspec.Struct):
    read_sequence: int
    unread: int
    mentions: int


class SearchHit(msgspec.Struct):
    message: MessageView
    room_id: str


class SearchPage(msgspec.Struct):
    items: list[SearchHit]
    next_cursor: str | None


class CreateRoom(Body):
    name: RoomName
    topic: Topic = ""
    visibility: Visibility = "public"
    member_ids: UserIds = []


class CreateDirect(Body):
    user_ids: Annotated[list[str], Meta(min_length=1, max_length=DIRECT_LIMIT - 1)]


class ChangeRoom(Body):
    name: RoomName | None = None
    topic: Topic | None = None
    visibility: Visibility | None = None
    archived: bool | None = None


class AddMembers(Body):
    user_ids: Annotated[list[str], Meta(min_length=1, max_length=200)]


class ChangeMembership(Body):
    starred: bool | None = None
    notify: Notify | None = None


class MarkRead(Body):
    sequence: Annotated[int, Meta(ge=0, le=2**53)]


class SendMessage(Body):
    """``client_id`` makes sending again harmless: the first one's message is answered."""

    client_id: str
    body: Annotated[str, Meta(max_length=BODY_LIMIT)] = ""
    parent_id: str | None = None
    quote_id: str | None = None
    attachment_ids: Annotated[list[str], Meta(max_length=10)] = []


class EditMessage(Body):
    body: Annotated[str, Meta(max_length=BODY_LIMIT)]
