"""Apps of the real-time server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kanal.kit.db import TABLE_OPTIONS, Instant, LongText
from kanal.kit.db.migrating import n, t

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        t("realtime_apps"),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("app_key", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("content", LongText, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("app_key", name=n("uq_realtime_apps_app_key")),
        **TABLE_OPTIONS,
    )
