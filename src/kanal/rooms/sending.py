"""Sending messages, many at once.

Requests that arrive while the database commits are sent together in the next transaction: one lane per workspace, each
lane one transaction at a time. Under load this turns a commit per message into a commit per batch; an idle lane sends at
once. `send_messages` is the one implementation for a batch of any size.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog

from kanal.files.actions import attach
from kanal.identity.access import WorkspaceAccess
from kanal.kit import clock, events
from kanal.kit.db import ConflictError, Database, DuplicateError, Session, Statement, as_id
from kanal.kit.db.bulk import insert_rows
from kanal.kit.errors import KanalError, Kind
from kanal.kit.ids import new_id
from kanal.rooms import errors, mentions, queries, rules, search
from kanal.rooms.events import MESSAGE_SENT, MESSAGE_UPDATED, MessageSent, MessageUpdated, room_channel
from kanal.rooms.models import Message
from kanal.rooms.schemas import LastMessage, MessageView, Quote, SystemNote
from kanal.rooms.views import encoder, message_view, raw_message

BATCH = 64  # messages per transaction
ATTEMPTS = 3  # of a transaction that the database rolled back because of another one
LAST_REPLIERS = 5
HOLDER = "room"  # of files: whoever reads the room's messages reads them

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message on its way into a room; ``body`` is cleaned already."""

    access: WorkspaceAccess
    room_id: UUID
    client_id: UUID
    body: str
    parent_id: UUID | None = None
    quote_id: UUID | None = None
    attachment_ids: tuple[UUID, ...] = ()
    socket_id: str | None = None
    system: SystemNote | None = None
    sent_at: int | None = None
    """Milliseconds; for history that is brought in from elsewhere. Otherwise now."""


@dataclass(frozen=True)
class Sent:
    """The message as JSON, and whether it is new (or the one that was sent under this client id before)."""

    json: bytes
    is_new: bool


@dataclass
class _Draft:
    """What becomes one row of ``messages``."""

    outgoing: Outgoing
    id: UUID = field(default_factory=new_id)
    sequence: int = 0
    quote: Quote | None = None
    mentions: list[str] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)


Result = Sent | KanalError
_UNSEEN = (Kind.NOT_FOUND, Kind.FORBIDDEN)  # the room is none of the sender's business

_ROOM = Statement(
    "SELECT kind, visibility, archived_at, last_sequence FROM {rooms}"
    " WHERE workspace_id = :workspace_id AND id = :room_id {FOR UPDATE}"
)
_BUMP = Statement(
    "UPDATE {rooms} SET last_sequence = :sequence, last_activity_at = :at, version = version + 1"
    " WHERE workspace_id = :workspace_id AND id = :room_id"
)
_BUMP_LAST = Statement(
    "UPDATE {rooms} SET last_sequence = :sequence, last_activity_at = :at, last_message = :last, version = version + 1"
    " WHERE workspace_id = :workspace_id AND id = :room_id"
)
_MESSAGE_COLUMNS = (
    "workspace_id",
    "id",
    "room_id",
    "sequence",
    "user_id",
    "client_id",
    "kind",
    "body",
    "system",
    "parent_id",
    "quote",
    "mentions",
    "attachments",
    "reply_count",
    "created_at",
    "version",
)


@lru_cache(maxsize=BATCH + 1)
def _places(count: int) -> Statement:
    """Who of these pairs is in the room."""
    pairs = " OR ".join(f"(room_id = :room_{i} AND user_id = :user_{i})" for i in range(count))
    return Statement(f"SELECT room_id, user_id FROM {{room_members}} WHERE workspace_id = :workspace_id AND ({pairs})")


@lru_cache(maxsize=BATCH + 1)
def _known(count: int) -> Statement:
    """Messages that were sent under these client ids before."""
    from kanal.rooms.views import MESSAGE_COLUMNS

    one = "(room_id = :room_{i} AND user_id = :user_{i} AND client_id = :client_{i})"
    keys = " OR ".join(one.format(i=i) for i in range(count))
    return Statement(f"SELECT {MESSAGE_COLUMNS} FROM {{messages}} WHERE workspace_id = :workspace_id AND ({keys})")


async def send_messages(session: Session, outgoing: Sequence[Outgoing], *, look: bool = True) -> list[Result]:
    """Store messages and announce them. One that may not be sent gets its error; the others are sent.

    Rooms are locked in the order of their ids, so that batches on several nodes cannot deadlock. ``look`` for messages
    that were sent before; without looking, one such makes the database refuse the whole batch (`DuplicateError`).
    """
    results: dict[int, Result] = {}
    rooms = {
        room_id: await session.fetch(_ROOM, room_id=room_id)
        for room_id in sorted({o.room_id for o in outgoing}, key=lambda r: r.bytes)
    }
    members = await _members(session, outgoing)
    known = await _already_sent(session, outgoing) if look else {}
    drafts: dict[int, _Draft] = {}
    twins: dict[tuple[UUID, UUID, UUID], int] = {}
    for i, one in enumerate(outgoing):
        key = _key(one)
        room = rooms[one.room_id]
        member = (one.room_id, one.access.user_id) in members
        if not room or (not member and room[0][1] != "public" and one.system is None):
            results[i] = errors.room_not_found()
        elif not member and one.system is None:
            results[i] = errors.not_a_member()
        elif key in known:
            results[i] = Sent(known[key], False)
        elif room[0][2] is not None and one.system is None:
            results[i] = errors.archived()
        elif key in twins:
            continue  # the same message twice in one batch: answered like its twin below
        else:
            twins[key] = i
            try:
                drafts[i] = await _draft(session, one)
            except KanalError as error:
                results[i] = error
    if not look:
        await _forgive_repeated(session, outgoing, results)
    await _store(session, drafts, {r: int(rows[0][3]) for r, rows in rooms.items() if rows}, results)
    for i, one in enumerate(outgoing):
        if i not in results:
            twin = results[twins[_key(one)]]
            results[i] = Sent(twin.json, False) if isinstance(twin, Sent) else twin
    return [results[i] for i in range(len(outgoing))]


def _key(one: Outgoing) -> tuple[UUID, UUID, UUID]:
    """What a message is known by when it arrives again."""
    return one.room_id, one.access.user_id, one.client_id


async def _forgive_repeated(session: Session, outgoing: Sequence[Outgoing], results: dict[int, Result]) -> None:
    """A message that may not be sent now may have been sent before: its files have their place since then, its room is
    archived, its parent deleted. Then it is answered, not refused."""
    refused = [i for i, result in results.items() if isinstance(result, KanalError) and result.kind not in _UNSEEN]
    if refused:
        known = await _already_sent(session, [outgoing[i] for i in refused])
        results.update({i: Sent(known[_key(outgoing[i])], False) for i in refused if _key(outgoing[i]) in known})


async def _members(session: Session, outgoing: Sequence[Outgoing]) -> set[tuple[UUID, UUID]]:
    pairs = list({(o.room_id, o.access.user_id) for o in outgoing})
    values = {f"room_{i}": r for i, (r, _) in enumerate(pairs)} | {f"user_{i}": u for i, (_, u) in enumerate(pairs)}
    return {(as_id(r), as_id(u)) for r, u in await session.fetch(_places(len(pairs)), **values)}


async def _already_sent(session: Session, outgoing: Sequence[Outgoing]) -> dict[tuple[UUID, UUID, UUID], bytes]:
    values: dict[str, UUID] = {}
    for i, one in enumerate(outgoing):
        values |= {f"room_{i}": one.room_id, f"user_{i}": one.access.user_id, f"client_{i}": one.client_id}
    rows = await session.fetch(_known(len(outgoing)), **values)
    messages = [raw_message(r) for r in rows]
    return {(m.room_id, m.user_id, m.client_id): encoder.encode(m) for m in messages}


async def _draft(session: Session, one: Outgoing) -> _Draft:
    draft = _Draft(one)
    if one.parent_id is not None:
        parent = await _standing(session, one, one.parent_id)
        if parent is None or parent.parent_id is not None or parent.kind != "text":
            raise errors.bad_parent()
    if one.quote_id is not None:
        quoted = await _standing(session, one, one.quote_id)
        if quoted is None:
            raise errors.bad_quote()
        draft.quote = Quote(str(quoted.id), str(quoted.user_id), rules.preview(quoted.body))
    if one.attachment_ids:
        draft.attachments = await attach(
            session, one.attachment_ids, one.access.user_id, HOLDER, one.room_id, item_id=draft.id
        )
    draft.mentions = rules.mentioned(one.body)
    return draft


async def _standing(session: Session, one: Outgoing, message_id: UUID) -> Message | None:
    found: Message | None = await session.scalar(
        sa.select(Message).where(Message.id == message_id, Message.room_id == one.room_id, Message.deleted_at.is_(None))
    )
    return found


async def _store(
    session: Session, drafts: dict[int, _Draft], sequences: dict[UUID, int], results: dict[int, Result]
) -> None:
    if not drafts:
        return
    workspace, at = session.workspace_id, clock.now_milliseconds()
    rows: list[tuple[Any, ...]] = []
    last: dict[UUID, _Draft | None] = {}
    for draft in drafts.values():
        one = draft.outgoing
        draft.sequence = sequences[one.room_id] = sequences[one.room_id] + 1
        rows.append(_row(workspace, draft, one.sent_at or at))
        last[one.room_id] = last.get(one.room_id) if one.parent_id else draft
    await insert_rows(session, "messages", _MESSAGE_COLUMNS, rows)
    await search.index(session, [(d.id, d.outgoing.room_id, d.outgoing.body) for d in drafts.values()])
    placed = drafts.values()
    await mentions.store(
        session, [(d.outgoing.room_id, d.sequence, d.outgoing.access.user_id, d.mentions) for d in placed]
    )
    for room_id, newest in last.items():
        if newest is None:
            sent_at = max(d.outgoing.sent_at or at for d in drafts.values() if d.outgoing.room_id == room_id)
            await session.fetch(_BUMP, room_id=room_id, sequence=sequences[room_id], at=sent_at)
        else:
            sent_at = newest.outgoing.sent_at or at
            shown = _last_message(newest, sent_at)
            await session.fetch(_BUMP_LAST, room_id=room_id, sequence=sequences[room_id], at=sent_at, last=shown)
    for i, (draft, row) in zip(drafts, zip(drafts.values(), rows, strict=True), strict=True):
        json = encoder.encode(_view(row))
        results[i] = Sent(json, True)
        one = draft.outgoing
        events.record(
            session,
            MESSAGE_SENT,
            MessageSent(cast("MessageView", msgspec.Raw(json)), str(one.client_id)),
            channels=[room_channel(one.room_id)],
            except_socket=one.socket_id,
        )
    for draft in drafts.values():
        if draft.outgoing.parent_id is not None:
            await _add_reply(session, draft, draft.outgoing.sent_at or at)


def _row(workspace: UUID | None, draft: _Draft, at: int) -> tuple[Any, ...]:
    one = draft.outgoing
    return (
        workspace,
        draft.id,
        one.room_id,
        draft.sequence,
        one.access.user_id,
        one.client_id,
        "text" if one.system is None else "system",
        one.body,
        None if one.system is None else encoder.encode(one.system).decode(),
        one.parent_id,
        None if draft.quote is None else encoder.encode(draft.quote).decode(),
        encoder.encode(draft.mentions).decode() if draft.mentions else None,
        encoder.encode(draft.attachments).decode() if draft.attachments else None,
        0,
        at,
        1,
    )


def _view(row: tuple[Any, ...]) -> Any:
    _, id_, room, sequence, user, client, kind, body, system, parent, quote, mentions, attachments, _, at, _ = row
    told = (id_, client, room, sequence, user, kind, body, system, parent, quote, mentions, attachments)
    untouched = (None, 0, None, None, at, None, None, 1)
    return raw_message(told + untouched)


def _last_message(draft: _Draft, at: int) -> str:
    one = draft.outgoing
    shown = LastMessage(
        str(draft.id),
        str(one.access.user_id),
        "text" if one.system is None else "system",
        rules.preview(one.body),
        len(draft.attachments),
        one.system,
        clock.iso_milliseconds(at) or "",
    )
    return encoder.encode(shown).decode()


async def _add_reply(session: Session, draft: _Draft, at: int) -> None:
    parent_id = draft.outgoing.parent_id
    parent = await session.scalar(queries.locked(sa.select(Message).where(Message.id == parent_id)))
    if parent is None:
        raise errors.bad_parent()
    who = str(draft.outgoing.access.user_id)
    parent.reply_count += 1
    parent.last_reply_at = clock.from_milliseconds(at)
    parent.reply_user_ids = [who, *(u for u in parent.reply_user_ids or [] if u != who)][:LAST_REPLIERS]
    parent.version += 1
    await session.flush()
    events.record(
        session, MESSAGE_UPDATED, MessageUpdated(message_view(parent)), channels=[room_channel(parent.room_id)]
    )


class Lane:
    """Messages of one workspace that wait for the next transaction."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Outgoing, asyncio.Future[Sent]]] = []
        self.task: asyncio.Task[None] | None = None


class Sender:
    """Sends what requests submit, batch by batch. One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lanes: dict[UUID, Lane] = {}

    async def submit(self, outgoing: Outgoing) -> Sent:
        """Answers once the message is committed. Raises the `KanalError` that refused it."""
        workspace = outgoing.access.workspace_id
        lane = self._lanes.setdefault(workspace, Lane())
        future: asyncio.Future[Sent] = asyncio.get_running_loop().create_future()
        lane.waiting.append((outgoing, future))
        if lane.task is None:
            lane.task = asyncio.create_task(self._run(workspace, lane))
        return await future

    async def _run(self, workspace: UUID, lane: Lane) -> None:
        try:
            while lane.waiting:
                batch, lane.waiting = lane.waiting[:BATCH], lane.waiting[BATCH:]
                await self._send(workspace, [b for b in batch if not b[1].cancelled()])
        finally:
            lane.task = None
            if not lane.waiting:
                self._lanes.pop(workspace, None)

    async def _send(self, workspace: UUID, batch: list[tuple[Outgoing, asyncio.Future[Sent]]]) -> None:
        """One transaction; when it fails as a whole, each message gets one of its own, so that none fails for another."""
        if not batch:
            return
        try:
            results = await self._transact(workspace, [o for o, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                _settle(batch[0][1], error)
                return
            log.warning("rooms.batch_failed", size=len(batch), exc_info=error)
            for one in batch:
                await self._send(workspace, [one])
            return
        for (_, future), result in zip(batch, results, strict=True):
            _settle(future, result)

    async def _transact(self, workspace: UUID, outgoing: list[Outgoing]) -> list[Result]:
        """Sending something again is rare, so the first attempt does not look for it: the unique key tells."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._database.transaction(workspace) as session:
                    return await send_messages(session, outgoing, look=attempt > 1)
            except (DuplicateError, ConflictError):
                if attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(0.005 * (attempt - 1))
        raise AssertionError("unreachable")


def _settle(future: asyncio.Future[Sent], result: Sent | BaseException) -> None:
    if future.done():
        return
    if isinstance(result, Sent):
        future.set_result(result)
    else:
        future.set_exception(result)


async def system_line(session: Session, access: WorkspaceAccess, room_id: UUID, note: SystemNote) -> None:
    """A line such as "Sari joined", in the room's own order."""
    outgoing = Outgoing(access=access, room_id=room_id, client_id=new_id(), body="", system=note)
    result = (await send_messages(session, [outgoing]))[0]
    if isinstance(result, KanalError):
        raise result
