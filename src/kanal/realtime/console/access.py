"""The console token: one secret for whoever runs this server. There are no accounts here.

Programs send it as a bearer token. A browser trades it for a cookie that no script can read and that says only until when
it is good, signed with the token: every node that has the same token accepts it, and a new token ends it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from kanal.realtime.console import errors

COOKIE = "kanal_console"
LIFETIME = 12 * 3600  # seconds a browser stays signed in
FAILURES = 10  # wrong tokens from one address in a ``PERIOD``, after which its tokens are not looked at
PERIOD = 60.0  # seconds
_REMEMBERED = 10_000  # addresses


class Failures:
    """Wrong tokens by address, each address with a window that begins with its first one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises ``console.throttled``."""
        since, count = self._known.get(address, (0.0, 0))
        left = since + PERIOD - self._clock()
        if count >= FAILURES and left > 0:
            raise errors.throttled(max(1, round(left)))

    def add(self, address: str) -> None:
        now = self._clock()
        since, count = self._known.pop(address, (now, 0))
        self._known[address] = (since, count + 1) if now - since < PERIOD else (now, 1)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


class Access:
    def __init__(self, token: str, *, now: Callable[[], float] = time.time) -> None:
        self._token = token.encode()
        self._now = now
        self._failures = Failures()

    def holds(self, token: str, address: str) -> bool:
        """Whether this is the token; takes as long for any other. Raises ``console.throttled``."""
        self._failures.check(address)
        # Of equal length, so that the time says nothing about it.
        given, wanted = hashlib.sha256(token.encode(errors="replace")), hashlib.sha256(self._token)
        if hmac.compare_digest(given.digest(), wanted.digest()):
            return True
        self._failures.add(address)
        return False

    def sign_in(self) -> str:
        """A cookie's value."""
        until = str(int(self._now()) + LIFETIME)
        return f"{until}.{self._sign(until)}"

    def is_signed_in(self, cookie: str) -> bool:
        until, _, signature = cookie.partition(".")
        if not until.isascii() or not until.isdigit():
            return False
        fits = hmac.compare_digest(self._sign(until).encode(), signature.encode(errors="replace"))
        return fits and int(until) > self._now()

    def _sign(self, until: str) -> str:
        return hmac.new(self._token, b"console until " + until.encode(), hashlib.sha256).hexdigest()
