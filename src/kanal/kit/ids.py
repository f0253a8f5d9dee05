"""Identifiers: UUIDv7, so that rows made later sort later and indexes grow at one end."""

from __future__ import annotations

import re
from uuid import UUID

from uuid_utils.compat import uuid7

_CANONICAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII).fullmatch

NIL = UUID(int=0)
"""Stands for "no workspace" in the few tables that hold both (audit)."""


def new_id() -> UUID:
    return uuid7()


def parse_id(text: str) -> UUID | None:
    """``None`` for anything that is not a canonical UUID: 36 characters, hyphens in their places."""
    if not _CANONICAL(text):
        return None
    return UUID(text)
