"""What a subscription's signature grants: membership and scopes.

``channel_data`` may carry, beside Pusher's ``user_id`` and ``user_info``, ``scopes`` (labels by which Kanal closes or
revokes) and ``issued_at``. Neither is shown to other members. A grant with ``issued_at`` is good for two minutes, so that
remembering revocations that long makes them watertight.
"""

from __future__ import annotations

from dataclasses import dataclass

from kanal.realtime.apps import App
from kanal.realtime.protocol import frames
from kanal.realtime.protocol.effects import Member
from kanal.realtime.protocol.errors import InvalidChannelData, PusherError, Unauthorized
from kanal.realtime.protocol.names import ChannelName
from kanal.realtime.protocol.signatures import same, sign_subscription

GRANT_LIFETIME = 120.0  # seconds; clients ask for a fresh grant for every subscription
MAX_SCOPES = 32
MAX_SCOPE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Grant:
    member: Member | None = None
    scopes: tuple[str, ...] = ()
    issued_at: int | None = None


PUBLIC = Grant()


def read_grant(app: App, socket_id: str, channel: ChannelName, data: frames.SubscribeData, wall: float) -> Grant:
    """Raises ``Unauthorized`` or ``InvalidChannelData``. Public channels ignore what they are sent."""
    if not channel.needs_auth:
        return PUBLIC
    expected = sign_subscription(app.key, app.secret, socket_id, channel.text, data.channel_data)
    if not same(expected, data.auth or ""):
        raise Unauthorized("Connection is unauthorized: the signature does not fit")
    if data.channel_data is None:
        if channel.is_presence:
            raise InvalidChannelData("Presence channels need channel_data")
        return PUBLIC
    try:
        content = frames.decode_channel_data(data.channel_data)
    except PusherError as failure:
        if not channel.is_presence:
            return PUBLIC  # private channels may carry any signed text there; Pusher never looks at it
        raise InvalidChannelData(failure.message) from None
    if content.issued_at is not None and abs(wall - content.issued_at / 1000) > GRANT_LIFETIME:
        raise Unauthorized("Connection is unauthorized: the grant is too old")
    member = _member(app, content) if channel.is_presence or content.user_id is not None else None
    scopes = tuple(each for each in content.scopes[:MAX_SCOPES] if 0 < len(each) <= MAX_SCOPE_LENGTH)
    if member is not None:
        scopes = (*scopes, f"user:{member.user_id}")
    return Grant(member, scopes, content.issued_at)


def _member(app: App, content: frames.ChannelData) -> Member:
    """PHP and Python servers sign numeric ids; to every client they are strings."""
    user_id = "" if content.user_id is None else str(content.user_id)
    if not user_id or len(user_id) > app.presence_max_id_length or not user_id.isprintable():
        raise InvalidChannelData(f"user_id must be 1 to {app.presence_max_id_length} printable characters")
    info = bytes(content.user_info) or b"{}"
    if len(info) > app.presence_max_user_bytes:
        raise InvalidChannelData(f"user_info is over {app.presence_max_user_bytes} bytes")
    return Member(user_id, info)
