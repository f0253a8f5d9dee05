"""Rooms over HTTP: what can be asked."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from kanal.identity.access import WorkspaceAccess
from kanal.identity.rules import Permission
from kanal.identity.web import signed_in
from kanal.kit.db import Database
from kanal.kit.events import catchup
from kanal.kit.web.schema import Items, Page
from kanal.rooms import actions, queries
from kanal.rooms.schemas import (
    AddMembers,
    ChangeMembership,
    ChangeRoom,
    CreateDirect,
    CreateRoom,
    MarkRead,
    ReadState,
    RoomList,
    RoomMemberView,
    RoomView,
)

BASE = "/api/v1/workspaces/{ws:uuid}/chat"


class RoomController(Controller):
    """Rooms and who is in them."""

    path = BASE
    guards = (signed_in,)
    tags = ("rooms",)

    @get("/rooms", summary="My rooms, last active first, with the cursor from which events complete the list")
    async def my_rooms(self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess]) -> RoomList:
        access.require(Permission.CHAT_READ)
        async with database.hot(access.workspace_id) as reader:
            cursor = await catchup.cursor(reader)
        async with database.reading(access.workspace_id) as session:
            return RoomList(await queries.my_rooms(session, access.user_id), cursor)

    @get("/rooms/browse", summary="Public rooms I am not in, by name")
    async def browse(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        q: Annotated[str, QueryParameter(max_length=80)] = "",
        cursor: Annotated[str | None, QueryParameter(max_length=80)] = None,
    ) -> Page[RoomView]:
        access.require(Permission.CHAT_READ)
        async with database.reading(access.workspace_id) as session:
            rooms, following = await queries.browse(session, access.user_id, text=q.strip(), after=cursor)
        return Page(rooms, following)

    @post("/rooms", summary="Create a room")
    async def create(
        self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess], data: JSONBody[CreateRoom]
    ) -> RoomView:
        async with database.transaction(access.workspace_id) as session:
            return await actions.create_room(
                session,
                access,
                name=data.name,
                topic=data.topic,
                visibility=data.visibility,
                member_ids=data.member_ids,
            )

    @post("/direct", status_code=200, summary="Open the direct conversation with one or more people")
    async def direct(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        data: JSONBody[CreateDirect],
    ) -> RoomView:
        async with database.transaction(access.workspace_id) as session:
            return await actions.open_direct(session, access, data.user_ids)

    @get("/rooms/{room_id:uuid}", summary="One room")
    async def show(
        self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess], room_id: FromPath[UUID]
    ) -> RoomView:
        access.require(Permission.CHAT_READ)
        async with database.reading(access.workspace_id) as session:
            room, member = await queries.find_room(session, room_id, access.user_id)
            return await queries.room_for(session, room, member)

    @patch("/rooms/{room_id:uuid}", summary="Change name, topic, visibility, or archive")
    async def change(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        room_id: FromPath[UUID],
        data: JSONBody[ChangeRoom],
    ) -> RoomView:
        async with database.transaction(access.workspace_id) as session:
            return await actions.change_room(
                session,
                access,
                room_id,
                name=data.name,
                topic=data.topic,
                visibility=data.visibility,
                archived=data.archived,
            )

    @post("/rooms/{room_id:uuid}/join", status_code=200, summary="Join a public room")
    async def join(
        self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess], room_id: FromPath[UUID]
    ) -> RoomView:
        async with database.transaction(access.workspace_id) as session:
            return await actions.join_room(session, access, room_id)

    @post("/rooms/{room_id:uuid}/leave", status_code=204, summary="Leave a room")
    async def leave(
        self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess], room_id: FromPath[UUID]
    ) -> None:
        async with database.transaction(access.workspace_id) as session:
            await actions.leave_room(session, access, room_id)

    @get("/rooms/{room_id:uuid}/members", summary="Who is in a room and how far they have read")
    async def members(
        self, database: NamedDependency[Database], access: NamedDependency[WorkspaceAccess], room_id: FromPath[UUID]
    ) -> Items[RoomMemberView]:
        access.require(Permission.CHAT_READ)
        async with database.reading(access.workspace_id) as session:
            await queries.find_room(session, room_id, access.user_id)
            return Items(await queries.room_members(session, room_id))

    @post("/rooms/{room_id:uuid}/members", status_code=200, summary="Add members")
    async def add(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        room_id: FromPath[UUID],
        data: JSONBody[AddMembers],
    ) -> Items[RoomMemberView]:
        async with database.transaction(access.workspace_id) as session:
            await actions.add_members(session, access, room_id, data.user_ids)
            return Items(await queries.room_members(session, room_id))

    @delete("/rooms/{room_id:uuid}/members/{user_id:uuid}", summary="Remove a member")
    async def remove(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        room_id: FromPath[UUID],
        user_id: FromPath[UUID],
    ) -> None:
        async with database.transaction(access.workspace_id) as session:
            await actions.remove_member(session, access, room_id, user_id)

    @patch("/rooms/{room_id:uuid}/membership", summary="My star and notification setting of a room")
    async def membership(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        room_id: FromPath[UUID],
        data: JSONBody[ChangeMembership],
    ) -> RoomView:
        async with database.transaction(access.workspace_id) as session:
            return await actions.change_membership(session, access, room_id, starred=data.starred, notify=data.notify)

    @post("/rooms/{room_id:uuid}/read", status_code=200, summary="I have read up to this message")
    async def read(
        self,
        database: NamedDependency[Database],
        access: NamedDependency[WorkspaceAccess],
        room_id: FromPath[UUID],
        data: JSONBody[MarkRead],
    ) -> ReadState:
        async with database.transaction(access.workspace_id) as session:
            return await actions.mark_read(session, access, room_id, data.sequence)
