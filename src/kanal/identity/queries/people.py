"""Accounts, their sign-ins and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from kanal.identity import errors
from kanal.identity.models import ApiToken, SignIn, User
from kanal.kit.db import Session


async def user_by_email(session: Session, email: str) -> User | None:
    """``email`` in the form of `rules.clean_email`."""
    found: User | None = await session.scalar(sa.select(User).where(User.email == email))
    return found


async def user_by_id(session: Session, user_id: UUID) -> User:
    """Raises ``auth.session_expired``: who asks for themselves and is not there has been deleted."""
    user = await session.get(User, user_id)
    if user is None:
        raise errors.session_expired()
    return user


async def sign_ins_of(session: Session, user_id: UUID, now: datetime) -> Sequence[SignIn]:
    """The one used last first."""
    rows = await session.scalars(
        sa.select(SignIn)
        .where(SignIn.user_id == user_id, SignIn.expires_at > now)
        .order_by(SignIn.last_seen_at.desc(), SignIn.id.desc())
    )
    return rows.all()


async def tokens_of(session: Session, user_id: UUID) -> Sequence[ApiToken]:
    """The newest first, expired ones included."""
    rows = await session.scalars(sa.select(ApiToken).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc()))
    return rows.all()
