"""``/api/v1/admin/realtime``: the console for operators of Kanal."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Router, get
from litestar.datastructures import ResponseHeader
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from kanal.identity import audit
from kanal.identity.config import Identity
from kanal.identity.web import WithCaller, WithIdentity, credential_of, signed_in
from kanal.kit.db import Database
from kanal.kit.errors import KanalError
from kanal.realtime.console.figures import MAX_LIMIT, MAX_OFFSET, ChannelPage, ClusterFigures, Sort
from kanal.realtime.console.service import Console
from kanal.realtime.protocol.names import MAX_CHANNEL_NAME

TAILED = "realtime.tailed"
RECHECK = 15.0  # seconds; somebody who is no operator any more, or signed out, listens no longer than this
PRIVATE = [ResponseHeader(name="Cache-Control", value="no-store")]

WorkspaceOf = Callable[[str, str], Awaitable[UUID | None]]
"""Whose traffic passes on a channel: app id and channel name to the workspace, if it belongs to one."""


async def note_tail(
    database: Database, actor: audit.Actor, app_id: str, channel: str, workspace_id: UUID | None
) -> None:
    """In the log of the workspace whose channel it is: its people can see that somebody looked on."""
    async with database.transaction(workspace_id) as session:
        target = audit.Target("channel", None, channel)
        await audit.record(session, actor, TAILED, target, app=app_id)


def console_router(console: Console, workspace_of: WorkspaceOf) -> Router:
    @get("/state", summary="What all nodes count, now")
    async def state(caller: WithCaller) -> ClusterFigures:
        """Counters, not rates: ask twice and compare."""
        caller.require_operator()
        return await console.state()

    @get("/channels", summary="The busiest channels of one app")
    async def channels(
        caller: WithCaller,
        app: Annotated[str, QueryParameter(max_length=100)],
        search: Annotated[str, QueryParameter(max_length=MAX_CHANNEL_NAME)] = "",
        sort: FromQuery[Sort] = "rate",
        offset: Annotated[int, QueryParameter(ge=0, le=MAX_OFFSET)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = 50,
    ) -> ChannelPage:
        """Those with subscribers whose names contain ``search``."""
        caller.require_operator()
        return await console.channels(app, search=search, sort=sort, offset=offset, limit=limit)

    @get("/tail", media_type="text/event-stream", summary="The events of one channel, as they pass")
    async def tail(
        request: Request[Any, Any, Any],
        identity: WithIdentity,
        caller: WithCaller,
        app: Annotated[str, QueryParameter(max_length=100)],
        channel: Annotated[str, QueryParameter(max_length=MAX_CHANNEL_NAME)],
    ) -> Stream:
        """Server-sent events; each carries a list of events and how many there were. An entry in the audit log tells of it."""
        caller.require_operator()
        console.check_tail(app, channel)
        await note_tail(identity.database, caller, app, channel, await workspace_of(app, channel))

        async def may_go_on() -> bool:
            return await _is_operator(identity, request)

        return Stream(_stream(console, app, channel, may_go_on), headers={"x-accel-buffering": "no"})

    return Router(
        "/api/v1/admin/realtime",
        route_handlers=[state, channels, tail],
        guards=[signed_in],
        response_headers=PRIVATE,
        tags=["admin"],
    )


async def _is_operator(identity: Identity, request: Request[Any, Any, Any]) -> bool:
    try:
        (await identity.gate.caller(credential_of(request))).require_operator()
    except KanalError:
        return False
    return True


async def _stream(
    console: Console, app: str, channel: str, may_go_on: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[bytes]:
    checked = time.monotonic()
    async with aclosing(console.tail(app, channel)) as chunks:
        async for chunk in chunks:
            if time.monotonic() - checked > RECHECK:
                if not await may_go_on():
                    return
                checked = time.monotonic()
            yield chunk
