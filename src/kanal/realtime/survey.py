"""What all nodes have of an app's channels: every node is asked, and what they answer is added up."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from kanal.realtime.brokers.base import Broker, BrokerDown
from kanal.realtime.orders import Orders
from kanal.realtime.publisher import Delivery
from kanal.realtime.stats import LocalChannel

PATIENCE = 1.0  # seconds; a node that has not answered by then is stopped, dying or drowning
QUESTION, REPLY = "survey", "survey-reply"


class Host(Protocol):
    """The hub, as a survey sees it."""

    broker: Broker
    orders: Orders

    def local(self, app_id: str, prefix: str = "") -> Mapping[str, LocalChannel]: ...

    async def order(self, tag: str, payload: bytes) -> Delivery: ...

    def spawn(self, task: asyncio.Task[None]) -> None: ...


class Question(msgspec.Struct, array_like=True, frozen=True):
    id: str
    node: str
    """Who asks."""
    app_id: str
    prefix: str
    exact: bool
    """Only the channel of this name."""


class Reply(msgspec.Struct, array_like=True, frozen=True):
    id: str
    node: str
    channels: dict[str, tuple[int, list[str]]]
    """By name: subscriptions and, for presence channels, users."""


@dataclass(slots=True)
class Found:
    """A channel, over all nodes that answered."""

    subscriptions: int = 0
    users: set[str] = field(default_factory=set)


NOBODY = Found()

_encode = msgspec.json.encode
_question = msgspec.json.Decoder(Question).decode
_reply = msgspec.json.Decoder(Reply).decode


class _Asked:
    """A question that is out."""

    def __init__(self, waiting_for: set[str], found: dict[str, Found]) -> None:
        self.waiting_for = waiting_for
        self.found = found
        self.complete = asyncio.Event()

    def add(self, reply: Reply) -> None:
        if reply.node not in self.waiting_for:
            return
        self.waiting_for.discard(reply.node)
        for name, (subscriptions, users) in reply.channels.items():
            each = self.found.setdefault(name, Found())
            each.subscriptions += subscriptions
            each.users.update(users)
        if not self.waiting_for:
            self.complete.set()


class Survey:
    """Made once for a hub, before it starts. What cannot be asked (the broker is away) is not counted."""

    def __init__(self, hub: Host, *, patience: float = PATIENCE) -> None:
        self._hub = hub
        self._patience = patience
        self._asked: dict[str, _Asked] = {}
        hub.orders.add(QUESTION, self._answer)
        hub.orders.add(REPLY, self._collect)

    async def channels(self, app_id: str, prefix: str = "") -> dict[str, Found]:
        """Occupied channels whose names begin with ``prefix``, sorted by name."""
        found = await self._ask(app_id, prefix, exact=False)
        return {name: found[name] for name in sorted(found) if not name.startswith("#")}

    async def channel(self, app_id: str, name: str) -> Found:
        return (await self._ask(app_id, name, exact=True)).get(name, NOBODY)

    async def _ask(self, app_id: str, prefix: str, *, exact: bool) -> dict[str, Found]:
        broker = self._hub.broker
        question = Question(secrets.token_hex(8), broker.node, app_id, prefix, exact)
        found = {
            name: Found(subscriptions, set(users)) for name, (subscriptions, users) in self._here(question).items()
        }
        try:
            others = set(await broker.nodes()) - {broker.node}
        except BrokerDown:
            return found
        if not others:
            return found
        asked = self._asked[question.id] = _Asked(others, found)
        try:
            if await self._hub.order(QUESTION, _encode(question)) is Delivery.CLUSTER:
                async with asyncio.timeout(self._patience):
                    await asked.complete.wait()
        except TimeoutError:
            return found
        finally:
            del self._asked[question.id]
        return found

    def _here(self, question: Question) -> dict[str, tuple[int, list[str]]]:
        local = self._hub.local(question.app_id, question.prefix)
        return {
            name: (each.subscriptions, sorted(each.users or ()))
            for name, each in local.items()
            if not question.exact or name == question.prefix
        }

    def _answer(self, payload: bytes) -> None:
        question = _question(payload)
        if question.node != self._hub.broker.node:
            reply = Reply(question.id, self._hub.broker.node, self._here(question))
            self._spawn(self._send(_encode(reply)))

    async def _send(self, payload: bytes) -> None:
        await self._hub.order(REPLY, payload)

    def _collect(self, payload: bytes) -> None:
        """Every node hears every reply; most asked nothing."""
        reply = _reply(payload)
        asked = self._asked.get(reply.id)
        if asked is not None:
            asked.add(reply)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._hub.spawn(asyncio.get_running_loop().create_task(work))
