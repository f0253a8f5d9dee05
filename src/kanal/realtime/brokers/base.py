"""The one interface behind which brokers stand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

HEARTBEAT = 5.0  # seconds
NODE_TTL = 15.0  # seconds; with the heartbeat: a killed node is off the rosters after at most 20 s and a round trip


class BrokerDown(Exception):
    """The broker cannot be reached now. Local delivery goes on; ``Sink.restored`` tells when it is back."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a topic's history is kept, on every node the same."""

    events: int
    seconds: float
    """Since the last event; then all of them are forgotten. Where the log stands is known for a day longer."""


# A struct, for there is one for each event: making a frozen dataclass costs ten times as much.
class Message(msgspec.Struct, frozen=True):
    """Without ``history`` a message goes to the other nodes that subscribe its topic.

    With it the broker gives it a position, keeps it, and delivers it to *every* node that subscribes the topic, the
    publisher's own too, in one order for all.
    """

    topic: str
    payload: bytes
    retain: float | None = None
    """Seconds to keep this as the topic's last message."""
    history: Keep | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A topic's history after a position, or an explicit "it is not all there"."""

    position: str
    """Where the log stands, ``{epoch}-{n}``; ``n`` counts the events of this epoch."""
    events: Sequence[tuple[str, bytes]] = ()
    """Position and payload, oldest first."""
    complete: bool = True
    """False when the position asked for is too old, unknown or of another epoch; there are no events then."""


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


@dataclass(frozen=True, slots=True)
class CensusUpdate:
    """Of the names that were joined or left: those that nobody held before, and those that nobody holds now."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()


class Sink(Protocol):
    """What a broker calls, always from the event loop."""

    def deliver(self, topic: str, payload: bytes, position: str | None) -> None:
        """A message of another node; with a ``position`` (see ``Message``) also of this one."""

    def roster_changed(self, topic: str, change: RosterChange) -> None: ...

    def node_gone(self, node: str) -> None:
        """A node died. Told to one node only, the one that took it off the list; not of a node that stopped in order."""

    def census_left(self, app_id: str, names: Sequence[str]) -> None:
        """A node died or stopped, and was the last to hold these names. Told to one node only."""

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
        """Takes this node's users off every roster, and the node off every census.

        What was posted, and not waited for, is lost if the broker is seconds behind.
        """

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

    async def history(self, topic: str, after: str | None, keep: Keep) -> Past:
        """What followed a position that anybody may have made up; ``None`` asks only where the log stands.

        A topic that has no log gets one, so that what follows is found later. Raises ``BrokerDown``.
        """

    async def forget_history(self, topic: str) -> None:
        """Nothing follows from positions given until now: events were missed by the log. Raises ``BrokerDown``."""

    async def update_census(self, app_id: str, joins: Sequence[str], leaves: Sequence[str]) -> CensusUpdate:
        """Registers this node as a holder of names, and takes it off others; idempotent, each name for itself atomic.

        Exactly one node is told of each first and last holder: here, or by ``Sink.census_left`` when a node dies. After
        ``BrokerDown`` nobody may have been told of a change that did happen. A broker that lost everything
        (``Sink.restored``) knows no holders.
        """

    async def nodes(self) -> list[str]:
        """The nodes that are alive, this one among them. Raises ``BrokerDown``."""
