"""The hub of one node: connections, channels and scopes, joined to the other nodes by a broker."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import structlog

from kanal.realtime.apps import App, AppSource
from kanal.realtime.brokers.base import Broker, Message, RosterChange
from kanal.realtime.channels import Channel
from kanal.realtime.connections import Carrier, Connection
from kanal.realtime.control import Scopes
from kanal.realtime.endings import end
from kanal.realtime.envelope import (
    CONTROL_TOPIC,
    Control,
    Revoke,
    Terminate,
    decode_control,
    encode_control,
    open_event,
    seal_event,
)
from kanal.realtime.fanout import FanOut
from kanal.realtime.protocol import errors, frames
from kanal.realtime.protocol.connection import Machine
from kanal.realtime.protocol.effects import Broadcast, Close, Effect, Join, Leave, Ping, Send
from kanal.realtime.protocol.names import parse_channel_name
from kanal.realtime.publisher import Delivery, Publication
from kanal.realtime.reconcile import Reconciler
from kanal.realtime.rounds import SWEEP_INTERVAL, spread, sweep
from kanal.realtime.stats import AppStats, HubStats
from kanal.realtime.wire import text_frame

MAX_BUFFERED = 1024 * 1024  # bytes that may wait for a slow reader

log = structlog.get_logger(__name__)


def topic_of(app_id: str, channel: str) -> str:
    return f"{app_id}:{channel}"


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
        self.refused = 0
        self._max_connections = max_connections
        self._max_buffered = max_buffered
        self._sweep_interval = sweep_interval
        self._scopes = Scopes()
        self._stats: defaultdict[str, AppStats] = defaultdict(AppStats)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reconciler = Reconciler(self)

    async def start(self) -> None:
        self.broker.subscribe(CONTROL_TOPIC)
        await self.broker.start(self)
        self.spawn(asyncio.create_task(sweep(self.connections, self._sweep_interval, self.apply)))

    async def stop(self) -> None:
        """Drops what is still connected; ``drain`` is the kind way to do that before."""
        for connection in list(self.connections.values()):
            self.fail(connection, errors.Reconnect("Server is going away"))
        self._reconciler.stop()
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

    async def publish(self, publications: Sequence[Publication]) -> Delivery:
        messages = [self._publish_local(publication) for publication in publications]
        return await self._to_cluster(messages)

    def _publish_local(self, publication: Publication) -> Message:
        topic = topic_of(publication.app_id, publication.channel)
        text = frames.event(publication.event, publication.channel, frames.string_token(publication.data))
        self._fan_out(topic, text, publication.except_socket)
        retain = self._keep(publication.app_id, publication.channel, topic, text)
        return Message(topic, seal_event(text, publication.except_socket, keeps=True), retain)

    async def terminate(
        self, app_id: str, scope: str, code: int = 4009, message: str = "You got disconnected by the app."
    ) -> Delivery:
        return await self._control(Terminate(app_id, scope, code, message, _milliseconds()))

    async def revoke(self, app_id: str, channel: str, scope: str) -> Delivery:
        return await self._control(Revoke(app_id, channel, scope, _milliseconds()))

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

    def opened(self, app: App, transport: asyncio.WriteTransport, carrier: Carrier) -> Connection:
        stats = self._stats[app.id]
        stats.connections += 1
        stats.opened += 1
        socket_id = f"{secrets.randbits(31)}.{secrets.randbits(31)}"
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
        self.apply(connection, machine.open())
        return connection

    def received(self, connection: Connection, payload: bytes) -> None:
        connection.stats.messages_in += 1
        connection.stats.bytes_in += len(payload)
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
                self._broadcast(connection, effect)
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

    def _close(self, connection: Connection, effect: Close) -> None:
        connection.close(effect.code, effect.reason)
        if self.connections.pop(connection.socket_id, None) is not None:
            connection.stats.connections -= 1
        self._scopes.remove(connection)

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
            channel.open()
        channel.wait(connection, effect.member)

    def vacated(self, channel: Channel) -> None:
        if self.channels.get(channel.topic) is channel:
            del self.channels[channel.topic]
            channel.audience.stats.channels -= 1
            self.broker.unsubscribe(channel.topic)

    def _broadcast(self, connection: Connection, effect: Broadcast) -> None:
        topic = topic_of(connection.app.id, effect.channel)
        channel = self.channels.get(topic)
        if channel is not None:
            self.fanout.publish(channel.audience, text_frame(effect.text), (connection,))
        self.broker.post([Message(topic, seal_event(effect.text, connection.socket_id, keeps=False))])

    def _overflowed(self, connection: Connection) -> None:
        connection.stats.slow_closed += 1
        log.info("socket.slow", app=connection.app.id, socket=connection.socket_id)
        # Not here and now: we may be in the middle of a fan-out.
        asyncio.get_running_loop().call_soon(self.fail, connection, errors.OverCapacity("Reading too slowly"))

    # For the broker

    def deliver(self, topic: str, payload: bytes) -> None:
        if topic == CONTROL_TOPIC:
            self._scopes.obey(decode_control(payload), self.apply)
            return
        event = open_event(payload)
        self._fan_out(topic, event.text, event.except_socket)
        if event.keeps:
            app_id, _, channel = topic.partition(":")
            self._keep(app_id, channel, topic, event.text)

    def roster_changed(self, topic: str, change: RosterChange) -> None:
        channel = self.channels.get(topic)
        if channel is not None and channel.attendance is not None:
            channel.attendance.changed(change)

    def restored(self) -> None:
        self._reconciler.restored()

    def lost(self) -> None:
        self._reconciler.lost()

    # Inside

    def spawn(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("realtime.task_failed", exc_info=task.exception())

    def _fan_out(self, topic: str, text: bytes, except_socket: str | None) -> None:
        channel = self.channels.get(topic)
        if channel is None:
            return
        skip = self.connections.get(except_socket) if except_socket else None
        self.fanout.publish(channel.audience, text_frame(text), () if skip is None else (skip,))

    def _keep(self, app_id: str, channel: str, topic: str, text: bytes) -> float | None:
        """Seconds that a cache channel keeps the event, here and in the broker; ``None`` for other channels."""
        if "cache-" not in channel:
            return None
        app = self.apps.by_id(app_id)
        if app is None or not parse_channel_name(channel).cached:
            return None
        local = self.channels.get(topic)
        if local is not None:
            local.keep(text, app.cache_ttl)
        return float(app.cache_ttl)

    async def _to_cluster(self, messages: Sequence[Message]) -> Delivery:
        return Delivery.CLUSTER if await self.broker.publish(messages) else Delivery.LOCAL_ONLY

    async def _control(self, control: Control) -> Delivery:
        self._scopes.obey(control, self.apply)
        return await self._to_cluster([Message(CONTROL_TOPIC, encode_control(control))])


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000
