"""`/api/v1/workspaces`: the workspaces themselves, members, invitations from the inside, the audit log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import UNSET

from kanal.identity.actions import invitations, members, workspaces
from kanal.identity.queries import people
from kanal.identity.queries.audit import AuditFilter, audit_csv, audit_page
from kanal.identity.queries.invitations import invitations_of, link_of
from kanal.identity.queries.workspaces import members_of, workspace_of, workspaces_of
from kanal.identity.routes.answers import PRIVATE
from kanal.identity.rules import Permission, Role, Scope
from kanal.identity.schemas import (
    AuditView,
    InvitationBody,
    InvitationView,
    MemberView,
    RoleBody,
    WorkspaceBody,
    WorkspaceChangeBody,
    WorkspaceView,
)
from kanal.identity.views import audit_view, invitation_view, member_view, workspace_view
from kanal.identity.web import WithAccess, WithCaller, WithIdentity, signed_in
from kanal.kit.ids import new_id
from kanal.kit.throttle import attempt
from kanal.kit.web import Items, Page

AUDIT_PAGE = 50


@get("/")
async def list_workspaces(identity: WithIdentity, caller: WithCaller) -> Items[WorkspaceView]:
    """The workspaces one is a member of, suspended ones included."""
    caller.require_scope(Scope.WORKSPACE_READ)
    async with identity.database.reading(None) as session:
        mine = await workspaces_of(session, caller.user_id)
    return Items([workspace_view(workspace, role) for workspace, role in mine])


@post("/")
async def create_workspace(identity: WithIdentity, caller: WithCaller, data: JSONBody[WorkspaceBody]) -> WorkspaceView:
    """Found a workspace; one is its owner."""
    caller.require_scope(Scope.WORKSPACE_WRITE)
    async with identity.database.transaction(new_id()) as session:
        owner = await people.user_by_id(session, caller.user_id)
        workspace = await workspaces.create_workspace(session, caller, owner=owner, name=data.name)
        return workspace_view(workspace, Role.OWNER)


@get("/{ws:uuid}")
async def get_workspace(identity: WithIdentity, access: WithAccess) -> WorkspaceView:
    """One workspace."""
    async with identity.database.reading(access.workspace_id) as session:
        return await workspace_of(session, access)


@patch("/{ws:uuid}")
async def change_workspace(
    identity: WithIdentity, access: WithAccess, data: JSONBody[WorkspaceChangeBody]
) -> WorkspaceView:
    """Rename a workspace or change its settings."""
    settings = {} if data.settings is UNSET else msgspec.to_builtins(data.settings)
    async with identity.database.transaction(access.workspace_id) as session:
        workspace = await workspaces.update_workspace(
            session, access, name=None if data.name is UNSET else data.name, settings=settings
        )
        return workspace_view(workspace, access.role)


@get("/{ws:uuid}/members")
async def list_members(identity: WithIdentity, access: WithAccess) -> Items[MemberView]:
    """Everybody who is or was a member: the client's directory of names."""
    async with identity.database.reading(access.workspace_id) as session:
        return Items(await members_of(session, access))


@patch("/{ws:uuid}/members/{user_id:uuid}")
async def change_member(
    identity: WithIdentity, access: WithAccess, user_id: FromPath[UUID], data: JSONBody[RoleBody]
) -> MemberView:
    """Change a member's role, at once."""
    async with identity.database.transaction(access.workspace_id) as session:
        member, user = await members.change_role(session, access, user_id=user_id, role=data.role)
        return member_view(member, user.name, user.email)


@delete("/{ws:uuid}/members/{user_id:uuid}")
async def remove_member(identity: WithIdentity, access: WithAccess, user_id: FromPath[UUID]) -> None:
    """Remove a member, at once."""
    async with identity.database.transaction(access.workspace_id) as session:
        await members.remove_member(session, access, user_id=user_id)


@post("/{ws:uuid}/leave", status_code=204)
async def leave_workspace(identity: WithIdentity, access: WithAccess) -> None:
    """Leave. The last owner cannot."""
    async with identity.database.transaction(access.workspace_id) as session:
        await members.leave(session, access)


@get("/{ws:uuid}/invitations")
async def list_invitations(identity: WithIdentity, access: WithAccess) -> Items[InvitationView]:
    """All invitations, with their links."""
    async with identity.database.reading(access.workspace_id) as session:
        return Items(await invitations_of(session, identity, access))


@post("/{ws:uuid}/invitations")
async def invite(identity: WithIdentity, access: WithAccess, data: JSONBody[InvitationBody]) -> InvitationView:
    """Invite somebody by e-mail."""
    access.require(Permission.INVITATIONS_MANAGE)
    await attempt(identity.database, (identity.throttles.invite, str(access.workspace_id)))
    async with identity.database.transaction(access.workspace_id) as session:
        invitation = await invitations.invite(session, identity, access, email=data.email, role=data.role)
        return invitation_view(invitation, link_of(identity, invitation))


@delete("/{ws:uuid}/invitations/{invitation_id:uuid}")
async def revoke_invitation(identity: WithIdentity, access: WithAccess, invitation_id: FromPath[UUID]) -> None:
    """Revoke an invitation: its link leads nowhere any more."""
    async with identity.database.transaction(access.workspace_id) as session:
        await invitations.revoke(session, access, invitation_id)


@post("/{ws:uuid}/invitations/{invitation_id:uuid}/resend", status_code=200)
async def resend_invitation(
    identity: WithIdentity, access: WithAccess, invitation_id: FromPath[UUID]
) -> InvitationView:
    """Send the same link again and give it another week."""
    access.require(Permission.INVITATIONS_MANAGE)
    await attempt(identity.database, (identity.throttles.invite, str(access.workspace_id)))
    async with identity.database.transaction(access.workspace_id) as session:
        invitation = await invitations.resend(session, identity, access, invitation_id)
        return invitation_view(invitation, link_of(identity, invitation))


Action = Annotated[
    str | None,
    QueryParameter(pattern=r"^[a-z_.]{1,60}$", description="`member.removed`, or `member.` for all of a kind"),
]
Since = Annotated[datetime | None, QueryParameter(name="from", description="ISO 8601; without a zone it is UTC")]
Until = Annotated[datetime | None, QueryParameter(name="to", description="ISO 8601, exclusive")]
Words = Annotated[
    str | None,
    QueryParameter(max_length=100, description="looked for in the names of actor and target, the action, the address"),
]


@get("/{ws:uuid}/audit")
async def list_audit(
    identity: WithIdentity,
    access: WithAccess,
    *,
    action: Action = None,
    actor: FromQuery[UUID | None] = None,
    since: Since = None,
    until: Until = None,
    q: Words = None,
    cursor: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = AUDIT_PAGE,
) -> Page[AuditView]:
    """What was done in the workspace, newest first."""
    wanted = _filter(action, actor, since, until, q)
    async with identity.database.reading(access.workspace_id) as session:
        rows = await audit_page(session, access, wanted, before=cursor, size=limit)
    more = len(rows) > limit
    return Page([audit_view(row) for row in rows[:limit]], str(rows[limit - 1].id) if more else None)


@get("/{ws:uuid}/audit.csv", media_type="text/csv")
async def export_audit(
    identity: WithIdentity,
    access: WithAccess,
    *,
    action: Action = None,
    actor: FromQuery[UUID | None] = None,
    since: Since = None,
    until: Until = None,
    q: Words = None,
) -> Stream:
    """The same as a CSV file."""
    access.require(Permission.AUDIT_READ)
    lines = audit_csv(identity.database, access, _filter(action, actor, since, until, q))
    return Stream(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="audit.csv"', "X-Content-Type-Options": "nosniff"},
    )


def _filter(
    action: str | None, actor: UUID | None, since: datetime | None, until: datetime | None, text: str | None
) -> AuditFilter:
    return AuditFilter(
        action=action, actor=actor, since=_aware(since), until=_aware(until), text=_printable(text) if text else None
    )


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable()).strip()


workspace_router = Router(
    "/api/v1/workspaces",
    route_handlers=[
        list_workspaces,
        create_workspace,
        get_workspace,
        change_workspace,
        list_members,
        change_member,
        remove_member,
        leave_workspace,
        list_invitations,
        invite,
        revoke_invitation,
        resend_invitation,
        list_audit,
        export_audit,
    ],
    guards=[signed_in],
    response_headers=PRIVATE,
    tags=["workspaces"],
)
