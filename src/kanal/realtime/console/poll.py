"""One question to all nodes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from kanal.realtime.brokers.base import Broker, BrokerDown
from kanal.realtime.orders import Orders
from kanal.realtime.publisher import Delivery

PATIENCE = 1.0  # seconds; a node that has not answered by then is stopped, dying or drowning

Answer = Callable[[bytes], Awaitable[bytes]]


class Host(Protocol):
    """The hub, as a poll sees it."""

    broker: Broker
    orders: Orders

    async def order(self, tag: str, payload: bytes) -> Delivery: ...

    def spawn(self, task: asyncio.Task[None]) -> None: ...


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    id: str
    node: str
    """Who asks; in a reply, who answers."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Replies:
    answers: list[bytes]
    """This node's own first."""
    silent: list[str]
    alone: bool
    """The broker is away: nobody else could be asked."""


class _Asked:
    """A question that is out."""

    def __init__(self, waiting_for: set[str]) -> None:
        self.waiting_for = waiting_for
        self.answers: list[bytes] = []
        self.complete = asyncio.Event()

    def add(self, reply: Envelope) -> None:
        if reply.node in self.waiting_for:
            self.waiting_for.discard(reply.node)
            self.answers.append(reply.payload)
        if not self.waiting_for:
            self.complete.set()


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Envelope).decode


class Poll:
    """Questions under one ``tag``, which every node must have; made before the hub starts.

    ``answer`` gets the question's payload, on every node. Raises ``ValueError`` for a tag that is taken.
    """

    def __init__(self, hub: Host, tag: str, answer: Answer, *, patience: float = PATIENCE) -> None:
        self._hub = hub
        self._question, self._reply = tag, f"{tag}-reply"
        self._answer = answer
        self._patience = patience
        self._asked: dict[str, _Asked] = {}
        hub.orders.add(self._question, self._questioned)
        hub.orders.add(self._reply, self._replied)

    async def ask(self, payload: bytes) -> Replies:
        own = await self._answer(payload)
        broker = self._hub.broker
        try:
            others = set(await broker.nodes()) - {broker.node}
        except BrokerDown:
            return Replies([own], [], alone=True)
        if not others:
            return Replies([own], [], alone=False)
        question = Envelope(secrets.token_hex(8), broker.node, payload)
        asked = self._asked[question.id] = _Asked(others)
        try:
            if await self._hub.order(self._question, _encode(question)) is not Delivery.CLUSTER:
                return Replies([own], [], alone=True)
            async with asyncio.timeout(self._patience):
                await asked.complete.wait()
        except TimeoutError:
            return Replies([own, *asked.answers], sorted(asked.waiting_for), alone=False)
        finally:
            del self._asked[question.id]
        return Replies([own, *asked.answers], [], alone=False)

    def _questioned(self, message: bytes) -> None:
        question = _decode(message)
        if question.node != self._hub.broker.node:
            self._hub.spawn(asyncio.get_running_loop().create_task(self._respond(question)))

    async def _respond(self, question: Envelope) -> None:
        reply = Envelope(question.id, self._hub.broker.node, await self._answer(question.payload))
        await self._hub.order(self._reply, _encode(reply))

    def _replied(self, message: bytes) -> None:
        """Every node hears every reply; most asked nothing."""
        reply = _decode(message)
        asked = self._asked.get(reply.id)
        if asked is not None:
            asked.add(reply)
