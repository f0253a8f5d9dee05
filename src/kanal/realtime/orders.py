"""Orders: messages of a node to all nodes, itself included."""

from __future__ import annotations

from collections.abc import Callable

import structlog

Handler = Callable[[bytes], None]

log = structlog.get_logger(__name__)


class Orders:
    """Handlers by tag. An order is its tag, a line feed and a payload that only the handler understands."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, tag: str, handler: Handler) -> None:
        """Raises ``ValueError`` for a tag that is taken or has a line feed."""
        if tag in self._handlers or "\n" in tag:
            raise ValueError(f"order {tag!r} cannot be added")
        self._handlers[tag] = handler

    def seal(self, tag: str, payload: bytes) -> bytes:
        return b"%b\n%b" % (tag.encode(), payload)

    def obey(self, message: bytes) -> None:
        """What an older or newer node orders may be unknown here; it is noted and left."""
        tag, _, payload = message.partition(b"\n")
        handler = self._handlers.get(tag.decode(errors="replace"))
        if handler is None:
            log.warning("realtime.unknown_order", tag=tag[:40])
        else:
            handler(payload)
