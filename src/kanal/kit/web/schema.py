"""Shapes that every route's schemas build on."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Base of every request body: a field nobody knows is an error, not silence."""


class Items(msgspec.Struct, Generic[Item]):
    """A complete list."""

    items: list[Item]


class Page(msgspec.Struct, Generic[Item]):
    """One page of a list; ``next_cursor`` is null on the last one."""

    items: list[Item]
    next_cursor: str | None
