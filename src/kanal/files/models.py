"""The ``files`` table."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit.db import TABLE_OPTIONS, Base, Digest, Id, Instant
from kanal.kit.tenancy import TenantModel


class State(StrEnum):
    """PROCESSING: a picture whose thumbnail is being made. FAILED: it cannot be decoded; still a file like any other."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class File(TenantModel, Base):
    """One uploaded file. Its content is in the storage under ``storage_key`` and never changes.

    ``holder_kind`` and ``holder_id`` name what decides who may read it, ``item_id`` the thing in there that shows it (the
    message in a room); all are null until it is attached. ``width`` and ``height`` are pixels as shown, after rotation;
    ``duration`` is in milliseconds.
    """

    __tablename__ = "files"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(200))
    content_type: Mapped[str] = mapped_column(sa.String(60))
    size: Mapped[int] = mapped_column(sa.BigInteger)
    sha256: Mapped[bytes] = mapped_column(Digest)
    width: Mapped[int | None] = mapped_column(sa.Integer)
    height: Mapped[int | None] = mapped_column(sa.Integer)
    duration: Mapped[int | None] = mapped_column(sa.BigInteger)
    storage_key: Mapped[str] = mapped_column(sa.String(100))
    thumbnail_key: Mapped[str | None] = mapped_column(sa.String(100))
    state: Mapped[str] = mapped_column(sa.String(10))
    uploaded_by: Mapped[UUID] = mapped_column(Id)
    holder_kind: Mapped[str | None] = mapped_column(sa.String(20))
    holder_id: Mapped[UUID | None] = mapped_column(Id)
    item_id: Mapped[UUID | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    attached_at: Mapped[datetime | None] = mapped_column(Instant)
    __table_args__ = (
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        # Not led by the tenant: the clean-up looks for unattached files everywhere.
        sa.Index(None, "attached_at", "created_at"),
        TABLE_OPTIONS,
    )
