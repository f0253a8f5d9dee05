"""WebSocket frames from client to server (RFC 6455, section 5) as messages: bytes in, messages out, no socket."""

from __future__ import annotations

from collections.abc import Iterator

from kanal.realtime.protocol import errors
from kanal.realtime.wire import unmask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

FRAGMENT_COST = 64  # bytes a fragment counts beside its own, or a million empty ones would cost nothing

_FINAL, _RESERVED, _OPCODE, _CONTROL, _MASKED = 0x80, 0x70, 0x0F, 0x08, 0x80
_FINAL_TEXT = _FINAL | TEXT
_SHORT = 4_096


class Violation(Exception):
    """The client broke the protocol: close with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def whole_text(data: bytes) -> bytes | None:
    """What nearly every read is: one text message, whole and shorter than any limit. ``None`` for anything else."""
    size = len(data) - 6
    if not 0 <= size < _SHORT or data[0] != _FINAL_TEXT:
        return None
    if size < 126:
        return unmask(data[6:], data[2:6]) if data[1] == _MASKED | size else None
    if size >= 128 and data[1] == _MASKED | 126 and data[2] << 8 | data[3] == size - 2:
        return unmask(data[8:], data[4:8])
    return None


class Inbound:
    """Puts the frames of one client together. ``limit`` bounds a message, before anything of it is kept; at least 125 bytes."""

    __slots__ = ("_limit", "_missing", "_parts", "_rest", "_size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._missing = 0
        self._parts: list[bytes] | None = None
        self._size = 0

    @property
    def idle(self) -> bool:
        """Nothing is begun: the next byte begins a message."""
        return not self._rest and self._parts is None

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of each whole message and control frame, in order; of a close frame the code and reason.

        Must be read to its end, unless nothing is read any more. Raises ``Violation``. A binary message is told at its
        beginning: nobody here wants the rest.
        """
        if self._rest:
            # Looked at again when a frame may be whole, however small the pieces are in which it comes.
            self._rest += data
            if len(self._rest) < self._missing:
                return
            data = bytes(self._rest)
            self._rest.clear()
        at, end = 0, len(data)
        while end - at >= 2:
            head, size = data[at], data[at + 1]
            if head != _FINAL_TEXT or size < _MASKED or self._parts is not None:
                self._check(head, size)
            size &= ~_MASKED
            start = at + (6 if size < 126 else 8 if size == 126 else 14)
            if start > end:
                break
            if size >= 126:
                size = self._long_size(data[at + 2 : start - 4])
            if start + size > end:
                break
            at = start + size
            payload = unmask(data[start:at], data[start - 4 : start])
            if head == _FINAL_TEXT and self._parts is None:
                yield TEXT, payload
            elif head & _CONTROL:
                yield head & _OPCODE, _checked_close(payload) if head & _OPCODE == CLOSE else payload
            elif (whole := self._fragment(head, payload)) is not None:
                yield whole
        if at < end:
            self._rest += data[at:]
            self._missing = _needed(self._rest)

    def _check(self, head: int, second: int) -> None:
        """The rules that the first two bytes of a frame can break."""
        if head & _RESERVED:
            raise Violation(errors.CLOSE_PROTOCOL_ERROR, "no extension was agreed on")
        if not second & _MASKED:
            raise Violation(errors.CLOSE_PROTOCOL_ERROR, "frames from clients are masked")
        opcode = head & _OPCODE
        if opcode & _CONTROL:
            if opcode > PONG:
                raise Violation(errors.CLOSE_PROTOCOL_ERROR, "unknown opcode")
            if not head & _FINAL or second & ~_MASKED > 125:
                raise Violation(errors.CLOSE_PROTOCOL_ERROR, "control frames are short and whole")
        elif opcode > BINARY:
            raise Violation(errors.CLOSE_PROTOCOL_ERROR, "unknown opcode")
        elif (opcode == CONTINUATION and self._parts is None) or (opcode != CONTINUATION and self._parts is not None):
            raise Violation(errors.CLOSE_PROTOCOL_ERROR, "fragments out of order")

    def _long_size(self, digits: bytes) -> int:
        size = int.from_bytes(digits, "big")
        if size >> 63 or size < (126 if len(digits) == 2 else 65_536):
            raise Violation(errors.CLOSE_PROTOCOL_ERROR, "the length is not in its shortest form")
        if size > self._limit:
            raise Violation(errors.CLOSE_TOO_BIG, "message too big")
        return size

    def _fragment(self, head: int, payload: bytes) -> tuple[int, bytes] | None:
        if head & _OPCODE == BINARY:
            return BINARY, payload
        if self._parts is None:
            self._parts = []
            self._size = 0
        self._size += len(payload) + FRAGMENT_COST
        if self._size > self._limit:
            raise Violation(errors.CLOSE_TOO_BIG, "message too big")
        self._parts.append(payload)
        if not head & _FINAL:
            return None
        whole = b"".join(self._parts)
        self._parts = None
        return TEXT, whole


def _needed(rest: bytearray) -> int:
    """How many bytes there must be before a frame that begins like this can be whole, or can be judged."""
    if len(rest) < 2:
        return 2
    size = rest[1] & ~_MASKED
    if size < 126:
        return 6 + size
    start = 8 if size == 126 else 14
    return start if len(rest) < start else start + int.from_bytes(rest[2 : start - 4], "big")


def _checked_close(payload: bytes) -> bytes:
    """Section 5.5.1 and 7.4: no code, or one that may be sent, and a reason in UTF-8."""
    if not payload:
        return payload
    code = int.from_bytes(payload[:2], "big")
    known = code in {1000, 1001, 1002, 1003} or 1007 <= code <= 1014 or 3000 <= code <= 4999
    if len(payload) == 1 or not known:
        raise Violation(errors.CLOSE_PROTOCOL_ERROR, "no code that may be sent")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(errors.CLOSE_INVALID_UTF8, "the reason is not UTF-8") from None
    return payload
