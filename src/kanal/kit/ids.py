"""Identifiers: UUIDv7, so that rows made later sort later and indexes grow at one end."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7

NIL = UUID(int=0)
"""Stands for "no workspace" in the few tables that hold both (audit)."""


def new_id() -> UUID:
    return uuid7()


def parse_id(text: str) -> UUID | None:
    """``None`` for anything that is not a canonical UUID: 36 characters, hyphenated."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
