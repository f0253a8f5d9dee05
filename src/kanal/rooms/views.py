"""From stored rows to the shapes of the API, as JSON text where it is hot.

A message's JSON columns go into the answer as they are stored (`msgspec.Raw`), so a page of fifty costs neither decoding
nor a model per row. `RawMessage` has the fields of `schemas.MessageView`, a test holds them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from kanal.kit.clock import iso, iso_milliseconds
from kanal.kit.db import as_id
from kanal.rooms.models import Message, Room, RoomMember
from kanal.rooms.schemas import LastMessage, MembershipView, MessageView, RoomView

encoder = msgspec.json.Encoder()
_NULL = msgspec.Raw(b"null")
_EMPTY = msgspec.Raw(b"[]")

MESSAGE_COLUMNS = (
    "id, client_id, room_id, sequence, user_id, kind, body, system, parent_id, quote, mentions, attachments, reactions,"
    " reply_count, last_reply_at, reply_user_ids, created_at, edited_at, deleted_at, version"
)
"""In the order of `raw_message`; ``system`` is a reserved word nowhere that we run."""


class RawMessage(msgspec.Struct):
    """`schemas.MessageView` with its JSON parts unparsed."""

    id: UUID
    client_id: UUID
    room_id: UUID
    sequence: int
    user_id: UUID
    kind: str
    body: str
    system: msgspec.Raw
    parent_id: UUID | None
    quote: msgspec.Raw
    mentions: msgspec.Raw
    attachments: msgspec.Raw
    reactions: msgspec.Raw
    reply_count: int
    last_reply_at: str | None
    reply_user_ids: msgspec.Raw
    created_at: str | None
    edited_at: str | None
    deleted_at: str | None
    version: int


def _raw(value: str | None, absent: msgspec.Raw) -> msgspec.Raw:
    return absent if value is None else msgspec.Raw(value.encode())


def raw_message(row: Sequence[Any]) -> RawMessage:
    """From a row of `MESSAGE_COLUMNS`."""
    (
        id_,
        client_id,
        room_id,
        sequence,
        user_id,
        kind,
        body,
        system,
        parent_id,
        quote,
        mentions,
        attachments,
        reactions,
        reply_count,
        last_reply_at,
        reply_user_ids,
        created_at,
        edited_at,
        deleted_at,
        version,
    ) = row
    return RawMessage(
        as_id(id_),
        as_id(client_id),
        as_id(room_id),
        sequence,
        as_id(user_id),
        kind,
        body,
        _raw(system, _NULL),
        None if parent_id is None else as_id(parent_id),
        _raw(quote, _NULL),
        _raw(mentions, _EMPTY),
        _raw(attachments, _EMPTY),
        _raw(reactions, _EMPTY),
        reply_count,
        iso_milliseconds(last_reply_at),
        _raw(reply_user_ids, _EMPTY),
        iso_milliseconds(created_at),
        iso_milliseconds(edited_at),
        iso_milliseconds(deleted_at),
        version,
    )


_encoded: dict[tuple[Any, int], bytes] = {}
ENCODED_LIMIT = 20_000  # messages of about 600 bytes, then it starts afresh


def encoded_message(id_: Any, version: int) -> bytes | None:
    """The JSON of this version of a message, if it was encoded before; a version never changes. Id as the driver has it."""
    return _encoded.get((id_, version))


def encode_message(row: Sequence[Any]) -> bytes:
    """A row of `MESSAGE_COLUMNS` as JSON, kept for the next time."""
    if len(_encoded) >= ENCODED_LIMIT:
        _encoded.clear()
    json = _encoded[row[0], row[-1]] = encoder.encode(raw_message(row))
    return json


def timeline_json(messages: Sequence[bytes], has_before: bool, has_after: bool) -> bytes:
    """`schemas.Timeline`, put together from messages that are JSON already."""
    flags = b'"has_before":%b,"has_after":%b' % (_JSON_BOOL[has_before], _JSON_BOOL[has_after])
    return b'{"items":[' + b",".join(messages) + b"]," + flags + b"}"


_JSON_BOOL = {True: b"true", False: b"false"}


def message_view(message: Message) -> MessageView:
    """The same shape from the model (everything but the hot paths)."""
    return msgspec.convert(
        {
            "id": str(message.id),
            "client_id": str(message.client_id),
            "room_id": str(message.room_id),
            "sequence": message.sequence,
            "user_id": str(message.user_id),
            "kind": message.kind,
            "body": message.body,
            "system": message.system,
            "parent_id": None if message.parent_id is None else str(message.parent_id),
            "quote": message.quote,
            "mentions": message.mentions or [],
            "attachments": message.attachments or [],
            "reactions": message.reactions or [],
            "reply_count": message.reply_count,
            "last_reply_at": message.last_reply_at and iso(message.last_reply_at),
            "reply_user_ids": message.reply_user_ids or [],
            "created_at": iso(message.created_at),
            "edited_at": message.edited_at and iso(message.edited_at),
            "deleted_at": message.deleted_at and iso(message.deleted_at),
            "version": message.version,
        },
        MessageView,
    )


def room_view(
    room: Room, *, membership: MembershipView | None = None, member_ids: Sequence[UUID] | None = None
) -> RoomView:
    """``member_ids`` belong to direct conversations only."""
    return RoomView(
        id=str(room.id),
        kind="direct" if room.kind == "direct" else "room",
        name=room.name,
        topic=room.topic,
        visibility="public" if room.visibility == "public" else "private",
        archived=room.archived_at is not None,
        created_by=str(room.created_by),
        created_at=iso(room.created_at),
        member_count=room.member_count,
        member_ids=[str(u) for u in member_ids] if room.kind == "direct" and member_ids is not None else None,
        last_sequence=room.last_sequence,
        last_message=None if room.last_message is None else msgspec.convert(room.last_message, LastMessage),
        last_activity_at=iso(room.last_activity_at),
        version=room.version,
        membership=membership,
    )


def membership_view(member: RoomMember, *, unread: int = 0, mentions: int = 0) -> MembershipView:
    return msgspec.convert(
        {
            "role": member.role,
            "joined_at": iso(member.joined_at),
            "read_sequence": member.read_sequence,
            "unread": unread,
            "mentions": mentions,
            "starred": member.starred,
            "notify": member.notify,
            "version": member.version,
        },
        MembershipView,
    )
