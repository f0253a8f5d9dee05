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


@dataclass(frozen=True, slots=True)
class Recorded:
    """A server event at its place in a channel's history."""

    position: str
    text: bytes
    except_socket: str
    token: str
    """By which the node that published it knows it again."""


def seal_event(text: bytes, except_socket: str | None, *, keeps: bool) -> bytes:
    return b"%b%b\n%b" % (b"s" if keeps else b"c", (except_socket or "").encode(), text)


def seal_recorded(text: bytes, except_socket: str | None, token: str) -> bytes:
    return b"r%b %b\n%b" % ((except_socket or "").encode(), token.encode(), text)


def open_event(payload: bytes) -> Event:
    """Raises ``ValueError`` for what is not ours: somebody else writes to the same server."""
    head, _, text = payload.partition(b"\n")
    kind = head[:1]
    if kind not in {b"s", b"c", b"r"} or not text.startswith(b"{"):
        raise ValueError("not an event")
    return Event(text, head[1:].decode().partition(" ")[0], kind != b"c")


def open_recorded(position: str, payload: bytes) -> Recorded:
    """Raises ``ValueError``."""
    event = open_event(payload)
    token = payload.partition(b"\n")[0].partition(b" ")[2]
    return Recorded(position, event.text, event.except_socket, token.decode())


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
