"""`/api/v1/admin`: what operators of the installation see."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Router, get
from litestar.params import FromQuery, QueryParameter

from kanal.identity.routes.answers import PRIVATE
from kanal.identity.schemas import MailView
from kanal.identity.views import mail_view
from kanal.identity.web import WithCaller, WithIdentity, signed_in
from kanal.kit.web import Page

MAIL_PAGE = 50


@get("/mail")
async def list_mail(
    identity: WithIdentity,
    caller: WithCaller,
    cursor: FromQuery[UUID | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = MAIL_PAGE,
) -> Page[MailView]:
    """Outgoing e-mail, newest first; with its link as long as it could not be sent."""
    caller.require_operator()
    async with identity.database.reading(None) as session:
        rows = await identity.mailer.page(session, before=cursor, size=limit)
    more = len(rows) > limit
    return Page([mail_view(row) for row in rows[:limit]], str(rows[limit - 1].id) if more else None)


admin_router = Router(
    "/api/v1/admin", route_handlers=[list_mail], guards=[signed_in], response_headers=PRIVATE, tags=["admin"]
)
