"""What was done to one account is found without reading what was done to all."""

from __future__ import annotations

from alembic import op

from kanal.kit.db.migrating import n, t

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index(
        n("ix_audit_entries_workspace_id_target_id_id"),
        t("audit_entries"),
        ["workspace_id", "target_id", "id"],
        unique=False,
    )
