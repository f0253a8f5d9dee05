"""Who may join the channel of a room."""

from __future__ import annotations

from uuid import UUID

from kanal.identity.access import WorkspaceAccess
from kanal.identity.rules import Permission
from kanal.kit.db import Database, Statement, as_id
from kanal.rooms import queries

_WORKSPACE = Statement(
    "SELECT workspace_id FROM {rooms} WHERE id = :room_id",
    across_tenants="a channel name holds a room id only; whose it is decides which membership is asked for",
)


async def workspace_of(database: Database, room_id: UUID) -> UUID | None:
    """The workspace of a room, to then ask for the caller's access to it."""
    async with database.hot(None) as reader:
        rows = await reader.fetch(_WORKSPACE, room_id=room_id)
    return as_id(rows[0][0]) if rows else None


async def may_join_room_channel(database: Database, access: WorkspaceAccess, room_id: UUID) -> bool:
    """Members of the room only, also when it is public: presence shows who is in it."""
    if not access.may(Permission.CHAT_READ):
        return False
    async with database.hot(access.workspace_id) as reader:
        return await queries.is_member(reader, room_id, access.user_id)
