"""Alembic's entry: runs on the connection that `kanal.entrypoints.migrate` hands over."""

from __future__ import annotations

from alembic import context

from kanal.entrypoints.models import metadata

prefix: str = context.config.attributes["prefix"]


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """The database may be shared: only tables with our prefix are looked at."""
    return kind != "table" or bool(name and name.startswith(prefix))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    include_name=ours,
)
with context.begin_transaction():
    context.run_migrations()
