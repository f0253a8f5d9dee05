"""Redis Cluster's 16,384 slots: which a key belongs to, and who serves them."""

from __future__ import annotations

import binascii
from typing import Any

from kanal.realtime.brokers.redis.address import Address

SLOTS = 16_384


def slot_of(key: bytes) -> int:
    """CRC16 (XMODEM) of what stands between the first ``{`` and the next ``}``, or of all of it."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return binascii.crc_hqx(key, 0) % SLOTS


def read_map(answer: list[Any], asked: Address) -> list[Address | None]:
    """The master of every slot, from ``CLUSTER SLOTS``. A server that does not know its own name leaves it empty."""
    owners: list[Address | None] = [None] * SLOTS
    for first, last, master, *_ in answer:
        host = (master[0] or b"").decode()
        owner = Address(asked.host if host in {"", "?"} else host, int(master[1]))
        owners[first : last + 1] = [owner] * (last + 1 - first)
    return owners


def redirection(text: str, asked: Address) -> Address:
    """Where ``MOVED 3999 host:port`` and ``ASK 3999 host:port`` point to. Raises ``ValueError``."""
    host, _, port = text.split()[2].rpartition(":")
    return Address(host or asked.host, int(port))
