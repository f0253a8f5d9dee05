"""Events between the channels of this node and those of the others.

Without history an event goes to the subscribers here first and then to the broker, for the other nodes. With history it is
the broker that gives it a place and brings it to every node, this one too; what the broker does not take is delivered here
without a place, and the history begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kanal.realtime.apps import App, AppSource
from kanal.realtime.brokers.base import Broker, BrokerDown, Keep, Message
from kanal.realtime.channels import Channel
from kanal.realtime.connections import Connection
from kanal.realtime.envelope import Recorded, open_event, open_recorded, seal_event, seal_recorded, topic_of
from kanal.realtime.protocol import frames
from kanal.realtime.protocol.effects import Broadcast
from kanal.realtime.protocol.names import parse_channel_name
from kanal.realtime.publisher import Delivery, Publication
from kanal.realtime.recovery import Recovery
from kanal.realtime.tally import MARK as TALLY
from kanal.realtime.wire import text_frame

_MAX_MADE_UP = 10_000  # events that may still come back while the link stands; it takes a command's time-out
_AT_ONCE = 16  # channels whose history is read at a time

Tap = Callable[[bytes], None]


class Owner(Protocol):
    """The hub, as the exchange sees it."""

    apps: AppSource
    broker: Broker
    channels: dict[str, Channel]
    connections: dict[str, Connection]

    def spawn(self, task: asyncio.Task[None]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Sent:
    """An event that the broker shall give a position, and bring back."""

    token: str
    topic: str
    text: bytes
    except_socket: str | None


class Exchange:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._taps: dict[str, list[Tap]] = {}
        self._mark = secrets.token_hex(4)
        self._sent = 0
        self._awaited: set[str] = set()  # tokens of events that the broker has not brought back
        self._made_up: OrderedDict[str, None] = OrderedDict()  # tokens of events delivered without it
        self._alone: set[str] = set()  # topics whose history lacks what subscribers here were given

    async def publish(self, publications: Sequence[Publication]) -> Delivery:
        recorded: list[_Sent] = []
        messages = [self._prepare(publication, recorded) for publication in publications]
        delivery = Delivery.CLUSTER if await self._owner.broker.publish(messages) else Delivery.LOCAL_ONLY
        if recorded:
            self._check(recorded, delivery)
        return delivery

    def _prepare(self, publication: Publication, recorded: list[_Sent]) -> Message:
        app = self._owner.apps.by_id(publication.app_id)
        topic = topic_of(publication.app_id, publication.channel)
        except_socket = publication.except_socket
        text = frames.event(publication.event, publication.channel, frames.string_token(publication.data))
        retain = self._keep(app, publication.channel, topic, text)
        if app is None or not app.history_events:
            self._fan_out(topic, text, except_socket)
            return Message(topic, seal_event(text, except_socket, keeps=True), retain)
        self._sent += 1
        sent = _Sent(f"{self._mark}{self._sent}", topic, text, except_socket)
        recorded.append(sent)
        self._awaited.add(sent.token)
        keep = Keep(app.history_events, app.history_seconds)
        return Message(topic, seal_recorded(text, except_socket, sent.token), retain, keep)

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
        if position is not None:
            self._deliver_recorded(topic, open_recorded(position, payload))
            return
        if payload.startswith(TALLY):
            channel = self._owner.channels.get(topic)
            if channel is not None and channel.tally is not None:
                channel.tally.heard(payload)
            return
        event = open_event(payload)
        self._fan_out(topic, event.text, event.except_socket)
        if event.keeps:
            app_id, _, name = topic.partition(":")
            self._keep(self._owner.apps.by_id(app_id), name, topic, event.text)

    def _fan_out(self, topic: str, text: bytes, except_socket: str | None) -> None:
        if self._taps:
            self._tap(topic, text)
        channel = self._owner.channels.get(topic)
        if channel is None:
            return
        skip = self._owner.connections.get(except_socket) if except_socket else None
        channel.tell(text_frame(text), () if skip is None else (skip,))

    def _keep(self, app: App | None, channel: str, topic: str, text: bytes) -> float | None:
        """Seconds that a cache channel keeps the event, here and in the broker; ``None`` for other channels."""
        if "cache-" not in channel or app is None or not parse_channel_name(channel).cached:
            return None
        local = self._owner.channels.get(topic)
        if local is not None:
            local.keep(text, app.cache_ttl)
        return float(app.cache_ttl)

    # Events with a position

    def _deliver_recorded(self, topic: str, event: Recorded) -> None:
        self._awaited.discard(event.token)
        if event.token in self._made_up:
            del self._made_up[event.token]
            return
        if self._taps:
            self._tap(topic, event.text)
        app_id, _, name = topic.partition(":")
        self._keep(self._owner.apps.by_id(app_id), name, topic, event.text)
        channel = self._owner.channels.get(topic)
        if channel is not None:
            channel.recorded(event)

    def _check(self, recorded: Sequence[_Sent], delivery: Delivery) -> None:
        """What the broker did not take is delivered here, in case it was not brought back all the same."""
        for sent in recorded:
            if sent.token in self._awaited:
                self._awaited.discard(sent.token)
                if delivery is not Delivery.CLUSTER:
                    self._deliver_alone(sent)
        if self._alone and self._owner.broker.connected:
            self._owner.spawn(asyncio.get_running_loop().create_task(self._forget()))

    def _deliver_alone(self, sent: _Sent) -> None:
        self._fan_out(sent.topic, sent.text, sent.except_socket)
        self._made_up[sent.token] = None
        while len(self._made_up) > _MAX_MADE_UP:
            self._made_up.popitem(last=False)
        if sent.topic in self._owner.channels:
            self._alone.add(sent.topic)

    def restored(self) -> None:
        """The broker is back: subscribers here get what others published meanwhile, as far as its history goes."""
        self._made_up.clear()  # they went down with the link
        self._owner.spawn(asyncio.get_running_loop().create_task(self._recover()))

    async def _recover(self) -> None:
        at_once = asyncio.Semaphore(_AT_ONCE)

        async def one(recovery: Recovery) -> None:
            async with at_once:
                await recovery.filled()

        async with asyncio.TaskGroup() as group:
            for channel in list(self._owner.channels.values()):
                if channel.ready and channel.recovery is not None:
                    group.create_task(one(channel.recovery))
        await self._forget()

    async def _forget(self) -> None:
        """A position that was given before must not promise what only subscribers here have seen."""
        with contextlib.suppress(BrokerDown):  # it is tried again when the broker is back
            while self._alone:
                topic = next(iter(self._alone))
                await self._owner.broker.forget_history(topic)
                self._alone.discard(topic)

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
