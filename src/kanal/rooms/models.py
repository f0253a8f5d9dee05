"""What rooms store.

Every message takes the next number of its room (``rooms.last_sequence``), thread replies too: the number orders the
room, is the cursor for paging, and makes the read marker one integer. Mentions have rows of their own so that counting
those a member has not read touches an index only. Reactions, attachments and the thread summary live on the message
itself, changed under its row lock: reading fifty messages is one index range.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit.db import TABLE_OPTIONS, Base, BigKey, Id, Instant, Json, LongText
from kanal.kit.db.statement import TENANT_TABLES
from kanal.kit.tenancy import TenantModel


class Room(TenantModel, Base):
    """A room or a direct conversation. ``direct_key`` names the set of people of a direct conversation, once."""

    __tablename__ = "rooms"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    name: Mapped[str | None] = mapped_column(sa.String(80))
    topic: Mapped[str] = mapped_column(sa.String(500), default="")
    visibility: Mapped[str] = mapped_column(sa.String(10))
    direct_key: Mapped[str | None] = mapped_column(sa.String(64))
    archived_at: Mapped[datetime | None] = mapped_column(Instant)
    created_by: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    member_count: Mapped[int] = mapped_column(default=0)
    last_sequence: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    last_message: Mapped[Any] = mapped_column(Json, nullable=True)
    last_activity_at: Mapped[datetime] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    __table_args__ = (
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "direct_key"),
        sa.Index(None, "workspace_id", "visibility", "name"),
        sa.Index(None, "id"),  # a channel name holds the id alone
        TABLE_OPTIONS,
    )


class RoomMember(TenantModel, Base):
    """Somebody's place in a room: gone when they leave. ``read_sequence`` is how far they have read.

    ``version`` begins at the room's version on joining, and leaving lifts the room's version above it. So it goes on
    growing over all stays, and a client puts joins, leaves and changes in order without looking at the log.
    """

    __tablename__ = "room_members"
    room_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(10))
    joined_at: Mapped[datetime] = mapped_column(Instant)
    read_sequence: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    starred: Mapped[bool] = mapped_column(default=False)
    notify: Mapped[str] = mapped_column(sa.String(10), default="all")
    version: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    __table_args__ = (
        sa.ForeignKeyConstraint(["workspace_id", "room_id"], ["rooms.workspace_id", "rooms.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"], ["members.workspace_id", "members.user_id"], ondelete="CASCADE"
        ),
        sa.Index(None, "workspace_id", "user_id", "room_id"),
        TABLE_OPTIONS,
    )


class Message(TenantModel, Base):
    """One message. ``version`` grows with every change, the last time to that of the room; see `schemas.MessageView`."""

    __tablename__ = "messages"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    room_id: Mapped[UUID] = mapped_column(Id)
    sequence: Mapped[int] = mapped_column(sa.BigInteger)
    user_id: Mapped[UUID] = mapped_column(Id)
    client_id: Mapped[UUID] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(sa.String(10))
    body: Mapped[str] = mapped_column(LongText)
    system: Mapped[Any] = mapped_column(Json, nullable=True)
    parent_id: Mapped[UUID | None] = mapped_column(Id)
    quote: Mapped[Any] = mapped_column(Json, nullable=True)
    mentions: Mapped[Any] = mapped_column(Json, nullable=True)
    attachments: Mapped[Any] = mapped_column(Json, nullable=True)
    reactions: Mapped[Any] = mapped_column(Json, nullable=True)
    reply_count: Mapped[int] = mapped_column(default=0)
    last_reply_at: Mapped[datetime | None] = mapped_column(Instant)
    reply_user_ids: Mapped[Any] = mapped_column(Json, nullable=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    edited_at: Mapped[datetime | None] = mapped_column(Instant)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    __table_args__ = (
        sa.ForeignKeyConstraint(["workspace_id", "room_id"], ["rooms.workspace_id", "rooms.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "room_id", "sequence"),
        sa.UniqueConstraint("workspace_id", "room_id", "user_id", "client_id"),
        sa.Index(None, "workspace_id", "room_id", "parent_id", "sequence"),
        TABLE_OPTIONS,
    )


class MessageMention(TenantModel, Base):
    """Somebody (or, under the nil id, everybody) is mentioned in a message that still stands."""

    __tablename__ = "message_mentions"
    room_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    sequence: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    author_id: Mapped[UUID] = mapped_column(Id)
    __table_args__ = (
        sa.ForeignKeyConstraint(["workspace_id", "room_id"], ["rooms.workspace_id", "rooms.id"], ondelete="CASCADE"),
        TABLE_OPTIONS,
    )


class MessageTerms(Base):
    """The words of a message, prepared for the full-text index of each database (see `search`).

    ``number`` exists for SQLite: a full-text table points to integers, and only a declared key survives ``VACUUM``.
    """

    __tablename__ = "message_terms"
    number: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    workspace_id: Mapped[UUID] = mapped_column(Id)
    message_id: Mapped[UUID] = mapped_column(Id)
    room_id: Mapped[UUID] = mapped_column(Id)
    terms: Mapped[str] = mapped_column(
        sa.Text().with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
    )
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"], ["messages.workspace_id", "messages.id"], ondelete="CASCADE"
        ),
        sa.UniqueConstraint("workspace_id", "message_id"),
        TABLE_OPTIONS,
    )


TENANT_TABLES.add(MessageTerms.__tablename__)
