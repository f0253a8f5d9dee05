"""Whether a call was made by somebody who knows the app's secret.

The signature is HMAC-SHA256, in hex, of ``METHOD\\npath\\nparameters``: all query parameters but ``auth_signature``, keys in
lower case, sorted, ``key=value`` joined by ``&``, nothing escaped. It covers the body by ``body_md5``, so it can be checked
before the body is there.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import unquote, unquote_plus

from kanal.realtime.api.answers import Refused

TOLERANCE = 600  # seconds that a call's clock may differ from ours, Pusher's documented limit
MAX_PARAMETERS = 64

Parameters = dict[str, str]

# What official SDKs send with most calls, in their order: the signature sorted in among the others, or at the end.
_ORDINARY = re.compile(
    rb"auth_key=([^&%+]*)(?:&auth_signature=([0-9a-f]{64}))?&auth_timestamp=([0-9]{1,12})&auth_version=1\.0"
    rb"(?:&body_md5=([0-9a-f]{32}))?(?:&auth_signature=([0-9a-f]{64}))?"
)
_BLOCK = 64  # bytes, of SHA-256
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Signer:
    """An app's credentials: HMAC-SHA256 (RFC 2104) with the secret's part done once, which is most of it for short texts."""

    __slots__ = ("_inner", "_outer", "key", "key_bytes", "secret")

    def __init__(self, app_key: str, secret: str) -> None:
        self.key = app_key
        self.key_bytes = app_key.encode()
        self.secret = secret
        key = secret.encode()
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        key = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(key.translate(_INNER))
        self._outer = hashlib.sha256(key.translate(_OUTER))

    def sign(self, text: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.hexdigest()


def parse_query(query: str) -> Parameters:
    """By key in lower case. Raises ``Refused``: what is given twice would be checked in one form and used in the other."""
    escaped = "%" in query or "+" in query
    parameters: Parameters = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if escaped:
            name, value = unquote(name), unquote_plus(value)
        key = name.lower()
        if key in parameters:
            raise Refused(400, f"The parameter {key[:50]} is given twice")
        if key:
            parameters[key] = value
    if len(parameters) > MAX_PARAMETERS:
        raise Refused(400, "There are too many parameters")
    return parameters


def text_to_sign(method: str, path: str, parameters: Mapping[str, str]) -> str:
    keys = [key for key in sorted(parameters) if key != "auth_signature"]
    return f"{method}\n{path}\n" + "&".join([f"{key}={parameters[key]}" for key in keys])


def check(signer: Signer, method: str, path: str, parameters: Mapping[str, str], now: float) -> None:
    """Raises ``Refused`` with 401. ``path`` is as sent; ``now`` is in seconds of the epoch."""
    given = parameters.get("auth_signature", "")
    if not given:
        raise Refused(401, "The call is not signed: auth_signature is missing")
    if parameters.get("auth_key") != signer.key:
        raise Refused(401, "auth_key is not the key of this app")
    if parameters.get("auth_version") != "1.0":
        raise Refused(401, "auth_version must be 1.0")
    timestamp = parameters.get("auth_timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise Refused(401, "auth_timestamp must be the time in seconds")
    if abs(now - int(timestamp)) > TOLERANCE:
        raise Refused(401, f"auth_timestamp differs by more than {TOLERANCE} s from this server's time, {int(now)}")
    if not _signed(signer, given, text_to_sign(method, path, parameters)) and (
        # Some SDKs sign the path before their HTTP library escapes it, some after.
        "%" not in path or not _signed(signer, given, text_to_sign(method, unquote(path), parameters))
    ):
        raise Refused(401, "auth_signature does not fit the call")


def _signed(signer: Signer, given: str, text: str) -> bool:
    # Characters beyond ASCII are no hex digits; a lone surrogate, which no request can contain, is as wrong as any other.
    return given.isascii() and hmac.compare_digest(signer.sign(text.encode(errors="replace")), given)


def check_ordinary(signer: Signer, beginning: bytes, query: bytes, now: float) -> Parameters | None:
    """Of an ordinary query that is rightly signed, the parameters a call needs beyond ``check``; ``None`` for any other.

    The same as ``parse_query`` and ``check`` together, at a third of the cost; what it does not accept they judge and
    word. ``beginning`` is ``METHOD\\npath\\n``.
    """
    match = _ORDINARY.fullmatch(query)
    if match is None:
        return None
    key, within, timestamp, body_md5, last = match.groups()
    if within is None and last is not None:
        given, signed = last, query[: match.start(5) - 16]
    elif within is not None and last is None:
        given, signed = within, query[: match.start(2) - 16] + query[match.end(2) :]
    else:
        return None
    in_time = key == signer.key_bytes and -TOLERANCE <= now - int(timestamp) <= TOLERANCE
    if not in_time or not hmac.compare_digest(signer.sign(beginning + signed).encode(), given):
        return None
    return {} if body_md5 is None else {"body_md5": body_md5.decode()}


def check_body(parameters: Mapping[str, str], body: bytes) -> None:
    """Raises ``Refused`` with 401. Some SDKs send ``body_md5`` for the empty body as well."""
    given = parameters.get("body_md5")
    if given is None:
        if body:
            raise Refused(401, "body_md5 is missing")
    elif given != hashlib.md5(body, usedforsecurity=False).hexdigest():  # no secret: whoever calls knows the body
        raise Refused(401, "body_md5 does not fit the body")
