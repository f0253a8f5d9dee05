"""What a webhook's body says: Pusher's documented events, and what signs for them.

``channel_*`` and ``member_*`` carry ``time_ms`` as well, Kanal's addition: the time of the change. What two nodes have to say of one
channel may arrive in any order; who keeps the newest by it is right. It is a string, because Pusher's .NET library reads
events as dictionaries of strings.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

_encode = msgspec.json.encode


def channel_event(name: str, channel: str, at: int) -> bytes:
    """``channel_occupied`` or ``channel_vacated``; ``at`` in milliseconds."""
    return b'{"name":"%b","channel":%b,"time_ms":"%d"}' % (name.encode(), _encode(channel), at)


def member_event(name: str, channel: str, user_id: str, at: int) -> bytes:
    """``member_added`` or ``member_removed``; ``at`` in milliseconds."""
    return b'{"name":"%b","channel":%b,"user_id":%b,"time_ms":"%d"}' % (
        name.encode(),
        _encode(channel),
        _encode(user_id),
        at,
    )


def client_event(channel: str, event: str, data: bytes, socket_id: str, user_id: str | None) -> bytes:
    """``data`` is a JSON string token."""
    text = b'{"name":"client_event","channel":%b,"event":%b,"data":%b,"socket_id":"%b"' % (
        _encode(channel),
        _encode(event),
        data,
        socket_id.encode(),
    )
    return text + (b"}" if user_id is None else b',"user_id":%b}' % _encode(user_id))


def cache_miss(channel: str) -> bytes:
    return b'{"name":"cache_miss","channel":%b}' % _encode(channel)


def subscription_count(channel: str, count: int) -> bytes:
    return b'{"name":"subscription_count","channel":%b,"subscription_count":%d}' % (_encode(channel), count)


def body(events: Sequence[bytes], at: int) -> bytes:
    return b'{"time_ms":%d,"events":[%b]}' % (at, b",".join(events))


def signature_headers(key: str, secret: str, content: bytes) -> bytes:
    """Whole header lines. The signature is of the body as it is sent, byte for byte."""
    signature = hmac.digest(secret.encode(), content, hashlib.sha256).hex()
    return b"X-Pusher-Key: %b\r\nX-Pusher-Signature: %b\r\n" % (key.encode(), signature.encode())
