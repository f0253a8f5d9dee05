"""What identity does in the background."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from kanal.identity.actions import accounts, members
from kanal.identity.actions.accounts import PROFILE_CHANGED, RESET_ASKED, ProfileChanged, ResetAsked
from kanal.identity.config import Identity
from kanal.identity.models import Invitation, PasswordReset, SignIn, User
from kanal.identity.queries.workspaces import workspace_ids_of
from kanal.kit import clock, throttle
from kanal.kit.crypto import WrongKeyError
from kanal.kit.jobs import JobContext, JobType, Periodic, PermanentFailure, Queue, Worker
from kanal.kit.jobs.schedule import Nothing
from kanal.kit.tenancy import across_tenants

KEEP_INVITATIONS = timedelta(days=30)  # after they expired, so that "expired" can still be seen
PRUNE = JobType("identity.prune", Nothing, queue=Queue.LOW)
PERIODIC = [Periodic(PRUNE, timedelta(hours=1))]
_PLAIN = {"synchronize_session": False}


def bind(worker: Worker, identity: Identity) -> None:
    """Have this worker do identity's jobs."""

    async def reset_asked(context: JobContext, payload: ResetAsked) -> None:
        try:
            email = identity.keys.open(payload.email_sealed)
        except WrongKeyError as error:
            raise PermanentFailure from error
        async with context.database.transaction(None) as session:
            await accounts.send_reset(session, identity, email=email, ip=payload.ip)

    worker.handle(RESET_ASKED, reset_asked)
    worker.handle(PROFILE_CHANGED, profile_changed)
    worker.handle(PRUNE, prune)


async def profile_changed(context: JobContext, payload: ProfileChanged) -> None:
    """One transaction per workspace; a repetition announces the same state again under a higher version."""
    for workspace_id in await workspace_ids_of(context.database, payload.user_id):
        async with context.database.transaction(workspace_id) as session:
            user = await session.get(User, payload.user_id)
            if user is not None:
                await members.announce_profile(session, user)


async def prune(context: JobContext, _payload: Nothing) -> None:
    """Remove what has run out: sign-ins, reset links, invitations, windows of throttles."""
    now = clock.now()
    async with context.database.transaction(None) as session:
        await session.execute(sa.delete(SignIn).where(SignIn.expires_at <= now), execution_options=_PLAIN)
        await session.execute(sa.delete(PasswordReset).where(PasswordReset.expires_at <= now), execution_options=_PLAIN)
        await session.execute(
            sa.delete(Invitation).where(
                Invitation.accepted_at.is_(None), Invitation.expires_at <= now - KEEP_INVITATIONS
            ),
            execution_options={**_PLAIN, **across_tenants("retention, in every workspace")},
        )
    await throttle.prune(context.database)
