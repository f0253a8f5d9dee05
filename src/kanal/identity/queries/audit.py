"""Reading the audit log: by page for people, whole for the export."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa

from kanal.identity.access import WorkspaceAccess
from kanal.identity.models import AuditEntry
from kanal.identity.rules import Permission
from kanal.kit import clock
from kanal.kit.db import Database, Session

EXPORT_BATCH = 1_000  # rows read at once
COLUMNS = ("at", "actor_id", "actor", "action", "target_type", "target_id", "target", "ip", "details")


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """``action`` is a whole name or, ending with a dot, a family (``member.``). ``until`` is exclusive."""

    action: str | None = None
    actor: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


async def audit_page(
    session: Session, access: WorkspaceAccess, wanted: AuditFilter, *, before: UUID | None, size: int
) -> Sequence[AuditEntry]:
    """Newest first; one more than ``size`` when there are more."""
    access.require(Permission.AUDIT_READ)
    return (await session.scalars(_query(wanted, before).limit(size + 1))).all()


async def activity_page(session: Session, user_id: UUID, *, before: UUID | None, size: int) -> Sequence[AuditEntry]:
    """What somebody did to their own account, and what was done to it: a refused sign-in has no actor. In a session for
    `ids.NIL`, which accounts belong to. Newest first; one more than ``size`` when there are more."""
    query = _query(AuditFilter(), before).limit(size + 1)
    mine = await session.scalars(query.where(AuditEntry.actor_id == user_id))
    to_me = await session.scalars(query.where(AuditEntry.target_id == user_id))  # two ranges of two indexes
    entries = {entry.id: entry for entry in (*mine, *to_me)}
    return [entries[id_] for id_ in sorted(entries, reverse=True)[: size + 1]]


async def audit_csv(database: Database, access: WorkspaceAccess, wanted: AuditFilter) -> AsyncIterator[bytes]:
    """The same as a CSV file in UTF-8 with a byte order mark, without which Excel takes it for something else."""
    access.require(Permission.AUDIT_READ)
    yield b"\xef\xbb\xbf" + csv_lines([COLUMNS])
    before: UUID | None = None
    while True:
        async with database.scan(access.workspace_id) as session:
            rows = (await session.scalars(_query(wanted, before).limit(EXPORT_BATCH))).all()
        if rows:
            yield csv_lines([_cells(row) for row in rows])
            before = rows[-1].id
        if len(rows) < EXPORT_BATCH:
            return


def csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    """Cells that a spreadsheet would run as a formula get an apostrophe in front (OWASP: CSV injection)."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip()[:1] in ("=", "+", "-", "@") or cell[:1] in ("\t", "\r", "\n") else cell


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    return (
        clock.iso(entry.at),
        str(entry.actor_id or ""),
        entry.actor_name,
        entry.action,
        entry.target_type or "",
        str(entry.target_id or ""),
        entry.target_label or "",
        entry.ip or "",
        msgspec.json.encode(entry.details).decode() if entry.details else "",
    )


def _query(wanted: AuditFilter, before: UUID | None) -> sa.Select[tuple[AuditEntry]]:
    query = sa.select(AuditEntry).order_by(AuditEntry.id.desc())
    if before is not None:
        query = query.where(AuditEntry.id < before)
    # Ids begin with their time, so a range of time is a range of the primary key.
    if wanted.since is not None:
        query = query.where(AuditEntry.id >= first_id_at(wanted.since))
    if wanted.until is not None:
        query = query.where(AuditEntry.id < first_id_at(wanted.until))
    if wanted.actor is not None:
        query = query.where(AuditEntry.actor_id == wanted.actor)
    if wanted.action:
        family = wanted.action.endswith(".")
        column = AuditEntry.action
        query = query.where(column.startswith(wanted.action, autoescape=True) if family else column == wanted.action)
    if wanted.text:
        places = (AuditEntry.actor_name, AuditEntry.target_label, AuditEntry.action, AuditEntry.ip)
        query = query.where(sa.or_(*(place.icontains(wanted.text, autoescape=True) for place in places)))
    return query


def first_id_at(moment: datetime) -> UUID:
    """The smallest UUIDv7 of this millisecond (RFC 9562 5.7: 48 bits of Unix time lead)."""
    return UUID(int=max(0, clock.to_milliseconds(moment)) << 80)
