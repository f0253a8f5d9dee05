"""Sign-ins of browsers and tokens of programs: begin, end, revoke."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kanal.identity import audit, rules
from kanal.identity.access import TOKEN_PREFIX, Caller, session_scope
from kanal.identity.audit import Actor, Somebody, Target
from kanal.identity.config import Identity
from kanal.identity.models import ApiToken, SignIn, User
from kanal.kit import clock, events
from kanal.kit.crypto import new_token, token_hash
from kanal.kit.db import Session
from kanal.kit.errors import conflict, field_error, not_found
from kanal.kit.ids import new_id

MAX_TOKENS = 50  # per person; more are a sign of a program that makes one per run
PREFIX_LENGTH = 12


async def sign_in(session: Session, identity: Identity, user: User, *, ip: str, user_agent: str) -> tuple[SignIn, str]:
    """After the password was checked. Returns the secret for the cookie."""
    secret, now = new_token(), clock.now()
    ends = now + identity.session_lifetime
    entry = SignIn(
        id=new_id(),
        user_id=user.id,
        token_hash=token_hash(secret),
        ip=ip,
        user_agent="".join(char for char in user_agent if char.isprintable())[:300],
        created_at=now,
        last_seen_at=now,
        expires_at=min(now + identity.session_idle, ends),
        ends_at=ends,
    )
    session.add(entry)
    actor = Somebody(user.name, ip, user.id)
    await audit.record(session, actor, "session.created", _target(entry), account=True)
    return entry, secret


async def note_failure(session: Session, *, user: User | None, email: str, ip: str) -> None:
    """A wrong password, or an address nobody has; the entry is the account's only when there is one."""
    target = Target("user", user.id, user.name) if user else None
    details = {} if user else {"email": email}
    await audit.record(session, Somebody("", ip), "session.refused", target, account=True, **details)


async def end(session: Session, caller: Caller, session_id: UUID) -> None:
    """One of the caller's own, maybe the one they speak through. Its sockets close. Raises ``session.not_found``."""
    entry = await session.scalar(sa.select(SignIn).where(SignIn.id == session_id, SignIn.user_id == caller.user_id))
    if entry is None:
        raise not_found("session")
    await session.delete(entry)
    events.terminate(session, session_scope(entry.id))
    action = "session.ended" if entry.id == caller.session_id else "session.revoked"
    await audit.record(session, caller, action, _target(entry), account=True)


async def end_others(session: Session, caller: Caller) -> int:
    """All of the caller's but the one they speak through; answers how many there were."""
    ended = await end_all(session, caller.user_id, except_for=caller.session_id)
    await audit.record(session, caller, "session.revoked_others", account=True, sessions_ended=ended)
    return ended


async def end_all(session: Session, user_id: UUID, *, except_for: UUID | None = None) -> int:
    """Part of other actions, which write the audit log themselves."""
    ended = 0
    for entry in (await session.scalars(sa.select(SignIn).where(SignIn.user_id == user_id))).all():
        if entry.id != except_for:
            await session.delete(entry)
            events.terminate(session, session_scope(entry.id))
            ended += 1
    return ended


async def end_by_cookie(session: Session, cookie: str, actor: Actor) -> None:
    """The sign-in that a new one in the same browser replaces, if there is one."""
    entry = await session.scalar(sa.select(SignIn).where(SignIn.token_hash == token_hash(cookie)))
    if entry is not None:
        await session.delete(entry)
        events.terminate(session, session_scope(entry.id))
        await audit.record(session, actor, "session.ended", _target(entry), account=True)


async def create_token(
    session: Session, caller: Caller, *, name: str, scopes: list[str], expires_at: datetime | None
) -> tuple[ApiToken, str]:
    """Returns the secret, which exists nowhere else. Raises field errors and ``token.too_many``."""
    if expires_at is not None and expires_at <= clock.now():
        raise field_error("expires_at", "token.expires_in_past")
    if expires_at is not None and expires_at.year >= 9000:
        raise field_error("expires_at", "field.invalid")
    clean_name, clean_scopes = rules.clean_name(name), rules.check_scopes(scopes)
    held = await session.scalar(
        sa.select(sa.func.count()).select_from(ApiToken).where(ApiToken.user_id == caller.user_id)
    )
    if (held or 0) >= MAX_TOKENS:
        raise conflict("token.too_many", limit=MAX_TOKENS)
    secret = new_token(TOKEN_PREFIX)
    token = ApiToken(
        id=new_id(),
        user_id=caller.user_id,
        name=clean_name,
        token_hash=token_hash(secret),
        prefix=secret[:PREFIX_LENGTH],
        scopes=clean_scopes,
        created_at=clock.now(),
        expires_at=expires_at,
    )
    session.add(token)
    await audit.record(
        session, caller, "token.created", Target("token", token.id, token.name), account=True, scopes=clean_scopes
    )
    return token, secret


async def revoke_token(session: Session, caller: Caller, token_id: UUID) -> None:
    """Its sockets close. Raises ``token.not_found``."""
    token = await session.scalar(sa.select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == caller.user_id))
    if token is None:
        raise not_found("token")
    await session.delete(token)
    events.terminate(session, f"token:{token.id}")
    await audit.record(session, caller, "token.revoked", Target("token", token.id, token.name), account=True)


def _target(entry: SignIn) -> Target:
    return Target("session", entry.id, entry.user_agent or None)
