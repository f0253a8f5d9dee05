"""Writing events: gathered in the session, stored in one INSERT right before the commit.

Storing them last keeps the time between taking a sequence number and committing it short, and with it the window in
which a reader could see a later number before an earlier one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from kanal.kit import clock
from kanal.kit.db.bulk import insert_counted
from kanal.kit.db.database import Session
from kanal.kit.events.catalogue import EventType
from kanal.kit.ids import new_id

Payload = TypeVar("Payload", bound=msgspec.Struct)
TERMINATE = "control.terminate"
REVOKE = "control.revoke"
_COLUMNS = ("workspace_id", "id", "name", "channels", "payload", "except_socket", "created_at")
_encoder = msgspec.json.Encoder()
_REACTIONS: dict[str, list[Callable[[Session, Any], Awaitable[None]]]] = {}


class StoredEvent(msgspec.Struct, frozen=True):
    """An event as the log keeps it. ``payload`` is the JSON text of an object."""

    sequence: int
    id: UUID
    workspace_id: UUID | None
    name: str
    channels: list[str]
    payload: str
    except_socket: str | None

    def data(self) -> str:
        """What sockets and catch-up carry: the payload with its sequence and id."""
        head = f'{{"sequence":{self.sequence},"id":"{self.id}"'
        return head + "}" if self.payload == "{}" else f"{head},{self.payload[1:]}"


def record(
    session: Session,
    kind: EventType[Any],
    payload: msgspec.Struct,
    *,
    channels: Sequence[str],
    except_socket: str | None = None,
) -> None:
    """Announce a change on channels once this transaction has committed."""
    if type(payload) is not kind.payload:
        raise TypeError(f"{kind.name} carries {kind.payload.__name__}, not {type(payload).__name__}")
    _gather(session, kind.name, list(channels), _encoder.encode(payload).decode(), except_socket)
    if kind.name in _REACTIONS:
        session.outbox.setdefault("pending_reactions", []).append((kind.name, payload))


def react_to(kind: EventType[Payload], reaction: Callable[[Session, Payload], Awaitable[None]]) -> None:
    """Have ``reaction`` run in the same transaction, before its commit, whenever this event is recorded.

    How a domain follows what a lower layer or a sibling does without being called by it; bound by bootstrap.
    """
    reactions = _REACTIONS.setdefault(kind.name, [])
    if reaction not in reactions:
        reactions.append(reaction)


def terminate(session: Session, scope: str, *, code: int = 4009) -> None:
    """Close every socket that carries this scope (``session:…``, ``token:…``, ``workspace:…``, ``member:…:…``), on all nodes."""
    _gather(session, TERMINATE, [], _encoder.encode({"scope": scope, "code": code}).decode(), None)


def revoke(session: Session, channel: str, scope: str) -> None:
    """Take a channel away from the sockets that carry this scope, on all nodes."""
    _gather(session, REVOKE, [], _encoder.encode({"channel": channel, "scope": scope}).decode(), None)


def _gather(session: Session, name: str, channels: list[str], payload: str, except_socket: str | None) -> None:
    session.outbox.setdefault("pending_events", []).append((new_id(), name, channels, payload, except_socket))


async def store_pending(session: Session) -> None:
    """The `Database.before_commit` hook."""
    while reactions := session.outbox.pop("pending_reactions", None):
        for name, payload in reactions:
            for reaction in _REACTIONS[name]:
                await reaction(session, payload)
    pending = session.outbox.pop("pending_events", None)
    if not pending:
        return
    workspace, at = session.workspace_id, clock.now_milliseconds()
    rows = [(workspace, i, n, _encoder.encode(c).decode(), p, s, at) for i, n, c, p, s in pending]
    sequences = await insert_counted(session, "events", _COLUMNS, rows, "sequence")
    session.outbox["events"] = [
        StoredEvent(sequence, i, workspace, n, c, p, s)
        for sequence, (i, n, c, p, s) in zip(sequences, pending, strict=True)
    ]
