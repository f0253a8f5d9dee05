"""How keys and channels are called. Braces are hash tags: they decide on which server of a cluster something lives."""

from __future__ import annotations


def milliseconds(seconds: float) -> int:
    """At least one, for Redis knows no shorter time."""
    return max(1, int(seconds * 1000))


class Names:
    def __init__(self, prefix: str) -> None:
        """Raises ``ValueError``."""
        if "{" in prefix or "}" in prefix:
            raise ValueError("the prefix contains braces, which would tie all topics to one server of a cluster")
        self._prefix = prefix.encode()
        self._channel = b"%b:topic:{%%b}" % self._prefix
        self.nodes = b"%b:nodes" % self._prefix

    def channel(self, topic: str) -> bytes:
        return self._channel % topic.encode()

    def last(self, topic: str) -> bytes:
        return b"%b:last:{%b}" % (self._prefix, topic.encode())

    def roster(self, topic: str) -> bytes:
        return b"%b:roster:{%b}" % (self._prefix, topic.encode())

    def log(self, topic: str) -> tuple[bytes, bytes]:
        """Head and events."""
        tag = topic.encode()
        return b"%b:log:{%b}" % (self._prefix, tag), b"%b:events:{%b}" % (self._prefix, tag)

    def census(self, app_id: str, node: str) -> tuple[bytes, bytes]:
        """All names of an app, and those that a node holds."""
        key = b"%b:census:{%b}" % (self._prefix, app_id.encode())
        return key, b"%b:%b" % (key, node.encode())

    def index(self, node: str) -> bytes:
        """What a node stands in."""
        return b"%b:node:%b" % (self._prefix, node.encode())
