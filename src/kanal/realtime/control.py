"""Scopes: labels on connections by which the app closes them or takes a channel away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from kanal.realtime.connections import Connection
from kanal.realtime.envelope import Control, Revoke, Terminate, decode_control, encode_control
from kanal.realtime.protocol import errors
from kanal.realtime.protocol.effects import Effect, Leave
from kanal.realtime.revocations import EVERY_CHANNEL, Revocations

MAX_SCOPES = 256  # per connection, over all its grants; a connection that collects more is not one person's


def terminate(app_id: str, scope: str, code: int, message: str) -> bytes:
    """An order of now to close connections."""
    return encode_control(Terminate(app_id, scope, code, message, _milliseconds()))


def revoke(app_id: str, channel: str, scope: str) -> bytes:
    """An order of now to take a channel away."""
    return encode_control(Revoke(app_id, channel, scope, _milliseconds()))


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


class Scopes:
    def __init__(self, apply: Callable[[Connection, Sequence[Effect]], None]) -> None:
        self._apply = apply
        self._connections: dict[tuple[str, str], set[Connection]] = {}
        self._revocations = Revocations()

    def add(self, connection: Connection, scopes: Iterable[str]) -> None:
        for scope in scopes:
            if scope not in connection.scopes and len(connection.scopes) < MAX_SCOPES:
                connection.scopes.add(scope)
                self._connections.setdefault((connection.app.id, scope), set()).add(connection)

    def remove(self, connection: Connection) -> None:
        for scope in connection.scopes:
            key = (connection.app.id, scope)
            having = self._connections.get(key)
            if having is not None:
                having.discard(connection)
                if not having:
                    del self._connections[key]
        connection.scopes.clear()

    def blocks(self, app_id: str, channel: str, scopes: Iterable[str], issued_at: int | None) -> bool:
        return self._revocations.blocks(app_id, channel, scopes, issued_at)

    def obey(self, payload: bytes) -> None:
        """Carries out an order from this node or another on the connections here."""
        order = decode_control(payload)
        if isinstance(order, Terminate):
            self._revocations.add(order.app_id, EVERY_CHANNEL, order.scope, order.at)
            failure = errors.Terminated(order.code, order.message)
            for connection in self._having(order):
                self._apply(connection, connection.machine.fail(failure))
            return
        self._revocations.add(order.app_id, order.channel, order.scope, order.at)
        refusal = errors.Revoked("Connection is unauthorized: access was taken back")
        for connection in self._having(order):
            subscription = connection.machine.subscriptions.get(order.channel)
            if subscription is not None:
                effects = connection.machine.refuse(order.channel, refusal)
                # What was published before is written when it leaves, and must not come after the refusal.
                self._apply(connection, (Leave(subscription.channel, subscription.member), *effects))

    def _having(self, order: Control) -> list[Connection]:
        return list(self._connections.get((order.app_id, order.scope), ()))
