"""Messages as they travel: JSON objects with ``event``, ``channel`` and ``data``.

On the way out ``data`` is always a JSON *string* (the Swift and .NET clients cast it), except in ``pusher:error`` where
it is an object ``{message, code}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from kanal.realtime.protocol.errors import MalformedMessage, PusherError, SubscriptionRefused

_encode = msgspec.json.encode

PING = b'{"event":"pusher:ping","data":"{}"}'
PONG = b'{"event":"pusher:pong","data":"{}"}'
EMPTY = b'"{}"'
NO_INFO = b"{}"  # user_info of a user who has none


class Incoming(msgspec.Struct):
    event: str
    channel: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")


class SubscribeData(msgspec.Struct):
    """``recover`` and ``last_event_id`` are Kanal's addition."""

    channel: str
    auth: str | None = None
    channel_data: str | None = None
    recover: bool = False
    last_event_id: str | None = None


class UnsubscribeData(msgspec.Struct):
    channel: str


class SignInData(msgspec.Struct):
    user_data: str
    auth: str | None = None


class UserData(msgspec.Struct):
    """Like ``ChannelData``. Here an id must be a string: pusher-js refuses any other."""

    id: str
    user_info: msgspec.Raw = msgspec.Raw(b"")
    watchlist: list[str] = []
    scopes: list[str] = []
    issued_at: int | None = None


class ChannelData(msgspec.Struct):
    """What the app's own server vouches for. ``scopes`` and ``issued_at`` (milliseconds) are Kanal's addition."""

    user_id: str | int | None = None
    user_info: msgspec.Raw = msgspec.Raw(b"")
    scopes: list[str] = []
    issued_at: int | None = None


_incoming = msgspec.json.Decoder(Incoming)
_subscribe = msgspec.json.Decoder(SubscribeData)
_unsubscribe = msgspec.json.Decoder(UnsubscribeData)
_sign_in = msgspec.json.Decoder(SignInData)
_user_data = msgspec.json.Decoder(UserData)
_channel_data = msgspec.json.Decoder(ChannelData)
_string = msgspec.json.Decoder(str)

_T = TypeVar("_T")

# A nesting of some thousand brackets ends in RecursionError, a broken escape in UnicodeDecodeError.
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


def decode(text: str) -> Incoming:
    """Raises ``MalformedMessage``."""
    try:
        return _incoming.decode(text)
    except _UNREADABLE as error:
        raise MalformedMessage(f"Invalid message: {error}") from None


def decode_subscribe(data: msgspec.Raw) -> SubscribeData:
    return _decode_nested(_subscribe, data)


def decode_unsubscribe(data: msgspec.Raw) -> UnsubscribeData:
    return _decode_nested(_unsubscribe, data)


def decode_sign_in(data: msgspec.Raw) -> SignInData:
    return _decode_nested(_sign_in, data)


def decode_user_data(text: str) -> UserData:
    try:
        return _user_data.decode(text)
    except _UNREADABLE as error:
        raise MalformedMessage(f"Invalid user_data: {error}") from None


def decode_channel_data(text: str) -> ChannelData:
    try:
        return _channel_data.decode(text)
    except _UNREADABLE as error:
        raise MalformedMessage(f"Invalid channel_data: {error}") from None


def _decode_nested(decoder: msgspec.json.Decoder[_T], data: msgspec.Raw) -> _T:
    """Some clients send ``data`` as an object, some as a string that contains one."""
    try:
        raw = bytes(data)
        return decoder.decode(_string.decode(raw) if raw.startswith(b'"') else raw)
    except _UNREADABLE as error:
        raise MalformedMessage(f"Invalid data: {error}") from None


def client_data(data: msgspec.Raw) -> tuple[bytes, int]:
    """The data of a client event as a JSON string token, and its size in bytes as the subscriber will see it.

    A string is passed on untouched. Raises ``MalformedMessage`` for text that is not encodable (lone surrogates).
    """
    raw = bytes(data) or b"null"
    if not raw.startswith(b'"'):
        return _encode(raw.decode()), len(raw)
    if b"\\" not in raw:
        return raw, len(raw) - 2
    try:
        return raw, len(_string.decode(raw).encode())
    except _UNREADABLE as error:
        raise MalformedMessage(f"Invalid data: {error}") from None


def string_token(text: bytes | str) -> bytes:
    return _encode(text if isinstance(text, str) else text.decode())


def event(name: str, channel: str, data: bytes, user_id: str | None = None) -> bytes:
    """``data`` is a JSON string token already."""
    if user_id is None:
        return b'{"event":%b,"channel":%b,"data":%b}' % (_encode(name), _encode(channel), data)
    return b'{"event":%b,"channel":%b,"data":%b,"user_id":%b}' % (
        _encode(name),
        _encode(channel),
        data,
        _encode(user_id),
    )


def connection_established(socket_id: str, activity_timeout: int) -> bytes:
    data = _encode({"socket_id": socket_id, "activity_timeout": activity_timeout})
    return b'{"event":"pusher:connection_established","data":%b}' % string_token(data)


def signin_success(user_data: str) -> bytes:
    return b'{"event":"pusher:signin_success","data":%b}' % string_token(_encode({"user_data": user_data}))


def watchlist_events(online: Sequence[str], offline: Sequence[str]) -> bytes:
    """Names without users are left out."""
    named = (("online", online), ("offline", offline))
    data = _encode({"events": [{"name": name, "user_ids": users} for name, users in named if users]})
    return b'{"event":"pusher_internal:watchlist_events","data":%b}' % string_token(data)


def error(failure: PusherError) -> bytes:
    return _encode({"event": "pusher:error", "data": {"message": failure.message, "code": failure.code}})


def subscription_error(channel: str, failure: SubscriptionRefused) -> bytes:
    data = _encode({"type": failure.type, "error": failure.message, "status": failure.status})
    return event("pusher:subscription_error", channel, string_token(data))


def subscription_succeeded(channel: str, data: bytes = EMPTY) -> bytes:
    return event("pusher_internal:subscription_succeeded", channel, data)


def presence_data(members: Mapping[str, bytes]) -> bytes:
    """``members`` maps user id to ``user_info`` as JSON."""
    return string_token(b"{%b}" % presence(members))


def presence(members: Mapping[str, bytes]) -> bytes:
    """A member of the answer's data. Java needs ``ids`` beside ``hash``."""
    ids: Iterable[bytes] = [_encode(user_id) for user_id in members]
    pairs = b",".join(b"%b:%b" % (user_id, info) for user_id, info in zip(ids, members.values(), strict=True))
    return b'"presence":{"ids":[%b],"hash":{%b},"count":%d}' % (b",".join(ids), pairs, len(members))


def recovery(position: str | None, *, recovered: bool) -> bytes:
    """A member of the answer's data."""
    return b'"recovery":%b' % _encode({"position": position, "recovered": recovered})


def recovery_data(position: str | None, *, recovered: bool, members: Mapping[str, bytes] | None) -> bytes:
    told = recovery(position, recovered=recovered)
    return string_token(b"{%b}" % (told if members is None else b"%b,%b" % (presence(members), told)))


def recovery_lost(channel: str, position: str | None) -> bytes:
    """Kanal's addition: events between the last one and this position are gone for good."""
    return event("pusher:recovery", channel, string_token(_encode({"position": position, "recovered": False})))


def with_id(text: bytes, position: str) -> bytes:
    """An event with its position, Kanal's addition."""
    return b'%b,"id":%b}' % (text[:-1], _encode(position))


def subscription_count(channel: str, count: int) -> bytes:
    data = string_token(b'{"subscription_count":%d}' % count)
    return event("pusher_internal:subscription_count", channel, data)


def member_added(channel: str, user_id: str, info: bytes) -> bytes:
    data = b'{"user_id":%b,"user_info":%b}' % (_encode(user_id), info)
    return event("pusher_internal:member_added", channel, string_token(data))


def member_removed(channel: str, user_id: str) -> bytes:
    return event("pusher_internal:member_removed", channel, string_token(b'{"user_id":%b}' % _encode(user_id)))


def cache_miss(channel: str) -> bytes:
    return b'{"event":"pusher:cache_miss","channel":%b}' % _encode(channel)
