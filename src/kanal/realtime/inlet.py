"""What the broker tells a node, passed to whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from kanal.realtime.apps import AppSource
from kanal.realtime.brokers.base import RosterChange
from kanal.realtime.envelope import CONTROL_TOPIC
from kanal.realtime.exchange import Exchange
from kanal.realtime.observers import Observer
from kanal.realtime.orders import Orders
from kanal.realtime.presence import Attendance
from kanal.realtime.publisher import Delivery
from kanal.realtime.reconcile import Reconciler

NODE_GONE = "node-gone"  # the order that says which node has ended


class Owner(Protocol):
    """The hub, as the inlet sees it."""

    apps: AppSource
    observers: list[Observer]
    orders: Orders
    rosters: dict[str, Attendance]

    async def order(self, tag: str, payload: bytes) -> Delivery: ...

    def spawn(self, task: asyncio.Task[None]) -> None: ...


class Inlet:
    """Implements ``brokers.base.Sink``."""

    def __init__(self, owner: Owner, exchange: Exchange, reconciler: Reconciler) -> None:
        self._owner = owner
        self._exchange = exchange
        self._reconciler = reconciler

    def deliver(self, topic: str, payload: bytes, position: str | None) -> None:
        if topic == CONTROL_TOPIC:
            self._owner.orders.obey(payload)
        else:
            self._exchange.deliver(topic, payload, position)

    def roster_changed(self, topic: str, change: RosterChange) -> None:
        attendance = self._owner.rosters.get(topic)
        if attendance is not None:
            attendance.changed(change)

    def restored(self) -> None:
        self._reconciler.restored()
        self._exchange.restored()
        for observer in self._owner.observers:
            observer.broker_restored()

    def lost(self) -> None:
        self._reconciler.lost()
        for observer in self._owner.observers:
            observer.broker_lost()

    def node_gone(self, node: str) -> None:
        """The others are told: each knows something of what that node had."""
        self._owner.spawn(asyncio.get_running_loop().create_task(self._pass_on(node)))

    async def _pass_on(self, node: str) -> None:
        await self._owner.order(NODE_GONE, node.encode())

    def census_left(self, app_id: str, names: Sequence[str]) -> None:
        app = self._owner.apps.by_id(app_id)
        if app is not None and app.webhooks:
            for observer in self._owner.observers:
                observer.census_left(app, names)
