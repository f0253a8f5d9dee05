"""Signatures: ``key:hex(HMAC-SHA256(secret, text))``, compared in constant time."""

from __future__ import annotations

import base64
import hashlib
import hmac


def subscription_text(socket_id: str, channel: str, channel_data: str | None) -> str:
    """``channel_data`` is signed whenever it is sent, on private channels as on presence channels."""
    text = f"{socket_id}:{channel}"
    return text if channel_data is None else f"{text}:{channel_data}"


def sign(secret: str, text: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), hashlib.sha256).hex()


def sign_subscription(key: str, secret: str, socket_id: str, channel: str, channel_data: str | None = None) -> str:
    return f"{key}:{sign(secret, subscription_text(socket_id, channel, channel_data))}"


def sign_user(key: str, secret: str, socket_id: str, user_data: str) -> str:
    return f"{key}:{sign(secret, f'{socket_id}::user::{user_data}')}"


def same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def shared_secret(master_key: bytes, channel: str) -> str:
    """Base64 of SHA-256(channel, master key), as every official server SDK derives it, so that they interoperate."""
    return base64.b64encode(hashlib.sha256(channel.encode() + master_key).digest()).decode()
