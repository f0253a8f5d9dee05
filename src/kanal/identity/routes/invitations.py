"""`/api/v1/invitations`: what the holder of a link sees and does."""

from __future__ import annotations

from litestar import Router, get, post
from litestar.params import FromPath

from kanal.identity import rules
from kanal.identity.actions import invitations
from kanal.identity.queries import people
from kanal.identity.queries.invitations import find_by_token, preview
from kanal.identity.queries.workspaces import workspaces_of
from kanal.identity.routes.answers import PRIVATE, client_ip
from kanal.identity.schemas import InvitationPreview, WorkspaceView
from kanal.identity.views import workspace_view
from kanal.identity.web import WithCaller, WithIdentity, signed_in
from kanal.kit import clock
from kanal.kit.throttle import attempt


@get("/{token:str}")
async def preview_invitation(identity: WithIdentity, token: FromPath[str]) -> InvitationPreview:
    """Whose invitation this is and where it leads."""
    await attempt(identity.database, (identity.throttles.token_ip, rules.network_of(client_ip())))
    async with identity.database.reading(None) as session:
        return await preview(session, token)


@post("/{token:str}/accept", status_code=200, guards=[signed_in])
async def accept_invitation(identity: WithIdentity, caller: WithCaller, token: FromPath[str]) -> WorkspaceView:
    """Join the workspace. The invitation must be for the e-mail address one is signed in with."""
    caller.require_session()
    async with identity.database.reading(None) as session:
        invitation, _ = await find_by_token(session, token, clock.now())
    async with identity.database.transaction(invitation.workspace_id) as session:
        user = await people.user_by_id(session, caller.user_id)
        workspace = await invitations.accept(session, caller, user=user, secret=token)
        await session.flush()
        role = next(role for place, role in await workspaces_of(session, user.id) if place.id == workspace.id)
        return workspace_view(workspace, role)


invitation_router = Router(
    "/api/v1/invitations",
    route_handlers=[preview_invitation, accept_invitation],
    response_headers=PRIVATE,
    tags=["invitations"],
)
