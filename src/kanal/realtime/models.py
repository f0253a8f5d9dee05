"""The ``realtime_apps`` table."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit.db import TABLE_OPTIONS, Base, Instant, LongText


class RealtimeApp(Base):
    """An app of the real-time server. ``content`` is sealed JSON of all that is not a column, the secret among it.

    ``version`` grows with every change, so that nodes decrypt only what is new to them.
    """

    __tablename__ = "realtime_apps"
    id: Mapped[str] = mapped_column(sa.String(40), primary_key=True)
    key: Mapped[str] = mapped_column("app_key", sa.String(80))
    name: Mapped[str] = mapped_column(sa.String(80), default="")
    enabled: Mapped[bool] = mapped_column(sa.Boolean, default=True)
    content: Mapped[str] = mapped_column(LongText)
    version: Mapped[int] = mapped_column(sa.Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(Instant)
    __table_args__ = (sa.UniqueConstraint("app_key"), TABLE_OPTIONS)
