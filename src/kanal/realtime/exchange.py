"""Events between the channels of this node and those of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from kanal.realtime.apps import AppSource
from kanal.realtime.brokers.base import Broker, Message
from kanal.realtime.channels import Channel
from kanal.realtime.connections import Connection
from kanal.realtime.envelope import open_event, seal_event, topic_of
from kanal.realtime.protocol import frames
from kanal.realtime.protocol.effects import Broadcast
from kanal.realtime.protocol.names import parse_channel_name
from kanal.realtime.publisher import Delivery, Publication
from kanal.realtime.wire import text_frame

Tap = Callable[[bytes], None]


class Owner(Protocol):
    """The hub, as the exchange sees it."""

    apps: AppSource
    broker: Broker
    channels: dict[str, Channel]
    connections: dict[str, Connection]


class Exchange:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._taps: dict[str, list[Tap]] = {}

    async def publish(self, publications: Sequence[Publication]) -> Delivery:
        messages = [self._publish_here(publication) for publication in publications]
        return await self.send(messages)

    def _publish_here(self, publication: Publication) -> Message:
        topic = topic_of(publication.app_id, publication.channel)
        text = frames.event(publication.event, publication.channel, frames.string_token(publication.data))
        self._fan_out(topic, text, publication.except_socket)
        retain = self._keep(publication.app_id, publication.channel, topic, text)
        return Message(topic, seal_event(text, publication.except_socket, keeps=True), retain)

    async def send(self, messages: Sequence[Message]) -> Delivery:
        return Delivery.CLUSTER if await self._owner.broker.publish(messages) else Delivery.LOCAL_ONLY

    def broadcast(self, connection: Connection, effect: Broadcast) -> None:
        """A client event, to everybody but its sender."""
        topic = topic_of(connection.app.id, effect.channel)
        channel = self._owner.channels.get(topic)
        if channel is not None:
            channel.tell(text_frame(effect.text), (connection,))
        if self._taps:
            self._tap(topic, effect.text)
        self._owner.broker.post([Message(topic, seal_event(effect.text, connection.socket_id, keeps=False))])

    def deliver(self, topic: str, payload: bytes, position: str | None) -> None:
        """From another node; with a position perhaps from this one."""
        event = open_event(payload)
        self._fan_out(topic, event.text, event.except_socket)
        if event.keeps:
            app_id, _, channel = topic.partition(":")
            self._keep(app_id, channel, topic, event.text)

    def _fan_out(self, topic: str, text: bytes, except_socket: str | None) -> None:
        if self._taps:
            self._tap(topic, text)
        channel = self._owner.channels.get(topic)
        if channel is None:
            return
        skip = self._owner.connections.get(except_socket) if except_socket else None
        channel.tell(text_frame(text), () if skip is None else (skip,))

    def _keep(self, app_id: str, channel: str, topic: str, text: bytes) -> float | None:
        """Seconds that a cache channel keeps the event, here and in the broker; ``None`` for other channels."""
        if "cache-" not in channel:
            return None
        app = self._owner.apps.by_id(app_id)
        if app is None or not parse_channel_name(channel).cached:
            return None
        local = self._owner.channels.get(topic)
        if local is not None:
            local.keep(text, app.cache_ttl)
        return float(app.cache_ttl)

    # Listening in

    def listen(self, topic: str, tap: Tap) -> Callable[[], None]:
        """``tap`` gets every event of the topic that passes this node, as clients receive it. Answers what ends that."""
        self._taps.setdefault(topic, []).append(tap)
        self._owner.broker.subscribe(topic)

        def stop() -> None:
            taps = self._taps.get(topic, [])
            if tap not in taps:
                return
            taps.remove(tap)
            if not taps:
                del self._taps[topic]
                if topic not in self._owner.channels:
                    self._owner.broker.unsubscribe(topic)

        return stop

    def listened(self, topic: str) -> bool:
        return topic in self._taps

    def _tap(self, topic: str, text: bytes) -> None:
        for tap in tuple(self._taps.get(topic, ())):
            tap(text)
