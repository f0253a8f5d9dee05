"""Limits on attempts that hold across nodes: counted in the database, one upsert per attempt.

For what happens seldom and must be limited exactly (sign-ins, registrations, links by e-mail). Message rates and the like
are counted nearer to where they happen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from kanal.kit import clock
from kanal.kit.db import TABLE_OPTIONS, Base, Database, Digest, Instant, Session, Statement
from kanal.kit.errors import rate_limited


class Attempts(Base):
    """How often something was tried in the current window, which ends at ``until``."""

    __tablename__ = "throttles"
    key: Mapped[bytes] = mapped_column("throttle_key", Digest, primary_key=True)
    hits: Mapped[int] = mapped_column(sa.Integer)
    until: Mapped[datetime] = mapped_column("ends_at", Instant)
    __table_args__ = (sa.Index(None, "ends_at"), TABLE_OPTIONS)


@dataclass(frozen=True)
class Limit:
    """At most ``hits`` attempts per ``window``, which starts with the first of them."""

    name: str
    hits: int
    window: timedelta


_UPSERT = "INSERT INTO {throttles} (throttle_key, hits, ends_at) VALUES (:key, 1, :until) "
_COUNT = {
    # One statement decides: whoever comes second waits for the row and counts from there.
    "default": Statement(
        _UPSERT + "ON CONFLICT (throttle_key) DO UPDATE SET"
        " hits = CASE WHEN {throttles}.ends_at <= :now THEN 1 ELSE {throttles}.hits + 1 END,"
        " ends_at = CASE WHEN {throttles}.ends_at <= :now THEN :until ELSE {throttles}.ends_at END"
    ),
    # Assignments happen from left to right, so `hits` still sees the old `ends_at`.
    "mysql": Statement(
        _UPSERT + "ON DUPLICATE KEY UPDATE hits = IF(ends_at <= :now, 1, hits + 1),"
        " ends_at = IF(ends_at <= :now, :until, ends_at)"
    ),
}
_READ = Statement("SELECT hits, ends_at FROM {throttles} WHERE throttle_key = :key")
_FORGIVE = Statement("UPDATE {throttles} SET hits = hits - 1 WHERE throttle_key = :key AND hits > 0")


def key_of(limit: Limit, subject: str) -> bytes:
    """Addresses are not kept, only their hash."""
    return hashlib.sha256(f"{limit.name}\0{subject}".encode("utf-8", "surrogatepass")).digest()


async def attempt(database: Database, *tries: tuple[Limit, str]) -> None:
    """Count one attempt against every (limit, subject), in a transaction of its own so that a failure counts too.

    Raises ``rate.limited`` with the seconds until the last exceeded window ends. Attempts beyond a limit do not prolong it.
    """
    now = clock.now_milliseconds()
    wait = 0
    async with database.transaction(None) as session:
        # Always in the same order, so that two attempts cannot wait for each other.
        for key, limit in sorted(((key_of(lim, subject), lim) for lim, subject in tries), key=lambda pair: pair[0]):
            until = now + limit.window // timedelta(milliseconds=1)
            count = _COUNT.get(session.dialect, _COUNT["default"])
            await session.fetch(count, key=key, now=now, until=until)
            hits, ends_at = (await session.fetch(_READ, key=key))[0]
            if hits > limit.hits:
                wait = max(wait, ends_at - now)
    if wait:
        raise rate_limited("rate.limited", max(1, -(-wait // 1000)))


async def forgive(database: Database, *tries: tuple[Limit, str]) -> None:
    """Take one attempt back: it succeeded."""
    async with database.transaction(None) as session:
        for key in sorted(key_of(limit, subject) for limit, subject in tries):
            await session.fetch(_FORGIVE, key=key)


async def hold(session: Session, name: str) -> None:
    """Let transactions that hold the same name follow one another, from here to their end. Take it before other locks.

    For what a unique key alone would decide by deadlock. SQLite has one writer anyway.
    """
    if session.dialect == "sqlite":
        return
    key, now = hashlib.sha256(f"hold\0{name}".encode()).digest(), clock.now_milliseconds()
    await session.fetch(_COUNT.get(session.dialect, _COUNT["default"]), key=key, now=now, until=now)


async def prune(database: Database) -> None:
    """Remove windows that have ended."""
    async with database.transaction(None) as session:
        await session.execute(
            sa.delete(Attempts).where(Attempts.until <= clock.now()), execution_options={"synchronize_session": False}
        )
