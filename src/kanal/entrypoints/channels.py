"""Which channels a member of Kanal may join: domains say who, this says what is signed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from kanal.identity.access import Caller, Credential, WorkspaceAccess
from kanal.identity.config import Identity
from kanal.identity.rules import Permission
from kanal.kit.db import Database
from kanal.kit.errors import KanalError
from kanal.kit.ids import parse_id
from kanal.realtime.authorizers import ChannelAuthorizers, ChannelGrant, UserGrant
from kanal.rooms.authorizers import may_join_room_channel, workspace_of


class Asking:
    """Whoever asks for channels: their credential, looked up once per workspace and request."""

    def __init__(self, identity: Identity, credential: Credential) -> None:
        self._identity = identity
        self._credential = credential
        self._known: dict[UUID, WorkspaceAccess | None] = {}

    async def access(self, workspace_id: UUID) -> WorkspaceAccess | None:
        """``None`` when they may not enter it (not a member, or suspended)."""
        if workspace_id not in self._known:
            try:
                self._known[workspace_id] = await self._identity.gate.access(self._credential, workspace_id)
            except KanalError:
                self._known[workspace_id] = None
        return self._known[workspace_id]


def channel_authorizers(database: Database) -> ChannelAuthorizers[Asking]:
    """The channels of docs/protocol.md, each with who may join it."""

    async def workspace(asking: Asking, parameters: Mapping[str, str]) -> ChannelGrant | None:
        access = await _enter(asking, parameters["workspace"])
        return None if access is None or not access.may(Permission.WORKSPACE_READ) else _grant(access)

    async def user(asking: Asking, parameters: Mapping[str, str]) -> ChannelGrant | None:
        access = await _enter(asking, parameters["workspace"])
        return None if access is None or parameters["user"] != str(access.user_id) else _grant(access)

    async def room(asking: Asking, parameters: Mapping[str, str]) -> ChannelGrant | None:
        room_id = parse_id(parameters["room"])
        workspace_id = None if room_id is None else await workspace_of(database, room_id)
        access = None if workspace_id is None else await asking.access(workspace_id)
        if access is None or room_id is None or not await may_join_room_channel(database, access, room_id):
            return None
        return _grant(access)

    authorizers: ChannelAuthorizers[Asking] = ChannelAuthorizers()
    authorizers.add("presence-workspace.{workspace}", workspace)
    authorizers.add("private-user.{workspace}.{user}", user)
    authorizers.add("presence-chat.{room}", room)
    return authorizers


def channel_owners(app_id: str, database: Database) -> Callable[[str, str], Awaitable[UUID | None]]:
    """Answers the workspace whose people speak on a channel of Kanal's own app; other apps' channels belong to none."""

    async def owner(app: str, channel: str) -> UUID | None:
        kind, _, rest = channel.partition(".")
        found = parse_id(rest.partition(".")[0])
        if app != app_id or found is None:
            return None
        if kind == "presence-chat":
            return await workspace_of(database, found)
        return found if kind in {"presence-workspace", "private-user"} else None

    return owner


def user_grant(caller: Caller) -> UserGrant:
    """What a socket that signs in is signed with; it belongs to no workspace."""
    return UserGrant(str(caller.user_id), {"name": caller.name}, scopes=(caller.scope,))


async def _enter(asking: Asking, text: str) -> WorkspaceAccess | None:
    workspace_id = parse_id(text)
    return None if workspace_id is None else await asking.access(workspace_id)


def _grant(access: WorkspaceAccess) -> ChannelGrant:
    return ChannelGrant(str(access.user_id), {"name": access.name}, access.scopes)
