"""Invitations: send, send again, revoke, accept."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from kanal.identity import audit, errors, letters, rules
from kanal.identity.access import WorkspaceAccess
from kanal.identity.actions import members
from kanal.identity.audit import Actor, Target
from kanal.identity.config import Identity
from kanal.identity.models import Invitation, Member, User, Workspace
from kanal.identity.queries.invitations import link_of
from kanal.identity.queries.workspaces import lock_workspace
from kanal.identity.rules import Membership, Permission, Role
from kanal.kit import clock
from kanal.kit.crypto import new_token, token_hash
from kanal.kit.db import Session
from kanal.kit.errors import conflict, not_found
from kanal.kit.ids import new_id


async def invite(
    session: Session, identity: Identity, access: WorkspaceAccess, *, email: str, role: Role
) -> Invitation:
    """Raises ``email.invalid``, ``permission.denied``, ``member.exists``, ``invitation.exists``, ``plan.members_reached``."""
    access.require(Permission.INVITATIONS_MANAGE)
    rules.check_may_manage(access.role, Role.VIEWER, role)
    address = rules.clean_email(email)
    workspace = await lock_workspace(session)
    await _check_not_member(session, address)
    await _make_way(session, address)
    rules.check_room_for_member(workspace.plan, await members.count_active(session) + await _count_open(session))
    secret, now = new_token(), clock.now()
    invitation = Invitation(
        workspace_id=access.workspace_id,
        id=new_id(),
        email=address,
        role=role,
        token_hash=token_hash(secret),
        token_sealed=identity.keys.seal(secret),
        invited_by=access.user_id,
        created_at=now,
        expires_at=now + rules.INVITATION_LIFETIME,
    )
    session.add(invitation)
    await _write(session, identity, access, workspace, invitation)
    await audit.record(session, access, "invitation.created", _target(invitation), role=role)
    return invitation


async def resend(session: Session, identity: Identity, access: WorkspaceAccess, invitation_id: UUID) -> Invitation:
    """The same link, good for another week. Raises ``invitation.not_found``, ``invitation.accepted``."""
    access.require(Permission.INVITATIONS_MANAGE)
    workspace = await lock_workspace(session)
    invitation = await _load(session, invitation_id)
    rules.check_may_manage(access.role, Role.VIEWER, Role(invitation.role))
    if invitation.accepted_at is not None:
        raise conflict("invitation.accepted")
    invitation.expires_at = clock.now() + rules.INVITATION_LIFETIME
    await _write(session, identity, access, workspace, invitation)
    await audit.record(session, access, "invitation.resent", _target(invitation))
    return invitation


async def revoke(session: Session, access: WorkspaceAccess, invitation_id: UUID) -> None:
    """Its link leads nowhere any more. Raises ``invitation.not_found``."""
    access.require(Permission.INVITATIONS_MANAGE)
    invitation = await _load(session, invitation_id)
    rules.check_may_manage(access.role, Role.VIEWER, Role(invitation.role))
    await session.delete(invitation)
    await audit.record(session, access, "invitation.revoked", _target(invitation))


async def accept(session: Session, actor: Actor, *, user: User, secret: str) -> Workspace:
    """In a session opened for the invitation's workspace; once.

    Raises ``invitation.not_found``, ``invitation.other_email``, ``workspace.suspended``, ``plan.members_reached``.
    """
    workspace = await lock_workspace(session)
    rules.check_open(workspace.status)
    invitation = await session.scalar(
        sa.select(Invitation).where(Invitation.token_hash == token_hash(secret)),
        execution_options={"populate_existing": True},
    )
    now = clock.now()
    if invitation is None or invitation.accepted_at is not None or invitation.expires_at <= now:
        raise errors.invitation_gone()
    rules.check_matches_invitation(invitation.email, user.email)
    invitation.accepted_at = now
    await audit.record(session, actor, "invitation.accepted", _target(invitation))
    await members.add_member(session, actor, user=user, role=Role(invitation.role))
    return workspace


async def _write(
    session: Session, identity: Identity, access: WorkspaceAccess, workspace: Workspace, invitation: Invitation
) -> None:
    link = link_of(identity, invitation)
    if link is None:
        raise conflict("invitation.unreadable")  # sealed under a key that was thrown away: revoke it and invite anew
    own_locale = await session.scalar(sa.select(User.locale).where(User.email == invitation.email))
    identity.mailer.queue(
        session,
        letters.invitation(
            identity,
            to=invitation.email,
            locale=own_locale or workspace.settings["default_locale"],
            inviter=access.name,
            workspace=workspace.name,
            role=Role(invitation.role),
            link=link,
        ),
    )


async def _check_not_member(session: Session, email: str) -> None:
    found = await session.scalar(
        sa.select(Member.user_id)
        .join(User, User.id == Member.user_id)
        .where(User.email == email, Member.status == Membership.ACTIVE)
    )
    if found is not None:
        raise conflict("member.exists")


async def _make_way(session: Session, email: str) -> None:
    """An address has one invitation: one that was used or is too old gives way, an open one does not."""
    earlier = await session.scalar(sa.select(Invitation).where(Invitation.email == email))
    if earlier is None:
        return
    if earlier.accepted_at is None and earlier.expires_at > clock.now():
        raise conflict("invitation.exists")
    await session.delete(earlier)
    await session.flush()


async def _count_open(session: Session) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(Invitation)
        .where(Invitation.accepted_at.is_(None), Invitation.expires_at > clock.now())
    )
    return int(await session.scalar(query) or 0)


async def _load(session: Session, invitation_id: UUID) -> Invitation:
    found: Invitation | None = await session.scalar(sa.select(Invitation).where(Invitation.id == invitation_id))
    if found is None:
        raise not_found("invitation")
    return found


def _target(invitation: Invitation) -> Target:
    return Target("invitation", invitation.id, invitation.email)
