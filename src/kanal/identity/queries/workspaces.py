"""Workspaces and their members."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from kanal.identity.access import WorkspaceAccess
from kanal.identity.models import Member, User, Workspace
from kanal.identity.rules import Membership, Permission
from kanal.identity.schemas import MemberView, WorkspaceView
from kanal.identity.views import member_view, workspace_view
from kanal.kit.db import Database, Session, Statement, as_id
from kanal.kit.errors import not_found
from kanal.kit.tenancy import across_tenants

_MINE = across_tenants("a person's own memberships, in whichever workspaces they are")
_MEMBERSHIPS = Statement(
    "SELECT workspace_id FROM {members} WHERE user_id = :user_id AND status = 'active'",
    across_tenants="a person's own memberships, in whichever workspaces they are",
)


async def workspaces_of(session: Session, user_id: UUID) -> Sequence[tuple[Workspace, str]]:
    """Every workspace the person is an active member of, whatever its status, with their role; by name."""
    rows = await session.execute(
        sa.select(Workspace, Member.role)
        .join(Member, Member.workspace_id == Workspace.id)
        .where(Member.user_id == user_id, Member.status == Membership.ACTIVE)
        .order_by(Workspace.name, Workspace.id),
        execution_options=_MINE,
    )
    return [(workspace, role) for workspace, role in rows]


async def workspace_ids_of(database: Database, user_id: UUID) -> list[UUID]:
    """Only their ids."""
    async with database.hot(None) as reader:
        return [as_id(row[0]) for row in await reader.fetch(_MEMBERSHIPS, user_id=user_id)]


async def workspace_of(session: Session, access: WorkspaceAccess) -> WorkspaceView:
    """The workspace as its member sees it."""
    access.require(Permission.WORKSPACE_READ)
    workspace = await session.get(Workspace, access.workspace_id)
    if workspace is None:
        raise not_found("workspace")
    return workspace_view(workspace, access.role)


async def lock_workspace(session: Session) -> Workspace:
    """The session's workspace, held until the end of the transaction: what counts members or owners goes one by one."""
    # NO KEY UPDATE on PostgreSQL: rows that point to the workspace may be inserted meanwhile.
    workspace = await session.get(
        Workspace, session.workspace_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if workspace is None:
        raise not_found("workspace")
    return workspace


async def members_of(session: Session, access: WorkspaceAccess) -> list[MemberView]:
    """All of them, also those who left: old messages carry their names. By name."""
    access.require(Permission.MEMBERS_READ)
    rows = await session.execute(
        sa.select(Member, User.name, User.email)
        .join(User, User.id == Member.user_id)
        .order_by(User.name, Member.user_id)
    )
    return [member_view(member, name, email) for member, name, email in rows]
