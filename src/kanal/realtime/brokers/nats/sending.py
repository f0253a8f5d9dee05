"""What goes out: events, retained messages, events that are given a position."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from kanal.realtime.brokers.base import Message, Retained
from kanal.realtime.brokers.nats.connection import Connection
from kanal.realtime.brokers.nats.jetstream import JetStream, header, header_block
from kanal.realtime.brokers.nats.link import Link
from kanal.realtime.brokers.nats.logs import Logs
from kanal.realtime.brokers.nats.names import Names
from kanal.realtime.brokers.results import Results

_HEADERS = 1_000  # bytes, more than ours ever take
_FOR = "Kanal-For"  # milliseconds to keep a message


class Sender:
    def __init__(
        self, link: Link, jetstream: JetStream, logs: Logs, names: Names, refused: Callable[[str], None]
    ) -> None:
        self._link = link
        self._jetstream = jetstream
        self._logs = logs
        self._names = names
        self._refused = refused

    def post(self, messages: Sequence[Message]) -> None:
        connection = self._link.connection
        if connection is not None and self._link.connected:
            for message in self._fitting(connection, messages):
                self._send(connection, message, None)

    async def publish(self, messages: Sequence[Message]) -> bool:
        """True when the server has taken them: events by its word, what is kept by its receipts."""
        connection = self._link.connection
        if connection is None or not self._link.connected:
            return False
        fitting = self._fitting(connection, messages)
        results = Results(1 + sum((each.retain is not None) + (each.history is not None) for each in fitting))
        for message in fitting:
            self._send(connection, message, results)
        connection.confirm().add_done_callback(lambda done: results(done.exception()))
        return await results.wait() and len(fitting) == len(messages)

    def _fitting(self, connection: Connection, messages: Sequence[Message]) -> list[Message]:
        """Those that can go out."""
        if connection.full:
            self._refused("too much is waiting")
            return []
        room = connection.info.result().max_payload - _HEADERS
        fitting = [message for message in messages if len(message.payload) <= room]
        if len(fitting) < len(messages):
            self._refused("larger than the server's max_payload")  # which would end the connection
        return fitting

    def _send(self, connection: Connection, message: Message, results: Results | None) -> None:
        topic, payload, keep = message.topic, message.payload, message.history
        if message.retain is not None:
            subject, fields = self._names.retained(topic), header_block({_FOR: int(message.retain * 1000)})
            if results is None:
                connection.publish(subject.encode(), payload, b"", fields)
            else:
                self._jetstream.store(subject, payload, fields, results)
        if keep is None:
            connection.publish(self._names.event(topic), payload)
        elif not self._logs.append(topic, payload, keep, results or _ignore):
            self._refused("too much is waiting for the log")
            if results is not None:
                results.fail()

    async def retained(self, topic: str) -> Retained | None:
        stored = await self._jetstream.last(self._names.last, self._names.retained(topic))
        if stored is None:
            return None
        kept = int(header(stored.headers, _FOR.encode()) or b"0") / 1000
        left = stored.seconds + kept - (time.time() + self._logs.skew)
        return Retained(stored.data, min(left, kept)) if left > 0 else None


def _ignore(_: object) -> None:
    """Nobody waits for it."""
