"""What the rest of Kanal uses of the real-time server: publish, terminate, revoke."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec


# A struct, for there is one for each event: making a frozen dataclass costs ten times as much.
class Publication(msgspec.Struct, frozen=True):
    """One event for one channel.

    ``data`` is the text that subscribers parse, normally JSON (``'{"id":1}'``); on the wire it becomes a JSON string,
    as protocol 7 demands. ``except_socket`` is the socket id of the connection that caused the event, if any.
    """

    app_id: str
    channel: str
    event: str
    data: bytes | str
    except_socket: str | None = None


class Delivery(StrEnum):
    """How far a publication, termination or revocation got.

    ``LOCAL_ONLY``: the sockets of this node have it, the broker could not be reached. Whoever must reach every node
    (the event relay) publishes again later; clients apply events idempotently.
    """

    CLUSTER = "cluster"
    LOCAL_ONLY = "local_only"


class Publisher(Protocol):
    async def publish(self, publications: Sequence[Publication]) -> Delivery:
        """Fans out to local sockets before it first awaits, then to the other nodes. Never raises for a lost broker."""

    async def terminate(
        self, app_id: str, scope: str, code: int = 4009, message: str = "You got disconnected by the app."
    ) -> Delivery:
        """Closes, on all nodes, every connection that carries ``scope``.

        Grants signed before this call and carrying the scope are no longer accepted. The default code makes pusher-js
        stop for good.
        """

    async def revoke(self, app_id: str, channel: str, scope: str) -> Delivery:
        """Unsubscribes, on all nodes, the connections that carry ``scope`` from one channel; they stay connected.

        Their clients receive ``pusher:subscription_error`` on the channel with ``{"type":"AuthError","status":403}``.
        Grants for this channel signed before this call and carrying the scope are no longer accepted.
        """
