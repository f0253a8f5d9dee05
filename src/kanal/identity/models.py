"""The tables of people and workspaces."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit.db import TABLE_OPTIONS, Base, Digest, Id, Instant, Json
from kanal.kit.tenancy import TenantModel


class User(Base):
    """A person with an account. ``email`` is stored in the form of `rules.clean_email`.

    ``founder`` is 1 for the very first account and NULL for all others, so there can be one only. Whoever is an operator
    sees the pages about the whole installation.
    """

    __tablename__ = "users"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(254))
    name: Mapped[str] = mapped_column(sa.String(80))
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    locale: Mapped[str] = mapped_column(sa.String(8))
    theme: Mapped[str] = mapped_column(sa.String(8), default="system")
    avatar_color: Mapped[int | None] = mapped_column(sa.SmallInteger)
    is_operator: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    founder: Mapped[int | None] = mapped_column(sa.SmallInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)
    __table_args__ = (sa.UniqueConstraint("email"), sa.UniqueConstraint("founder"), TABLE_OPTIONS)


class SignIn(Base):
    """A browser that is signed in. Revoking one deletes it; the audit log remembers.

    ``expires_at`` moves on with use, up to ``ends_at``.
    """

    __tablename__ = "sessions"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, sa.ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(Digest)
    ip: Mapped[str] = mapped_column(sa.String(45))
    user_agent: Mapped[str] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    __table_args__ = (
        sa.UniqueConstraint("token_hash"),
        sa.Index(None, "user_id"),
        sa.Index(None, "expires_at"),
        TABLE_OPTIONS,
    )


class ApiToken(Base):
    """A key for programs. ``prefix`` is the beginning of the secret, by which its owner recognises it."""

    __tablename__ = "api_tokens"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, sa.ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(80))
    token_hash: Mapped[bytes] = mapped_column(Digest)
    prefix: Mapped[str] = mapped_column(sa.String(16))
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    __table_args__ = (sa.UniqueConstraint("token_hash"), sa.Index(None, "user_id"), TABLE_OPTIONS)


class PasswordReset(Base):
    """A link to choose a new password; deleted when it is used."""

    __tablename__ = "password_resets"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Id, sa.ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(Digest)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    __table_args__ = (
        sa.UniqueConstraint("token_hash"),
        sa.Index(None, "user_id"),
        sa.Index(None, "expires_at"),
        TABLE_OPTIONS,
    )


class Workspace(Base):
    """A tenant. Not itself a tenant table: it is found by whoever is a member of it."""

    __tablename__ = "workspaces"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    slug: Mapped[str] = mapped_column(sa.String(60))
    plan: Mapped[str] = mapped_column(sa.String(20))
    status: Mapped[str] = mapped_column(sa.String(20))
    settings: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(sa.Integer, default=1)
    __table_args__ = (sa.UniqueConstraint("slug"), TABLE_OPTIONS)


class Member(TenantModel, Base):
    """Somebody's place in a workspace. Never deleted, because messages and the like point to it: ``status`` says removed."""

    __tablename__ = "members"
    workspace_id: Mapped[UUID] = mapped_column(
        Id, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True, sort_order=-10
    )
    user_id: Mapped[UUID] = mapped_column(Id, sa.ForeignKey("users.id"), primary_key=True)
    role: Mapped[str] = mapped_column(sa.String(10))
    status: Mapped[str] = mapped_column(sa.String(10), default="active")
    joined_at: Mapped[datetime] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(sa.Integer, default=1)
    __table_args__ = (
        # The one index that does not lead with the tenant: "my workspaces" starts from the person.
        sa.Index(None, "user_id", "workspace_id"),
        TABLE_OPTIONS,
    )


class Invitation(TenantModel, Base):
    """A way in for one address. The token is kept as a hash to be found by, and sealed so that admins can copy the link."""

    __tablename__ = "invitations"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(254))
    role: Mapped[str] = mapped_column(sa.String(10))
    token_hash: Mapped[bytes] = mapped_column(Digest)
    token_sealed: Mapped[str] = mapped_column(sa.Text)
    invited_by: Mapped[UUID] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    accepted_at: Mapped[datetime | None] = mapped_column(Instant)
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["workspace_id", "invited_by"], ["members.workspace_id", "members.user_id"], ondelete="CASCADE"
        ),
        # Found by whoever holds the link and is no member yet.
        sa.UniqueConstraint("token_hash"),
        sa.UniqueConstraint("workspace_id", "email"),
        sa.Index(None, "workspace_id", "invited_by"),
        TABLE_OPTIONS,
    )


class AuditEntry(TenantModel, Base):
    """Something that was done. Written once, never changed; `ids.NIL` stands for "no workspace".

    Names are kept as they were at the time. Ids are made in the order of time, so the primary key is the timeline.
    """

    __tablename__ = "audit_entries"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    actor_id: Mapped[UUID | None] = mapped_column(Id)
    actor_name: Mapped[str] = mapped_column(sa.String(80))
    action: Mapped[str] = mapped_column(sa.String(60))
    target_type: Mapped[str | None] = mapped_column(sa.String(30))
    target_id: Mapped[UUID | None] = mapped_column(Id)
    target_label: Mapped[str | None] = mapped_column(sa.String(254))
    ip: Mapped[str | None] = mapped_column(sa.String(45))
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    __table_args__ = (
        sa.Index(None, "workspace_id", "action", "id"),
        sa.Index(None, "workspace_id", "actor_id", "id"),
        sa.Index(None, "workspace_id", "target_id", "id"),
        TABLE_OPTIONS,
    )
