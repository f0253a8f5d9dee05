"""The first tables: people, workspaces, rooms, files, the event log and the job ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from kanal.kit.db import TABLE_OPTIONS, BigKey, Digest, Id, Instant, Json, LongText
from kanal.kit.db.migrating import column, n, t

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        t("audit_entries"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor_id", Id(), nullable=True),
        sa.Column("actor_name", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("target_type", sa.String(length=30), nullable=True),
        sa.Column("target_id", Id(), nullable=True),
        sa.Column("target_label", sa.String(length=254), nullable=True),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("details", Json(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
        **TABLE_OPTIONS,
    )
    op.create_index(
        n("ix_audit_entries_workspace_id_action_id"), t("audit_entries"), ["workspace_id", "action", "id"], unique=False
    )
    op.create_index(
        n("ix_audit_entries_workspace_id_actor_id_id"),
        t("audit_entries"),
        ["workspace_id", "actor_id", "id"],
        unique=False,
    )
    op.create_table(
        t("events"),
        sa.Column("sequence", BigKey, autoincrement=True, nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("workspace_id", Id(), nullable=True),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("channels", sa.Text(), nullable=False),
        sa.Column("payload", LongText, nullable=False),
        sa.Column("except_socket", sa.String(length=40), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("published", sa.SmallInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_events_created_at"), t("events"), ["created_at"], unique=False)
    op.create_index(
        n("ix_events_published_sequence"),
        t("events"),
        ["published", "sequence"],
        unique=False,
        sqlite_where=sa.text("published = 0"),
        postgresql_where=sa.text("published = 0"),
    )
    op.create_index(n("ix_events_workspace_id_sequence"), t("events"), ["workspace_id", "sequence"], unique=False)
    op.create_table(
        t("job_locks"),
        sa.Column("serial_key", sa.String(length=120), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("serial_key"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        t("jobs"),
        sa.Column("id", BigKey, autoincrement=True, nullable=False),
        sa.Column("workspace_id", Id(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("payload", LongText, nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("run_at", Instant(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("owner", sa.String(length=80), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.SmallInteger(), nullable=False),
        sa.Column("unique_key", sa.String(length=120), nullable=True),
        sa.Column("serial_key", sa.String(length=120), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("unique_key", name=n("uq_jobs_unique_key")),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_jobs_state_lease_until"), t("jobs"), ["state", "lease_until"], unique=False)
    op.create_index(n("ix_jobs_state_priority_run_at"), t("jobs"), ["state", "priority", "run_at"], unique=False)
    op.create_table(
        t("mails"),
        sa.Column("id", Id(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("content", LongText, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("done_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_mails_created_at"), t("mails"), ["created_at"], unique=False)
    op.create_table(
        t("schedules"),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        t("throttles"),
        sa.Column("throttle_key", Digest(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("throttle_key"),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_throttles_ends_at"), t("throttles"), ["ends_at"], unique=False)
    op.create_table(
        t("users"),
        sa.Column("id", Id(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("locale", sa.String(length=8), nullable=False),
        sa.Column("theme", sa.String(length=8), nullable=False),
        sa.Column("avatar_color", sa.SmallInteger(), nullable=True),
        sa.Column("is_operator", sa.Boolean(), nullable=False),
        sa.Column("founder", sa.SmallInteger(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email", name=n("uq_users_email")),
        sa.UniqueConstraint("founder", name=n("uq_users_founder")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        t("workspaces"),
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("plan", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("settings", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug", name=n("uq_workspaces_slug")),
        **TABLE_OPTIONS,
    )
    op.create_table(
        t("api_tokens"),
        sa.Column("id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("token_hash", Digest(), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], [column("users", "id")], name=n("fk_api_tokens_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash", name=n("uq_api_tokens_token_hash")),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_api_tokens_user_id"), t("api_tokens"), ["user_id"], unique=False)
    op.create_table(
        t("files"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=60), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", Digest(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("duration", sa.BigInteger(), nullable=True),
        sa.Column("storage_key", sa.String(length=100), nullable=False),
        sa.Column("thumbnail_key", sa.String(length=100), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("uploaded_by", Id(), nullable=False),
        sa.Column("holder_kind", sa.String(length=20), nullable=True),
        sa.Column("holder_id", Id(), nullable=True),
        sa.Column("item_id", Id(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("attached_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], [column("workspaces", "id")], name=n("fk_files_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_files_attached_at_created_at"), t("files"), ["attached_at", "created_at"], unique=False)
    op.create_table(
        t("members"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], [column("users", "id")], name=n("fk_members_user_id")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], [column("workspaces", "id")], name=n("fk_members_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "user_id"),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_members_user_id_workspace_id"), t("members"), ["user_id", "workspace_id"], unique=False)
    op.create_table(
        t("password_resets"),
        sa.Column("id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("token_hash", Digest(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], [column("users", "id")], name=n("fk_password_resets_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash", name=n("uq_password_resets_token_hash")),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_password_resets_expires_at"), t("password_resets"), ["expires_at"], unique=False)
    op.create_index(n("ix_password_resets_user_id"), t("password_resets"), ["user_id"], unique=False)
    op.create_table(
        t("rooms"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("topic", sa.String(length=500), nullable=False),
        sa.Column("visibility", sa.String(length=10), nullable=False),
        sa.Column("direct_key", sa.String(length=64), nullable=True),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.Column("created_by", Id(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("member_count", sa.Integer(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_message", Json(), nullable=True),
        sa.Column("last_activity_at", Instant(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], [column("workspaces", "id")], name=n("fk_rooms_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
        sa.UniqueConstraint("workspace_id", "direct_key", name=n("uq_rooms_workspace_id_direct_key")),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_rooms_id"), t("rooms"), ["id"], unique=False)
    op.create_index(
        n("ix_rooms_workspace_id_visibility_name"), t("rooms"), ["workspace_id", "visibility", "name"], unique=False
    )
    op.create_table(
        t("sessions"),
        sa.Column("id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("token_hash", Digest(), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_seen_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], [column("users", "id")], name=n("fk_sessions_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash", name=n("uq_sessions_token_hash")),
        **TABLE_OPTIONS,
    )
    op.create_index(n("ix_sessions_expires_at"), t("sessions"), ["expires_at"], unique=False)
    op.create_index(n("ix_sessions_user_id"), t("sessions"), ["user_id"], unique=False)
    op.create_table(
        t("invitations"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("token_hash", Digest(), nullable=False),
        sa.Column("token_sealed", sa.Text(), nullable=False),
        sa.Column("invited_by", Id(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("accepted_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id", "invited_by"],
            [column("members", "workspace_id"), column("members", "user_id")],
            name=n("fk_invitations_workspace_id_invited_by"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
        sa.UniqueConstraint("token_hash", name=n("uq_invitations_token_hash")),
        sa.UniqueConstraint("workspace_id", "email", name=n("uq_invitations_workspace_id_email")),
        **TABLE_OPTIONS,
    )
    op.create_index(
        n("ix_invitations_workspace_id_invited_by"), t("invitations"), ["workspace_id", "invited_by"], unique=False
    )
    op.create_table(
        t("message_mentions"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("room_id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("author_id", Id(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "room_id"],
            [column("rooms", "workspace_id"), column("rooms", "id")],
            name=n("fk_message_mentions_workspace_id_room_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "room_id", "user_id", "sequence"),
        **TABLE_OPTIONS,
    )
    op.create_table(
        t("messages"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("id", Id(), nullable=False),
        sa.Column("room_id", Id(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("client_id", Id(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("body", LongText, nullable=False),
        sa.Column("system", Json(), nullable=True),
        sa.Column("parent_id", Id(), nullable=True),
        sa.Column("quote", Json(), nullable=True),
        sa.Column("mentions", Json(), nullable=True),
        sa.Column("attachments", Json(), nullable=True),
        sa.Column("reactions", Json(), nullable=True),
        sa.Column("reply_count", sa.Integer(), nullable=False),
        sa.Column("last_reply_at", Instant(), nullable=True),
        sa.Column("reply_user_ids", Json(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("edited_at", Instant(), nullable=True),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "room_id"],
            [column("rooms", "workspace_id"), column("rooms", "id")],
            name=n("fk_messages_workspace_id_room_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
        sa.UniqueConstraint("workspace_id", "room_id", "sequence", name=n("uq_messages_workspace_id_room_id_sequence")),
        sa.UniqueConstraint(
            "workspace_id",
            "room_id",
            "user_id",
            "client_id",
            name=n("uq_messages_workspace_id_room_id_user_id_client_id"),
        ),
        **TABLE_OPTIONS,
    )
    op.create_index(
        n("ix_messages_workspace_id_room_id_parent_id_sequence"),
        t("messages"),
        ["workspace_id", "room_id", "parent_id", "sequence"],
        unique=False,
    )
    op.create_table(
        t("room_members"),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("room_id", Id(), nullable=False),
        sa.Column("user_id", Id(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.Column("read_sequence", sa.BigInteger(), nullable=False),
        sa.Column("starred", sa.Boolean(), nullable=False),
        sa.Column("notify", sa.String(length=10), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "room_id"],
            [column("rooms", "workspace_id"), column("rooms", "id")],
            name=n("fk_room_members_workspace_id_room_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "user_id"],
            [column("members", "workspace_id"), column("members", "user_id")],
            name=n("fk_room_members_workspace_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "room_id", "user_id"),
        **TABLE_OPTIONS,
    )
    op.create_index(
        n("ix_room_members_workspace_id_user_id_room_id"),
        t("room_members"),
        ["workspace_id", "user_id", "room_id"],
        unique=False,
    )
    op.create_table(
        t("message_terms"),
        sa.Column("number", BigKey, autoincrement=True, nullable=False),
        sa.Column("workspace_id", Id(), nullable=False),
        sa.Column("message_id", Id(), nullable=False),
        sa.Column("room_id", Id(), nullable=False),
        sa.Column(
            "terms",
            sa.Text()
            .with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mariadb")
            .with_variant(mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "message_id"],
            [column("messages", "workspace_id"), column("messages", "id")],
            name=n("fk_message_terms_workspace_id_message_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("workspace_id", "message_id", name=n("uq_message_terms_workspace_id_message_id")),
        **TABLE_OPTIONS,
    )
    create_full_text_index()


def create_full_text_index() -> None:
    """On the prepared words of messages; each database in its own way (docs/decisions/0005)."""
    terms = t("message_terms")
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        fts = t("message_fts")
        op.execute(
            f"CREATE VIRTUAL TABLE {fts} USING fts5(terms, content='{terms}', content_rowid='number', tokenize='ascii')"
        )
        op.execute(
            f"CREATE TRIGGER {terms}_added AFTER INSERT ON {terms} BEGIN"
            f" INSERT INTO {fts} (rowid, terms) VALUES (new.number, new.terms); END"
        )
        op.execute(
            f"CREATE TRIGGER {terms}_removed AFTER DELETE ON {terms} BEGIN"
            f" INSERT INTO {fts} ({fts}, rowid, terms) VALUES ('delete', old.number, old.terms); END"
        )
    elif dialect == "postgresql":
        op.execute(f"CREATE INDEX {n('ix_message_terms_search')} ON {terms} USING gin (to_tsvector('simple', terms))")
    else:
        op.execute(f"CREATE FULLTEXT INDEX {n('ix_message_terms_search')} ON {terms} (terms)")
