"""What can go wrong on a connection; every error knows its wire code.

pusher-js reads the code of a *close frame*: 4000-4099 stop for good, 4100-4199 come back after a second, 4200-4299 come
back at once, 4300 and above stop for good, below 4000 come back after a second. The code inside ``pusher:error`` is
information; it is null where Pusher documents none.
"""

from __future__ import annotations


class PusherError(Exception):
    """Reported by ``pusher:error``; the connection stays."""

    code: int | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MalformedMessage(PusherError):
    pass


class UnknownEvent(PusherError):
    pass


class InvalidChannelName(PusherError):
    def __init__(self, channel: str) -> None:
        super().__init__(f"Invalid channel name: {channel[:200]!r}")


class AlreadySubscribed(PusherError):
    def __init__(self, channel: str) -> None:
        super().__init__(f"Existing subscription to channel {channel}")


class ClientEventRefused(PusherError):
    code = 4301


class SignInRefused(PusherError):
    """There is no event of its own for it: pusher-js hears of a failed sign-in by ``pusher:error`` alone."""

    code = 4009


class WatchlistTooLong(PusherError):
    """The sign-in holds, without a watchlist."""

    code = 4302


class SubscriptionRefused(PusherError):
    """Also told on the channel itself by ``pusher:subscription_error``, which is where applications listen."""

    type: str = "AuthError"
    status: int = 401


class Unauthorized(SubscriptionRefused):
    code = 4009


class Revoked(SubscriptionRefused):
    code = 4009
    status = 403


class InvalidChannelData(SubscriptionRefused):
    type = "InvalidChannelData"
    status = 400


class LimitReached(SubscriptionRefused):
    type = "LimitReached"
    status = 403


class Unavailable(SubscriptionRefused):
    type = "Unavailable"
    status = 503


class ConnectionClosed(PusherError):
    """Ends the connection: ``pusher:error``, then a close frame with the same code."""

    code: int = 4000


class AppNotFound(ConnectionClosed):
    code = 4001

    def __init__(self, key: str) -> None:
        super().__init__(f"App key {key[:64]} does not exist")


class AppDisabled(ConnectionClosed):
    code = 4003


class OverQuota(ConnectionClosed):
    code = 4004


class PathNotFound(ConnectionClosed):
    code = 4005


class InvalidVersion(ConnectionClosed):
    code = 4006


class UnsupportedVersion(ConnectionClosed):
    code = 4007


class NoVersion(ConnectionClosed):
    code = 4008


class OriginRefused(ConnectionClosed):
    code = 4009


class Terminated(ConnectionClosed):
    """The app asked for it and chose the code; 4009 makes pusher-js stop for good."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class OverCapacity(ConnectionClosed):
    """Too many connections on this node, or a reader too slow for what it subscribed to."""

    code = 4100


class Reconnect(ConnectionClosed):
    """The node is going away."""

    code = 4200


class NoPong(ConnectionClosed):
    code = 4201


class Inactive(ConnectionClosed):
    code = 4202


CLOSE_INVALID_UTF8 = 1007
CLOSE_UNSUPPORTED_DATA = 1003
CLOSE_TOO_BIG = 1009
CLOSE_PROTOCOL_ERROR = 1002
CLOSE_NORMAL = 1000
CLOSE_LOST = 1006  # never sent: there was no close frame
