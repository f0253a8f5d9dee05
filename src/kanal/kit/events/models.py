"""The ``events`` table."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit.db import TABLE_OPTIONS, Base, BigKey, Id, Instant, LongText
from kanal.kit.db.statement import TENANT_TABLES

TENANT_TABLES.add("events")


class Event(Base):
    """One announced change. ``sequence`` orders the log; gaps and late arrivals of a few seconds are normal.

    ``channels`` is a JSON list; an event without channels is a command to the socket servers (see `log.terminate`).
    """

    __tablename__ = "events"
    sequence: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    id: Mapped[UUID] = mapped_column(Id)
    workspace_id: Mapped[UUID | None] = mapped_column(Id)
    name: Mapped[str] = mapped_column(sa.String(80))
    channels: Mapped[str] = mapped_column(sa.Text)
    payload: Mapped[str] = mapped_column(LongText)
    except_socket: Mapped[str | None] = mapped_column(sa.String(40))
    created_at: Mapped[datetime] = mapped_column(Instant)
    published: Mapped[int] = mapped_column(sa.SmallInteger, default=0, server_default="0")
    __table_args__ = (
        sa.Index(None, "workspace_id", "sequence"),
        sa.Index(
            None,
            "published",
            "sequence",
            sqlite_where=sa.text("published = 0"),
            postgresql_where=sa.text("published = 0"),
        ),
        sa.Index(None, "created_at"),
        TABLE_OPTIONS,
    )
