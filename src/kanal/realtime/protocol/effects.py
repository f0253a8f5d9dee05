"""What the machine asks of whoever carries it."""

from __future__ import annotations

from dataclasses import dataclass

from kanal.realtime.protocol.errors import WatchlistTooLong
from kanal.realtime.protocol.names import ChannelName


@dataclass(frozen=True, slots=True)
class Send:
    """Send this text message to the client."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a WebSocket ping; every compliant client library answers it by itself."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send a close frame and end the connection. The machine accepts nothing more."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Member:
    """Who a subscription belongs to, from signed channel data."""

    user_id: str
    info: bytes
    """JSON."""


@dataclass(frozen=True, slots=True)
class User:
    """Who a connection belongs to, from signed user data."""

    user_id: str
    info: bytes
    """JSON."""
    watchlist: tuple[str, ...]
    """Users whose being online it wants to know."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The connection says it belongs to this user: call ``signed_in`` (or ``refuse_sign_in``) and send what it returns."""

    user: User
    user_data: str
    """As it was signed; the client gets it back."""
    scopes: tuple[str, ...]
    issued_at: int | None
    complaint: WatchlistTooLong | None = None
    """Told after the success."""


@dataclass(frozen=True, slots=True)
class Recover:
    """The client follows positions, and is at ``after`` unless it begins."""

    after: str | None


@dataclass(frozen=True, slots=True)
class Join:
    """Bring the connection into the channel, then call ``joined`` (or ``refuse``) and send what it returns."""

    channel: ChannelName
    member: Member | None
    scopes: tuple[str, ...]
    issued_at: int | None
    """When the grant was signed, milliseconds; ``None`` when the signer does not say."""


@dataclass(frozen=True, slots=True)
class Leave:
    channel: ChannelName
    member: Member | None


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Deliver this client event to every other subscriber of the channel, on every node."""

    channel: str
    text: bytes


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """What the broadcast before this carries, for those who look on."""

    channel: str
    event: str
    data: bytes
    """A JSON string token."""
    user_id: str | None


Effect = Send | Ping | Close | SignIn | Join | Leave | Broadcast | ClientEvent
