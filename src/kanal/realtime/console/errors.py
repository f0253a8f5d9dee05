"""What can go wrong when the console is asked."""

from __future__ import annotations

from kanal.kit.errors import KanalError, Kind, rate_limited

SOON = 5  # seconds; when somebody may have stopped following a channel


def app_not_found() -> KanalError:
    return KanalError("console.app_not_found", Kind.NOT_FOUND)


def channel_invalid() -> KanalError:
    return KanalError("console.channel_invalid", Kind.INVALID, fields={"channel": "console.channel_invalid"})


def too_many_tails() -> KanalError:
    return rate_limited("console.too_many_tails", SOON)


def throttled(seconds: int) -> KanalError:
    """Too many wrong tokens came from there; this is when the next one is looked at."""
    return rate_limited("console.throttled", seconds)


def unauthorized() -> KanalError:
    return KanalError("console.unauthorized", Kind.UNAUTHENTICATED)


def wrong_token() -> KanalError:
    return KanalError("console.wrong_token", Kind.UNPROCESSABLE, fields={"token": "console.wrong_token"})
