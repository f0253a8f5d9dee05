"""The audit log: every action that matters for security or data says here that it happened, in its own transaction.

Names of actions are stable: people filter by them and programs read them. Actor, target and details are kept as they
are now, so an entry stays readable after what it speaks of was renamed or removed.
"""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

import msgspec

from kanal.kit import clock
from kanal.kit.db import Session, Statement
from kanal.kit.ids import NIL, new_id

LABEL_LENGTH = 254


class Actor(Protocol):
    """Whoever does something: a `Caller`, a `WorkspaceAccess`, or the program itself."""

    @property
    def actor_id(self) -> UUID | None: ...
    @property
    def name(self) -> str: ...
    @property
    def ip(self) -> str | None: ...


class Somebody(msgspec.Struct, frozen=True):
    """An actor who is not signed in: the program, the command line, a person at the door."""

    name: str
    ip: str | None = None
    actor_id: UUID | None = None


SYSTEM = Somebody("Kanal")
"""The program on its own account: jobs, schedules."""


class Target(msgspec.Struct, frozen=True):
    """What it was done to: ``Target("room", room.id, room.name)``."""

    type: str
    id: UUID | None = None
    label: str | None = None


_INSERT = Statement(
    "INSERT INTO {audit_entries} (workspace_id, id, at, actor_id, actor_name, action, target_type, target_id,"
    " target_label, ip, details) VALUES (:owner, :id, :at, :actor_id, :actor_name, :action, :target_type, :target_id,"
    " :target_label, :ip, :details)",
    across_tenants="the owner is the session's own workspace, or none for what concerns an account",
)


async def record(
    session: Session,
    actor: Actor,
    action: str,
    target: Target | None = None,
    *,
    account: bool = False,
    **details: Any,
) -> None:
    """Write an entry for the session's workspace; for none when the session has none, or when it is about an ``account``.

    ``details`` are plain JSON values. Never put a secret, a password or the text of a message into them.
    """
    await session.fetch(
        _INSERT,
        owner=NIL if account or session.workspace_id is None else session.workspace_id,
        id=new_id(),
        at=clock.now_milliseconds(),
        actor_id=actor.actor_id,
        actor_name=actor.name[:80],
        action=action,
        target_type=target.type if target else None,
        target_id=target.id if target else None,
        target_label=target.label[:LABEL_LENGTH] if target and target.label else None,
        ip=actor.ip,
        details=msgspec.json.encode(details).decode(),
    )
