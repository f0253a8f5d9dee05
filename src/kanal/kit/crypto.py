"""Secrets: a key ring for data at rest, tokens that are stored only as hashes, signatures compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

TOKEN_BYTES = 32  # 256 bits: guessing is hopeless, so a plain SHA-256 of it is a safe thing to store
MINIMUM_KEY_LENGTH = 32


class WrongKeyError(Exception):
    """The text was sealed under a key that this ring does not hold, or was changed since."""


class KeyRing:
    """Several secret keys, newest first: the first seals, all of them open.

    Keys are arbitrary strings of at least 32 characters; independent keys for each purpose are derived from them, so
    that a signature key never doubles as an encryption key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("a key ring needs at least one key")
        for key in keys:
            if len(key) < MINIMUM_KEY_LENGTH:
                raise ValueError(f"a secret key needs at least {MINIMUM_KEY_LENGTH} characters")
        self._keys = tuple(keys)
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(derive(k, "seal"))) for k in keys])

    def seal(self, text: str) -> str:
        """Authenticated encryption (Fernet) under the newest key."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises `WrongKeyError`."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise WrongKeyError from error

    def sign(self, purpose: str, text: str) -> str:
        """Hex HMAC-SHA256 under the newest key, bound to a purpose."""
        return sign(derive(self._keys[0], purpose), text)

    def verify(self, purpose: str, text: str, signature: str) -> bool:
        """True when any key of the ring made this signature; constant time per key."""
        return any(equal(sign(derive(k, purpose), text), signature) for k in self._keys)

    def secret(self, purpose: str) -> str:
        """A stable derived secret (hex) for one purpose, under the oldest key so that rotation does not change it."""
        return derive(self._keys[-1], purpose).hex()


def derive(key: str, purpose: str) -> bytes:
    return hmac.digest(key.encode(), b"kanal/" + purpose.encode(), "sha256")


def sign(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def new_token(prefix: str = "") -> str:
    """URL-safe, 43 characters after the prefix."""
    return prefix + secrets.token_urlsafe(TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What is stored of a token: 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def equal(one: str, other: str) -> bool:
    """Constant-time comparison of any two strings, as they may come in a header."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
