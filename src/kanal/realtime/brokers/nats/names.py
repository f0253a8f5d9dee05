"""How subjects and streams are called. A topic becomes one token of a subject, by base64: dots and blanks mean something."""

from __future__ import annotations

import base64
import re

_PREFIX = re.compile(r"[A-Za-z0-9_-]+")


def token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def text_of(token: str) -> str:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


class Names:
    """``{prefix}.topic.{topic}.{kind}`` is what nodes hear; the rest lies in streams.

    Kinds: ``event``, ``log`` (events with a position) and ``roster`` (announcements), the last two republished by streams.
    """

    def __init__(self, prefix: str) -> None:
        """Raises ``ValueError``."""
        if not _PREFIX.fullmatch(prefix):
            raise ValueError("on NATS the prefix is made of letters, digits, - and _")
        self.prefix = prefix
        self.state = f"{prefix}_state"
        self.alive = f"{prefix}_alive"
        self.last = f"{prefix}_last"

    def topic(self, topic: str) -> bytes:
        """All that is heard of a topic."""
        return f"{self.prefix}.topic.{token(topic)}.*".encode()

    def event(self, topic: str) -> bytes:
        return f"{self.prefix}.topic.{token(topic)}.event".encode()

    def roster(self, topic: str) -> str:
        return f"{self.prefix}.roster.{token(topic)}"

    def retained(self, topic: str) -> str:
        return f"{self.prefix}.last.{token(topic)}"

    def census(self, app_id: str, name: str) -> str:
        return f"{self.prefix}.census.{token(app_id)}.{token(name)}"

    def log_stream(self, events: int, seconds: float) -> str:
        """One for each length and age that apps ask for; JetStream limits whole streams."""
        return f"{self.prefix}_log_{events}_{int(seconds * 1000)}"

    def log(self, stream: str, topic: str) -> str:
        return f"{self.prefix}.log.{stream}.{token(topic)}"

    def member(self, node: str) -> str:
        """A node's own entry."""
        return f"{self.prefix}.member.{token(node)}"

    def heartbeat(self, node: str) -> str:
        return f"{self.prefix}.alive.{token(node)}"

    def held(self, node: str, *what: str) -> str:
        """That a node stands in something: ``r`` and a topic, or ``c``, an app's id and a name."""
        return ".".join([self.prefix, "held", token(node), *(token(each) for each in what)])
