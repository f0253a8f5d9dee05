"""Channel and event names, and what a channel's prefix means."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from enum import Enum

from kanal.realtime.protocol.errors import InvalidChannelName

MAX_CHANNEL_NAME = 200  # Pusher documents 164; official clients send what they are given, so we accept more
MAX_EVENT_NAME = 200
CLIENT_EVENT_PREFIX = "client-"
USER_PREFIX = "#server-to-user-"

_CHANNEL_NAME = re.compile(r"[-a-zA-Z0-9_=@,.;]+")


class Kind(Enum):
    PUBLIC = "public"
    PRIVATE = "private"
    ENCRYPTED = "private-encrypted"
    PRESENCE = "presence"
    USER = "#server-to-user"
    """Joined by one signed-in user; the only names that may begin with ``#``."""


_PREFIXES = (  # the longest first: private-encrypted-cache- is also private-encrypted- and private-
    ("private-encrypted-cache-", Kind.ENCRYPTED, True),
    ("private-encrypted-", Kind.ENCRYPTED, False),
    ("private-cache-", Kind.PRIVATE, True),
    ("private-", Kind.PRIVATE, False),
    ("presence-cache-", Kind.PRESENCE, True),
    ("presence-", Kind.PRESENCE, False),
    ("cache-", Kind.PUBLIC, True),
)


# Looking up a member on its class is a Python call, and these are asked for with every message.
_PUBLIC, _PRIVATE, _PRESENCE, _USER = Kind.PUBLIC, Kind.PRIVATE, Kind.PRESENCE, Kind.USER


@dataclass(frozen=True, slots=True)
class ChannelName:
    text: str
    kind: Kind
    cached: bool
    """The channel keeps its last server event for those who subscribe later."""

    @property
    def needs_auth(self) -> bool:
        """A signature, that is."""
        return self.kind is not _PUBLIC and self.kind is not _USER

    @property
    def user_id(self) -> str | None:
        """Whose server-to-user channel it is."""
        return self.text.removeprefix(USER_PREFIX) if self.kind is Kind.USER else None

    @property
    def is_presence(self) -> bool:
        return self.kind is _PRESENCE

    @property
    def allows_client_events(self) -> bool:
        """Encrypted channels refuse them: the server could not tell plaintext from ciphertext, and pusher-js throws."""
        return self.kind is _PRIVATE or self.kind is _PRESENCE


def user_channel(user_id: str) -> str:
    return USER_PREFIX + user_id


@functools.lru_cache(maxsize=4_096)  # subscribers of one channel share its name
def parse_channel_name(text: str) -> ChannelName:
    """Raises ``InvalidChannelName``. What follows ``#server-to-user-`` is a user id, in which more is allowed than in names."""
    if len(text) > MAX_CHANNEL_NAME:
        raise InvalidChannelName(text)
    if text.startswith(USER_PREFIX) and len(text) > len(USER_PREFIX) and text.isprintable():
        return ChannelName(text, Kind.USER, cached=False)
    if not _CHANNEL_NAME.fullmatch(text):
        raise InvalidChannelName(text)
    for prefix, kind, cached in _PREFIXES:
        if text.startswith(prefix):
            return ChannelName(text, kind, cached)
    return ChannelName(text, Kind.PUBLIC, cached=False)
