"""What nodes say to each other over a broker's topics."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


def topic_of(app_id: str, channel: str) -> str:
    return f"{app_id}:{channel}"


@dataclass(frozen=True, slots=True)
class Event:
    text: bytes
    """The message as clients receive it."""
    except_socket: str
    """Empty when nobody is left out."""
    keeps: bool
    """A cache channel keeps it: server events yes, client events no."""


def seal_event(text: bytes, except_socket: str | None, *, keeps: bool) -> bytes:
    return b"%b%b\n%b" % (b"s" if keeps else b"c", (except_socket or "").encode(), text)


def open_event(payload: bytes) -> Event:
    """Raises ``ValueError`` for what is not ours: somebody else writes to the same server."""
    head, _, text = payload.partition(b"\n")
    if head[:1] not in {b"s", b"c"} or not text.startswith(b"{"):
        raise ValueError("not an event")
    return Event(text, head[1:].decode(), head[:1] == b"s")


CONTROL_TOPIC = "#control"


class Terminate(msgspec.Struct, tag="terminate", frozen=True):
    app_id: str
    scope: str
    code: int
    message: str
    at: int


class Revoke(msgspec.Struct, tag="revoke", frozen=True):
    app_id: str
    channel: str
    scope: str
    at: int


Control = Terminate | Revoke

encode_control = msgspec.json.encode
decode_control = msgspec.json.Decoder(Terminate | Revoke).decode
