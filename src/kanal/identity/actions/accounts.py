"""Accounts: make one, change it, change or reset its password."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from kanal.identity import audit, errors, letters, rules
from kanal.identity.access import Caller
from kanal.identity.actions import sign_ins
from kanal.identity.audit import Actor, Somebody, Target
from kanal.identity.config import Identity
from kanal.identity.models import PasswordReset, User
from kanal.identity.rules import Locale, Theme
from kanal.kit import clock, jobs, throttle
from kanal.kit.crypto import new_token, token_hash
from kanal.kit.db import Session
from kanal.kit.errors import KanalError, Kind, field_error
from kanal.kit.ids import new_id


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about an account to be, checked and hashed; made by `prepare`."""

    id: UUID
    name: str
    email: str
    locale: Locale
    password_hash: str


class ProfileChanged(msgspec.Struct):
    """The payload of `PROFILE_CHANGED`."""

    user_id: UUID


class ResetAsked(msgspec.Struct):
    """The payload of `RESET_ASKED`; the address is sealed."""

    email_sealed: str
    ip: str


PROFILE_CHANGED = jobs.JobType("identity.profile_changed", ProfileChanged, queue=jobs.Queue.HIGH)
"""Tells each workspace of a person that their name is another now."""
RESET_ASKED = jobs.JobType("identity.reset_asked", ResetAsked, queue=jobs.Queue.HIGH)
"""Looks for the account outside the request, which therefore takes as long for an address nobody has."""


async def prepare(identity: Identity, *, name: str, email: str, password: str, locale: Locale) -> NewAccount:
    """Outside a transaction: hashing takes long and must not hold one open. Raises field errors."""
    clean_name = rules.clean_name(name)
    clean_email = rules.clean_email(email)
    rules.check_password(password, email=clean_email, name=clean_name)
    return NewAccount(
        id=new_id(),
        name=clean_name,
        email=clean_email,
        locale=locale,
        password_hash=await identity.passwords.hash(password),
    )


async def create_user(session: Session, actor: Actor, account: NewAccount) -> User:
    """The very first account becomes the operator's. Raises ``auth.email_taken``."""
    first = await _nobody_is_here(session)
    if first:
        await throttle.hold(session, "first account")
        first = await _nobody_is_here(session)
    user = User(
        id=account.id,
        email=account.email,
        name=account.name,
        password_hash=account.password_hash,
        locale=account.locale,
        theme=Theme.SYSTEM,
        is_operator=first,
        founder=1 if first else None,
        created_at=clock.now(),
    )
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise errors.email_taken() from None
    await audit.record(session, actor, "account.created", _target(user), account=True, operator=user.is_operator)
    return user


async def _nobody_is_here(session: Session) -> bool:
    return await session.scalar(sa.select(User.id).limit(1)) is None


async def change_profile(
    session: Session,
    caller: Caller,
    *,
    name: str | None = None,
    locale: Locale | None = None,
    theme: Theme | None = None,
) -> User:
    """What is None stays. A new name reaches every workspace a moment later."""
    user = await _load(session, caller.user_id)
    changes: dict[str, Any] = {}
    if name is not None and (clean := rules.clean_name(name)) != user.name:
        changes["name"] = [user.name, clean]
        user.name = clean
        jobs.enqueue(session, PROFILE_CHANGED, ProfileChanged(user.id))
    if locale is not None and locale != user.locale:
        changes["locale"] = [user.locale, locale]
        user.locale = locale
    if theme is not None:
        user.theme = theme  # a matter of taste, not of record
    if changes:
        await audit.record(session, caller, "account.updated", _target(user), account=True, **changes)
    return user


async def change_password(session: Session, caller: Caller, *, password_hash: str) -> None:
    """The current password was asked for already. Every other sign-in ends."""
    user = await _load(session, caller.user_id)
    user.password_hash = password_hash
    ended = await sign_ins.end_all(session, user.id, except_for=caller.session_id)
    await _forget_resets(session, user.id)
    await audit.record(session, caller, "account.password_changed", _target(user), account=True, sessions_ended=ended)


def ask_for_reset(session: Session, identity: Identity, *, email: str, ip: str) -> None:
    """Whether there is such an account shows to the owner of the mailbox only."""
    jobs.enqueue(session, RESET_ASKED, ResetAsked(identity.keys.seal(email), ip))


async def send_reset(session: Session, identity: Identity, *, email: str, ip: str) -> None:
    """A link that works for an hour; an earlier one no longer does."""
    user = await session.scalar(sa.select(User).where(User.email == email))
    if user is None:
        await audit.record(session, Somebody("", ip), "account.reset_unknown", account=True)
        return
    await _forget_resets(session, user.id)
    secret, now = new_token(), clock.now()
    session.add(
        PasswordReset(
            id=new_id(),
            user_id=user.id,
            token_hash=token_hash(secret),
            created_at=now,
            expires_at=now + rules.RESET_LIFETIME,
        )
    )
    identity.mailer.queue(session, letters.reset(identity, user, secret))
    await audit.record(session, Somebody("", ip), "account.reset_requested", _target(user), account=True)


async def find_reset(session: Session, secret: str, now: datetime) -> tuple[PasswordReset, User]:
    """Raises ``reset.expired`` for a link that is unknown, used or too old."""
    row = (
        await session.execute(
            sa.select(PasswordReset, User)
            .join(User, User.id == PasswordReset.user_id)
            .where(PasswordReset.token_hash == token_hash(secret), PasswordReset.expires_at > now)
        )
    ).first()
    if row is None:
        raise KanalError("reset.expired", Kind.UNPROCESSABLE)
    return row[0], row[1]


async def reset_password(session: Session, *, secret: str, password_hash: str, ip: str) -> None:
    """Every sign-in of the account ends. Raises ``reset.expired``."""
    found, user = await find_reset(session, secret, clock.now())
    taken = await session.execute(sa.delete(PasswordReset).where(PasswordReset.id == found.id))
    if not taken.rowcount:  # type: ignore[attr-defined]
        raise KanalError("reset.expired", Kind.UNPROCESSABLE)  # the same link, a moment earlier
    user.password_hash = password_hash
    ended = await sign_ins.end_all(session, user.id)
    await _forget_resets(session, user.id)
    actor = Somebody(user.name, ip, user.id)
    await audit.record(session, actor, "account.password_reset", _target(user), account=True, sessions_ended=ended)


async def check_current_password(identity: Identity, user: User, password: str) -> None:
    """Raises ``password.wrong`` for the field ``current_password``."""
    if not await identity.passwords.verify(user.password_hash, password):
        raise field_error("current_password", "password.wrong")


async def _forget_resets(session: Session, user_id: UUID) -> None:
    await session.execute(sa.delete(PasswordReset).where(PasswordReset.user_id == user_id))


async def _load(session: Session, user_id: UUID) -> User:
    user = await session.get(User, user_id)
    if user is None:
        raise errors.session_expired()
    return user


def _target(user: User) -> Target:
    return Target("user", user.id, user.name)
