"""Answers as they go over the wire."""

from __future__ import annotations

from collections.abc import Sequence

from uvicorn.server import ServerState

from kanal.realtime.api.answers import DELIVERY_HEADER, EMPTY, Answer

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


def extra_headers(answer: Answer) -> list[tuple[str, str]]:
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    if answer.local_only:
        headers.append((DELIVERY_HEADER, "local"))
    return headers


class Renderer:
    """The most frequent answer is put together once a second, when the date changes."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._seen: Sequence[tuple[bytes, bytes]] | None = None
        self._common = b""
        self._empty = b""

    def render(self, answer: Answer, *, close: bool) -> bytes:
        if self._state.default_headers is not self._seen:
            self._seen = self._state.default_headers
            self._common = b"".join([b"%b: %b\r\n" % header for header in self._seen])
            self._empty = self._whole(EMPTY, close=False)
        if answer is EMPTY and not close:
            return self._empty
        return self._whole(answer, close=close)

    def _whole(self, answer: Answer, *, close: bool) -> bytes:
        headers = [*extra_headers(answer), ("content-length", str(len(answer.body)))]
        if close:
            headers.append(("connection", "close"))
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers])
        first = f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\n"
        return b"%b%b%b\r\n%b" % (first.encode(), self._common, lines.encode(), answer.body)
