"""Channel and event names, and what a channel's prefix means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from kanal.realtime.protocol.errors import InvalidChannelName

MAX_CHANNEL_NAME = 200  # Pusher documents 164; official clients send what they are given, so we accept more
MAX_EVENT_NAME = 200
CLIENT_EVENT_PREFIX = "client-"

_CHANNEL_NAME = re.compile(r"[-a-zA-Z0-9_=@,.;]+")


class Kind(Enum):
    PUBLIC = "public"
    PRIVATE = "private"
    ENCRYPTED = "private-encrypted"
    PRESENCE = "presence"


_PREFIXES = (  # the longest first: private-encrypted-cache- is also private-encrypted- and private-
    ("private-encrypted-cache-", Kind.ENCRYPTED, True),
    ("private-encrypted-", Kind.ENCRYPTED, False),
    ("private-cache-", Kind.PRIVATE, True),
    ("private-", Kind.PRIVATE, False),
    ("presence-cache-", Kind.PRESENCE, True),
    ("presence-", Kind.PRESENCE, False),
    ("cache-", Kind.PUBLIC, True),
)


@dataclass(frozen=True, slots=True)
class ChannelName:
    text: str
    kind: Kind
    cached: bool
    """The channel keeps its last server event for those who subscribe later."""

    @property
    def needs_auth(self) -> bool:
        return self.kind is not Kind.PUBLIC

    @property
    def is_presence(self) -> bool:
        return self.kind is Kind.PRESENCE

    @property
    def allows_client_events(self) -> bool:
        """Encrypted channels refuse them: the server could not tell plaintext from ciphertext, and pusher-js throws."""
        return self.kind in {Kind.PRIVATE, Kind.PRESENCE}


def parse_channel_name(text: str) -> ChannelName:
    """Raises ``InvalidChannelName``. A leading ``#`` is reserved for server-to-user channels and is refused too."""
    if len(text) > MAX_CHANNEL_NAME or not _CHANNEL_NAME.fullmatch(text):
        raise InvalidChannelName(text)
    for prefix, kind, cached in _PREFIXES:
        if text.startswith(prefix):
            return ChannelName(text, kind, cached)
    return ChannelName(text, Kind.PUBLIC, cached=False)
