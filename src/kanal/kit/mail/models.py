"""The ``mails`` table."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit.db import TABLE_OPTIONS, Base, Id, Instant, LongText


class Mail(Base):
    """One letter. ``content`` is the sealed JSON of a `Letter`; states are queued, sent, logged and failed."""

    __tablename__ = "mails"
    id: Mapped[UUID] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(40))
    content: Mapped[str] = mapped_column(LongText)
    state: Mapped[str] = mapped_column(sa.String(10), default="queued")
    error: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    __table_args__ = (sa.Index(None, "created_at"), TABLE_OPTIONS)
