"""Writing jobs: gathered in the session, stored with the transaction."""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa

from kanal.kit import clock
from kanal.kit.db.bulk import insert_rows, insert_unless_there
from kanal.kit.db.database import Session
from kanal.kit.jobs.models import Job

Payload = TypeVar("Payload", bound=msgspec.Struct)

MAX_ATTEMPTS = 4  # the first try and retries after about 10, 30 and 60 seconds
TIMEOUT = timedelta(minutes=5)
_COLUMNS = (
    "workspace_id",
    "priority",
    "name",
    "payload",
    "run_at",
    "max_attempts",
    "unique_key",
    "serial_key",
    "created_at",
)


class Queue(IntEnum):
    """Claimed in this order; a lower queue waits while a higher one has work that is due."""

    URGENT = 0
    HIGH = 1
    DEFAULT = 2
    LOW = 3


class JobType(Generic[Payload]):
    """A kind of work: its name in the ledger, the shape of its payload, and how patient it is."""

    def __init__(
        self,
        name: str,
        payload: type[Payload],
        *,
        queue: Queue = Queue.DEFAULT,
        max_attempts: int = MAX_ATTEMPTS,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        self.name = name
        self.payload = payload
        self.queue = queue
        self.max_attempts = max_attempts
        self.timeout = timeout


def enqueue(
    session: Session,
    kind: JobType[Payload],
    payload: Payload,
    *,
    delay: timedelta = timedelta(0),
    unique: str | None = None,
    serial: str | None = None,
) -> None:
    """Have this done once the transaction has committed.

    ``unique``: while a job with this key waits or runs, another one is not added. ``serial``: jobs with this key run one
    at a time. Keys are at most 100 characters and are scoped to the kind of job.
    """
    for key in (unique, serial):
        if key is not None and len(key) > 100:
            raise ValueError("a job key is at most 100 characters")
    session.outbox.setdefault("pending_jobs", []).append((kind, payload, delay, unique, serial))


async def store_pending(session: Session) -> None:
    """The `Database.before_commit` hook."""
    pending: list[Any] | None = session.outbox.pop("pending_jobs", None)
    if not pending:
        return
    at = clock.now_milliseconds()
    keys = {_key(kind, unique) for kind, _, _, unique, _ in pending if unique}
    taken = (
        set((await session.scalars(sa.select(Job.unique_key).where(Job.unique_key.in_(keys)))).all()) if keys else set()
    )
    plain: list[tuple[Any, ...]] = []
    unique_rows: dict[str, tuple[Any, ...]] = {}
    for kind, payload, delay, unique, serial in pending:
        key = _key(kind, unique)
        row = (
            session.workspace_id,
            int(kind.queue),
            kind.name,
            msgspec.json.encode(payload).decode(),
            at + delay // timedelta(milliseconds=1),
            kind.max_attempts,
            key,
            _key(kind, serial),
            at,
        )
        if key is None:
            plain.append(row)
        elif key not in taken:
            unique_rows.setdefault(key, row)
    if plain:
        await insert_rows(session, "jobs", _COLUMNS, plain)
    # Last and in one order: whoever waits here for another transaction's key holds nothing that one still wants. If that
    # one commits first, its job stands for both.
    for key in sorted(unique_rows):
        await insert_unless_there(session, "jobs", _COLUMNS, unique_rows[key], key="unique_key")
    if plain or unique_rows:
        session.outbox["jobs"] = len(plain) + len(unique_rows)


def _key(kind: JobType[Any], key: str | None) -> str | None:
    return None if key is None else f"{kind.name[:18]}:{key}"
