"""Messages over HTTP."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote
from uuid import UUID

from litestar import Controller, Request, Response, Router, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from kanal.identity.access import WorkspaceAccess
from kanal.identity.rules import Permission
from kanal.identity.web import admit, signed_in
from kanal.kit.db import Database
from kanal.kit.errors import KanalError, Kind, field_error
from kanal.kit.events import catchup
from kanal.kit.events.catchup import CatchUp
from kanal.kit.ids import parse_id
from kanal.rooms import errors, message_actions, queries, rules, search
from kanal.rooms.events import room_channel, user_channel, workspace_channel
from kanal.rooms.routes import BASE
from kanal.rooms.schemas import EditMessage, MessageView, SearchPage, SendMessage, Thread, Timeline
from kanal.rooms.sending import Outgoing, Sender
from kanal.rooms.views import encoder

Size = Annotated[int, QueryParameter(ge=1, le=100)]
Position = Annotated[int | None, QueryParameter(ge=0, le=2**53)]
SocketId = Annotated[str | None, HeaderParameter(name="X-Socket-ID", max_length=40)]
NEWEST = UUID(int=2**128 - 1)


class MessageController(Controller):
    """Messages of rooms, their threads and reactions.

    The hot routes are here: `admit` runs as a hook, since Litestar copies a route for every guard it calls, and what a
    route needs besides the access comes from the application's state, since a second dependency costs a task group.
    """

    path = "/"
    tags = ("messages",)

    @get(
        "/rooms/{room_id:uuid}/messages",
        summary="A page of a room's timeline: the newest, or before, after or around a sequence",
    )
    async def timeline(
        self,
        request: Request[Any, Any, Any],
        access: NamedDependency[WorkspaceAccess],
        room_id: FromPath[UUID],
        before: Position = None,
        after: Position = None,
        around: Position = None,
        limit: Size = queries.PAGE,
    ) -> Response[Timeline]:
        access.require(Permission.CHAT_READ)
        database: Database = request.app.state.database
        async with database.hot(access.workspace_id) as reader:
            await queries.require_readable(reader, room_id, access.user_id)
            page = await queries.timeline(reader, room_id, before=before, after=after, around=around, size=limit)
        return _json(page)

    @post("/rooms/{room_id:uuid}/messages", summary="Send a message; 200 when this client_id was sent before")
    async def send(
        self,
        request: Request[Any, Any, Any],
        access: NamedDependency[WorkspaceAccess],
        room_id: FromPath[UUID],
        data: JSONBody[SendMessage],
        socket_id: SocketId = None,
    ) -> Response[MessageView]:
        access.require(Permission.CHAT_WRITE)
        sender: Sender = request.app.state.sender
        sent = await sender.submit(outgoing(access, room_id, data, socket_id))
        return _json(sent.json, 201 if sent.is_new else 200)

    @get("/messages/{message_id:uuid}", summary="One message")
    async def show(
        self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess], message_id: FromPath[UUID]
    ) -> Response[MessageView]:
        access.require(Permission.CHAT_READ)
        async with database.hot(access.workspace_id) as reader:
            message = await queries.readable_message(reader, message_id, access.user_id)
        return _json(encoder.encode(message))

    @get("/messages/{message_id:uuid}/thread", summary="A message and the replies to it")
    async def thread(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        message_id: FromPath[UUID],
        after: Annotated[int, QueryParameter(ge=0, le=2**53)] = 0,
        limit: Size = queries.PAGE,
    ) -> Response[Thread]:
        access.require(Permission.CHAT_READ)
        async with database.hot(access.workspace_id) as reader:
            parent = await queries.readable_message(reader, message_id, access.user_id)
            items, more = await queries.replies(reader, parent.room_id, parent.id, after=after, size=limit)
        return _json(encoder.encode({"parent": parent, "items": items, "has_after": more}))

    @patch("/messages/{message_id:uuid}", summary="Edit my message")
    async def edit(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        message_id: FromPath[UUID],
        data: JSONBody[EditMessage],
    ) -> MessageView:
        async with database.transaction(access.workspace_id) as session:
            return await message_actions.edit_message(session, access, message_id, data.body)

    @delete("/messages/{message_id:uuid}", status_code=200, summary="Delete a message; its place stays")
    async def remove(
        self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess], message_id: FromPath[UUID]
    ) -> MessageView:
        async with database.transaction(access.workspace_id) as session:
            return await message_actions.delete_message(session, access, message_id)

    @put("/messages/{message_id:uuid}/reactions/{emoji:str}", summary="React to a message")
    async def react(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        message_id: FromPath[UUID],
        emoji: FromPath[str],
    ) -> MessageView:
        async with database.transaction(access.workspace_id) as session:
            return await message_actions.react(session, access, message_id, unquote(emoji), add=True)

    @delete("/messages/{message_id:uuid}/reactions/{emoji:str}", status_code=200, summary="Take back a reaction")
    async def unreact(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        message_id: FromPath[UUID],
        emoji: FromPath[str],
    ) -> MessageView:
        async with database.transaction(access.workspace_id) as session:
            return await message_actions.react(session, access, message_id, unquote(emoji), add=False)

    @get("/search", summary="Messages with all these words, newest first")
    async def find(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        q: Annotated[str, QueryParameter(max_length=200)],
        room_id: FromQuery[UUID | None] = None,
        user_id: FromQuery[UUID | None] = None,
        cursor: FromQuery[UUID | None] = None,
    ) -> Response[SearchPage]:
        access.require(Permission.CHAT_READ)
        async with database.hot(access.workspace_id) as reader:
            found = await search.find(
                reader, access.user_id, q, room_id=room_id, author_id=user_id, before=cursor or NEWEST
            )
        if found is None:
            raise errors.search_too_short()
        messages, following = found
        items = [{"message": m, "room_id": m.room_id} for m in messages]
        return _json(encoder.encode({"items": items, "next_cursor": following}))


message_router = Router(BASE, route_handlers=[MessageController], before_request=admit)


class EventController(Controller):
    """The event log, for whoever was away."""

    path = "/api/v1/workspaces/{ws:uuid}"
    guards = (signed_in,)
    tags = ("events",)

    @get("/events", summary="What happened after a cursor, on the channels I may read")
    async def missed(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        after: Annotated[int, QueryParameter(ge=0, le=2**53)],
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = catchup.PAGE,
    ) -> CatchUp:
        access.require(Permission.CHAT_READ)
        async with database.hot(access.workspace_id) as reader:
            mine = await queries.my_room_ids(reader, access.user_id)
            allowed = {room_channel(r) for r in mine}
            allowed |= {workspace_channel(access.workspace_id), user_channel(access.workspace_id, access.user_id)}
            return await catchup.since(reader, after, may_read=allowed.__contains__, size=limit)


def outgoing(access: WorkspaceAccess, room_id: UUID, data: SendMessage, socket_id: str | None) -> Outgoing:
    """A request as the sender takes it. Raises field errors."""
    client_id = parse_id(data.client_id)
    if client_id is None:
        raise field_error("client_id", "field.invalid")
    body = rules.clean_body(data.body)
    if rules.is_blank(body) and not data.attachment_ids:
        raise errors.empty_message()
    if len(body) > rules.BODY_LIMIT:  # some characters are normalised to three
        raise errors.message_too_long(rules.BODY_LIMIT)
    files = [parse_id(a) for a in data.attachment_ids]
    if None in files or len(set(files)) != len(files):
        raise field_error("attachment_ids", "field.invalid")
    return Outgoing(
        access=access,
        room_id=room_id,
        client_id=client_id,
        body=body,
        parent_id=_optional_id("parent_id", data.parent_id),
        quote_id=_optional_id("quote_id", data.quote_id),
        attachment_ids=tuple(f for f in files if f is not None),
        socket_id=socket_id,
    )


def _optional_id(name: str, text: str | None) -> UUID | None:
    if text is None:
        return None
    parsed = parse_id(text)
    if parsed is None:
        raise KanalError("request.unprocessable", Kind.UNPROCESSABLE, fields={name: "field.invalid"})
    return parsed


def _json(content: bytes, status: int = 200) -> Response[Any]:
    return Response(content, status_code=status, media_type="application/json")
