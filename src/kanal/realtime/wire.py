"""WebSocket bytes (RFC 6455): the answer to a handshake, frames from server to client, masks from client to server."""

from __future__ import annotations

import base64
import hashlib

_number = int.from_bytes
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade_answer(key: bytes) -> bytes:
    """Section 4.2.2. ``key`` is the client's ``Sec-WebSocket-Key`` as it was sent."""
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
        % accept
    )


def text_frame(payload: bytes) -> bytes:
    """One unmasked text frame, built once and written to many."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


PING_FRAME = b"\x89\x00"


def pong_frame(payload: bytes) -> bytes:
    """``payload`` is that of the ping, and so at most 125 bytes."""
    return bytes((0x8A, len(payload))) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A control frame holds 125 bytes, two of which are the code; a character cut in two would be a protocol error."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return bytes((0x88, 2 + len(text))) + code.to_bytes(2, "big") + text


def unmask(payload: bytes, mask: bytes) -> bytes:
    """As one exclusive or of two long numbers: a microsecond for an ordinary message."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (_number(payload, "little") ^ _number(repeated, "little")).to_bytes(size, "little")
