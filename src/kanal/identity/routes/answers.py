"""What several routes of identity answer with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.datastructures import ResponseHeader

from kanal.identity.config import Identity
from kanal.identity.models import SignIn, User
from kanal.identity.queries.workspaces import workspaces_of
from kanal.identity.schemas import SessionView
from kanal.identity.views import user_view, workspace_summary
from kanal.identity.web import csrf_token, set_cookie
from kanal.kit.db import Session
from kanal.kit.web import current_request

PRIVATE = [ResponseHeader(name="Cache-Control", value="no-store")]
"""Nothing here may be kept by a proxy or shown again from a shared browser's cache."""

AnyRequest = Request[Any, Any, Any]


def client_ip() -> str:
    context = current_request()
    return context.client_ip if context else ""


def user_agent() -> str:
    context = current_request()
    return context.user_agent if context else ""


async def session_view(
    session: Session, identity: Identity, user: User, session_id: UUID | None, *, with_workspaces: bool = True
) -> SessionView:
    """``session_id`` is None for a program with a token, which needs no CSRF token."""
    mine = await workspaces_of(session, user.id) if with_workspaces else []
    return SessionView(
        user=user_view(user),
        csrf_token=csrf_token(identity, session_id) if session_id else "",
        workspaces=[workspace_summary(workspace, role) for workspace, role in mine],
        realtime=identity.realtime,
    )


async def signed_in_answer(
    session: Session, identity: Identity, user: User, entry: SignIn, secret: str, *, status: int
) -> Response[SessionView]:
    """With the cookie."""
    await session.flush()
    response = Response(await session_view(session, identity, user, entry.id), status_code=status)
    set_cookie(response, identity, secret)
    return response
