"""Helpers for migrations."""

from __future__ import annotations

from alembic import context


def t(name: str) -> str:
    """The table's name with the configured prefix."""
    prefix: str = context.config.attributes["prefix"]
    return prefix + name
