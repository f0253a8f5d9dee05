"""The hub of one node: connections, channels and scopes, joined to the other nodes by a broker."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from kanal.realtime.apps import App, AppSource
from kanal.realtime.brokers.base import Broker, Message
from kanal.realtime.channels import Channel
from kanal.realtime.connections import Carrier, Connection
from kanal.realtime.control import Scopes, revoke, terminate
from kanal.realtime.endings import end
from kanal.realtime.envelope import CONTROL_TOPIC, topic_of
from kanal.realtime.exchange import Exchange
from kanal.realtime.fanout import FanOut
from kanal.realtime.inlet import NODE_GONE, Inlet
from kanal.realtime.observers import Observer
from kanal.realtime.orders import Orders
from kanal.realtime.presence import Attendance
from kanal.realtime.protocol import errors
from kanal.realtime.protocol.connection import Machine
from kanal.realtime.protocol.effects import Broadcast, ClientEvent, Close, Effect, Join, Leave, Ping, Send, SignIn
from kanal.realtime.publisher import Delivery, Publication
from kanal.realtime.reconcile import Reconciler
from kanal.realtime.revocations import EVERY_CHANNEL
from kanal.realtime.rounds import SWEEP_INTERVAL, spread, sweep
from kanal.realtime.stats import AppStats, HubStats, LocalChannel
from kanal.realtime.users import Users
from kanal.realtime.wire import text_frame

MAX_BUFFERED = 1024 * 1024  # bytes that may wait for a slow reader
SCOPES = "scopes"  # the order that closes connections or takes channels away

_HALVES = struct.Struct("II")

log = structlog.get_logger(__name__)


class Hub:
    """Implements ``publisher.Publisher``; a process without sockets uses it just as well.

    ``start`` before anything else, ``stop`` at the end. All methods belong to the event loop's thread.
    """

    def __init__(
        self,
        apps: AppSource,
        broker: Broker,
        *,
        max_connections: int | None = None,
        max_buffered: int = MAX_BUFFERED,
        sweep_interval: float = SWEEP_INTERVAL,
    ) -> None:
        self.apps = apps
        self.broker = broker
        self.fanout = FanOut()
        self.connections: dict[str, Connection] = {}
        self.channels: dict[str, Channel] = {}
        self.rosters: dict[str, Attendance] = {}
        self.observers: list[Observer] = []
        """Filled before ``start``."""
        self.orders = Orders()
        self.refused = 0
        self._max_connections = max_connections
        self._max_buffered = max_buffered
        self._sweep_interval = sweep_interval
        self._scopes = Scopes(self.apply)
        self._stats: defaultdict[str, AppStats] = defaultdict(AppStats)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reconciler = Reconciler(self)
        self._exchange = Exchange(self)
        self._users = Users(self)
        self._inlet = Inlet(self, self._exchange, self._reconciler)
        self.orders.add(SCOPES, self._scopes.obey)
        self.orders.add(NODE_GONE, self._reconciler.node_gone)

    async def start(self) -> None:
        self.apps.watch(self.app_changed)
        self.broker.subscribe(CONTROL_TOPIC)
        await self.broker.start(self._inlet)
        self.spawn(asyncio.create_task(sweep(self.connections, self._sweep_interval, self.apply)))

    async def stop(self) -> None:
        """Drops what is still connected; ``drain`` is the kind way to do that before."""
        for connection in list(self.connections.values()):
            self.fail(connection, errors.Reconnect("Server is going away"))
        self._reconciler.stop()
        await self.order(NODE_GONE, self.broker.node.encode())
        await self.broker.stop()
        await end(self._tasks)

    async def drain(self, window: float) -> None:
        """Tells every client to come back elsewhere (4200), evenly over ``window`` seconds, and waits for that.

        pusher-js returns at once and without jitter, so the spread is what keeps the other nodes from a storm.
        """
        await spread(list(self.connections.values()), window, self._send_away)

    def _send_away(self, connection: Connection) -> None:
        self.fail(connection, errors.Reconnect("Server is going away, please reconnect"))

    # For the rest of Kanal

    def publish(self, publications: Sequence[Publication]) -> Coroutine[Any, Any, Delivery]:
        return self._exchange.publish(
            publications
        )  # no coroutine around it: it would be a tenth of a small event's cost

    async def terminate(
        self, app_id: str, scope: str, code: int = 4009, message: str = "You got disconnected by the app."
    ) -> Delivery:
        return await self.order(SCOPES, terminate(app_id, scope, code, message))

    async def revoke(self, app_id: str, channel: str, scope: str) -> Delivery:
        return await self.order(SCOPES, revoke(app_id, channel, scope))

    async def order(self, tag: str, payload: bytes) -> Delivery:
        """Has the handler of ``orders`` with this tag run: here before the first await, then on every other node."""
        message = self.orders.seal(tag, payload)
        self.orders.obey(message)
        return await self._exchange.send([Message(CONTROL_TOPIC, message)])

    def listen(self, app_id: str, channel: str, callback: Callable[[bytes], None]) -> Callable[[], None]:
        """``callback`` gets the text of every event of the channel, also when nobody here is subscribed to it.

        Answers a function that ends it.
        """
        return self._exchange.listen(topic_of(app_id, channel), callback)

    def local(self, app_id: str, prefix: str = "") -> Mapping[str, LocalChannel]:
        """The channels of an app that have subscribers on this node, by name."""
        start = topic_of(app_id, prefix)
        return {
            channel.name.text: channel.figures()
            for topic, channel in self.channels.items()
            if topic.startswith(start) and channel.size
        }

    def app_changed(self, new: App | None, old: App) -> None:
        """Limits of a changed app apply at once; one that is gone or disabled loses its connections."""
        failure: errors.ConnectionClosed | None = None
        if new is None:
            failure = errors.AppNotFound(old.key)
        elif not new.enabled:
            failure = errors.AppDisabled("The app is disabled")
        for connection in list(self.connections.values()):
            if connection.app.id != old.id:
                continue
            if new is not None:
                connection.app = new
                connection.machine.app_changed(new)
            if failure is not None:
                self.fail(connection, failure)
        for channel in list(self.channels.values()):
            if new is not None and channel.app.id == old.id:
                channel.app_changed(new)

    def stats(self) -> HubStats:
        return HubStats(
            connections=len(self.connections),
            channels=len(self.channels),
            broker_connected=self.broker.connected,
            refused=self.refused,
            apps={app_id: replace(stats) for app_id, stats in self._stats.items()},
        )

    # For the sockets

    def accept(self, app: App) -> errors.ConnectionClosed | None:
        """Whether one more connection of this app has room here."""
        if not app.enabled:
            return errors.AppDisabled("The app is disabled")
        if self._max_connections is not None and len(self.connections) >= self._max_connections:
            return errors.OverCapacity("Over capacity")
        if app.max_connections is not None and self._stats[app.id].connections >= app.max_connections:
            return errors.OverQuota("The app is over its connection quota")
        return None

    def opened(self, app: App, transport: asyncio.WriteTransport, carrier: Carrier, answer: bytes = b"") -> Connection:
        """``answer`` is what the handshake gets; it goes out with the first message."""
        stats = self._stats[app.id]
        stats.connections += 1
        stats.opened += 1
        first, second = _HALVES.unpack(os.urandom(8))
        socket_id = f"{first}.{second}"
        machine = Machine(app, socket_id, asyncio.get_running_loop().time(), time.time())
        connection = Connection(
            app=app,
            machine=machine,
            transport=transport,
            carrier=carrier,
            stats=stats,
            limit=self._max_buffered,
            on_overflow=self._overflowed,
        )
        self.connections[socket_id] = connection
        connection.send(answer + b"".join(text_frame(each.text) for each in machine.open()))
        return connection

    def received(self, connection: Connection, payload: bytes) -> None:
        stats = connection.stats
        stats.messages_in += 1
        stats.bytes_in += len(payload)
        effects = connection.machine.receive(payload, asyncio.get_running_loop().time())
        if effects:
            self.apply(connection, effects)

    def closed(self, connection: Connection, code: int = 1006, reason: str = "") -> None:
        """The client closed, or the connection was lost, or we end it without ``pusher:error``."""
        self.apply(connection, connection.machine.end(code, reason))

    def fail(self, connection: Connection, failure: errors.ConnectionClosed) -> None:
        self.apply(connection, connection.machine.fail(failure))

    def apply(self, connection: Connection, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                connection.send(text_frame(effect.text))
            elif isinstance(effect, Broadcast):
                self._exchange.broadcast(connection, effect)
            elif isinstance(effect, Join):
                self._join(connection, effect)
            elif isinstance(effect, Leave):
                channel = self.channels.get(topic_of(connection.app.id, effect.channel.text))
                if channel is not None:
                    channel.leave(connection, effect.member)
            elif isinstance(effect, Ping):
                connection.carrier.ping()
            elif isinstance(effect, Close):
                self._close(connection, effect)
            elif isinstance(effect, SignIn):
                self._sign_in(connection, effect)
            elif isinstance(effect, ClientEvent):
                self._observed(connection, effect)

    def _close(self, connection: Connection, effect: Close) -> None:
        connection.close(effect.code, effect.reason)
        if self.connections.pop(connection.socket_id, None) is not None:
            connection.stats.connections -= 1
        self._scopes.remove(connection)
        if connection.machine.user is not None:
            self._users.leave(connection)

    def _sign_in(self, connection: Connection, effect: SignIn) -> None:
        if self._scopes.blocks(connection.app.id, EVERY_CHANNEL, effect.scopes, effect.issued_at):
            failure = errors.SignInRefused("Connection is unauthorized: access was taken back")
            self.apply(connection, connection.machine.refuse_sign_in(failure))
            return
        self._scopes.add(connection, effect.scopes)
        self.apply(connection, connection.machine.signed_in(effect))
        self._users.enter(connection, effect.user)

    def _join(self, connection: Connection, effect: Join) -> None:
        app, name = connection.app, effect.channel
        if self._scopes.blocks(app.id, name.text, effect.scopes, effect.issued_at):
            failure = errors.Revoked("Connection is unauthorized: access was taken back")
            self.apply(connection, connection.machine.refuse(name.text, failure))
            return
        self._scopes.add(connection, effect.scopes)
        topic = topic_of(app.id, name.text)
        channel = self.channels.get(topic)
        if channel is None:
            stats = self._stats[app.id]
            stats.channels += 1
            channel = self.channels[topic] = Channel(self, app, name, topic, stats)
            if channel.attendance is not None:
                self.rosters[topic] = channel.attendance
            channel.open()
        channel.wait(connection, effect.member)

    def vacated(self, channel: Channel) -> None:
        if self.channels.get(channel.topic) is channel:
            del self.channels[channel.topic]
            self.rosters.pop(channel.topic, None)
            channel.audience.stats.channels -= 1
            if not self._exchange.listened(channel.topic):
                self.broker.unsubscribe(channel.topic)

    def _observed(self, connection: Connection, effect: ClientEvent) -> None:
        for observer in self.observers:
            observer.client_event(
                connection.app, effect.channel, effect.event, effect.data, connection.socket_id, effect.user_id
            )

    def _overflowed(self, connection: Connection) -> None:
        connection.stats.slow_closed += 1
        log.info("socket.slow", app=connection.app.id, socket=connection.socket_id)
        # Not here and now: we may be in the middle of a fan-out.
        asyncio.get_running_loop().call_soon(self.fail, connection, errors.OverCapacity("Reading too slowly"))

    # Inside

    def spawn(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("realtime.task_failed", exc_info=task.exception())
