"""Names in migrations, with the configured table prefix."""

from __future__ import annotations

from hashlib import sha256

from alembic import context

LONGEST = 60  # characters; MySQL allows 64, PostgreSQL 63


def prefix() -> str:
    value: str = context.config.attributes["prefix"]
    return value


def t(table: str) -> str:
    """A table's name."""
    return prefix() + table


def column(table: str, name: str) -> str:
    """A column that a foreign key points to."""
    return f"{t(table)}.{name}"


def n(name: str) -> str:
    """A constraint's or index's name: ``ix_rooms_id`` becomes ``ix_<prefix>rooms_id``; too long a one ends in a digest."""
    kind, _, rest = name.partition("_")
    full = f"{kind}_{prefix()}{rest}"
    return full if len(full) <= LONGEST else f"{full[: LONGEST - 9]}_{sha256(full.encode()).hexdigest()[:8]}"
