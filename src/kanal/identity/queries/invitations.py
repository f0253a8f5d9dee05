"""Invitations, for those who invite and for those who hold the link."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from kanal.identity import errors
from kanal.identity.access import WorkspaceAccess
from kanal.identity.config import Identity
from kanal.identity.models import Invitation, User, Workspace
from kanal.identity.rules import Permission, Role, Status
from kanal.identity.schemas import InvitationPreview, InvitationView, WorkspaceName
from kanal.identity.views import invitation_view
from kanal.kit import clock
from kanal.kit.crypto import WrongKeyError, token_hash
from kanal.kit.db import Session
from kanal.kit.tenancy import across_tenants


def link_of(identity: Identity, invitation: Invitation) -> str | None:
    """Where an open invitation leads; None when it is not open or was sealed under a key that is gone."""
    if invitation.accepted_at is not None:
        return None
    try:
        return identity.link(f"/invitations/{identity.keys.open(invitation.token_sealed)}")
    except WrongKeyError:
        return None


async def invitations_of(session: Session, identity: Identity, access: WorkspaceAccess) -> list[InvitationView]:
    """The newest first; accepted and expired ones included."""
    access.require(Permission.INVITATIONS_MANAGE)
    rows = await session.scalars(sa.select(Invitation).order_by(Invitation.created_at.desc(), Invitation.id.desc()))
    return [invitation_view(row, link_of(identity, row)) for row in rows]


async def find_by_token(session: Session, secret: str, now: datetime) -> tuple[Invitation, Workspace]:
    """An open invitation to an open workspace. Raises ``invitation.not_found``."""
    row = (
        await session.execute(
            sa.select(Invitation, Workspace)
            .join(Workspace, Workspace.id == Invitation.workspace_id)
            .where(
                Invitation.token_hash == token_hash(secret),
                Invitation.accepted_at.is_(None),
                Invitation.expires_at > now,
                Workspace.status == Status.ACTIVE,
            ),
            execution_options=across_tenants("whoever holds the link is no member yet"),
        )
    ).first()
    if row is None:
        raise errors.invitation_gone()
    return row[0], row[1]


async def preview(session: Session, secret: str) -> InvitationPreview:
    """What the holder of the link sees. Raises ``invitation.not_found``."""
    invitation, workspace = await find_by_token(session, secret, clock.now())
    inviter = await session.get(User, invitation.invited_by)
    exists = await session.scalar(sa.select(User.id).where(User.email == invitation.email))
    return InvitationPreview(
        workspace=WorkspaceName(workspace.name),
        email=invitation.email,
        role=Role(invitation.role),
        invited_by_name=inviter.name if inviter else "",
        expires_at=clock.iso(invitation.expires_at),
        account_exists=exists is not None,
    )
