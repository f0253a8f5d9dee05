"""What a signature grants: a subscription's membership, a connection's user, and scopes.

``channel_data`` and ``user_data`` may carry, beside Pusher's fields, ``scopes`` (labels by which Kanal closes or
revokes) and ``issued_at``. Neither is shown to other members. A grant with ``issued_at`` is good for two minutes, so that
remembering revocations that long makes them watertight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from kanal.realtime.apps import App
from kanal.realtime.protocol import frames
from kanal.realtime.protocol.effects import Member, SignIn, User
from kanal.realtime.protocol.errors import (
    InvalidChannelData,
    PusherError,
    SignInRefused,
    Unauthorized,
    WatchlistTooLong,
)
from kanal.realtime.protocol.names import ChannelName, Kind
from kanal.realtime.protocol.signatures import same, sign_subscription, sign_user

GRANT_LIFETIME = 120.0  # seconds; clients ask for a fresh grant for every subscription
MAX_SCOPES = 32
MAX_SCOPE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Grant:
    member: Member | None = None
    scopes: tuple[str, ...] = ()
    issued_at: int | None = None


PUBLIC = Grant()


def read_grant(  # noqa: PLR0917 - all that a decision about a subscription depends on
    app: App, socket_id: str, user: User | None, channel: ChannelName, data: frames.SubscribeData, wall: float
) -> Grant:
    """Raises ``Unauthorized`` or ``InvalidChannelData``. Public channels ignore what they are sent."""
    if channel.kind is Kind.USER and (user is None or user.user_id != channel.user_id):
        raise Unauthorized("Connection is unauthorized: it is not signed in as this user")
    if not channel.needs_auth:
        return PUBLIC
    expected = sign_subscription(app.key, app.secret, socket_id, channel.text, data.channel_data)
    if not same(expected, data.auth or ""):
        raise Unauthorized("Connection is unauthorized: the signature does not fit")
    if data.channel_data is None:
        return _without_data(channel, user)
    try:
        content = frames.decode_channel_data(data.channel_data)
    except PusherError as failure:
        if not channel.is_presence:
            return PUBLIC  # private channels may carry any signed text there; Pusher never looks at it
        raise InvalidChannelData(failure.message) from None
    if _is_stale(content.issued_at, wall):
        raise Unauthorized("Connection is unauthorized: the grant is too old")
    member = _member(app, content) if channel.is_presence or content.user_id is not None else None
    scopes = _scopes(content.scopes)
    if member is not None:
        scopes = (*scopes, f"user:{member.user_id}")
    return Grant(member, scopes, content.issued_at)


def _without_data(channel: ChannelName, user: User | None) -> Grant:
    if not channel.is_presence:
        return PUBLIC
    if user is None:
        raise InvalidChannelData("Presence channels need channel_data, or a signed-in user")
    return Grant(Member(user.user_id, user.info), (f"user:{user.user_id}",))


def read_sign_in(app: App, socket_id: str, data: frames.SignInData, wall: float) -> SignIn:
    """Raises ``SignInRefused``."""
    if not app.user_authentication:
        raise SignInRefused("Sign-in is not enabled for this app")
    if not same(sign_user(app.key, app.secret, socket_id, data.user_data), data.auth or ""):
        raise SignInRefused("Connection is unauthorized: the signature does not fit")
    try:
        content = frames.decode_user_data(data.user_data)
        info = _info(app, content.user_info)
        ids = [content.id, *content.watchlist]
        if not all(_is_user_id(app, each) for each in ids):
            raise InvalidChannelData(_bad_user_id(app, "user ids"))
    except PusherError as failure:
        raise SignInRefused(failure.message) from None
    if _is_stale(content.issued_at, wall):
        raise SignInRefused("Connection is unauthorized: the grant is too old")
    watchlist = tuple(dict.fromkeys(content.watchlist))
    complaint = None
    if len(watchlist) > app.watchlist_max:
        complaint = WatchlistTooLong(f"The watchlist has more than {app.watchlist_max} users and is ignored")
        watchlist = ()
    scopes = (*_scopes(content.scopes), f"user:{content.id}")
    return SignIn(User(content.id, info, watchlist), data.user_data, scopes, content.issued_at, complaint)


def _is_stale(issued_at: int | None, wall: float) -> bool:
    return issued_at is not None and abs(wall - issued_at / 1000) > GRANT_LIFETIME


def _scopes(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in given[:MAX_SCOPES] if 0 < len(each) <= MAX_SCOPE_LENGTH)


def _member(app: App, content: frames.ChannelData) -> Member:
    """PHP and Python servers sign numeric ids; to every client they are strings."""
    user_id = "" if content.user_id is None else str(content.user_id)
    if not _is_user_id(app, user_id):
        raise InvalidChannelData(_bad_user_id(app, "user_id"))
    return Member(user_id, _info(app, content.user_info))


def _is_user_id(app: App, text: str) -> bool:
    return 0 < len(text) <= app.presence_max_id_length and text.isprintable()


def _bad_user_id(app: App, what: str) -> str:
    return f"{what} must be 1 to {app.presence_max_id_length} printable characters"


def _info(app: App, given: msgspec.Raw) -> bytes:
    info = bytes(given) or frames.NO_INFO
    if len(info) > app.presence_max_user_bytes:
        raise InvalidChannelData(f"user_info is over {app.presence_max_user_bytes} bytes")
    return info
