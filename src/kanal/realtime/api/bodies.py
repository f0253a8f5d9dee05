"""Bodies of calls: what they must be, and what they may not exceed."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from kanal.realtime.api.answers import Refused
from kanal.realtime.apps import App
from kanal.realtime.protocol.names import MAX_CHANNEL_NAME, MAX_EVENT_NAME
from kanal.realtime.publisher import Publication

SERVER_TO_USER = "#server-to-user-"
CHANNEL_INFO = frozenset({"user_count", "subscription_count"})

_CHANNEL = re.compile(rf"[-a-zA-Z0-9_=@,.;]{{1,{MAX_CHANNEL_NAME}}}")
_SOCKET_ID = re.compile(r"\d{1,20}\.\d{1,20}")

T = TypeVar("T")
U = TypeVar("U")


class EventBody(msgspec.Struct):
    """Of ``/events``, and one entry of ``/batch_events``. Keys that nobody knows are ignored."""

    name: str
    data: str | msgspec.UnsetType = msgspec.UNSET
    channels: list[str] | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None


class BatchBody(msgspec.Struct):
    batch: list[EventBody]


class LooseEventBody(msgspec.Struct):
    """Data that is no string, as the protocol has it, but other JSON, as some programs send it."""

    name: str
    data: msgspec.Raw
    channels: list[str] | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None


class LooseBatchBody(msgspec.Struct):
    batch: list[LooseEventBody]


class Event(msgspec.Struct, frozen=True):
    publications: list[Publication]
    """One for each channel."""
    info: frozenset[str]
    """What the answer shall say of each channel."""


_event_body = msgspec.json.Decoder(EventBody)
_batch_body = msgspec.json.Decoder(BatchBody)
_loose_event_body = msgspec.json.Decoder(LooseEventBody)
_loose_batch_body = msgspec.json.Decoder(LooseBatchBody)
_string = msgspec.json.Decoder(str).decode
_NOTHING: frozenset[str] = frozenset()

# A nesting of some thousand brackets ends in RecursionError, a broken escape or byte in UnicodeDecodeError.
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)


def _decode(usual: msgspec.json.Decoder[T], loose: msgspec.json.Decoder[U], body: bytes) -> T | U:
    """Raises ``Refused`` with 400."""
    try:
        try:
            return usual.decode(body)
        except msgspec.ValidationError:
            return loose.decode(body)
    except _UNREADABLE as error:
        raise Refused(400, f"The body cannot be read: {error}") from None


def read_event(app: App, body: bytes) -> Event:
    """Raises ``Refused`` with 400 or 413."""
    return _event(app, _decode(_event_body, _loose_event_body, body))


def read_batch(app: App, body: bytes) -> list[Event]:
    """Raises ``Refused`` with 400 or 413: all of a batch is published, or nothing."""
    batch = _decode(_batch_body, _loose_batch_body, body).batch
    if len(batch) > app.max_batch:
        raise Refused(400, f"A batch has at most {app.max_batch} events")
    for content in batch:
        if content.channel is None:
            raise Refused(400, "Each event of a batch names its channel")
    return [_event(app, content) for content in batch]


def _event(app: App, content: EventBody | LooseEventBody) -> Event:
    name, socket_id = content.name, content.socket_id or None
    if not 0 < len(name) <= MAX_EVENT_NAME:
        raise Refused(400, f"The name of an event has 1 to {MAX_EVENT_NAME} characters")
    if socket_id is not None and not _SOCKET_ID.fullmatch(socket_id):
        raise Refused(400, "socket_id must look like 123.456")
    data, limit = content.data, app.max_message_size
    text = data if isinstance(data, str) else _text(data)
    # No character has more bytes than four; most data is far from the limit.
    if len(text) * 4 > limit and len(text.encode()) > limit:
        raise Refused(413, f"The data of one event has at most {limit} bytes")
    publications = [Publication(app.id, channel, name, text, socket_id) for channel in _channels(app, content)]
    return Event(publications, read_info(content.info, CHANNEL_INFO) if content.info else _NOTHING)


def _text(data: msgspec.Raw | msgspec.UnsetType) -> str:
    """Other JSON is passed on as the text it was."""
    if isinstance(data, msgspec.UnsetType):
        raise Refused(400, "The event has no data")
    token = bytes(data)
    try:
        return _string(token) if token.startswith(b'"') else token.decode()
    except _UNREADABLE as error:
        raise Refused(400, f"The data cannot be read: {error}") from None


def _channels(app: App, content: EventBody | LooseEventBody) -> list[str]:
    channels = content.channels
    if channels is None:
        channels = [] if content.channel is None else [content.channel]
    if not 0 < len(channels) <= app.max_event_channels:
        raise Refused(400, f"An event goes to 1 to {app.max_event_channels} channels")
    for channel in channels:
        if not _CHANNEL.fullmatch(channel) and not _is_user_channel(app, channel):
            raise Refused(400, f"Invalid channel name: {channel[:200]!r}")
    return channels if len(channels) == 1 else list(dict.fromkeys(channels))


def _is_user_channel(app: App, channel: str) -> bool:
    user = channel.removeprefix(SERVER_TO_USER)
    return user != channel and 0 < len(user) <= app.presence_max_id_length and user.isprintable()


def read_info(text: str, known: frozenset[str]) -> frozenset[str]:
    """A list with commas. Raises ``Refused`` with 400."""
    wanted = frozenset(part.strip() for part in text.split(",")) - {""}
    if not wanted <= known:
        unknown = ", ".join(sorted(wanted - known))
        raise Refused(400, f"Unknown info: {unknown[:100]}; known are {', '.join(sorted(known))}")
    return wanted


def check_channel(name: str) -> str:
    """Raises ``Refused`` with 400."""
    if not _CHANNEL.fullmatch(name):
        raise Refused(400, f"Invalid channel name: {name[:200]!r}")
    return name


def check_object(body: bytes) -> None:
    """The body of a call that needs none: nothing, or any JSON object. Raises ``Refused`` with 400."""
    if not body.strip():
        return
    try:
        msgspec.json.decode(body, type=dict[str, Any])
    except _UNREADABLE as error:
        raise Refused(400, f"The body cannot be read: {error}") from None
