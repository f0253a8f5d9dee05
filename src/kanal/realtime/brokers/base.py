"""The one interface behind which brokers stand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class BrokerDown(Exception):
    """The broker cannot be reached now. Local delivery goes on; ``Sink.restored`` tells when it is back."""


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    retain: float | None = None
    """Seconds to keep this as the topic's last message."""


@dataclass(frozen=True, slots=True)
class Retained:
    payload: bytes
    expires_in: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class RosterChange:
    """The first node of a user joined (``info`` is JSON), or the last one left (``info`` is ``None``).

    Every node that subscribes the topic receives every change, its own too, in the order of ``version``.
    """

    version: int
    user_id: str
    info: bytes | None


@dataclass(frozen=True, slots=True)
class RosterUpdate:
    version: int
    """The roster's version once this update was done."""
    refused: frozenset[str] = frozenset()
    """Users for whom there was no room."""


@dataclass(frozen=True, slots=True)
class Roster:
    version: int = 0
    members: Mapping[str, bytes] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    """Users that this node is registered for."""


class Sink(Protocol):
    """What a broker calls, always from the event loop."""

    def deliver(self, topic: str, payload: bytes) -> None:
        """A message from *another* node."""

    def roster_changed(self, topic: str, change: RosterChange) -> None: ...

    def restored(self) -> None:
        """Everything is subscribed (again); changes may have been missed before this, and rosters lost."""

    def lost(self) -> None: ...


class Broker(Protocol):
    @property
    def node(self) -> str:
        """Unique per process, not only per machine: a restarted node is another one."""

    @property
    def connected(self) -> bool: ...

    async def start(self, sink: Sink) -> None:
        """Returns whether or not the broker can be reached; it goes on trying."""

    async def stop(self) -> None:
        """Takes this node's users off every roster."""

    def subscribe(self, topic: str) -> asyncio.Future[None] | None:
        """``None``: there is nothing to wait for, because it is in force or because the broker is down.

        The future fails with ``BrokerDown`` when the link is lost before the broker confirmed. Either way the
        subscription is made up for when the link is back.
        """

    def unsubscribe(self, topic: str) -> None: ...

    def post(self, messages: Sequence[Message]) -> None:
        """Like ``publish`` for those who do not wait: what cannot go out now is dropped."""

    async def publish(self, messages: Sequence[Message]) -> bool:
        """Whether the broker has taken them all. In order with ``post``. Never raises."""

    async def retained(self, topic: str) -> Retained | None:
        """Raises ``BrokerDown``."""

    async def roster(self, topic: str) -> Roster:
        """Raises ``BrokerDown``."""

    async def update_roster(
        self, topic: str, joins: Mapping[str, bytes], leaves: Sequence[str], limit: int
    ) -> RosterUpdate:
        """Registers this node for users, and takes it off for others; atomic and idempotent.

        ``limit`` is the number of distinct users on the roster. A node that dies is taken off every roster within 30 s
        by the others. Raises ``BrokerDown``.
        """
