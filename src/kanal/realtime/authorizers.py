"""Who may subscribe to what: domains bring authorizers by channel pattern, Kanal signs what they grant."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from kanal.realtime.apps import App
from kanal.realtime.protocol.names import Kind, parse_channel_name
from kanal.realtime.protocol.signatures import shared_secret, sign_subscription, sign_user

_PARAMETER = re.compile(r"\{(\w+)\}")

CallerT = TypeVar("CallerT")
CallerT_contra = TypeVar("CallerT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class ChannelGrant:
    """What a subscription is signed with.

    ``user_id`` is required for presence channels; ``user_info`` (at most 1 KB as JSON) is shown to the other members.
    ``scopes`` stay between the servers: ``Publisher.terminate`` and ``revoke`` find the connection by them, and by
    ``user:{user_id}``, which is added to them.
    """

    user_id: str | None = None
    user_info: Mapping[str, Any] | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserGrant:
    """What a sign-in is signed with: who it is, and what ``ChannelGrant`` says of ``user_info`` and ``scopes``."""

    user_id: str
    user_info: Mapping[str, Any] | None = None
    watchlist: tuple[str, ...] = ()
    """Ids of users whose being online the client is told of, at most the app's ``watchlist_max``."""
    scopes: tuple[str, ...] = ()


class ChannelAuthorizer(Protocol[CallerT_contra]):
    async def __call__(self, caller: CallerT_contra, parameters: Mapping[str, str], /) -> ChannelGrant | None:
        """``parameters`` are the parts of the name in braces; they are whatever the client sent. ``None`` denies."""


class ChannelAuthorizers(Generic[CallerT]):
    """Authorizers by channel pattern: ``presence-chat.{room}``. A part in braces stands for one or more characters but dots.

    What no pattern fits is denied.
    """

    def __init__(self) -> None:
        self._rules: list[tuple[re.Pattern[str], ChannelAuthorizer[CallerT]]] = []

    def add(self, pattern: str, authorizer: ChannelAuthorizer[CallerT]) -> None:
        """Raises ``ValueError`` for a pattern that is there already."""
        parts = _PARAMETER.split(pattern)
        expression = "".join(f"(?P<{part}>[^.]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
        compiled = re.compile(expression)
        if any(known.pattern == compiled.pattern for known, _ in self._rules):
            raise ValueError(f"channel pattern added twice: {pattern}")
        self._rules.append((compiled, authorizer))

    async def authorize(self, caller: CallerT, channel: str) -> ChannelGrant | None:
        for pattern, authorizer in self._rules:
            match = pattern.fullmatch(channel)
            if match is not None:
                return await authorizer(caller, match.groupdict())
        return None


def sign_grant(app: App, socket_id: str, channel: str, grant: ChannelGrant) -> dict[str, str]:
    """The answer of an auth endpoint: ``auth``, ``channel_data``, and ``shared_secret`` for encrypted channels.

    ``channel_data`` is signed on private channels as well, because it carries the scopes. Raises
    ``InvalidChannelName``, and ``ValueError`` when a presence channel is granted without a user or an encrypted one
    without a master key in the app.
    """
    name = parse_channel_name(channel)
    if name.is_presence and not grant.user_id:
        raise ValueError("a presence channel needs a user_id")
    content: dict[str, Any] = {"issued_at": time.time_ns() // 1_000_000}
    if grant.user_id is not None:
        content["user_id"] = grant.user_id
    if grant.user_info is not None:
        content["user_info"] = grant.user_info
    if grant.scopes:
        content["scopes"] = grant.scopes
    channel_data = msgspec.json.encode(content).decode()
    answer = {
        "auth": sign_subscription(app.key, app.secret, socket_id, channel, channel_data),
        "channel_data": channel_data,
    }
    if name.kind is Kind.ENCRYPTED:
        if app.encryption_master_key is None:
            raise ValueError("the app has no encryption master key")
        answer["shared_secret"] = shared_secret(app.encryption_master_key, channel)
    return answer


def sign_user_grant(app: App, socket_id: str, grant: UserGrant) -> dict[str, str]:
    """The answer of a user authentication endpoint: ``auth`` and ``user_data``."""
    content: dict[str, Any] = {"id": grant.user_id, "issued_at": time.time_ns() // 1_000_000}
    if grant.user_info is not None:
        content["user_info"] = grant.user_info
    if grant.watchlist:
        content["watchlist"] = grant.watchlist
    if grant.scopes:
        content["scopes"] = grant.scopes
    user_data = msgspec.json.encode(content).decode()
    return {"auth": sign_user(app.key, app.secret, socket_id, user_data), "user_data": user_data}
