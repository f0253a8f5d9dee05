"""Everything on the port that is neither a socket nor a call: uvicorn's HTTP, with two limits that it does not have."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kanal.realtime.waiting import Waiting

MAX_HEAD = 64 * 1024  # bytes, beyond what any browser or proxy sends
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class PlainHttp(HttpToolsProtocol):
    """uvicorn would wait for the end of a head for ever, and keep one of any size."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop | None,
        waiting: Waiting,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self._waiting = waiting
        self._head_size: int | None = None
        """While a head is coming in."""
        self._in_body = False

    def data_received(self, data: bytes) -> None:
        if not self._in_body and self._head_size is None:
            self._head_size = 0
            self._waiting.add(self)
        super().data_received(data)
        if self._head_size is not None:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD and not self.transport.is_closing():
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._head_is_over()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def give_up(self) -> None:
        """The head has taken too long. One that came while its predecessor is being answered has time until then."""
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]  # None before the first
            self._head_is_over()
            self.transport.close()
        else:
            self._waiting.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_over()
        super().connection_lost(exc)

    def _head_is_over(self) -> None:
        self._head_size = None
        self._waiting.discard(self)
